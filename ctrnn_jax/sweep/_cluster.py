"""Run chunks on a Dask cluster: workers write, and only tell what became of it."""

import dataclasses
import logging
import os
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from ._compute import Computer
from ._errors import SpecificationError, load
from ._experiment import AbstractExperiment
from ._function import FunctionExperiment
from ._plan import Plan
from ._progress import Progress, count_failures
from ._run import save, start_meter
from ._store import Store
from ._verify import rebuild_plan

#: What keeps a chunk that kills its workers from hanging or ending the job.
_CONFIG = {
    "distributed.deploy.lost-worker-timeout": "1h",
    "distributed.scheduler.no-workers-timeout": "60s",
    "distributed.scheduler.allowed-failures": 3,
    # One chunk a worker, so that no other is blamed for its end.
    "distributed.scheduler.worker-saturation": 1.0,
}
#: What a task that Dask gives up raises, and what that means.
_WHY = {
    "KilledWorker": "it has killed its workers",
    "NoValidWorkerError": "no worker was there for it",
    "NoWorkerError": "no worker was there for it",
}
#: Seconds to wait for a scheduler to answer.
_PATIENCE = 30

# What a worker process keeps from one chunk to the next.
_sessions: dict[str, tuple[Plan, Store, Computer]] = {}


def run_on_cluster(
    plan: Plan,
    store: Store,
    chunks: Sequence[int],
    cluster: Any,
    *,
    progress: Callable[[Progress], object] | None = None,
    files: Sequence[Path] = (),
    accept: Sequence[str] = (),
) -> dict[int, str]:
    """Compute chunks on the workers of a cluster.

    **Arguments:**

    - `plan`, `store`, `chunks`, `progress`: as for `run_chunks`. All workers must see
      the store under the same path.
    - `cluster`: `"local:4"`, an address, or a `distributed.Client` or cluster.
    - `files`: Python files that workers need to import.
    - `accept`: differences from the store that workers may have too.

    **Returns:** chunks that could not be run, and why: those that have killed their
    workers several times, or found none. They are not marked, and the next session
    tries them again.

    **Raises:** what a worker raises.
    """
    distributed = load("distributed")
    meter = start_meter(plan, store, progress)
    meter.report()
    killed: dict[int, str] = {}
    if not chunks:
        return killed
    task = _task(plan, store, accept)
    with _connected(cluster, distributed) as client:
        for file in files:
            client.upload_file(str(file))
        futures = {
            client.submit(
                run_remote_chunk,
                task,
                chunk,
                key=f"{task['token']}-{chunk}",
                pure=False,
            ): chunk
            for chunk in chunks
        }
        lost = _lost_errors(distributed.scheduler)
        try:
            for future in distributed.as_completed(futures):
                chunk = futures[future]
                try:
                    count, failures, notes = future.result()
                except lost as error:
                    killed[chunk] = type(error).__name__
                    note = f"chunk {chunk} is left out: {_WHY[killed[chunk]]}"
                    meter.report(notes=(note,))
                else:
                    meter.report(count, failures, tuple(notes))
                future.release()
        finally:
            client.cancel(list(futures))
    if killed:
        whys = " or ".join(sorted({_WHY[name] for name in killed.values()}))
        warnings.warn(
            f"{len(killed)} chunks are left out ({whys}): {sorted(killed)[:10]}. The "
            "same call tries them again; a smaller batch_size needs less memory.",
            stacklevel=4,
        )
    return killed


def _lost_errors(scheduler: Any) -> tuple[type[Exception], ...]:
    # Some have come and gone between versions.
    return tuple(getattr(scheduler, name) for name in _WHY if hasattr(scheduler, name))


def _task(plan: Plan, store: Store, accept: Sequence[str]) -> dict[str, Any]:
    """Return what a worker has to know, small enough to go with every chunk."""
    experiment: AbstractExperiment | Callable = plan.experiment
    if isinstance(experiment, FunctionExperiment):
        experiment = experiment.fn
    return {
        # Another call may bring another experiment of the same name.
        "token": uuid.uuid4().hex,
        "store": str(store.path.resolve()),
        "experiment": experiment,
        "x64": store.manifest["x64"],
        "batch_size": plan.batch_size,
        "accept": tuple(accept),
    }


def run_remote_chunk(
    task: dict[str, Any], chunk: int
) -> tuple[int, dict[str, int], list[str]]:
    """Compute and write one chunk in a worker.

    **Returns:** the number of its runs, how many of them failed by kind, and remarks.
    """
    plan, store, computer = _session(task)
    notes: list[str] = []
    if store.is_done(chunk):
        # The worker that wrote it was killed before it could say so.
        status = store.read("status", chunk)
    else:
        store.begin(chunk)
        result = computer.chunk(chunk)
        save(plan, store, chunk, result)
        notes, computer.notes = computer.notes, notes
        status = result.columns["status"]
    return len(status), count_failures(status), notes


def _session(task: dict[str, Any]) -> tuple[Plan, Store, Computer]:
    token = task["token"]
    if token not in _sessions:
        _sessions.clear()
        jax.config.update("jax_enable_x64", task["x64"])
        store = Store(Path(task["store"]))
        plan = rebuild_plan(store, task["experiment"], task["accept"])
        plan = dataclasses.replace(plan, batch_size=task["batch_size"])
        _sessions[token] = plan, store, Computer(plan)
    return _sessions[token]


@contextmanager
def _connected(cluster: Any, distributed: Any) -> Iterator[Any]:
    """Yield a client of what the user named, and close what was opened for it."""
    dask = load("dask")
    if isinstance(cluster, distributed.Client):
        yield cluster
        return
    with dask.config.set(_CONFIG):
        if isinstance(cluster, str) and cluster.startswith("local:"):
            with (
                distributed.LocalCluster(
                    n_workers=_count(cluster),
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",
                    # JAX's memory is not Dask's to manage.
                    memory_limit=None,
                    silence_logs=logging.CRITICAL,
                    local_directory=os.environ.get("DASK_TEMPORARY_DIRECTORY"),
                ) as local,
                distributed.Client(local) as client,
            ):
                yield client
            return
        try:
            client = distributed.Client(cluster, timeout=_PATIENCE)
        except (OSError, TimeoutError, ValueError) as error:
            raise SpecificationError(
                f"no Dask scheduler answers at {cluster!r} ({error}): give local:N, "
                "the address that `dask scheduler` prints, or a cluster object."
            ) from error
        with client:
            yield client


def _count(text: str) -> int:
    count = text.removeprefix("local:")
    if not count.isascii() or not count.isdigit() or int(count) < 1:
        raise SpecificationError(
            f"cluster {text!r} must say how many processes, as local:4."
        )
    return int(count)
