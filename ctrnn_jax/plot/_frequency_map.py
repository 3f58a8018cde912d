"""Frequencies over initial states, and how much they wander."""

import numpy as np
from matplotlib.axes import Axes

from ._data import Numbers, read_numbers
from ._style import axes_or_new, set_labels, state_label


def plot_frequency_map(
    frequencies: object,
    starts: Numbers,
    *,
    line: int = 0,
    x_label: str | None = None,
    y_label: str | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw the frequencies of many orbits over where they started.

    Over one coordinate: the frequency itself, smooth where motion is regular, flat on a
    resonance, ragged where it is chaotic. Over two: a map of the plane. In both the
    colour is the drift of the frequency between two halves of the record, relative to
    it: near rounding on a torus, large in a chaotic zone.

    **Arguments:**

    - `frequencies`: with `angular_frequency` and `drift`, shape `(batch, k)`, in
      radians per unit of `tau`, as `frequency_map` returns; orbits without the line
      are left out.
    - `starts`: coordinates of the initial states, shape `(batch,)` or `(batch, 2)`.
    - `line`: which of the k lines, the strongest first.
    - `x_label`, `y_label`: names of the coordinates.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.scatter`.

    **Returns:** the axes; the colour bar is beside them.

    **Raises:** `ValueError` if shapes do not fit, or no orbit has the line.
    """
    omega, drift = (
        read_numbers(frequencies, name) for name in ("angular_frequency", "drift")
    )
    places = np.asarray(starts, float)
    fits = omega.ndim == 2 and omega.shape == drift.shape
    if not fits or places.shape not in ((len(omega),), (len(omega), 2)):
        raise ValueError(
            "angular_frequency and drift must have one shape (batch, k), starts "
            f"(batch,) or (batch, 2), got {omega.shape}, {drift.shape} and "
            f"{places.shape}."
        )
    if not 0 <= line < omega.shape[1]:
        raise ValueError(f"line must be in 0..{omega.shape[1] - 1}, got {line}.")
    omega, drift = omega[:, line], drift[:, line]
    there = omega > 0
    if not there.any():
        raise ValueError("No orbit has this line: see result for what went wrong.")
    floor = np.finfo(float).eps
    wander = np.log10(np.maximum(drift[there] / omega[there], floor))
    ax = axes_or_new(ax, width=4.6, height=3.2)
    style: dict = {"c": wander, "cmap": "viridis", "s": 7, "linewidths": 0}
    flat = places.ndim == 1
    x = places[there] if flat else places[there, 0]
    y = omega[there] if flat else places[there, 1]
    points = ax.scatter(x, y, **{**style, **kwargs})
    bar = ax.figure.colorbar(points, ax=ax)
    bar.set_label(r"$\log_{10}$ relative drift", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    above = r"angular frequency (rad$/\tau$)" if flat else state_label(1)
    set_labels(ax, x_label or state_label(0), y_label or above)
    return ax
