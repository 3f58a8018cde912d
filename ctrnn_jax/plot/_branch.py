"""Branches of fixed points and of periodic orbits, with what happens on them."""

import numpy as np
from matplotlib.axes import Axes

from ._data import read_numbers
from ._style import OKABE_ITO, axes_or_new, colour, legend_above, set_labels

#: A rate or a distance from the unit circle below this is neither growth nor decay.
_NEUTRAL = 1e-6

_LOOKS = {
    "fold": ("v", "vermillion"),
    "branch point": ("D", "green"),
    "hopf": ("o", "purple"),
    "period doubling": ("s", "orange"),
    "torus": ("P", "sky blue"),
    "degenerate": ("X", "black"),
}
_LABELS = {
    "points": "state (dimensionless)",
    "amplitudes": "amplitude (dimensionless)",
    "periods": r"period (units of $\tau$)",
    "angular_frequencies": r"angular frequency (rad$/\tau$)",
}


def plot_branch(
    branch: object,
    quantity: str = "amplitudes",
    *,
    neuron: int | None = None,
    parameter_label: str = "parameter",
    label: str | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw a quantity along a branch: solid where it is stable, dashed where not.

    Where nothing grows or decays, as on the families of a conservative field, the
    curve is solid and thin. Folds, branch points, Hopf points, period doublings and
    torus bifurcations carry marks, named once in the legend. Call it again with the
    same `ax` for another branch: a family T(E), or a bifurcation diagram.

    **Arguments:**

    - `branch`: as `continue_fixed_points`, `continue_orbits` or
      `continue_orbits_in_energy` returns it: `parameters` `(N,)`, `eigenvalues` or
      `multipliers` `(N, ·)`, `stable` `(N,)`, `bifurcations`, and the quantity.
    - `quantity`: "points" (of fixed points), "amplitudes", "periods" or
      "angular_frequencies" (of orbits).
    - `neuron`: which one, of points and amplitudes; default: neuron 0 for points, the
      one that moves most for amplitudes.
    - `parameter_label`: what the horizontal axis is, such as "energy".
    - `label`: name of the branch.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot` of the curve.

    **Returns:** the axes.

    **Raises:** `ValueError` if the branch is empty or has no such quantity.
    """
    if quantity not in _LABELS:
        raise ValueError(f"quantity must be one of {list(_LABELS)}, got {quantity!r}.")
    places = read_numbers(branch, "parameters")
    values = _one_neuron(read_numbers(branch, quantity), quantity, neuron)
    if places.ndim != 1 or values.shape != places.shape:
        raise ValueError(
            f"parameters must have shape (N,) and {quantity} (N,) or (N, n), got "
            f"{places.shape} and {values.shape}."
        )
    if not len(places):
        raise ValueError("The branch is empty: see branch.result for the reason.")
    ax = axes_or_new(ax, height=3.0)
    # Stretches of one branch share its colour, and so a group.
    index = len({line.get_gid() for line in ax.lines} - {None})
    shade, group = colour(index), f"branch {index}"
    parts = {}
    for first, last, state in _stretches(_states(branch, len(places))):
        style: dict = {"color": shade, "linewidth": 1.5, "gid": group, "label": "_part"}
        style |= {"linestyle": (0, (4, 2))} if state == "unstable" else {}
        style |= {"linewidth": 1.0} if state == "neutral" else {}
        # Up to the next stretch, so that there is no gap.
        part = slice(first, last + 1)
        (parts[state],) = ax.plot(places[part], values[part], **{**style, **kwargs})
    if label is not None:
        # The name goes with a solid stretch, if there is one.
        shown = next(parts[s] for s in ("stable", "neutral", "unstable") if s in parts)
        shown.set_label(label)
    _mark(ax, branch, places, values, quantity, neuron or 0)
    set_labels(ax, parameter_label, _LABELS[quantity])
    legend_above(ax)
    return ax


def _one_neuron(values: np.ndarray, quantity: str, neuron: int | None) -> np.ndarray:
    if values.ndim != 2:
        return values
    if neuron is None and quantity == "amplitudes":
        return values.max(axis=1, initial=0.0)
    neuron = 0 if neuron is None else neuron
    if not 0 <= neuron < values.shape[1]:
        raise ValueError(
            f"Neuron {neuron} does not exist: there are {values.shape[1]}, numbered "
            f"from 0 to {values.shape[1] - 1}."
        )
    return values[:, neuron]


def _states(branch: object, count: int) -> list[str]:
    """Return "stable", "unstable" or "neutral" for each place on the branch."""
    stable = np.asarray(getattr(branch, "stable", np.zeros(count)), bool)
    multipliers = getattr(branch, "multipliers", None)
    if multipliers is None:
        rates = np.real(
            np.asarray(getattr(branch, "eigenvalues", np.zeros((count, 0))))
        )
    else:
        rates = np.abs(np.asarray(multipliers)) - 1
    grows = rates.max(axis=1, initial=-np.inf) > _NEUTRAL
    return [
        "unstable" if up else "stable" if down else "neutral"
        for up, down in zip(grows, stable, strict=True)
    ]


def _stretches(states: list[str]) -> list[tuple[int, int, str]]:
    """Return (first, last + 1, state) of each stretch of equal states."""
    starts = [i for i, state in enumerate(states) if i == 0 or state != states[i - 1]]
    ends = [*starts[1:], len(states)]
    return [(a, b, states[a]) for a, b in zip(starts, ends, strict=True)]


def _mark(
    ax: Axes,
    branch: object,
    places: np.ndarray,
    values: np.ndarray,
    quantity: str,
    neuron: int,
) -> None:
    named = set(ax.get_legend_handles_labels()[1])
    for special in getattr(branch, "bifurcations", ()):
        shape, name = _LOOKS.get(special.kind, _LOOKS["degenerate"])
        height = _between(places, values, special)
        if quantity == "points":
            height = float(np.asarray(special.point)[neuron])
        elif quantity == "periods" and np.isfinite(special.period):
            height = float(special.period)
        label = "Hopf" if special.kind == "hopf" else special.kind
        style: dict = {"marker": shape, "markersize": 6, "linestyle": "none"}
        style |= {"color": OKABE_ITO[name], "markeredgecolor": "black", "zorder": 5}
        style |= {"markeredgewidth": 0.6, "label": "_mark" if label in named else label}
        named.add(label)
        ax.plot([special.parameter], [height], **style)


def _between(places: np.ndarray, values: np.ndarray, special: object) -> float:
    """Return the value at a special point, between its neighbours on the branch."""
    after = int(np.clip(getattr(special, "index", 0), 1, max(len(places) - 1, 1)))
    after = min(after, len(places) - 1)
    low, high = places[after - 1], places[after]
    share = (getattr(special, "parameter", low) - low) / (high - low or 1.0)
    share = float(np.clip(share, 0.0, 1.0))
    return float((1 - share) * values[after - 1] + share * values[after])
