"""Eigenvalues on the stability regions of the methods."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ._data import Number, Numbers
from ._stability import METHODS, POLYNOMIALS, region_boundary
from ._style import GREY, axes_or_new, legend_above, line_style, set_labels

_NAMES = {"euler": "forward Euler", "heun": "Heun", "rk4": "RK4", "tsit5": "Tsit5"}


def plot_spectrum(
    eigenvalues: Numbers,
    *,
    step: Number,
    methods: Sequence[str] = ("euler", "heun", "rk4", "leapfrog", "implicit midpoint"),
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw eigenvalues, times the step, on the stability regions of methods.

    A method with stability function $R$ keeps $x' = \lambda x$ bounded where
    $|R(h\lambda)| \le 1$: inside its curve; for leapfrog on the segment
    $[-2i, 2i]$; for the implicit midpoint rule in the left half plane, shaded, with
    the imaginary axis, where nothing grows or decays. The eigenvalues of a
    skew-symmetric W lie on the imaginary axis. Of a non-linear field this shows the
    linearisation only: with tanh the slopes, and so the eigenvalues, shrink as the
    amplitude grows.

    **Arguments:**

    - `eigenvalues`: of W or of a Jacobian, shape `(n,)`, per unit time.
    - `step`: the step size h, in units of `tau`.
    - `methods`: any of "euler", "heun", "rk4", "tsit5", "leapfrog" and
      "implicit midpoint".
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for the eigenvalues' `Axes.plot`, such as `label`.

    **Returns:** the axes.

    **Raises:** `ValueError` for an unknown method, a step that is not positive, or
    eigenvalues that are not finite or not `(n,)`.
    """
    values, step = np.asarray(eigenvalues).astype(complex), float(step)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"eigenvalues must be finite, of shape (n,), got shape {values.shape}; "
            "np.linalg.eigvals gives those of a matrix."
        )
    if not 0 < step < np.inf:
        raise ValueError(f"step must be positive and finite, got {step}.")
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise ValueError(f"Unknown methods {unknown}; choose from {list(METHODS)}.")
    z = step * values
    ax = axes_or_new(ax, height=4.0)
    left, right, height = -3.2, 1.6, 3.2
    for index, method in enumerate(methods):
        style: dict = {"linewidth": 1.3, "label": _NAMES.get(method, method)}
        style |= line_style(index)
        if method in POLYNOMIALS:
            curve = region_boundary(method)
            x, y = np.real(curve), np.imag(curve)
            left, height = min(left, x.min() - 0.2), max(height, y.max() + 0.2)
            ax.plot(x, y, **style)
        elif method == "leapfrog":
            style |= {"linewidth": 4.5, "linestyle": "-", "solid_capstyle": "butt"}
            ax.plot([0.0, 0.0], [-2.0, 2.0], zorder=1.8, **style)
        else:
            # The edge of the half plane, through the whole of the axes.
            ax.axvline(0.0, zorder=1.9, **style)
            ax.axvspan(-1e3 * np.ptp([left, right]), 0, color=GREY, alpha=0.12, lw=0)
    # Crosses, so that what lies under them on the imaginary axis is seen.
    points: dict = {"marker": "x", "linestyle": "none", "color": "black"}
    points |= {"markersize": 4, "markeredgewidth": 0.8, "zorder": 3}
    ax.plot(z.real, z.imag, **{**points, "label": "eigenvalues", **kwargs})
    height = max(height, 1.08 * np.abs(z.imag).max())
    left = min(left, z.real.min() - 0.1 * height)
    right = max(right, z.real.max() + 0.1 * height)
    # No slimmer than this, however far the spectrum reaches.
    left = min(left, right - 1.3 * height)
    ax.set(xlim=(left, right), ylim=(-height, height))
    ax.set_aspect("equal", adjustable="box")
    set_labels(ax, rf"Re $h\lambda$, with $h = {step:g}\,\tau$", r"Im $h\lambda$")
    legend_above(ax, columns=2)
    return ax
