"""The direction of motion over a plane."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from .._types import PyTree
from ._data import Number, Numbers, lay_plane
from ._style import OKABE_ITO, axes_or_new, set_labels, state_label


def plot_vector_field(
    field: Callable,
    xlim: Numbers,
    ylim: Numbers,
    *,
    t: Number = 0.0,
    args: PyTree = None,
    kind: str = "streamlines",
    resolution: int | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw the field of two neurons as streamlines or arrows.

    Streamlines are matplotlib's own rough integration: they show directions, not
    whether an orbit closes.

    **Arguments:**

    - `field`: a model of two neurons or any `f(t, y, args)` on states `(2,)`. It is
      mapped over the plane with `jax.vmap`.
    - `xlim`, `ylim`: the window, `(low, high)`, dimensionless.
    - `t`: the time at which a field with inputs is drawn, in units of `tau`.
    - `args`: passed on to the field, such as its inputs.
    - `kind`: "streamlines", or "arrows" as long as the field is strong.
    - `resolution`: points a side; default 41 for streamlines, 17 for arrows.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.streamplot` or `Axes.quiver`.

    **Returns:** the axes.

    **Raises:** `ValueError` for another `kind`, if the field returns another shape, is
    not finite somewhere, or is zero everywhere.
    """
    if kind not in ("streamlines", "arrows"):
        raise ValueError(f'kind must be "streamlines" or "arrows", got {kind!r}.')
    if resolution is None:
        resolution = 41 if kind == "streamlines" else 17
    x, y, states = lay_plane(xlim, ylim, resolution)
    flat = jnp.asarray(states.reshape(-1, 2))
    time = jnp.asarray(t, flat.dtype)
    flow = np.asarray(jax.vmap(lambda state: field(time, state, args))(flat))
    if flow.shape != flat.shape:
        raise ValueError(
            "field must map a state (2,) to its derivative (2,): it mapped a state "
            f"to shape {flow.shape[1:]}."
        )
    if not np.isfinite(flow).all():
        raise ValueError("The field is not finite in this window; choose another.")
    if not flow.any():
        raise ValueError("The field is zero in all of this window; choose another.")
    u, v = np.moveaxis(flow.reshape(states.shape), -1, 0)
    ax = axes_or_new(ax, height=3.3)
    style: dict = {"color": OKABE_ITO["sky blue"], "zorder": 2}
    if kind == "streamlines":
        style |= {"density": 0.55, "linewidth": 0.5, "arrowsize": 0.7, **kwargs}
        ax.streamplot(x, y, u, v, **style)
    else:
        style |= {"angles": "xy", "width": 0.004, "pivot": "mid", **kwargs}
        ax.quiver(x, y, u, v, **style)
    if not ax.get_xlabel() and not ax.get_ylabel():
        set_labels(ax, state_label(0), state_label(1))
    return ax
