"""A store on disk: made whole, written chunk by chunk, held by one writer."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .._storage import locked, write_atomically
from ._arrays import create_arrays, decode, open_array, read_array
from ._design import Design, Dimension
from ._errors import BusyError, MismatchError, SweepStorageError, as_storage_error
from ._manifest import check_same, describe_plan, read_manifest, write_manifest
from ._plan import Plan

_LOCK = "writer.lock"
_FAILURES = "failures"


class Store:
    """The results of a sweep in a folder.

    Opened by `Store(path)`; created by [`prepare`][ctrnn_jax.sweep._store.prepare].
    """

    def __init__(self, path: Path):
        self.path = path
        self.manifest = read_manifest(path)
        self._open: dict[str, Any] = {}

    @property
    def num_chunks(self) -> int:
        """Number of chunks."""
        return self.manifest["num_chunks"]

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of runs in each chunk."""
        values, repeats = zip(*self.manifest["counts"], strict=True)
        return np.repeat(values, repeats)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all arrays that lead with the runs."""
        axes = [name for item in self.manifest["dimensions"] for name in item["axes"]]
        return ("run_id", *axes, *self.manifest["variables"], "status", "num_steps")

    def design(self) -> Design:
        """Return the design, with the axes that were written at the start."""
        dimensions = []
        for item in self.manifest["dimensions"]:
            axes = {}
            for name in item["axes"]:
                array = self.array(f"design/{name}")
                axes[name] = decode(read_array(array), array.attrs)
            dimensions.append(Dimension(item["name"], item["size"], axes))
        return Design(tuple(dimensions), self.manifest["fixed"])

    def array(self, name: str) -> Any:
        """Return a zarr array; one that can be written, where the system allows it."""
        if name not in self._open:
            try:
                self._open[name] = open_array(self.path, name, "r+")
            except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
                raise SweepStorageError(
                    5, f"{self.path / name} is damaged or missing: {error}."
                ) from error
        return self._open[name]

    def done(self) -> np.ndarray:
        """Return which chunks are finished, `(num_chunks,)`."""
        return self._marks("done") == 1

    def is_done(self, chunk: int) -> bool:
        """Return whether a chunk is finished."""
        try:
            return int(self.array("done")[chunk]) == 1
        except (ValueError, RuntimeError):
            return False

    def attempts(self) -> np.ndarray:
        """Return how often each chunk was begun, `(num_chunks,)`."""
        return self._marks("attempts")

    def _marks(self, name: str) -> np.ndarray:
        array = self.array(name)
        try:
            return array[:]
        except (ValueError, RuntimeError):
            # Some mark is damaged: a chunk without its mark is run again.
            marks = np.zeros(self.num_chunks, array.dtype)
            for chunk in range(self.num_chunks):
                with contextlib.suppress(ValueError, RuntimeError):
                    marks[chunk] = array[chunk]
            return marks

    def read(self, name: str, chunk: int) -> np.ndarray:
        """Return one column of a chunk, the unused places of a last one left out."""
        first = chunk * self.manifest["chunk_size"]
        return read_array(self.array(name), first, first + int(self.counts[chunk]))

    def begin(self, chunk: int) -> int:
        """Note that a chunk is begun, and return how often it was."""
        with self._writing("attempts"):
            array = self.array("attempts")
            try:
                before = int(array[chunk])
            except (ValueError, RuntimeError):
                before = 0
            array[chunk] = np.int16(min(before + 1, 30_000))
            return before + 1

    def write(
        self, chunk: int, design: Design, ids: np.ndarray,
        columns: dict[str, np.ndarray], reasons: dict[int, str],
    ) -> None:  # fmt: skip
        """Write a chunk, and mark it as done once all of it is there."""
        size = self.manifest["chunk_size"]
        columns = {"run_id": ids, **columns}
        for name, values in design.settings(ids, tuple(design.axes)).items():
            if values.dtype.kind == "U":
                texts = list(self.array(name).attrs["texts"])
                values = np.searchsorted(np.array(texts), values).astype(np.int32)
            columns[name] = values
        for name, values in columns.items():
            array = self.array(name)
            whole = np.full((size, *array.shape[1:]), array.fill_value, array.dtype)
            whole[: len(values)] = values
            with self._writing(name):
                array[chunk * size : (chunk + 1) * size] = whole
        self._write_reasons(chunk, reasons)
        with self._writing("done"):
            self.array("done")[chunk] = np.int8(1)

    def forget(self, chunks: Sequence[int]) -> None:
        """Mark chunks as not done."""
        for chunk in chunks:
            with self._writing("done"):
                self.array("done")[int(chunk)] = np.int8(0)

    def reasons(self) -> dict[int, str]:
        """Return what was raised, by run id."""
        found: dict[int, str] = {}
        done = self.done()
        for path in sorted((self.path / _FAILURES).glob("*.json")):
            if (
                path.stem.isdigit()
                and int(path.stem) < len(done)
                and done[int(path.stem)]
            ):
                with contextlib.suppress(ValueError, AttributeError):
                    for text, runs in json.loads(path.read_bytes()).items():
                        found |= dict.fromkeys(runs, text)
        return found

    def _write_reasons(self, chunk: int, reasons: dict[int, str]) -> None:
        path = self.path / _FAILURES / f"{chunk:06d}.json"
        with self._writing(_FAILURES):
            if not reasons:
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(exist_ok=True)
            grouped: dict[str, list[int]] = {}
            for run, text in reasons.items():
                grouped.setdefault(text, []).append(int(run))
            text = json.dumps(grouped).encode()
            write_atomically(path, lambda file: file.write(text))

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise as_storage_error(error, self.path / name) from error

    @contextlib.contextmanager
    def writer(self, shard: tuple[int, int] | None = None) -> Iterator[None]:
        """Be the one writer, or the one of a shard beside those of other shards.

        **Raises:** `BusyError` if another process is.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(self.path / _LOCK, shared=shard is not None))
                if shard is not None:
                    name = f"writer-{shard[0]}-of-{shard[1]}.lock"
                    held.enter_context(locked(self.path / name))
            except BlockingIOError:
                raise BusyError(
                    f"another process is writing to {self.path}; wait for it, or "
                    "choose another store."
                ) from None
            except OSError as error:
                raise as_storage_error(error, self.path / _LOCK) from error
            if shard is None:
                self._remove_partial_files()
            yield

    def _remove_partial_files(self) -> None:
        """Remove what zarr was writing when a process was killed.

        Only where no other process can be writing: not beside other shards.
        """
        for file in self.path.rglob("*.partial"):
            with contextlib.suppress(OSError):
                file.unlink()


