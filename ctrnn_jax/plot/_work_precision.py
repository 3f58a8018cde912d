"""What accuracy costs."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from ._data import Numbers
from ._style import (
    GREY,
    axes_or_new,
    legend_above,
    line_style,
    marker,
    next_index,
    set_labels,
)


def plot_work_precision(
    runs: Mapping,
    *,
    orders: Numbers = (1, 2, 4),
    work_label: str = "work (field evaluations)",
    error_label: str = "error (dimensionless)",
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw error against work, log–log, one curve a method.

    Lower and further left is better. A method of order $p$ falls like
    $\mathrm{work}^{-p}$, beside the grey line of that order.

    **Arguments:**

    - `runs`: maps each label to `(work, error)`, two sequences of equal length. Runs
      whose error is not finite are left out, and the label says how many.
    - `orders`: of the grey lines that show a slope; `()` for none.
    - `work_label`, `error_label`: what was measured, with its unit.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot`.

    **Returns:** the axes.

    **Raises:** `ValueError` if lengths differ, a work or error is not positive, no run
    of a method is finite, or an order is not positive.
    """
    if not runs:
        raise ValueError("runs is empty; give at least one method.")
    if not all(order > 0 for order in orders):
        raise ValueError(f"orders must be positive, got {orders!r}.")
    curves = [_read(label, *pair) for label, pair in runs.items()]
    ax = axes_or_new(ax, height=3.0)
    for label, work, error in curves:
        index = next_index(ax)
        style = {"marker": marker(index), "markersize": 4, "linewidth": 1.2}
        style |= {**line_style(index), "label": label}
        ax.plot(work, error, **{**style, **kwargs})
    ax.set(xscale="log", yscale="log")
    _draw_orders(ax, curves, orders)
    set_labels(ax, work_label, error_label)
    legend_above(ax)
    return ax


def _read(
    label: str, work: Numbers, error: Numbers
) -> tuple[str, np.ndarray, np.ndarray]:
    """Return the label, with how many runs failed, and the others by work."""
    works, errors = np.asarray(work, float), np.asarray(error, float)
    if works.ndim != 1 or works.shape != errors.shape:
        raise ValueError(
            f"{label!r} must have as many works as errors, got shapes {works.shape} "
            f"and {errors.shape}."
        )
    okay = np.isfinite(errors)
    if not okay.any():
        raise ValueError(f"{label!r} has no run with a finite error.")
    positive = (works > 0).all() and (errors[okay] > 0).all()
    if not (positive and np.isfinite(works).all()):
        raise ValueError(
            f"{label!r} has a work or an error that is not positive, which a "
            "logarithmic axis cannot show; raise exact zeros to rounding, say 1e-16."
        )
    if not okay.all():
        label = f"{label} ({np.sum(~okay)} failed)"
    order = np.argsort(works[okay])
    return label, works[okay][order], errors[okay][order]


def _draw_orders(ax: Axes, curves: list, orders: Numbers) -> None:
    """Draw a fan of slopes in the lower left corner, where no method gets to."""
    if len(orders) == 0:
        return
    works = np.concatenate([work for _, work, _ in curves])
    errors = np.concatenate([error for *_, error in curves])
    left, width = works.min(), 0.3 * _decades(works)
    bottom, room = errors.min(), 0.6 * _decades(errors)
    top = min(max(orders) * width, room)
    for order in orders:
        run = min(width, top / order)
        x, y = left * 10**run, bottom * 10 ** (top - order * run)
        line = {"color": GREY, "linewidth": 0.7, "zorder": 1}
        label = f"order {order:g}"
        ax.plot([left, x], [bottom * 10**top, y], label=f"_ref {label}", **line)
        ax.annotate(
            label,
            (x, y),
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color="0.4",
        )


def _decades(values: np.ndarray) -> float:
    """Return how many powers of ten the values span, at least one."""
    return max(1.0, float(np.log10(values.max() / values.min())))
