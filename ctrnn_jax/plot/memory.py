"""What a network remembers: signals against what it generates, and how long."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ._style import (
    GREY,
    TIME_LABEL,
    TWO_COLUMNS,
    axes_or_new,
    colour,
    legend_above,
    line_style,
    marker,
    next_index,
    set_labels,
)


def plot_memory(
    ts: object,
    target: object,
    generated: object,
    *,
    horizon: float | None = None,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw a signal and what a network generates in its place.

    **Arguments:**

    - `ts`: times, shape `(time,)`.
    - `target`: the signal, shape `(time,)`; NaN where it is not known.
    - `generated`: the network's output, shape `(time,)`.
    - `horizon`: last time trained on; what lies beyond is shaded.
    - `limits`: range of the vertical axis. Output that leaves it is drawn at the edge
      and its largest size is written beside.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot` of the output.

    **Returns:** the axes.

    **Raises:** `ValueError` if the shapes differ.
    """
    times, signal, output = (
        np.asarray(values, float) for values in (ts, target, generated)
    )
    if times.ndim != 1 or signal.shape != times.shape or output.shape != times.shape:
        raise ValueError(
            "ts, target and generated must have one shape (time,), got "
            f"{times.shape}, {signal.shape} and {output.shape}."
        )
    ax = axes_or_new(ax, width=TWO_COLUMNS, height=1.8)
    ax.plot(times, signal, color="0.75", linewidth=2.6, label="signal")
    shown = output if limits is None else np.clip(output, *limits)
    style = {"color": colour(0), "linewidth": 1.0, "label": "generated"}
    ax.plot(times, shown, **{**style, **kwargs})
    ax.margins(x=0)
    if limits is not None:
        room = 0.08 * (limits[1] - limits[0])
        ax.set_ylim(limits[0] - room, limits[1] + room)
        _name_largest(ax, output, limits)
    if horizon is not None and horizon < times[-1]:
        _shade_beyond(ax, max(horizon, float(times[0])), float(times[-1]))
    set_labels(ax, TIME_LABEL, "signal")
    return ax


def plot_memory_error(
    windows: object,
    errors: object,
    *,
    label: str,
    levels: Sequence[tuple[float, str]] = (),
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw MSE/power in successive windows: median of the runs, and their range.

    **Arguments:**

    - `windows`: middle of each window, in horizons, shape `(windows,)`.
    - `errors`: MSE/power, shape `(runs, windows)`, positive.
    - `label`: name of the network.
    - `levels`: heights and names of lines to compare with, drawn once.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot` of the median.

    **Returns:** the axes, the vertical one logarithmic.

    **Raises:** `ValueError` if the shapes do not fit.
    """
    places, values = np.asarray(windows, float), np.asarray(errors, float)
    if values.ndim != 2 or places.shape != values.shape[1:]:
        raise ValueError(
            "errors must have shape (runs, windows) and windows (windows,), got "
            f"{values.shape} and {places.shape}."
        )
    ax = axes_or_new(ax, width=TWO_COLUMNS, height=2.6)
    index = next_index(ax)
    style = {**line_style(index), "marker": marker(index), "markersize": 3.5}
    low, high = values.min(axis=0), values.max(axis=0)
    ax.fill_between(places, low, high, color=colour(index), alpha=0.2, linewidth=0)
    ax.plot(places, np.median(values, axis=0), **{**style, "label": label, **kwargs})
    ax.set_yscale("log")
    for height, name in levels:
        ax.axhline(height, color=GREY, linewidth=0.8, linestyle=":", label="_ref")
        ax.text(
            1.01,
            height,
            name,
            transform=ax.get_yaxis_transform(),
            va="center",
            fontsize=7.5,
        )
    set_labels(ax, "time (training horizons)", "MSE / power")
    legend_above(ax, columns=3)
    return ax


def _name_largest(ax: Axes, output: np.ndarray, limits: tuple[float, float]) -> None:
    finite = output[np.isfinite(output)]
    if (
        finite.size == output.size
        and limits[0] <= output.min() <= output.max() <= (limits[1])
    ):
        return
    largest = f"{np.max(np.abs(finite)):.2g}" if finite.size else "no finite value"
    ax.text(
        0.99,
        0.94,
        f"leaves the frame: largest {largest}",
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=7,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
    )


def _shade_beyond(ax: Axes, start: float, end: float) -> None:
    ax.axvspan(start, end, color="0.93", zorder=0, linewidth=0)
