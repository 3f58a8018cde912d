"""The lines that a motion is made of."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from ._data import read_numbers
from ._style import axes_or_new, colour, legend_above, marker, set_labels


def plot_frequencies(
    lines: object,
    *,
    label: str | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw the lines of a signal: amplitude against angular frequency.

    Of several channels the root sum of squares of their amplitudes is drawn.

    **Arguments:**

    - `lines`: with `angular_frequency` `(k,)`, in radians per unit of `tau`, and
      `amplitude` `(k,)` or `(k, channels)`, as `main_frequencies` and `classify_orbit`
      return; lines of amplitude 0 are none.
    - `label`: name of the signal.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot` of the marks.

    **Returns:** the axes, amplitude on a logarithmic scale.

    **Raises:** `ValueError` if shapes do not fit or there is no line.
    """
    places, sizes = (
        read_numbers(lines, name) for name in ("angular_frequency", "amplitude")
    )
    if places.ndim != 1 or sizes.shape[:1] != places.shape or sizes.ndim > 2:
        raise ValueError(
            "angular_frequency must have shape (k,) and amplitude (k,) or (k, "
            f"channels), got {places.shape} and {sizes.shape}."
        )
    if sizes.ndim == 2:
        sizes = np.sqrt(np.sum(sizes**2, axis=1))
    there = np.isfinite(places) & np.isfinite(sizes) & (sizes > 0)
    if not there.any():
        raise ValueError("There is no line to draw: the signal is constant or failed.")
    places, sizes = places[there], sizes[there]
    ax = axes_or_new(ax, height=2.5)
    index = len(ax.collections)
    ax.set_yscale("log")
    floor = min(sizes.min() / 10, ax.get_ylim()[0] if index else np.inf)
    ax.vlines(places, floor, sizes, color=colour(index), linewidth=1.2)
    style: dict = {"linestyle": "none", "marker": marker(index), "markersize": 5}
    style |= {"color": colour(index), "label": label}
    ax.plot(places, sizes, **{**style, **kwargs})
    ax.set_ylim(bottom=floor)
    ax.set_xlim(0.0, 1.05 * max(places.max(), ax.get_xlim()[1] if index else 0.0))
    ax.yaxis.set_minor_formatter(NullFormatter())
    set_labels(ax, r"angular frequency (rad$/\tau$)", "amplitude")
    legend_above(ax)
    return ax
