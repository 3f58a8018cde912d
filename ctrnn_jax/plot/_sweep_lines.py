"""One measure of a sweep along one of its axes, a line for each value of another."""

from typing import Any

import numpy as np
from matplotlib import cm, colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from ._style import GREY, axes_or_new, legend_above, line_style, marker, set_labels
from ._sweep_data import (
    DONE,
    NOT_RUN,
    check_axis,
    check_drawn,
    codes_of,
    coordinate,
    is_log,
    label_of,
    places_of,
    read_variable,
    spans_decades,
    text_of,
    use_log,
)

#: Lines that a legend tells apart; more get a colour scale.
_NAMED = 7


def plot_sweep_lines(
    dataset: Any,
    variable: str,
    *,
    x: str,
    lines: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw one measure along one axis of a sweep, a line for each value of another.

    A line is the median over `repeat` and `sample` of the runs that are done, and the
    band around it their range. Crosses at the foot stand where runs failed. Along an
    axis of samples every run is a point.

    **Arguments:**

    - `dataset`: an `xarray.Dataset`, as `sweep` and `open_sweep` return.
    - `variable`: what to draw.
    - `x`: the axis along which; one of the variable's own, such as `step`, too.
    - `lines`: the axis that tells lines apart, if any.
    - `legend`: whether to name the lines.
    - `ax`: axes to draw into; default: new ones.

    **Returns:** the axes.

    **Raises:** `ValueError` for a name that is not there, or a dimension left over.
    """
    values, status = read_variable(dataset, variable)
    along = check_axis(dataset, variable, x)
    drawn = [along]
    if lines is not None:
        drawn.append(check_axis(dataset, variable, lines))
        if lines == x:
            raise ValueError(f"x and lines are both {x!r}; give two axes.")
    values, status = check_drawn(values, drawn), check_drawn(status, drawn)
    ax = axes_or_new(ax, width=4.2, height=2.8)
    at = coordinate(values, x)
    places = places_of(at)
    scattered = along == "sample" or (lines is not None and drawn[1] == along)
    if is_log(at) or (scattered and spans_decades(at)):
        ax.set_xlim(places.min() / 1.15, places.max() * 1.15)
        use_log(ax, "x")
    if at.dtype.kind not in "iuf":
        ax.set_xticks(places, [str(value) for value in at])
    if scattered:
        scaled = _scatter(ax, values, along, places, lines)
    else:
        scaled = _draw(ax, values, along, places, lines)
    _spread_upwards(ax, values)
    _mark_failures(ax, status, along, places)
    set_labels(ax, label_of(values, x), label_of(values, variable))
    codes = codes_of(dataset[variable])
    if codes:
        ax.set_yticks([*codes], [*codes.values()])
    if legend:
        found = legend_above(ax, columns=3)
        if found is not None and lines is not None and scaled is None:
            found.set_title(label_of(values, lines))
            found.get_title().set_fontsize(8)
            found.set_alignment("left")
    return ax


def _draw(
    ax: Axes, values: Any, along: str, places: np.ndarray, lines: str | None
) -> Any:
    """Draw the lines, and return their colour scale if they have one."""
    order = np.argsort(places, kind="stable")
    if lines is None:
        _line(ax, places, _runs(values, along), order, {**line_style(0)}, None)
        return None
    across = lines if lines in values.dims else values.coords[lines].dims[0]
    levels = coordinate(values, lines)
    colours = None
    if len(levels) > _NAMED and levels.dtype.kind in "iuf":
        colours = _colour_scale(levels)
        bar = ax.figure.colorbar(colours, ax=ax, pad=0.02)
        bar.set_label(label_of(values, lines), fontsize=9)
        bar.ax.tick_params(labelsize=8)
    for index, level in enumerate(levels):
        part = _runs(values.isel({across: index}), along)
        style, name = {**line_style(index)}, text_of(level)
        if colours is not None:
            style, name = {"color": colours.to_rgba(np.asarray(level))}, None
        _line(ax, places, part, order, style, name)
    return colours


def _line(
    ax: Axes, places: np.ndarray, runs: np.ndarray, order: np.ndarray, style: dict,
    name: str | None,
) -> None:  # fmt: skip
    """Draw the median and range of runs `(points, runs)`."""
    lost = np.asarray(~np.isfinite(runs).any(axis=1))
    safe = np.where(lost.reshape(-1, 1), 0.0, runs)
    middle, low, high = (
        np.where(lost, np.nan, part(safe, axis=1))[order]
        for part in (np.nanmedian, np.nanmin, np.nanmax)
    )
    few = len(places) <= 30
    ax.plot(
        places[order], middle, linewidth=1.3, label=name or "_median",
        marker="." if few else None, markersize=4, **style,
    )  # fmt: skip
    if runs.shape[1] > 1:
        ax.fill_between(
            places[order], low, high, color=style["color"], alpha=0.18, linewidth=0
        )


def _scatter(
    ax: Axes, values: Any, along: str, places: np.ndarray, lines: str | None
) -> Any:
    """Draw a point a run, coloured by `lines`; return their scale if there is one."""
    runs = _runs(values, along)
    at = np.repeat(places, runs.shape[1])
    options: dict[str, Any] = {"color": line_style(0)["color"]}
    scale = None
    if lines is not None:
        levels = coordinate(values, lines)
        scale = _colour_scale(places_of(levels))
        options = {"c": np.repeat(places_of(levels), runs.shape[1]), "cmap": "viridis"}
        options["norm"] = scale.norm
        bar = ax.figure.colorbar(scale, ax=ax, pad=0.02)
        bar.set_label(label_of(values, lines), fontsize=9)
        bar.ax.tick_params(labelsize=8)
    size = float(np.clip(3000 / len(at), 2, 18))
    ax.scatter(
        at, runs.ravel(), s=size, alpha=0.7, linewidths=0, marker=marker(0),
        rasterized=True, **options,
    )  # fmt: skip
    return scale


def _colour_scale(levels: np.ndarray) -> cm.ScalarMappable:
    log = is_log(levels) or spans_decades(levels)
    low, high = float(levels.min()), float(levels.max())
    norm = LogNorm(low, high) if log else Normalize(low, high)
    return cm.ScalarMappable(norm, colormaps["viridis"])


def _runs(values: Any, along: str) -> np.ndarray:
    """Return values as `(points, runs)`."""
    others = [dim for dim in values.dims if dim != along]
    array = np.asarray(values.transpose(along, *others))
    return array.reshape(array.shape[0], -1)


def _spread_upwards(ax: Axes, values: Any) -> None:
    """Use a logarithmic scale for positive values over three decades."""
    finite = np.asarray(values)
    finite = finite[np.isfinite(finite)]
    if len(finite) and finite.min() > 0 and finite.max() > 1000 * finite.min():
        ax.set_yscale("log")


def _mark_failures(ax: Axes, status: Any, along: str, places: np.ndarray) -> None:
    """Put a cross at the foot wherever a run failed, and say how many did."""
    failed = (status != DONE) & (status != NOT_RUN)
    count, total = int(failed.sum()), int(failed.size)
    if not count:
        return
    label = f"failed ({count} of {total} runs)"
    if along in failed.dims:
        others = [dim for dim in failed.dims if dim != along]
        at = places[np.asarray(failed.any(others))]
        foot = ax.get_xaxis_transform()
        ax.scatter(
            at, np.full(len(at), 0.03), marker="x", s=14, color="black",
            linewidths=0.8, transform=foot, clip_on=False, label=label,
        )  # fmt: skip
    else:
        ax.plot([], [], "x", color=GREY, markersize=4, label=label)
