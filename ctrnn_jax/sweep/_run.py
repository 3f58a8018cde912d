"""Run what is missing in a store: compute one chunk while the last one is written."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ._compute import ChunkResult, Computer
from ._errors import SpecificationError
from ._plan import Plan
from ._progress import Meter, Progress, count_failures
from ._store import Store


def run_chunks(
    plan: Plan,
    store: Store,
    chunks: Sequence[int],
    *,
    progress: Callable[[Progress], object] | None = None,
    computer: Computer | None = None,
) -> None:
    """Compute chunks in the order given, and write each.

    An interruption, whatever it is, loses the chunks that were not written yet.

    **Raises:** `SweepStorageError` if they cannot be written.
    """
    computer = Computer(plan) if computer is None else computer
    meter = start_meter(plan, store, progress)
    meter.report()
    pending: tuple[Future[None], ChunkResult] | None = None

    def settle() -> None:
        """Wait for the chunk that is being written, and count it."""
        nonlocal pending
        if pending is not None:
            written, result = pending
            pending = None
            written.result()
            notes, computer.notes = tuple(computer.notes), []
            status = result.columns["status"]
            meter.report(len(status), count_failures(status), notes)

    # One thread writes, so that chunks are marked in the order they were computed.
    with ThreadPoolExecutor(1, "ctrnn-sweep-writer") as writer:
        for chunk in chunks:
            store.begin(chunk)
            result = computer.chunk(chunk)
            settle()
            pending = (writer.submit(save, plan, store, chunk, result), result)
        settle()


def save(plan: Plan, store: Store, chunk: int, result: ChunkResult) -> None:
    """Write one chunk."""
    store.write(chunk, plan.design, plan.ids(chunk), result.columns, result.reasons)


def start_meter(
    plan: Plan, store: Store, progress: Callable[[Progress], object] | None
) -> Meter:
    """Return a meter that knows what earlier sessions have done."""
    done = store.done()
    return Meter(
        total=plan.design.num_runs, done=int(store.counts[done].sum()), tell=progress
    )


def missing_chunks(store: Store, shard: tuple[int, int] | None = None) -> list[int]:
    """Return the chunks to be run, or a shard's part of them.

    Which chunks a shard has does not depend on what is done, so that shards that start
    at different times never share one.
    """
    missing = np.flatnonzero(~store.done()).tolist()
    if shard is None:
        return missing
    index, count = check_shard(shard)
    return [chunk for chunk in missing if chunk % count == index - 1]


def check_shard(shard: Iterable[int]) -> tuple[int, int]:
    """Return a shard `(index, count)`, counted from 1.

    **Raises:** `SpecificationError`.
    """
    index, count = shard
    if count < 1 or not 1 <= index <= count:
        raise SpecificationError(
            f"shard {index}/{count} must count from 1 to {max(count, 1)}: in an array "
            "job use indices from 1, as in --array=1-8 and --shard "
            "$SLURM_ARRAY_TASK_ID/8."
        )
    return index, count
