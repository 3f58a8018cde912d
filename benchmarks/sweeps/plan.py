"""What 10^8 runs on 100 GPUs take: a simulation, chunk by chunk, with workers that die.

    python -m benchmarks.sweeps.plan [--output DIR]

Each worker takes the next chunk from a scheduler that serves one at a time, computes
it, and writes it to a file system that all share while it computes the next. Workers
start, compile, die at random moments (what they had in work is lost) and come back.
The speed of a GPU is an assumption, and so is the scheduler's; what a chunk takes to be
written was measured on two CPU cores.
"""

import argparse
import heapq
import json
import random
from dataclasses import dataclass
from pathlib import Path

from ctrnn_jax.sweep._layout import choose_chunk_size

RUNS, WORKERS = 10**8, 100
#: Numbers of one run: six results of 8 bytes, status, steps, run id, two axes.
BYTES_PER_RUN = 6 * 8 + 5 + 8 + 2 * 8
TABLE = Path(__file__).parent.parent / "results" / "sweep_plan"

#: Seconds to encode and write a chunk of 131 072 such runs in nine files: the median of
#: eight on two shared cores.
WRITE = 0.18
#: Seconds for the scheduler to hand out a chunk, on the safe side.
DISPATCH = 0.01


@dataclass(frozen=True)
class Scene:
    """One assumption about the experiment and the machines.

    - `label`.
    - `rate`: runs a second of one GPU.
    - `hours_between_deaths`: of one worker, on average.
    - `start`: seconds until a worker computes: its process, JAX, the compilation.
    - `bandwidth`: bytes a second that the shared file system takes from all together.
    """

    label: str
    rate: float
    hours_between_deaths: float = 24.0
    start: float = 90.0
    bandwidth: float = 1e9


# Rates from 5e9 and 1.2e9 lane-steps a second (n = 8 and 32, float32), an estimate for
# one H200 whose loop is bound by its memory.
SCENES = (
    Scene("8 neurons, 10^4 steps", 5e9 / 1e4),
    Scene("32 neurons, 10^5 steps", 1.2e9 / 1e5),
    Scene("the same, workers dying each hour", 1.2e9 / 1e5, 1.0),
    Scene("the same, file system of 100 MB/s", 1.2e9 / 1e5, 24.0, 90.0, 1e8),
    Scene("32 neurons, 10^6 steps", 1.2e9 / 1e6),
    Scene("the same, workers dying each hour", 1.2e9 / 1e6, 1.0),
    Scene("30 runs a second, workers dying each hour", 30.0, 1.0),
)


def simulate(scene: Scene, chunk: int, seed: int = 0) -> dict[str, float]:
    """Return hours, the share of time that computed something kept, and losses."""
    moments = random.Random(seed)
    left, finished, lost = -(-RUNS // chunk), 0, 0
    compute = chunk / scene.rate
    disk = max(chunk * BYTES_PER_RUN / scene.bandwidth, 0.0)
    scheduler_free = disk_free = end = 0.0
    mean = 3600 * scene.hours_between_deaths
    deaths = [moments.expovariate(1 / mean) for _ in range(WORKERS)]
    # (when it is free, worker)
    queue = [(scene.start * moments.uniform(0.8, 1.2), i) for i in range(WORKERS)]
    heapq.heapify(queue)
    while left and queue:
        now, worker = heapq.heappop(queue)
        begun = max(now, scheduler_free)
        scheduler_free = begun + DISPATCH
        written = max(begun + compute + WRITE, disk_free)
        if deaths[worker] < written:
            # Lost, and handed out again; the worker comes back.
            lost += 1
            back = deaths[worker] + scene.start
            deaths[worker] = back + moments.expovariate(1 / mean)
            heapq.heappush(queue, (back, worker))
            continue
        left, finished = left - 1, finished + 1
        # Encoding overlaps the next chunk; only a full file system holds a worker up.
        disk_free = max(disk_free, begun + compute) + disk
        end = max(end, disk_free)
        heapq.heappush(queue, (max(begun + compute, disk_free - disk), worker))
    ideal = RUNS / scene.rate / WORKERS
    return {
        "seconds": end,
        "ideal_seconds": ideal,
        "efficiency": ideal / end,
        "chunks": finished,
        "chunks_lost": lost,
        "chunk_seconds": compute,
    }


def tabulate() -> list[dict]:
    """Simulate every scene with the chunks the library would choose, and smaller."""
    usual = choose_chunk_size(RUNS, BYTES_PER_RUN)
    rows = []
    for scene in SCENES:
        for chunk in (usual, usual // 8):
            found = simulate(scene, chunk)
            rows.append({"scene": scene.label, "chunk": chunk, **found})
    return rows


def render(rows: list[dict]) -> str:
    """Return the table as Markdown."""
    lines = [
        "# 10^8 runs on 100 GPUs, simulated",
        "",
        "By `python -m benchmarks.sweeps.plan`; its assumptions are in its source.",
        "Efficiency is the time that 100 GPUs need for computing alone, over the time",
        "from the start of the job to the last file.",
        "",
        "| experiment | runs a chunk | a chunk takes | chunks | lost | in all "
        "| efficiency |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['scene']} | {row['chunk']} | {_time(row['chunk_seconds'])} | "
            f"{row['chunks']:.0f} | {row['chunks_lost']:.0f} | "
            f"{_time(row['seconds'])} | {row['efficiency']:.0%} |"
        )
    size = RUNS * BYTES_PER_RUN
    files = 11 * -(-RUNS // choose_chunk_size(RUNS, BYTES_PER_RUN))
    lines += [
        "",
        f"The store: {size / 1e9:.1f} GB before compression, {files} files.",
    ]
    return "\n".join(lines) + "\n"


def _time(seconds: float) -> str:
    for limit, size, unit in ((100, 1, "s"), (6000, 60, "min")):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 3600:.3g} h"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=TABLE.parent)
    arguments = parser.parse_args()
    rows = tabulate()
    arguments.output.mkdir(parents=True, exist_ok=True)
    place = arguments.output / TABLE.name
    place.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
    place.with_suffix(".md").write_text(render(rows))
    print(render(rows))


if __name__ == "__main__":
    main()
