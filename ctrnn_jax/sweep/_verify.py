"""Find what is damaged in a store, and compute it again."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from ._arrays import create_arrays
from ._compute import FAILED, OUT_OF_MEMORY
from ._errors import as_storage_error
from ._experiment import AbstractExperiment
from ._manifest import check_same, describe_plan
from ._plan import Plan, make_plan
from ._progress import Progress
from ._run import missing_chunks, run_chunks
from ._spec import Specification
from ._store import Store, damaged_metadata

#: What reading a damaged file may raise.
_DAMAGE = (ValueError, RuntimeError, OSError, TypeError, KeyError)


@dataclass(frozen=True)
class Verification:
    """What was found in a store.

    - `num_chunks`, `num_done`: chunks in all, and those marked as finished.
    - `chunks`: finished chunks of which some file is damaged or missing, and why.
    - `marks`: chunks whose mark of being finished is damaged; they count as missing.
    - `files`: other damaged files: descriptions of arrays, axes and coordinates.
    """

    num_chunks: int
    num_done: int
    chunks: Mapping[int, str]
    marks: tuple[int, ...]
    files: tuple[str, ...]

    @property
    def okay(self) -> bool:
        """Whether nothing is damaged; chunks may be missing."""
        return not (self.chunks or self.marks or self.files)


def verify(
    store: str | Path, *, progress: Callable[[int, int], object] | None = None
) -> Verification:
    """Read all of a store and check every file against its checksum.

    **Arguments:**

    - `store`: the folder; it may be written to meanwhile.
    - `progress`: called after each chunk with how many are checked, and of how many.

    **Returns:** a `Verification`.

    **Raises:** `SweepStorageError` if there is no store, or its manifest is damaged.
    """
    opened = Store(Path(store))
    files = damaged_metadata(opened)
    broken = {str(Path(name).parent) for name in files}
    files += [
        name for name in _shared_arrays(opened) if _is_damaged(opened, name, broken)
    ]
    done, marks = _read_marks(opened, broken)
    found: dict[int, str] = {}
    chunks = np.flatnonzero(done).tolist()
    for place, chunk in enumerate(chunks):
        for name in opened.columns:
            if name not in broken and (error := _check(opened, name, chunk)):
                found[chunk] = f"{name}: {error}"
                break
        if progress is not None:
            progress(place + 1, len(chunks))
    return Verification(opened.num_chunks, len(chunks), found, marks, tuple(files))


def repair(
    store: str | Path,
    experiment: AbstractExperiment | Callable,
    *,
    failed: bool = False,
    accept: Sequence[str] = (),
    progress: Callable[[Progress], object] | None = None,
) -> Verification:
    """Verify a store and run the damaged chunks again, to the same bits.

    Chunks that were never finished are left to [`sweep`][ctrnn_jax.sweep.sweep].

    **Arguments:**

    - `store`: the folder.
    - `experiment`: what it was made with.
    - `failed`: run chunks again too in which a run raised an error or found no memory.
    - `accept`, `progress`: as for `sweep`.

    **Returns:** what was found before the repair.

    **Raises:** as `sweep`.
    """
    opened = Store(Path(store))
    with opened.writer():
        found = verify(store)
        plan = rebuild_plan(opened, experiment, accept)
        if found.files:
            _restore_files(opened, plan, found.files)
            opened = Store(Path(store))
            # Chunks of arrays that could not be opened were not checked.
            again = verify(store)
            found = Verification(
                found.num_chunks, again.num_done, again.chunks,
                tuple({*found.marks, *again.marks}), found.files,
            )  # fmt: skip
        opened.forget([*found.chunks, *found.marks])
        chunks = sorted({*found.chunks, *found.marks})
        if failed:
            chunks = sorted({*chunks, *_failed_chunks(opened)})
            opened.forget(chunks)
        missing = set(missing_chunks(opened))
        chosen = [chunk for chunk in chunks if chunk in missing]
        run_chunks(plan, opened, chosen, progress=progress)
    return found


def rebuild_plan(
    store: Store, experiment: AbstractExperiment | Callable, accept: Sequence[str] = ()
) -> Plan:
    """Return the plan that a store was made with.

    **Raises:** `MismatchError` if the experiment or the surroundings have changed.
    """
    manifest = store.manifest
    is_function = not isinstance(experiment, AbstractExperiment)
    plan = make_plan(
        experiment,
        Specification(manifest["spec"], str(store.path)),
        batch_size=manifest["batch_size"],
        chunk_size=manifest["chunk_size"],
        key=jr.wrap_key_data(
            jnp.asarray(np.array(manifest["key"]["data"], np.uint32)),
            impl=manifest["key"]["impl"],
        ),
        static=manifest["static"] if is_function else (),
    )
    check_same(manifest, describe_plan(plan), store.path, accept)
    return plan


def _shared_arrays(store: Store) -> Iterator[str]:
    """Yield the names of arrays that belong to no chunk."""
    known = {*store.columns, "done", "attempts", ".", "design"}
    for name in store.manifest["metadata"]:
        if name not in known:
            yield name


def _is_damaged(store: Store, name: str, broken: set[str]) -> bool:
    if name in broken:
        return False  # Its description was reported.
    try:
        array = store.array(name)
        key = array.metadata.encode_chunk_key((0,) * array.ndim)
        if not (store.path / name / key).is_file():
            return True
        array[:]
    except _DAMAGE:
        return True
    return False


def _read_marks(store: Store, broken: set[str]) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return which chunks are marked as done, and which marks are damaged."""
    if "done" in broken:
        return np.zeros(store.num_chunks, bool), tuple(range(store.num_chunks))
    array = store.array("done")
    done, damaged = np.zeros(store.num_chunks, bool), []
    for chunk in range(store.num_chunks):
        try:
            mark = int(array[chunk])
        except _DAMAGE:
            damaged.append(chunk)
        else:
            done[chunk] = mark == 1
    return done, tuple(damaged)


def _check(store: Store, name: str, chunk: int) -> str | None:
    """Return what is wrong with one file, if anything is."""
    try:
        array = store.array(name)
        key = array.metadata.encode_chunk_key((chunk, *(0,) * (array.ndim - 1)))
        if not (store.path / name / key).is_file():
            return "its file is missing"
        values = store.read(name, chunk)
    except _DAMAGE as error:
        return str(error) or type(error).__name__
    if name == "run_id" and store.manifest["order"] == "by run id":
        first = chunk * store.manifest["chunk_size"]
        if not np.array_equal(values, np.arange(first, first + len(values))):
            return "its runs are those of another chunk"
    return None


def _restore_files(store: Store, plan: Plan, files: Sequence[str]) -> None:
    """Put descriptions, axes and coordinates back as they were made at first."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "store"
        create_arrays(made, plan)
        try:
            for name in files:
                source = made / name
                if source.is_dir():
                    shutil.copytree(source, store.path / name, dirs_exist_ok=True)
                else:
                    shutil.copy(source, store.path / name)
        except OSError as error:
            raise as_storage_error(error, store.path) from error


def _failed_chunks(store: Store) -> list[int]:
    """Return finished chunks in which a run raised an error or found no memory."""
    codes: Any = (FAILED, OUT_OF_MEMORY)
    return [
        chunk
        for chunk in np.flatnonzero(store.done()).tolist()
        if np.isin(store.read("status", chunk), codes).any()
    ]
