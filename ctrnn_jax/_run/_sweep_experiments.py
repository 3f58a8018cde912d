"""Which experiments there are, and JAX made ready for them."""

import argparse
import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .._nearest import nearest
from ..sweep import AbstractExperiment
from ._errors import ExitCode, UsageError
from ._report import Report


def registry() -> Mapping[str, AbstractExperiment]:
    """Return the ready experiments by name."""
    from ..experiments import EXPERIMENTS

    return EXPERIMENTS


def find_experiment(name: str, folder: Path) -> AbstractExperiment | Callable:
    """Return what a specification names.

    **Arguments:**

    - `name`: a ready experiment; or a function or experiment of the user's, as
      `module:name` or `file.py:name`.
    - `folder`: where such a file is, if not in the current one.

    **Raises:** `UsageError`, with the nearest name.
    """
    place, colon, attribute = name.rpartition(":")
    if not colon:
        experiments = registry()
        if name not in experiments:
            raise UsageError(
                f"no experiment {name!r}; there are {', '.join(experiments)}, or a "
                f"function of yours as file.py:name.{nearest(name, list(experiments))}"
            )
        return experiments[name]
    module = _load_file(place, folder) if place.endswith(".py") else _load(place)
    if not hasattr(module, attribute):
        names = [item for item in vars(module) if not item.startswith("_")]
        raise UsageError(f"{place} holds no {attribute!r}.{nearest(attribute, names)}")
    found = getattr(module, attribute)
    if isinstance(found, type) and issubclass(found, AbstractExperiment):
        found = found()
    if not callable(found) and not isinstance(found, AbstractExperiment):
        raise UsageError(f"{name} is no function fn(settings, key) and no experiment.")
    return found


def _load_file(place: str, folder: Path) -> Any:
    for file in (folder / place, Path(place)):
        if file.is_file():
            break
    else:
        raise UsageError(
            f"there is no file {folder / place} to take an experiment from."
        )
    # Under its own name, by which other processes can import it too.
    sys.path.insert(0, str(file.resolve().parent))
    try:
        return _load(file.stem)
    finally:
        sys.path.pop(0)


def files_of(experiment: AbstractExperiment | Callable) -> tuple[Path, ...]:
    """Return the file that other processes need for an experiment of the user's."""
    kind = type(experiment)
    name = kind.__module__ if isinstance(experiment, AbstractExperiment) else None
    name = name or getattr(experiment, "__module__", "")
    if "." in name or name == "__main__" or name not in sys.modules:
        return ()
    file = getattr(sys.modules[name], "__file__", None)
    return () if file is None else (Path(file),)


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(f"cannot import {name}: {error}.") from error


def list_experiments(arguments: argparse.Namespace, report: Report) -> int:
    """Print the experiments, or what one of them takes and returns."""
    experiments = registry()
    if arguments.experiment is None:
        lines = [(name, item.summary) for name, item in experiments.items()]
        report.table(("experiment", "what it does"), lines)
        return ExitCode.OK
    found = find_experiment(arguments.experiment, Path())
    if not isinstance(found, AbstractExperiment):
        raise UsageError(f"{arguments.experiment} is a function; it declares nothing.")
    report.line(f"{found.name}: {found.summary}")
    lines = []
    for item in found.parameters:
        allowed = ", ".join(item.choices)
        if item.low is not None or item.high is not None:
            allowed = _interval(item)
        text = f"{item.help} (compiled apart)" if item.static else item.help
        lines.append((item.name, str(item.default), allowed, text))
    report.table(("parameter", "default", "allowed", ""), lines)
    results = [(item.name, " x ".join(item.dims), item.help) for item in found.outputs]
    report.table(("result", "dimensions", ""), results)
    return ExitCode.OK


def _interval(item: Any) -> str:
    left = "(" if "low" in item.open or item.low is None else "["
    right = ")" if "high" in item.open or item.high is None else "]"
    low = "-inf" if item.low is None else f"{item.low:g}"
    high = "inf" if item.high is None else f"{item.high:g}"
    return f"{left}{low}, {high}{right}"


def set_up_jax(dtype: str) -> None:
    """Choose the precision, and one CPU device a core where nothing else was said."""
    import jax

    jax.config.update("jax_enable_x64", dtype == "float64")
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    # Too late if JAX has started already; then its devices are used as they are.
    with contextlib.suppress(RuntimeError, AttributeError):
        jax.config.update("jax_num_cpu_devices", cores)
