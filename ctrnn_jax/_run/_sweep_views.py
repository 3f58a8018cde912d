"""`ctrnn sweep plot` and `ctrnn sweep page`: a sweep as pictures."""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..sweep import open_sweep
from ..sweep._store import Store
from ._errors import ExitCode, UsageError
from ._files import make_folder, write_atomically
from ._report import Report

FORMATS = (".png", ".pdf", ".svg")


def plot_store(arguments: argparse.Namespace, report: Report) -> int:
    """Draw one measure of a store over its axes.

    **Raises:** `UsageError` for names that are not there, or axes that no figure takes.
    """
    file = arguments.out or _beside(arguments.store, f"_{arguments.variable}.png")
    if file.suffix not in FORMATS:
        raise UsageError(f"--out must end with {', '.join(FORMATS)}, got {file}.")
    dataset = _chosen(open_sweep(arguments.store), arguments.at)
    if arguments.variable not in dataset:
        raise UsageError(
            f"{arguments.store} has no {arguments.variable!r}; there are "
            f"{', '.join(map(str, dataset.data_vars))}."
        )
    names = {name: getattr(arguments, name) for name in ("x", "y", "facet", "lines")}
    make_folder(file.parent)
    picture = _draw(dataset, arguments.variable, names, file.suffix[1:])
    write_atomically(file, lambda stream: stream.write(picture))
    report.line(f"figure   {file}")
    return ExitCode.OK


def write_page(arguments: argparse.Namespace, report: Report) -> int:
    """Write the summary of a store as one HTML file."""
    from ._sweep_page import write_summary

    file = arguments.out or _beside(arguments.store, ".html")
    make_folder(file.parent)
    store = Store(arguments.store)
    write_summary(open_sweep(arguments.store), store.manifest, file)
    report.line(f"page     {file}")
    return ExitCode.OK


def _beside(store: Path, ending: str) -> Path:
    return store.with_name(store.name.removesuffix(".zarr") + ending)


def _chosen(dataset: Any, at: Sequence[str]) -> Any:
    """Return a dataset at the values given as NAME=VALUE, each the nearest there is."""
    for text in at:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--at must be NAME=VALUE, got {text!r}.")
        if name not in dataset.coords or dataset[name].dims != (name,):
            raise UsageError(
                f"--at {text}: there is no axis {name!r}; there are "
                f"{', '.join(map(str, dataset.dims))}."
            )
        known = dataset[name].values
        if known.dtype.kind in "biuf":
            try:
                place = int(np.argmin(np.abs(known - float(value))))
            except ValueError:
                raise UsageError(f"--at {text}: {name} is a number.") from None
        else:
            places = np.flatnonzero(known.astype(str) == value)
            if not places.size:
                raise UsageError(f"--at {text}: {name} is one of {known.tolist()}.")
            place = int(places[0])
        dataset = dataset.isel({name: place})
    return dataset


def _draw(dataset: Any, variable: str, names: dict[str, Any], form: str) -> bytes:
    import matplotlib
    from matplotlib import pyplot as plt

    from ..plot import plot_sweep

    with matplotlib.rc_context({"font.size": 8}):
        try:
            axes = plot_sweep(dataset, variable, **names)
        except ValueError as error:
            raise UsageError(f"{error} An axis is fixed by --at NAME=VALUE.") from None
        figure = np.ravel(np.asarray(axes, dtype=object))[0].figure
        buffer = io.BytesIO()
        figure.savefig(buffer, format=form, dpi=160, facecolor="white")
        plt.close(figure)
    return buffer.getvalue()
