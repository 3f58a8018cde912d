"""What a sweep costs beside the bare ensemble call, a joblib loop and a Dask loop.

    python -m benchmarks.sweeps.overhead [--quick] [--output DIR]

One million networks of two neurons take 1000 steps each, and their oscillation is
measured. The bare call is `simulate_ensemble` with the same reductions on networks that
are drawn already, all at once: no chunks, no file. The loops run the same experiment, a
run a task or a batch a task, and hand their results back; they keep nothing, and what
they have not finished is lost when they are killed. All use the same two cores.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.machine import describe_machine, describe_versions, today
from benchmarks.sweeps.overhead_tasks import (
    experiment,
    grid,
    lanes,
    settings_of,
    task,
)
from benchmarks.tables import table

RUNS, QUICK_RUNS = 1_000_000, 20_000
#: Runs of a task, where tasks are batches; what the sweep chooses is close to it.
BATCH = 16_384
#: One run a task is so slow that this many are timed, and the rest reckoned.
SINGLE = 2_000
TABLE = Path(__file__).parent.parent / "results" / "sweep_overhead"


def bare(runs: int) -> tuple[Callable[[], Any], int]:
    """Return the ensemble call on networks that are drawn already."""
    from ctrnn_jax.experiments._oscillation import reductions
    from ctrnn_jax.experiments._random_fields import SOLVERS, draw_fields
    from ctrnn_jax.integrate import simulate_ensemble

    fixed, _ = experiment()
    ids, leak, scale = map(jnp.asarray, lanes(runs))
    settings = settings_of(leak, scale)
    keys = jax.vmap(lambda i: jr.fold_in(jr.key(3), i))(ids)
    models, starts, _ = draw_fields(fixed, settings, keys)

    def call() -> Any:
        found = simulate_ensemble(
            models,
            starts,
            [0.0, fixed["steps"] * fixed["dt0"]],
            dt0=fixed["dt0"],
            solver=SOLVERS[fixed["solver"]],
            model_axes=0,
            saveat=diffrax.SaveAt(t1=True),
            reductions=reductions(fixed),
        )
        return jax.block_until_ready(found.stats["reductions"])

    return call, len(ids)


def timed(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def batches(runs: int, size: int) -> list[tuple[np.ndarray, ...]]:
    """Return what tasks of a size are given, the last filled up."""
    columns = lanes(runs)
    count = len(columns[0])
    places = np.minimum(np.arange(-(-count // size) * size), count - 1)
    return [
        tuple(c[part] for c in columns)
        for part in np.split(places, len(places) // size)
    ]


def joblib_loop(tasks: Sequence[tuple[np.ndarray, ...]], pool: Any) -> Any:
    from joblib import delayed

    return pool(delayed(task)(*one) for one in tasks)


def dask_loop(tasks: Sequence[tuple[np.ndarray, ...]], client: Any) -> Any:
    futures = [client.submit(task, *one, pure=False) for one in tasks]
    return client.gather(futures)


def swept(runs: int, folder: Path, cluster: Any = None) -> Any:
    """Run the sweep into a new store."""
    from ctrnn_jax.experiments import EXPERIMENTS
    from ctrnn_jax.sweep import sweep

    store = folder / f"{time.monotonic_ns()}.zarr"
    return sweep(EXPERIMENTS["oscillation"], grid(runs), store=store, cluster=cluster)


def agree(runs: int, folder: Path) -> None:
    """Stop unless sweep, tasks of a batch and tasks of two runs agree."""
    dataset = swept(runs, folder)
    found = {name: dataset[name].values.ravel() for name in ("amplitude", "period")}
    ids = np.arange(2, dtype=np.uint32) + runs // 3
    columns = lanes(runs)
    for size in (2, BATCH):
        places = np.resize(ids, size)
        one = task(*(column[places] for column in columns))
        for name, values in found.items():
            # Programs of their own: equal to what float32 lets grow in 1000 steps.
            np.testing.assert_allclose(
                one[name][:2], values[ids], rtol=1e-4, err_msg=name
            )


def measure(runs: int) -> dict[str, Any]:
    """Time every way, and return seconds for all runs."""
    from distributed import Client, LocalCluster
    from joblib import Parallel

    rows: dict[str, Any] = {}

    def note(name: str, seconds: float, count: int) -> None:
        rows[name] = {"seconds": seconds * runs / count, "timed_runs": count}
        print(f"{name}: {rows[name]['seconds']:.1f} s for {runs} runs", flush=True)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        agree(QUICK_RUNS, folder)
        call, count = bare(runs)
        call()  # Compiles.
        note("bare ensemble call", timed(call), count)
        note("sweep into a store", timed(lambda: swept(runs, folder)), count)
        whole = batches(runs, BATCH)
        # Two runs: a batch of one is compiled to other operations.
        pairs = batches(runs, 2)[: SINGLE // 2]
        with Parallel(n_jobs=2) as pool:
            joblib_loop(whole[:2] + pairs[:2], pool)
            note(
                "joblib, a batch a task", timed(lambda: joblib_loop(whole, pool)), count
            )
            seconds = timed(lambda: joblib_loop(pairs, pool))
            note("joblib, two runs a task", seconds, 2 * len(pairs))
        with (
            LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=":0"
            ) as cluster,
            Client(cluster) as client,
        ):
            dask_loop(whole[:4] + pairs[:8], client)
            note("Dask, a batch a task", timed(lambda: dask_loop(whole, client)), count)
            seconds = timed(lambda: dask_loop(pairs, client))
            note("Dask, two runs a task", seconds, 2 * len(pairs))
            seconds = timed(lambda: swept(runs, folder, client))
            note("sweep on the same Dask workers", seconds, count)
    return rows


def page(results: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    rows, runs = results["rows"], results["runs"]
    least = rows["bare ensemble call"]["seconds"]
    lines = [
        [
            name,
            f"{row['seconds']:.1f}" + ("" if row["timed_runs"] > runs / 2 else " (*)"),
            f"{row['seconds'] / least:.2f}",
            f"{runs / row['seconds']:,.0f}",
        ]
        for name, row in rows.items()
    ]
    versions = ", ".join(f"{k} {v}" for k, v in results["versions"].items())
    head = ["way", "seconds", "over the bare call", "runs a second"]
    return f"""# What a sweep costs

