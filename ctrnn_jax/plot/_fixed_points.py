"""Fixed points, by what their eigenvalues say."""

import numpy as np
from matplotlib.axes import Axes

from ._data import Numbers, check_pair, read_numbers
from ._style import OKABE_ITO, axes_or_new, legend_above, set_labels, state_label

#: Filled attracts, open repels; what is neither has a shape of its own.
_LOOKS = {
    "stable": ("o", "blue", True),
    "unstable": ("o", "vermillion", False),
    "saddle": ("X", "orange", True),
    "centre": ("s", "green", False),
    "marginal": ("D", "purple", False),
    "degenerate": ("P", "black", True),
}


def plot_fixed_points(
    points: object,
    *,
    neurons: Numbers = (0, 1),
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw fixed points in the plane of two neurons, by their stability.

    Marks differ in shape as well as in colour. `plot_vector_field` and
    `plot_phase_portrait` draw what goes on around them; of more than two neurons all
    of it is a projection.

    **Arguments:**

    - `points`: with `points` `(k, n)`, dimensionless, and `kinds`, k of "stable",
      "unstable", "saddle", "centre", "marginal" and "degenerate", as
      `find_fixed_points` returns.
    - `neurons`: the two neurons, along x and along y.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot` of the marks.

    **Returns:** the axes.

    **Raises:** `ValueError` if there is no point, a kind is unknown, or a neuron does
    not exist.
    """
    places = read_numbers(points, "points")
    kinds: tuple[str, ...] = tuple(getattr(points, "kinds", ()))
    if places.ndim != 2 or len(kinds) != len(places):
        raise ValueError(
            f"points must have shape (k, n) and kinds length k, got {places.shape} and "
            f"{len(kinds)}."
        )
    if not kinds:
        raise ValueError("No fixed point was found; try more candidates.")
    unknown = sorted(set(kinds) - set(_LOOKS))
    if unknown:
        raise ValueError(f"Unknown kinds {unknown}; choose from {list(_LOOKS)}.")
    first, second = check_pair(neurons, places.shape[1])
    alone = ax is None
    ax = axes_or_new(ax, height=3.4)
    for kind, (shape, name, filled) in _LOOKS.items():
        chosen = places[np.array([own == kind for own in kinds])]
        if not len(chosen):
            continue
        style: dict = {"linestyle": "none", "marker": shape, "markersize": 6.5}
        style |= {"color": OKABE_ITO[name], "zorder": 5, "markeredgewidth": 1.4}
        style["markerfacecolor"] = OKABE_ITO[name] if filled else "white"
        style["label"] = f"{kind} ({len(chosen)})"
        ax.plot(chosen[:, first], chosen[:, second], **{**style, **kwargs})
    if alone:
        # Points that differ by rounding only are not to fill the axes.
        ax.set_xlim(_at_least_one_wide(places[:, first]))
        ax.set_ylim(_at_least_one_wide(places[:, second]))
    set_labels(ax, state_label(first), state_label(second))
    legend_above(ax)
    return ax


def _at_least_one_wide(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.15 * (high - low) + max(0.0, 0.5 * (1.0 - (high - low)))
    return low - room, high + room
