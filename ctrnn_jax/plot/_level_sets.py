"""Level sets of an energy over a plane."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from ._data import Number, Numbers, lay_plane
from ._style import GREY, axes_or_new, set_labels, state_label


def plot_level_sets(
    energy_fn: Callable,
    xlim: Numbers,
    ylim: Numbers,
    *,
    levels: Number | Numbers = 8,
    resolution: int = 201,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw the level sets of an energy over the plane of two neurons.

    Without dissipation an orbit of two neurons stays on one of them, so it is closed
    where its level set is closed.

    **Arguments:**

    - `energy_fn`: maps states of shape `(..., 2)` to energies `(...)`, such as
      `lambda y: energy(model, y)`. For more neurons, embed the plane in it.
    - `xlim`, `ylim`: the window, `(low, high)`, dimensionless.
    - `levels`: how many, evenly spaced in the square root of the energy above its
      minimum and so in amplitude near a rest point; or the energies themselves, such
      as those of the orbits drawn.
    - `resolution`: points a side at which the energy is computed.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.contour`, such as `colors` or `linestyles`.

    **Returns:** the axes.

    **Raises:** `ValueError` if `energy_fn` returns another shape, the energy is
    nowhere finite or the same everywhere, or no level lies within its range here.
    """
    x, y, states = lay_plane(xlim, ylim, resolution)
    values = np.asarray(energy_fn(jnp.asarray(states)))
    if values.shape != states.shape[:-1]:
        raise ValueError(
            "energy_fn must map states (..., 2) to energies (...): "
            f"it mapped {states.shape} to {values.shape}."
        )
    values = np.ma.masked_invalid(values)
    if values.count() == 0 or values.min() == values.max():
        raise ValueError(
            "There are no level sets to draw: in this window the energy is nowhere "
            "finite, or the same everywhere."
        )
    low, high = float(values.min()), float(values.max())
    if isinstance(levels, (int, np.integer)):
        if levels < 1:
            raise ValueError(f"levels must be at least 1, got {levels}.")
        fractions = np.arange(1, levels + 1) / (levels + 1)
        chosen = low + (high - low) * fractions**2
    else:
        chosen = np.unique(np.asarray(levels))
    if not np.any((chosen >= low) & (chosen <= high)):
        raise ValueError(
            f"No level lies within the energies {low:.6g} to {high:.6g} of this "
            "window; choose other levels or a wider window."
        )
    ax = axes_or_new(ax, height=3.3)
    style: dict = {"linewidths": 0.7, "zorder": 1, "linestyles": "solid", **kwargs}
    if "cmap" not in style:
        style.setdefault("colors", GREY)
    ax.contour(x, y, values, levels=chosen, **style)
    if not ax.get_xlabel() and not ax.get_ylabel():
        set_labels(ax, state_label(0), state_label(1))
    return ax
