"""Poincaré sections."""

import numpy as np
from matplotlib.axes import Axes

from ._data import Numbers, check_pair, read_states
from ._style import axes_or_new, colour, next_index, set_labels, state_label


def plot_section(
    section: object,
    *,
    neurons: Numbers = (0, 1),
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw where an orbit crosses a surface, in the plane of two neurons.

    A periodic orbit leaves a few points, a quasi-periodic one fills a closed curve (a
    surface, if it has more than two frequencies), a chaotic one scatters. Call it
    again with the same `ax` for another orbit, in another colour.

    **Arguments:**

    - `section`: with `ys` `(crossings, n)`, or the states themselves, dimensionless;
      what is not finite is left out.
    - `neurons`: the two neurons, along x and along y.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot`, such as `label`.

    **Returns:** the axes.

    **Raises:** `ValueError` if there is no crossing or a neuron does not exist.
    """
    ys = read_states(section)
    first, second = check_pair(neurons, ys.shape[1])
    count = int(np.isfinite(ys).all(axis=1).sum())
    ax = axes_or_new(ax, height=3.3)
    # Few points must be seen, many must not run into each other.
    size = float(np.clip(30.0 / np.sqrt(count), 0.8, 4.0))
    style: dict = {"linestyle": "none", "marker": "o", "markeredgewidth": 0}
    style |= {"markersize": size, "color": colour(next_index(ax))}
    alone = not ax.lines
    ax.plot(ys[:, first], ys[:, second], **{**style, **kwargs})
    if alone:
        _refuse_to_magnify_rounding(ax, ys[:, [first, second]])
    set_labels(ax, state_label(first), state_label(second))
    return ax


def _refuse_to_magnify_rounding(ax: Axes, points: np.ndarray) -> None:
    """Keep axes on which points differ by rounding only from showing that."""
    size = float(np.nanmax(np.abs(points))) or 1.0
    for values, set_limits in zip(points.T, (ax.set_xlim, ax.set_ylim), strict=True):
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        if high - low < 1e-6 * size:
            middle = 0.5 * (low + high)
            set_limits(middle - 0.1 * size, middle + 0.1 * size)
