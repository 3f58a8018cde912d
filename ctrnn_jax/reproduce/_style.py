"""One look for the report's figures: print size, safe for the colour-blind."""

from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Okabe and Ito's palette, darkest first among those that read well as lines.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK, YELLOW = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#F0E442",
)
GREY = "#7F7F7F"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
#: With a palette's colours, so that a curve is told apart in grey too.
DASHES = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (1, 1)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

_STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def panels(
    rows: int, columns: int, *, width: float = 7.0, height: float = 2.8, **options: bool
) -> tuple[Figure, list[Axes]]:
    """Return a figure in the report's style and its panels, row by row."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **options)  # pyright: ignore[reportCallIssue, reportArgumentType]
    for ax in axes.flat:
        ax.tick_params(width=0.7)
    return figure, list(axes.flat)


def styled() -> AbstractContextManager[None]:
    """Return a context in which text is drawn in the report's style."""
    return mpl.rc_context(_STYLE)


def interval(values: np.ndarray, spec: str = ".3g") -> str:
    """Return "median [least, greatest]" of `values`."""
    values = np.asarray(values)
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{middle:{spec}} [{low:{spec}}, {high:{spec}}]"


def plus_minus(mean: float, error: float, spec: str = ".3g") -> str:
    """Return "mean ± error"."""
    return f"{mean:{spec}} ± {error:.1g}"
