"""States against time."""

import numpy as np
from matplotlib.axes import Axes

from ._data import Number, Numbers, check_neurons, read_states, read_times
from ._style import (
    TIME_LABEL,
    TWO_COLUMNS,
    axes_or_new,
    colour,
    legend_above,
    line_style,
    next_index,
    set_labels,
    state_label,
)

_OVERLAID_UP_TO = 3
_NAMED_UP_TO = 16


def plot_time_series(
    solution: object,
    *,
    neurons: Numbers | None = None,
    offset: Number | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw the states of neurons against time.

    Up to three neurons lie over each other. More are stacked, the first on top, each
    around a base line that carries its name, with a bar for the scale they share.

    **Arguments:**

    - `solution`: with `ts` `(time,)`, in units of `tau`, and `ys` `(time, n)`,
      dimensionless. Samples that are not finite leave gaps.
    - `neurons`: which ones, from top to bottom; default: all.
    - `offset`: distance between base lines, dimensionless. Default: 0 for up to three
      neurons, otherwise enough that no two curves touch.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot`.

    **Returns:** the axes.

    **Raises:** `ValueError` if shapes do not fit, no sample is finite, a neuron does
    not exist, or `offset` is negative.
    """
    ys = read_states(solution)
    ts = read_times(solution, len(ys))
    size = ys.shape[1]
    chosen = check_neurons(range(size) if neurons is None else neurons, size)
    if not chosen:
        raise ValueError("neurons is empty; name at least one.")
    if offset is not None and not 0 <= offset < np.inf:
        raise ValueError(f"offset must be finite and not negative, got {offset}.")
    curves = ys[:, chosen]
    if offset is None:
        offset = 0.0 if len(chosen) <= _OVERLAID_UP_TO else _enough(curves)
    offset = float(offset)
    if offset == 0:
        return _overlay(ts, curves, chosen, ax, kwargs)
    return _stack(ts, curves, chosen, offset, ax, kwargs)


def _overlay(
    ts: np.ndarray, curves: np.ndarray, chosen: list[int], ax: Axes | None, kwargs: dict
) -> Axes:
    ax = axes_or_new(ax, width=TWO_COLUMNS, height=2.2)
    named = len(chosen) > 1 or bool(ax.lines)
    for curve, neuron in zip(curves.T, chosen, strict=True):
        style = {"linewidth": 1.2, **line_style(next_index(ax))}
        label = {"label": f"$x_{{{neuron}}}$"}
        ax.plot(ts, curve, **{**style, **label, **kwargs})
    alone = state_label(chosen[0])
    set_labels(ax, TIME_LABEL, "states (dimensionless)" if named else alone)
    ax.margins(x=0)
    if named or "label" in kwargs:
        legend_above(ax, columns=6)
    return ax


def _stack(
    ts: np.ndarray,
    curves: np.ndarray,
    chosen: list[int],
    offset: float,
    ax: Axes | None,
    kwargs: dict,
) -> Axes:
    count = len(chosen)
    ax = axes_or_new(ax, width=TWO_COLUMNS, height=min(0.8 + 0.28 * count, 6.5))
    bases = -offset * np.arange(count)
    for place, curve in enumerate(curves.T):
        # Apart already, so colour alone tells neighbours from each other.
        style = {"color": colour(place % 2), "linewidth": 0.9}
        ax.plot(ts, curve + bases[place], **{**style, **kwargs})
    named = range(0, count, -(-count // _NAMED_UP_TO))
    ax.set_yticks(bases[list(named)], [f"$x_{{{chosen[i]}}}$" for i in named])
    set_labels(ax, TIME_LABEL, "neuron")
    ax.margins(x=0, y=0.02)
    _draw_scale(ax, bases[-1], offset)
    return ax


def _enough(curves: np.ndarray) -> float:
    """Return an offset at which neighbouring curves keep apart."""
    upper, lower = np.nan_to_num(curves[:, :-1]), np.nan_to_num(curves[:, 1:])
    apart = float(np.max(lower - upper, initial=0.0))
    return 1.1 * apart if apart > 0 else 1.0


def _draw_scale(ax: Axes, base: float, offset: float) -> None:
    """Draw a bar of a round length right of the axes, as the scale of the states."""
    size = 10.0 ** np.floor(np.log10(offset))
    size *= max(factor for factor in (1, 2, 5) if factor * size <= offset)
    across = ax.get_yaxis_transform()
    low = base - 0.5 * size
    ax.vlines(
        1.012, low, low + size, transform=across, clip_on=False, color="black", lw=1.5
    )
    ax.text(1.022, base, f"{size:g}", transform=across, va="center", fontsize=8)
