"""How every figure looks: colours, line styles, sizes and legends."""

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.legend import Legend

#: Widths that fit one or two columns of a page, in inches.
ONE_COLUMN = 3.5
TWO_COLUMNS = 7.2

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
}
"""Colours that stay apart for the colour-blind, by name.

M. Okabe and K. Ito, *Color Universal Design* (2008).
"""

GREY = "0.55"

# Yellow is left out: too pale for a line on white.
_LINE_COLOURS = ("blue", "vermillion", "green", "purple", "orange", "sky blue", "black")
_LINE_STYLES = ("-", "--", "-.", (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5, 1, 1.5)))
_MARKERS = ("o", "s", "^", "D", "v", "X", "P", "*")


def colour(index: int) -> str:
    """Return the colour of the curve with this number."""
    return OKABE_ITO[_LINE_COLOURS[index % len(_LINE_COLOURS)]]


def line_style(index: int) -> dict:
    """Return colour and dashes of the curve with this number: 35 differ in both.

    Dashes tell curves apart where colour cannot, as in a copy in grey.
    """
    dashes = _LINE_STYLES[index % len(_LINE_STYLES)]
    return {"color": colour(index), "linestyle": dashes}


def marker(index: int) -> str:
    """Return the marker of the curve with this number."""
    return _MARKERS[index % len(_MARKERS)]


def next_index(ax: Axes) -> int:
    """Return the number of the next curve, so that a second call looks different.

    Helping lines, which matplotlib names with a leading underscore, do not count.
    """
    return sum(not str(line.get_label()).startswith("_ref") for line in ax.lines)


def axes_or_new(
    ax: Axes | None, *, width: float = ONE_COLUMN, height: float = 2.4
) -> Axes:
    """Return `ax`, or axes of a new figure that fits a column of print."""
    if ax is not None:
        return ax
    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(9)
        axis.set_tick_params(labelsize=8)
    return ax


def set_labels(ax: Axes, x: str, y: str) -> None:
    """Label both axes."""
    ax.set_xlabel(x)
    ax.set_ylabel(y)


def legend_above(ax: Axes, *, columns: int = 2) -> Legend | None:
    """Put a legend above the axes, where it covers no data; none without labels."""
    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return None
    return ax.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.01),
        borderaxespad=0.0,
        ncols=min(columns, len(labels)),
        frameon=False,
        fontsize=8,
        handlelength=2.6,
        columnspacing=1.2,
    )


TIME_LABEL = r"time (units of $\tau$)"


def state_label(neuron: int) -> str:
    """Return the axis label of one neuron's state."""
    return f"state $x_{{{neuron}}}$ (dimensionless)"
