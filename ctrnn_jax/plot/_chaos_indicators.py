"""Fast indicators of chaos along an orbit."""

import numpy as np
from matplotlib.axes import Axes

from ._data import read_numbers
from ._style import (
    GREY,
    TIME_LABEL,
    axes_or_new,
    legend_above,
    line_style,
    next_index,
    set_labels,
)


def plot_chaos_indicators(
    indicators: object,
    which: str = "megno",
    *,
    label: str | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw the course of MEGNO or of GALI along an orbit.

    MEGNO settles near 2, the grey line, on a quasi-periodic orbit and grows in
    proportion to time on a chaotic one. GALI falls like a power of time, or not at all,
    on a regular orbit: a curve that flattens. On a chaotic one it falls exponentially:
    a straight line, down to rounding.

    **Arguments:**

    - `indicators`: with `times` `(N,)`, in units of `tau`, and `megno_history` or
      `log_gali_history` `(N,)`, as `chaos_indicators` returns.
    - `which`: "megno" or "gali".
    - `label`: name of the orbit.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot`.

    **Returns:** the axes.

    **Raises:** `ValueError` if shapes do not fit or nothing is finite.
    """
    if which not in ("megno", "gali"):
        raise ValueError(f'which must be "megno" or "gali", got {which!r}.')
    name = "megno_history" if which == "megno" else "log_gali_history"
    times, values = read_numbers(indicators, "times"), read_numbers(indicators, name)
    if times.ndim != 1 or values.shape != times.shape:
        raise ValueError(
            f"times and {name} must have one shape (N,), got {times.shape} and "
            f"{values.shape}; an ensemble keeps no history."
        )
    if not np.isfinite(values).any():
        raise ValueError(f"{name} is not finite: see indicators.result for why.")
    ax = axes_or_new(ax, height=2.6)
    style: dict = {"linewidth": 1.3, **line_style(next_index(ax)), "label": label}
    if which == "gali":
        values = values / np.log(10)
    ax.plot(times, values, **{**style, **kwargs})
    if which == "megno":
        ax.axhline(2.0, color=GREY, linewidth=0.8, zorder=1, label="_ref regular")
    ax.margins(x=0)
    above = "MEGNO" if which == "megno" else r"$\log_{10}$ GALI"
    set_labels(ax, TIME_LABEL, above)
    legend_above(ax)
    return ax
