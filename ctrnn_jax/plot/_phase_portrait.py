"""Orbits in the plane of two neurons."""

import numpy as np
from matplotlib.axes import Axes

from ._data import Numbers, check_pair, read_states
from ._style import axes_or_new, colour, marker, next_index, set_labels, state_label


def plot_phase_portrait(
    solution: object,
    *,
    neurons: Numbers = (0, 1),
    mark_start: bool = True,
    equal_aspect: bool = True,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw an orbit in the plane of two neurons.

    Call it again with the same `ax` for another orbit, in another colour and with
    another mark at its start. `plot_level_sets` and `plot_vector_field` draw what lies
    behind it. For more than two neurons this is a projection, in which an orbit may
    cross itself.

    **Arguments:**

    - `solution`: a solution with `ys`, or the states themselves, shape `(time, n)`,
      dimensionless. Samples that are not finite are left out.
    - `neurons`: the two neurons, along x and along y.
    - `mark_start`: put a mark on the first finite sample.
    - `equal_aspect`: draw one unit equally long on both axes.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot`, such as `label`.

    **Returns:** the axes.

    **Raises:** `ValueError` if the states are not `(time, n)`, none is finite, or a
    neuron does not exist.
    """
    ys = read_states(solution)
    first, second = check_pair(neurons, ys.shape[1])
    x, y = ys[:, first], ys[:, second]
    ax = axes_or_new(ax, height=3.3)
    index = next_index(ax)
    # Solid: dashes blur where an orbit runs over itself again.
    style: dict = {"color": colour(index), "linewidth": 1.3, "zorder": 3, **kwargs}
    (line,) = ax.plot(x, y, **style)
    if mark_start:
        start = np.flatnonzero(np.isfinite(x) & np.isfinite(y))[:1]
        look: dict = {"s": 22, "marker": marker(index), "color": line.get_color()}
        ax.scatter(x[start], y[start], zorder=4, **look)
    set_labels(ax, state_label(first), state_label(second))
    if equal_aspect:
        ax.set_aspect("equal", adjustable="box")
    return ax
