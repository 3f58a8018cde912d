"""Floquet multipliers and the unit circle."""

import numpy as np
from matplotlib.axes import Axes

from ._style import GREY, OKABE_ITO, axes_or_new, legend_above, set_labels

#: Multipliers nearer than this, in units of the figure, are one mark with a count.
_TOGETHER = 0.03


def plot_multipliers(
    multipliers: object,
    *,
    tolerance: float = 1e-3,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw Floquet multipliers in the complex plane, with the unit circle.

    A perturbation in the direction of a multiplier μ is multiplied by μ at each turn
    of the orbit: it fades inside the circle and grows outside. One multiplier is
    always 1 (along the orbit), and so is one for each conserved quantity. Marks that
    would cover each other carry their number.

    **Arguments:**

    - `multipliers`: shape `(n,)`, complex; or what has them as `multipliers`, as
      `floquet_multipliers` returns.
    - `tolerance`: distance from the circle up to which a multiplier is on it.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot` of the marks.

    **Returns:** the axes.

    **Raises:** `ValueError` if the multipliers are not finite or not `(n,)`.
    """
    values = np.asarray(getattr(multipliers, "multipliers", multipliers))
    values = values.astype(complex)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"multipliers must be finite, of shape (n,), got shape {values.shape}."
        )
    ax = axes_or_new(ax, height=3.6)
    turn = np.exp(2j * np.pi * np.linspace(0, 1, 361))
    circle: dict = {"color": GREY, "linewidth": 1.0, "zorder": 1}
    ax.plot(np.real(turn), np.imag(turn), label="_ref unit circle", **circle)
    for line in (ax.axhline, ax.axvline):
        line(0.0, color="0.85", linewidth=0.6, zorder=0, label="_ref axis")
    sizes = np.abs(values)
    on = np.abs(sizes - 1) <= tolerance
    groups = (
        ("inside: fades", (sizes < 1) & ~on, "o", "blue", True),
        ("on the circle", on, "s", "black", False),
        ("outside: grows", (sizes > 1) & ~on, "^", "vermillion", True),
    )
    for label, chosen, shape, name, filled in groups:
        if not chosen.any():
            continue
        style: dict = {"linestyle": "none", "marker": shape, "markersize": 6}
        style |= {"color": OKABE_ITO[name], "zorder": 3, "label": label}
        style["markerfacecolor"] = OKABE_ITO[name] if filled else "none"
        each = values[chosen]
        ax.plot(np.real(each), np.imag(each), **{**style, **kwargs})
    limit = 1.15 * max(1.1, float(sizes.max()))
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    _count_covered(ax, values, _TOGETHER * limit)
    set_labels(ax, r"Re $\mu$", r"Im $\mu$")
    legend_above(ax)
    return ax


def _count_covered(ax: Axes, values: np.ndarray, radius: float) -> None:
    """Write how many marks lie at one place, beside it."""
    left = list(values)
    while left:
        here = left[0]
        near = [value for value in left if abs(value - here) <= radius]
        left = [value for value in left if abs(value - here) > radius]
        if len(near) > 1:
            ax.annotate(
                rf"$\times${len(near)}",
                (here.real, here.imag),
                xytext=(6, 5),
                textcoords="offset points",
                fontsize=8,
            )
