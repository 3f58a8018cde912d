"""The entry point: a function or experiment, a grid, a labelled dataset."""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._types import Key
from ._dataset import open_sweep
from ._errors import SpecificationError
from ._experiment import AbstractExperiment
from ._plan import Plan, make_plan
from ._progress import Progress
from ._run import check_shard, missing_chunks, run_chunks
from ._store import Store, prepare

if TYPE_CHECKING:
    import xarray


def sweep(
    experiment: AbstractExperiment | Callable,
    grid: Any,
    *,
    store: str | Path | None = None,
    batch_size: int | None = None,
    chunk_size: int | None = None,
    key: Key | None = None,
    static: Sequence[str] = (),
    cluster: Any = None,
    shard: tuple[int, int] | None = None,
    fresh: bool = False,
    accept: Sequence[str] = (),
    progress: Callable[[Progress], object] | None = None,
) -> "xarray.Dataset":
    r"""Run an experiment for every setting of a design, and return all results.

    Runs are compiled together and shared out over all local devices. With a `store`
    they are written chunk by chunk, and the same call goes on from there after any
    interruption; results are the same bits then, and whatever the number of workers.

    The key of run number \(i\) (its row-major place in the design) is
    `jax.random.fold_in(key, i)`. A run that fails costs no other run anything: `status`
    tells what became of each.

    **Arguments:**

    - `experiment`: a function `fn(settings, key) -> dict` of one run, which `jax.vmap`
      can transform: `settings` are scalars by name, in nested dicts where a name has
      dots; it returns arrays by name. Or an
      [`AbstractExperiment`][ctrnn_jax.sweep.AbstractExperiment].
    - `grid`: axes by name, crossed; each a list of values or `{"start", "stop",
      "num"}`, with `"scale": "log"` if wanted. Or a whole specification, as a dict of
      the tables `sweep`, `grid`, `zip`, `random`, `sobol`, `fixed`, or as the path of a
      TOML file.
    - `store`: a folder for the results; without one they are kept in memory only.
    - `batch_size`: runs that one device computes at once. By default a chunk, shared
      out over the devices there are when the store is made.
    - `chunk_size`: runs that are stored together. By default chosen from the number of
      runs and what they return.
    - `key`: root of all keys; by default `jax.random.key` of the specification's seed.
    - `static`: for a plain function, axes whose values it needs as Python numbers, such
      as sizes: each combination of them is compiled apart. Texts always are such.
    - `cluster`: run on a Dask cluster: `"local:4"`, a scheduler's address, or a
      `distributed.Client` or cluster object. Needs a `store` that all workers see.
    - `shard`: `(i, n)` runs the i-th of n parts only, counted from 1, for array jobs.
    - `fresh`: drop what the store holds.
    - `accept`: go on although these differ from the store: `"versions"`, `"device"`,
      `"batch_size"`. Bits may differ then.
    - `progress`: called after each chunk with a
      [`Progress`][ctrnn_jax.sweep.Progress].

    **Returns:** an `xarray.Dataset` whose dimensions are those of the design, as
    [`open_sweep`][ctrnn_jax.sweep.open_sweep] describes.

    **Raises:** `SpecificationError` (a `ValueError`) for what cannot be run, with the
    mend; `MismatchError` if the store holds another sweep; `BusyError` if another
    process writes to it; `SweepStorageError` (an `OSError`) if it cannot be written,
    with everything finished kept. An error in the experiment is raised if no run can be
    traced; else it marks the runs that raise it.
    """
    if shard is not None:
        shard = check_shard(shard)
    if store is None and (cluster is not None or shard is not None):
        raise SpecificationError(
            "a sweep on a cluster or in shards needs a store, which all of them can "
            "write to: give store=."
        )
    plan = make_plan(
        experiment,
        grid,
        batch_size=batch_size,
        chunk_size=chunk_size,
        key=key,
        static=static,
    )
    if store is None:
        with tempfile.TemporaryDirectory(prefix="ctrnn-sweep-") as folder:
            place = Path(folder) / "sweep.zarr"
            execute(plan, place, progress=progress)
            return open_sweep(place)
    execute(
        plan,
        Path(store),
        cluster=cluster,
        shard=shard,
        fresh=fresh,
        accept=accept,
        progress=progress,
    )
    return open_sweep(Path(store))


def execute(
    plan: Plan,
    path: Path,
    *,
    cluster: Any = None,
    shard: tuple[int, int] | None = None,
    fresh: bool = False,
    accept: Sequence[str] = (),
    progress: Callable[[Progress], object] | None = None,
    files: Sequence[Path] = (),
) -> Store:
    """Run what is missing in the store of a plan, as `sweep` does, and return it."""
    store = prepare(path, plan, fresh=fresh, accept=accept)
    if plan.chose_batch:
        # As when the store was made, whatever devices there are now.
        plan = dataclasses.replace(plan, batch_size=store.manifest["batch_size"])
    with store.writer(shard):
        chunks = missing_chunks(store, shard)
        if cluster is None:
            run_chunks(plan, store, chunks, progress=progress)
        else:
            from ._cluster import run_on_cluster

            run_on_cluster(
                plan,
                store,
                chunks,
                cluster,
                progress=progress,
                files=files,
                accept=accept,
            )
    return store
