"""`ctrnn sweep`: each command, from its options to an exit code."""

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..sweep import (
    STATUS,
    BusyError,
    MismatchError,
    SpecificationError,
    SweepStorageError,
    export,
    read_spec,
    repair,
    verify,
)
from ..sweep._errors import MissingPackageError
from ..sweep._estimate import time_plan
from ..sweep._plan import make_plan
from ..sweep._progress import count_failures
from ..sweep._store import Store
from ..sweep._sweep import execute
from ._errors import ExitCode, RefusedError, StorageError, UsageError
from ._limits import show_bytes
from ._report import Report
from ._sweep_experiments import files_of, find_experiment, list_experiments, set_up_jax
from ._sweep_progress import show_progress, show_time
from ._sweep_views import plot_store, write_page


def run_command(name: str, arguments: argparse.Namespace) -> int:
    """Run one of the commands.

    **Raises:** `UsageError`, `RefusedError` or `StorageError`, with what to do.
    """
    commands: dict[str, Callable[[argparse.Namespace, Report], int]] = {
        "run": _run,
        "list": list_experiments,
        "status": _status,
        "verify": _verify,
        "repair": _repair,
        "export": _export,
        "plot": plot_store,
        "page": write_page,
    }
    try:
        return commands[name](arguments, Report(quiet=arguments.quiet))
    except SpecificationError as error:
        raise UsageError(str(error)) from error
    except (MismatchError, BusyError) as error:
        raise RefusedError(str(error)) from error
    except SweepStorageError as error:
        raise StorageError(error.strerror) from error
    except MissingPackageError as error:
        raise UsageError(str(error)) from error


def _run(arguments: argparse.Namespace, report: Report) -> int:
    spec = read_spec(arguments.spec)
    shard = _shard(arguments.shard)
    if "experiment" not in spec.options:
        raise UsageError(
            f"{arguments.spec}: [sweep] needs an experiment; `ctrnn sweep list` has "
            "some."
        )
    experiment = find_experiment(spec.options["experiment"], arguments.spec.parent)
    set_up_jax(spec.options.get("dtype", "float64"))
    plan = make_plan(experiment, spec)
    if arguments.dry_run:
        _show_estimate(plan, report)
        return ExitCode.OK
    path = arguments.store or Path("results") / f"{arguments.spec.stem}.zarr"
    with show_progress(report, plan.experiment.name, plan.design.num_runs) as tell:
        store = execute(
            plan,
            path,
            cluster=arguments.cluster,
            shard=shard,
            fresh=arguments.fresh,
            accept=arguments.accept,
            progress=tell,
            files=files_of(experiment) if arguments.cluster else (),
        )
    return _summarise(store, report, whole=shard is None)


def _summarise(store: Store, report: Report, *, whole: bool) -> int:
    """Print how a sweep went."""
    found = _count(store)
    for line in _lines(store, found):
        report.line(line)
    report.line(f"results  {store.path}")
    if whole and found["runs_done"] < found["runs"]:
        report.remark(
            f"{found['runs'] - found['runs_done']} runs are missing; the same command "
            "tries them again."
        )
        return ExitCode.NUMERICAL
    failed = sum(found["failures"].values())
    return ExitCode.NUMERICAL if 0 < failed == found["runs_done"] else ExitCode.OK


def _count(store: Store) -> dict[str, Any]:
    """Return how far a store is."""
    done, attempts = store.done(), store.attempts()
    failures: Counter[str] = Counter()
    for chunk in np.flatnonzero(done).tolist():
        failures.update(count_failures(store.read("status", chunk)))
    reasons = Counter(store.reasons().values())
    begun = np.flatnonzero(~done & (attempts > 0))
    return {
        "experiment": store.manifest["experiment"],
        "sizes": {item["name"]: item["size"] for item in store.manifest["dimensions"]},
        "runs": store.manifest["num_runs"],
        "runs_done": int(store.counts[done].sum()),
        "chunks": store.num_chunks,
        "chunks_done": int(done.sum()),
        "failures": dict(failures),
        "reasons": dict(reasons.most_common()),
        "begun": {int(chunk): int(attempts[chunk]) for chunk in begun},
    }


