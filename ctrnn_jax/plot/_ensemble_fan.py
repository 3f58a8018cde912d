"""The spread of an ensemble against time."""

import numpy as np
from matplotlib.axes import Axes

from ._data import Number, Numbers, check_neurons, read_times
from ._style import (
    OKABE_ITO,
    TIME_LABEL,
    TWO_COLUMNS,
    axes_or_new,
    legend_above,
    set_labels,
    state_label,
)

_OPACITY = 0.22


def plot_ensemble_fan(
    solution: object,
    *,
    neuron: Number = 0,
    quantiles: Numbers = (0.05, 0.25),
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw the median of an ensemble and bands between its quantiles.

    Quantiles are taken at each time apart: the median is not one of the trajectories,
    and it comes to rest as the phases of oscillating lanes spread.

    **Arguments:**

    - `solution`: with `ts` `(time,)`, in units of `tau`, and `ys` `(batch, time, n)`,
      dimensionless. Lanes with a sample that is not finite have failed: they are left
      out, and the legend says how many.
    - `neuron`: which neuron.
    - `quantiles`: one band each, from this quantile to its mirror image: 0.05 draws
      the band from 5 % to 95 %.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for the median's `Axes.plot`, such as `label` and `color`, the colour
      of the bands too.

    **Returns:** the axes.

    **Raises:** `ValueError` if `ys` is not `(batch, time, n)`, no lane is finite, the
    neuron does not exist, or a quantile is not between 0 and 0.5.
    """
    ys = np.asarray(getattr(solution, "ys", None))
    if ys.ndim != 3 or 0 in ys.shape:
        raise ValueError(
            f"ys must have shape (batch, time, n), got {ys.shape}: solve with "
            "simulate_ensemble, or draw one trajectory with plot_time_series."
        )
    lanes, samples, size = ys.shape
    ts = read_times(solution, samples)
    (neuron,) = check_neurons([neuron], size)
    if not all(0 < quantile < 0.5 for quantile in quantiles):
        raise ValueError(f"quantiles must lie between 0 and 0.5, got {quantiles!r}.")
    okay = np.isfinite(ys).all(axis=(1, 2))
    if not okay.any():
        raise ValueError(
            f"All {lanes} lanes failed, see solution.result for the reasons: there is "
            "no finite lane to draw."
        )
    curves = ys[okay, :, neuron]
    failed = f" ({np.sum(~okay)} failed, left out)" if not okay.all() else ""
    label = f"median of {okay.sum()} lanes{failed}"
    ax = axes_or_new(ax, width=TWO_COLUMNS, height=2.4)
    style: dict = {"color": OKABE_ITO["blue"], "linewidth": 1.3, "label": label}
    (median,) = ax.plot(ts, np.median(curves, axis=0), **{**style, **kwargs})
    for index, quantile in enumerate(sorted(quantiles)):
        low, high = np.quantile(curves, [quantile, 1 - quantile], axis=0)
        look: dict = {"color": median.get_color(), "linewidth": 0}
        ax.fill_between(ts, low, high, alpha=_OPACITY, **look)
        # Bands lie over each other and so grow darker inwards: an empty one of the
        # darkness that is seen stands for it in the legend.
        seen = 1 - (1 - _OPACITY) ** (index + 1)
        name = f"{100 * quantile:g}–{100 * (1 - quantile):g} %"
        ax.fill_between(ts[:0], low[:0], high[:0], alpha=seen, label=name, **look)
    set_labels(ax, TIME_LABEL, state_label(neuron))
    ax.margins(x=0)
    legend_above(ax, columns=4)
    return ax