Written by `python -m benchmarks.sweeps.overhead`; do not edit.

- {results["date"]}, {results["processor"]}, {results["cores"]} cores; {versions}.
- {runs:,} networks of two neurons, 1000 steps each, float32; time by the clock. The
  bare call is the ensemble alone: compiled and its networks drawn before, nothing
  computed from its reductions, no file. A sweep compiles anew, draws, measures, and
  leaves a checksummed store that survives being killed.
- Loops hand their results back in memory. (*): {SINGLE} runs were timed, and the rest
  reckoned.
- Checked first: sweep and tasks of either size agree to 10⁻⁴ (float32).

{table(head, lines)}
"""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs, no file")
    parser.add_argument("--output", type=Path, default=TABLE.parent)
    arguments = parser.parse_args()
    # One device a core, as the command line has it: for the bare call too.
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    runs = QUICK_RUNS if arguments.quick else RUNS
    versions = describe_versions()
    names = ("python", "jax", "numpy")
    from importlib.metadata import version

    results = {
        "date": today(),
        "processor": describe_machine()["processor"],
        "cores": len(os.sched_getaffinity(0)),
        "versions": {name: versions[name] for name in names}
        | {name: version(name) for name in ("zarr", "distributed", "joblib")},
        "runs": runs,
        "rows": measure(runs),
    }
    if arguments.quick:
        print(page(results))
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / TABLE.name
    text = json.dumps(results, indent=1) + "\n"
    file.with_suffix(".json").write_text(text, encoding="utf-8")
    file.with_suffix(".md").write_text(page(results), encoding="utf-8")
    print(file.with_suffix(".md"))


if __name__ == "__main__":
    main()
