"""How much of the past a linear readout recalls."""

import numpy as np
from matplotlib.axes import Axes

from ._data import read_numbers
from ._style import (
    GREY,
    axes_or_new,
    colour,
    legend_above,
    line_style,
    marker,
    next_index,
    set_labels,
)


def plot_memory_capacity(
    capacity: object,
    *,
    label: str | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw the recalled share of the input's variance against its delay.

    The area under the curve is the memory capacity, which the legend gives. The band
    is one standard error; below the grey line recall is not told from chance.

    **Arguments:**

    - `capacity`: with `delays`, `capacities` and `standard_error`, all `(d,)`, and
      the scalars `threshold`, `total` and `total_standard_error`, as
      `memory_capacity` returns.
    - `label`: name of the network.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot` of the curve.

    **Returns:** the axes.

    **Raises:** `ValueError` if the shapes do not fit or nothing is finite.
    """
    names = ("delays", "capacities", "standard_error")
    delays, values, error = (read_numbers(capacity, n) for n in names)
    if delays.ndim != 1 or not delays.shape == values.shape == error.shape:
        raise ValueError(
            "delays, capacities and standard_error must have one shape (d,), got "
            f"{delays.shape}, {values.shape} and {error.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError("capacities are not finite: see capacity.result for why.")
    total, spread = (
        float(read_numbers(capacity, name))
        for name in ("total", "total_standard_error")
    )
    ax = axes_or_new(ax, height=2.7)
    index = next_index(ax)
    shade = {"color": colour(index), "alpha": 0.2, "linewidth": 0}
    ax.fill_between(delays, values - error, values + error, **shade)
    name = "" if label is None else f"{label}: "
    style: dict = {"linewidth": 1.3, "marker": marker(index), "markersize": 3}
    style |= {**line_style(index), "label": rf"{name}${total:.3g} \pm {spread:.1g}$"}
    ax.plot(delays, values, **{**style, **kwargs})
    threshold = float(read_numbers(capacity, "threshold"))
    style = {"color": GREY, "linewidth": 0.8, "linestyle": ":", "zorder": 1}
    ax.axhline(threshold, label="_ref chance", **style)
    ax.margins(x=0.02)
    set_labels(ax, "delay (inputs ago)", "recalled share of variance")
    legend_above(ax, columns=1)
    return ax
