"""What a sweep will take, from one chunk of it."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._types import Key
from ._compute import Computer
from ._experiment import AbstractExperiment
from ._plan import Plan, make_plan
from ._store import prepare


@dataclass(frozen=True)
class Estimate:
    """Size, memory and time of a sweep.

    - `num_runs`, `sizes`: runs, and the length of each dimension by name.
    - `num_buckets`: number of static combinations, each compiled apart.
    - `num_chunks`, `chunk_size`, `batch_size`: chunks, places in each, runs a call.
    - `num_files`: files of the finished store.
    - `bytes_stored`: bytes of all results, before compression.
    - `bytes_memory`: bytes a call takes on the device, if the compiler tells.
    - `seconds_compile`: of one bucket.
    - `seconds_chunk`: of one full chunk, written included.
    - `seconds`: of the whole sweep on this machine, if all chunks are alike.
    """

    num_runs: int
    sizes: dict[str, int]
    num_buckets: int
    num_chunks: int
    chunk_size: int
    batch_size: int
    num_files: int
    bytes_stored: int
    bytes_memory: int | None
    seconds_compile: float
    seconds_chunk: float
    seconds: float


def estimate(
    experiment: AbstractExperiment | Callable,
    grid: Any,
    *,
    batch_size: int | None = None,
    chunk_size: int | None = None,
    key: Key | None = None,
    static: Sequence[str] = (),
) -> Estimate:
    """Lay out a sweep, run one chunk of it, and say what all of it will take.

    The chunk in the middle of the largest bucket is run, into a store that is thrown
    away.

    **Arguments:** as [`sweep`][ctrnn_jax.sweep.sweep].

    **Returns:** an `Estimate`.

    **Raises:** as `sweep`.
    """
    return time_plan(
        make_plan(
            experiment,
            grid,
            batch_size=batch_size,
            chunk_size=chunk_size,
            key=key,
            static=static,
        )
    )


def time_plan(plan: Plan) -> Estimate:
    """Time one chunk of a plan."""
    chunks, buckets = plan.chunks, plan.order.buckets
    largest = int(np.argmax([bucket.num_runs for bucket in buckets]))
    own = np.flatnonzero(chunks.owners == largest)
    chunk = int(own[(len(own) - 1) // 2])
    computer = Computer(plan)
    start = time.monotonic()
    try:
        program = computer.compile(largest, computer.batch(largest))
        analysis = program.memory_analysis()
    except Exception:
        analysis = None  # The chunk tells what is wrong, or does with less memory.
    compiled = time.monotonic()
    result = computer.chunk(chunk)
    with tempfile.TemporaryDirectory(prefix="ctrnn-sweep-") as folder:
        store = prepare(Path(folder) / "sweep.zarr", plan)
        before = time.monotonic()
        store.write(chunk, plan.design, plan.ids(chunk), result.columns, result.reasons)
        written = time.monotonic() - before
        arrays = len(store.columns) + 2
    # A chunk once more, now that everything is warm.
    start_again = time.monotonic()
    computer.chunk(chunk)
    computed = time.monotonic() - start_again
    memory = None
    if analysis is not None:
        memory = int(
            analysis.temp_size_in_bytes
            + analysis.output_size_in_bytes
            + analysis.argument_size_in_bytes
        )
    # One chunk is written while the next one is computed.
    runs = int(chunks.counts[chunk])
    each = max(computed, written)
    seconds_compile = compiled - start
    return Estimate(
        num_runs=plan.design.num_runs,
        sizes=dict(zip(plan.design.dims, plan.design.shape, strict=True)),
        num_buckets=len(buckets),
        num_chunks=len(chunks),
        chunk_size=chunks.size,
        batch_size=computer.batch(largest),
        num_files=arrays * len(chunks),
        bytes_stored=plan.design.num_runs
        * (plan.outputs.bytes_per_run + 8 + 8 * len(plan.design.axes)),
        bytes_memory=memory,
        seconds_compile=seconds_compile,
        seconds_chunk=each,
        seconds=seconds_compile * len(buckets) + each * plan.design.num_runs / runs,
    )
