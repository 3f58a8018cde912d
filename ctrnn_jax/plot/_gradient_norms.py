"""How sensitivity to the past grows or fades with delay."""

import numpy as np
from matplotlib.axes import Axes

from ._data import read_numbers
from ._style import (
    TIME_LABEL,
    axes_or_new,
    colour,
    legend_above,
    line_style,
    next_index,
    set_labels,
)

#: The exponential of more than this leaves the floating range.
_LARGEST_LOG = 600.0


def plot_gradient_norms(
    norms: object,
    *,
    label: str | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw the singular values of ∂x(t)/∂x(t−τ) against the delay τ.

    The curve is the root mean square of the singular values, by which a gradient in
    a random direction is multiplied, at its geometric mean over the starts. The band
    is the range from the smallest to the largest singular value at any start; the
    vertical axis fits the curves, which a band may leave. Flat is memory; on the
    logarithmic axis a straight line down or up is a gradient that vanishes or
    explodes.

    **Arguments:**

    - `norms`: with `delays` `(d,)`, in units of `tau`, and `log_smallest`, `log_rms`
      and `log_largest` `(starts, d)`, natural logarithms, as `gradient_norms` returns.
    - `label`: name of the network.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot` of the curve.

    **Returns:** the axes, the vertical one logarithmic.

    **Raises:** `ValueError` if the shapes do not fit or nothing is finite.
    """
    delays = read_numbers(norms, "delays")
    low, mean, high = (
        _read(norms, name, delays)
        for name in ("log_smallest", "log_rms", "log_largest")
    )
    if max(np.abs(low).max(), np.abs(high).max()) > _LARGEST_LOG:
        raise ValueError(
            "The norms leave the floating range; measure shorter delays, or draw "
            "log_rms itself."
        )
    ax = axes_or_new(ax, height=2.7)
    index = next_index(ax)
    shade = {"color": colour(index), "alpha": 0.18, "linewidth": 0}
    ax.fill_between(delays, np.exp(low.min(0)), np.exp(high.max(0)), **shade)
    style: dict = {"linewidth": 1.5, **line_style(index), "label": label}
    ax.plot(delays, np.exp(mean.mean(0)), **{**style, **kwargs})
    ax.axhline(1.0, color="0.4", linewidth=0.7, zorder=1, label="_ref no change")
    ax.set_yscale("log")
    curves = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.lines])
    ax.set_ylim(curves.min() / 30, curves.max() * 30)
    ax.margins(x=0)
    set_labels(ax, TIME_LABEL.replace("time", "delay"), "gradient norm")
    legend_above(ax, columns=1)
    return ax


def _read(norms: object, name: str, delays: np.ndarray) -> np.ndarray:
    values = read_numbers(norms, name)
    if values.ndim != 2 or delays.shape != values.shape[1:]:
        raise ValueError(
            f"{name} must have shape (starts, d) and delays (d,), got {values.shape} "
            f"and {delays.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name} is not finite: see norms.result for why.")
    return values