def prepare(
    path: Path, plan: Plan, *, fresh: bool = False, accept: Sequence[str] = ()
) -> Store:
    """Open the store of a plan, or create it under another name and rename it.

    **Raises:** `MismatchError` if another sweep is there, `SweepStorageError` if it
    cannot be written.
    """
    here = describe_plan(plan)
    if fresh and path.exists():
        _drop(path)
    if not path.exists():
        _create(path, plan, here)
    elif not (path / "manifest.json").exists():
        raise MismatchError(
            f"{path} is there and is no store of a sweep; choose another place."
        )
    store = Store(path)
    if plan.chose_batch:
        here["batch_size"] = store.manifest["batch_size"]
    check_same(store.manifest, here, path, accept)
    return store


def _create(path: Path, plan: Plan, content: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            with locked(temporary / _LOCK):
                inside = temporary / "store"
                create_arrays(inside, plan)
                metadata = {
                    str(place.parent.relative_to(inside)): _hash(place)
                    for place in sorted(inside.rglob("zarr.json"))
                }
                write_manifest(inside, {**content, "metadata": metadata})
                _rename(inside, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise as_storage_error(error, path) from error


def _rename(inside: Path, path: Path) -> None:
    try:
        os.rename(inside, path)
    except OSError:
        # Another process may have made it meanwhile: then that one is used.
        if not (path / "manifest.json").exists():
            raise


def _remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed while creating have left."""
    for folder in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError), locked(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)


def _drop(path: Path) -> None:
    if not (path / "manifest.json").exists():
        raise MismatchError(
            f"{path} is no store of a sweep, and is not removed; choose another place."
        )
    store = Store.__new__(Store)
    store.path = path
    with store.writer():
        try:
            away = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            os.rename(path, away)
            shutil.rmtree(away)
        except OSError as error:
            raise as_storage_error(error, path) from error


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def damaged_metadata(store: Store) -> list[str]:
    """Return the files that describe arrays and are not what they were."""
    found = []
    for name, digest in store.manifest["metadata"].items():
        place = store.path / name / "zarr.json"
        if not place.is_file() or _hash(place) != digest:
            found.append(str(place.relative_to(store.path)))
    return found
