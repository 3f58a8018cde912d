"""Lyapunov exponents: how they settle, and how they pair."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ._data import read_numbers
from ._style import (
    GREY,
    TIME_LABEL,
    TWO_COLUMNS,
    axes_or_new,
    colour,
    legend_above,
    line_style,
    set_labels,
)

_NAMED_UP_TO = 8
_POINTS_UP_TO = 2000
RATE_LABEL = r"exponent (units of $1/\tau$)"


def plot_lyapunov_convergence(
    spectrum: object, *, ax: Axes | None = None, **kwargs: object
) -> Axes:
    r"""Draw running estimates of Lyapunov exponents against the time averaged over.

    The bars at the end are the standard errors of the final values. The vertical axis
    fits what happens after the first twentieth of the time.

    **Arguments:**

    - `spectrum`: with `times` `(N,)`, in units of `tau`, `history` `(N, k)`, and
      `exponents` and `standard_error` `(k,)`, as `lyapunov_spectrum` returns.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot`.

    **Returns:** the axes, time on a logarithmic scale.

    **Raises:** `ValueError` if shapes do not fit or the exponents are not finite.
    """
    values, errors = _read(spectrum)
    times = read_numbers(spectrum, "times")
    history = read_numbers(spectrum, "history")
    if history.shape != (*times.shape, *values.shape):
        raise ValueError(
            "history must have shape (N, k) for times (N,) and exponents (k,), got "
            f"{history.shape}, {times.shape} and {values.shape}."
        )
    # Evenly thinned on the logarithmic axis, the last one kept.
    kept = np.unique(np.geomspace(1, len(times), _POINTS_UP_TO).astype(int)) - 1
    times, history = times[kept], history[kept]
    ax = axes_or_new(ax, width=TWO_COLUMNS, height=2.8)
    ax.axhline(0.0, color=GREY, linewidth=0.8, zorder=1, label="_ref zero")
    named = len(values) <= _NAMED_UP_TO
    for index, (value, error) in enumerate(zip(values, errors, strict=True)):
        label = rf"$\lambda_{{{index + 1}}} = {_with_error(value, error)}$"
        style: dict = {"linewidth": 1.2, **line_style(index)}
        style["label"] = label if named else "_"
        ax.plot(times, history[:, index], **{**style, **kwargs})
        bar = {"color": colour(index), "capsize": 3, "linewidth": 1.2}
        ax.errorbar(times[-1], value, yerr=error, clip_on=False, zorder=4, **bar)
    ax.set_xscale("log")
    ax.set_xlim(times[0], times[-1])
    late = history[times >= times[-1] / 20]
    low, high = min(late.min(), 0.0), max(late.max(), 0.0)
    room = 0.08 * (high - low or 1.0)
    ax.set_ylim(low - room, high + room)
    set_labels(ax, TIME_LABEL.replace("time", "time averaged over"), RATE_LABEL)
    legend_above(ax, columns=3)
    return ax


def plot_lyapunov_spectrum(
    spectrum: object,
    *,
    pairing: bool = False,
    label: str | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw Lyapunov exponents in descending order, with their standard errors.

    **Arguments:**

    - `spectrum`: with `exponents` and `standard_error`, shape `(k,)`, descending.
    - `pairing`: draw, as open squares, each exponent's partner mirrored at the mean
      of all: $2\bar\lambda - \lambda_{n+1-i}$. For all n exponents of a voltage
      network with invertible skew W the squares frame the dots, $\bar\lambda$ being
      minus the leak.
    - `label`: name of the network.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.errorbar`.

    **Returns:** the axes.

    **Raises:** `ValueError` if shapes do not fit or the exponents are not finite.
    """
    values, errors = _read(spectrum)
    ax = axes_or_new(ax, height=2.7)
    places = np.arange(1, len(values) + 1)
    ax.axhline(0.0, color=GREY, linewidth=0.8, zorder=1, label="_ref zero")
    if pairing:
        mirrored = 2 * values.mean() - values[::-1]
        square: dict = {"marker": "s", "markersize": 8, "linestyle": "none"}
        square |= {"color": GREY, "markerfacecolor": "none", "label": "mirrored"}
        ax.plot(places, mirrored, **square)
    style: dict = {"fmt": "o", "markersize": 3.5, "capsize": 2.5, "linewidth": 1}
    style |= {"color": colour(len(ax.containers)), "zorder": 3}
    style["label"] = "exponents" if pairing and label is None else label
    ax.errorbar(places, values, yerr=errors, **{**style, **kwargs})
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    set_labels(
        ax, "number $i$", RATE_LABEL.replace("exponent", r"exponent $\lambda_i$")
    )
    legend_above(ax)
    return ax


def _read(spectrum: object) -> tuple[np.ndarray, np.ndarray]:
    values = read_numbers(spectrum, "exponents")
    errors = read_numbers(spectrum, "standard_error")
    if values.ndim != 1 or not values.size or values.shape != errors.shape:
        raise ValueError(
            "exponents and standard_error must have one shape (k,), got "
            f"{values.shape} and {errors.shape}: draw the lanes of an ensemble one by "
            "one."
        )
    if not np.isfinite(values).all():
        raise ValueError("The exponents are not finite: see spectrum.result for why.")
    return values, np.where(np.isfinite(errors), errors, 0.0)


def _with_error(value: float, error: float) -> str:
    """Return value ± error to the digits that the error leaves."""
    if error <= 0:
        return f"{value:.3g}"
    digits = min(max(-int(np.floor(np.log10(error))), 0), 9)
    return rf"{value:.{digits}f} \pm {error:.{digits}f}"