def _lines(store: Store, found: dict[str, Any]) -> list[str]:
    sizes = " x ".join(f"{name} {size}" for name, size in found["sizes"].items())
    failed = sum(found["failures"].values())
    lines = [
        f"sweep    {found['experiment']}: {sizes}",
        f"runs     {found['runs_done']} of {found['runs']} done, {failed} of them "
        "failed",
        f"chunks   {found['chunks_done']} of {found['chunks']}, of up to "
        f"{store.manifest['chunk_size']} runs",
    ]
    kinds = [name for name in STATUS if name in found["failures"]]
    kinds += [name for name in found["failures"] if name not in STATUS]
    lines += [f"failed   {found['failures'][name]} {name}" for name in kinds]
    reasons = list(found["reasons"].items())
    lines += [f"         {count} runs: {text}" for text, count in reasons[:5]]
    if len(reasons) > 5:
        lines.append(f"         and {len(reasons) - 5} other errors")
    return lines


def _status(arguments: argparse.Namespace, report: Report) -> int:
    store = Store(arguments.store)
    found = _count(store)
    if arguments.json:
        report.line(json.dumps(found, indent=1))
        return ExitCode.OK
    for line in _lines(store, found):
        report.line(line)
    often = {chunk: count for chunk, count in found["begun"].items() if count > 2}
    for chunk, count in list(often.items())[:5]:
        report.line(f"begun    chunk {chunk}, {count} times, and never finished")
    return ExitCode.OK


def _verify(arguments: argparse.Namespace, report: Report) -> int:
    num_chunks = Store(arguments.store).num_chunks
    with report.progress("verify", num_chunks) as advanced:
        found = verify(arguments.store, progress=lambda place, total: advanced(1))
    if arguments.json:
        report.line(json.dumps(dataclasses.asdict(found), indent=1))
    else:
        _show_damage(found, report)
    if found.okay:
        return ExitCode.OK
    report.remark(f"`ctrnn sweep repair {arguments.store}` mends it.")
    return ExitCode.IO


def _show_damage(found: Any, report: Report) -> None:
    report.line(f"chunks   {found.num_done} of {found.num_chunks} finished and checked")
    report.line(f"damaged  {len(found.chunks)} chunks")
    for chunk, why in list(found.chunks.items())[:10]:
        report.line(f"         chunk {chunk}: {why}")
    if len(found.chunks) > 10:
        report.line(f"         and {len(found.chunks) - 10} more")
    for chunk in found.marks[:10]:
        report.line(f"         the mark of chunk {chunk}")
    for name in found.files[:10]:
        report.line(f"         {name}")


def _repair(arguments: argparse.Namespace, report: Report) -> int:
    store = Store(arguments.store)
    name = arguments.experiment or store.manifest["spec"].get("sweep", {}).get(
        "experiment", store.manifest["experiment"]
    )
    experiment = find_experiment(name, Path())
    set_up_jax(store.manifest["dtype"])
    with show_progress(report, "repair", store.manifest["num_runs"]) as tell:
        found = repair(
            arguments.store,
            experiment,
            failed=arguments.failed,
            accept=arguments.accept,
            progress=tell,
        )
    _show_damage(found, report)
    after = verify(arguments.store)
    report.line("repaired" if after.okay else "still damaged; see `ctrnn sweep verify`")
    return ExitCode.OK if after.okay else ExitCode.IO


def _export(arguments: argparse.Namespace, report: Report) -> int:
    store = Store(arguments.store)
    if not store.done().all():
        report.remark("some runs are missing; the file holds those that are done.")
    file = export(arguments.store, arguments.file, names=arguments.names)
    report.line(f"results  {file}")
    return ExitCode.OK


def _show_estimate(plan: Any, report: Report) -> None:
    found = time_plan(plan)
    sizes = " x ".join(f"{name} {size}" for name, size in found.sizes.items())
    memory = "unknown" if found.bytes_memory is None else show_bytes(found.bytes_memory)
    lines = [
        f"sweep    {plan.experiment.name}: {sizes}",
        f"runs     {found.num_runs}, in {found.num_chunks} chunks of up to "
        f"{found.chunk_size}, {found.batch_size} a call",
        f"programs {found.num_buckets}, each compiled in "
        f"{show_time(found.seconds_compile)}",
        f"memory   {memory} a call",
        f"disk     {show_bytes(found.bytes_stored)} before compression, about "
        f"{found.num_files} files",
        f"time     {show_time(found.seconds_chunk)} a chunk, "
        f"{show_time(found.seconds)} in all on this machine",
    ]
    for line in lines:
        report.line(line)


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    parts = text.split("/")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"--shard must be as 1/8, the first of eight; got {text!r}.")
    return int(parts[0]), int(parts[1])
