"""One measure of a sweep over two of its axes."""

import itertools
from typing import Any, TypeAlias

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm, Normalize
from matplotlib.patches import Patch

from ._style import OKABE_ITO, axes_or_new, set_labels
from ._sweep_data import (
    DONE,
    NOT_RUN,
    check_axis,
    check_drawn,
    codes_of,
    coordinate,
    edges_of,
    is_log,
    label_of,
    places_of,
    read_variable,
    spans_decades,
    use_log,
)

#: Names of fills and how they are drawn, for a legend.
Fills: TypeAlias = list[tuple[str, dict]]

#: Fills of cells that have no value, and what they say.
_FAILED = ("failed", {"facecolor": "#5A5A5A", "hatch": "xxxx", "edgecolor": "#F2F2F2"})
_NOT_RUN = ("not run", {"facecolor": "white", "hatch": "////", "edgecolor": "#B0B0B0"})
_NO_VALUE = ("no value", {"facecolor": "#DADADA", "edgecolor": "#B0B0B0"})

#: Grey for what the lowest codes usually stand for: nothing of note.
_CODE_COLOURS = (
    "#DDDDDD", "#8C8C8C", OKABE_ITO["sky blue"], OKABE_ITO["green"],
    OKABE_ITO["vermillion"], OKABE_ITO["blue"], OKABE_ITO["yellow"],
    OKABE_ITO["purple"], OKABE_ITO["orange"], OKABE_ITO["black"],
)  # fmt: skip
_STATUS_COLOURS = (
    "#DDDDDD", OKABE_ITO["vermillion"], OKABE_ITO["purple"], OKABE_ITO["orange"],
    "#FFFFFF",
)  # fmt: skip


def plot_sweep_map(
    dataset: Any,
    variable: str,
    *,
    x: str,
    y: str,
    norm: Normalize | None = None,
    colorbar: bool = True,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw one measure as colours over two axes of a sweep.

    Over `repeat` and `sample` the median is shown, of codes the most frequent. Cells
    whose runs all failed are dark and hatched, cells of which some failed have a
    cross, and those that were not run are white and hatched. Axes along one dimension,
    as samples are, give points instead of cells. An axis spaced evenly in its
    logarithm is drawn so.

    **Arguments:**

    - `dataset`: an `xarray.Dataset`, as `sweep` and `open_sweep` return.
    - `variable`: what to draw; `"status"` shows what became of the runs.
    - `x`, `y`: its axes.
    - `norm`: colour scale; by default of the finite values, logarithmic if they are
      positive and span three decades.
    - `colorbar`, `legend`: whether to add them; a legend names codes and failures.
    - `ax`: axes to draw into; default: new ones.

    **Returns:** the axes.

    **Raises:** `ValueError` for a name that is not there, or a dimension left over.
    """
    ax = axes_or_new(ax, width=4.2, height=3.3)
    fills = draw_map(dataset, variable, x, y, norm, ax)
    if legend:
        name_fills(ax, fills)
    if colorbar and codes_of(dataset[variable]) is None:
        add_colorbar([ax], label_of(dataset[variable], variable))
    return ax


def draw_map(
    dataset: Any, variable: str, x: str, y: str, norm: Normalize | None, ax: Axes
) -> Fills:
    """Draw a map without its legend, and return the fills to be named in one."""
    values, status = read_variable(dataset, variable)
    across, up = (check_axis(dataset, variable, axis) for axis in (x, y))
    if x == y:
        raise ValueError(f"x and y are both {x!r}; give two axes.")
    drawn = [across, up]
    values, status = check_drawn(values, drawn), check_drawn(status, drawn)
    codes = codes_of(dataset[variable])
    # `status` shows failures in its own colours.
    own = variable == "status"
    colours = _STATUS_COLOURS if own else _CODE_COLOURS
    scale = _Scale(np.asarray(values), codes, norm, colours)
    shown = status.where(status == NOT_RUN, DONE) if own else status
    failures: Fills = []
    if across == up:
        _points(ax, values, shown, x, y, scale)
    else:
        failures = _cells(ax, values, shown, (x, across), (y, up), scale)
    set_labels(ax, label_of(values, x), label_of(values, y))
    return scale.patches() + failures


class _Scale:
    """Colours of values, or of codes."""

    def __init__(
        self,
        values: np.ndarray,
        codes: dict | None,
        norm: Normalize | None,
        cycle: tuple[str, ...] = _CODE_COLOURS,
    ):
        self.codes = codes
        finite = values[np.isfinite(values)]
        self.present = [int(code) for code in np.unique(finite)] if codes else []
        if codes is not None:
            places = sorted({*codes, *self.present}) or [0]
            colours = [*itertools.islice(itertools.cycle(cycle), len(places))]
            self.colour = dict(zip(places, colours, strict=True))
            self.cmap: Any = ListedColormap(colours)
            middles = np.add(places[:-1], places[1:]) / 2
            edges = [places[0] - 0.5, *middles, places[-1] + 0.5]
            self.norm: Any = BoundaryNorm(edges, len(places))
            return
        self.cmap = colormaps["viridis"]
        self.norm = norm or norm_of(finite)

    def patches(self) -> Fills:
        """Return a legend's fills for the codes that occur."""
        codes = self.codes or {}
        return [
            (codes.get(code, str(code)),
             {"facecolor": self.colour[code], "edgecolor": "0.4"})
            for code in self.present
        ]  # fmt: skip


def norm_of(finite: np.ndarray) -> Normalize:
    """Return the colour scale of values, which may be none."""
    if not len(finite):
        return Normalize(0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    if low > 0 and high > 1000 * low:
        return LogNorm(low, high)
    if low == high:
        margin = 0.5 * abs(low) or 0.5
        return Normalize(low - margin, high + margin)
    return Normalize(low, high)


def _cells(
    ax: Axes,
    values: Any,
    status: Any,
    horizontal: tuple[str, str],
    vertical: tuple[str, str],
    scale: _Scale,
) -> Fills:
    """Draw cells, and return the fills of those without a value."""
    (x, across), (y, up) = horizontal, vertical
    middle = _summary(values, (up, across), codes=scale.codes is not None)
    edges = []
    for axis, direction, ticks in (
        (x, "x", ax.set_xticks),
        (y, "y", ax.set_yticks),
    ):
        along = coordinate(values, axis)
        places, log = places_of(along), is_log(along)
        if np.any(np.diff(places) == 0):
            raise ValueError(f"Values of {axis!r} repeat, so that cells would overlap.")
        edges.append(edges_of(places, log=log))
        if log:
            # The view, by which its labels are chosen, is that of the cells.
            {"x": ax.set_xlim, "y": ax.set_ylim}[direction](*edges[-1][[0, -1]])
            use_log(ax, direction)
        if along.dtype.kind not in "iuf":
            ticks(places, [str(value) for value in along])
        elif along.dtype.kind in "iu" and len(along) <= 8:
            ticks(places, [str(value) for value in along])
            ticks([], minor=True)
    ax.pcolormesh(
        *edges, np.ma.masked_invalid(middle), cmap=scale.cmap, norm=scale.norm,
        rasterized=True,
    )  # fmt: skip
    dims = [dim for dim in status.dims if dim not in (up, across)]
    shape = (up, across)
    failed = (status != DONE) & (status != NOT_RUN)
    any_failed, all_failed = (
        np.broadcast_to(part.transpose(*shape), middle.shape)
        for part in (failed.any(dims), failed.all(dims))
    )
    missing = (status == NOT_RUN).all(dims).transpose(*shape)
    missing = np.broadcast_to(missing, middle.shape)
    empty = np.isnan(middle) & ~any_failed & ~missing
    fills = []
    for mask, (name, fill) in (
        (any_failed & np.isnan(middle), _FAILED),
        (missing, _NOT_RUN),
        (empty, _NO_VALUE),
    ):
        if mask.any():
            _fill(ax, edges, mask, fill)
            fills.append((name, fill))
    some = any_failed & ~all_failed & ~np.isnan(middle)
    if some.any():
        rows, columns = np.nonzero(some)
        centres = [places_of(coordinate(values, axis)) for axis in (x, y)]
        ax.scatter(
            centres[0][columns], centres[1][rows], s=9, marker="x", color="black",
            linewidths=0.7, label="some failed",
        )  # fmt: skip
    return fills


def _fill(ax: Axes, edges: list[np.ndarray], mask: np.ndarray, fill: dict) -> None:
    """Fill cells, joined along rows, so that hatches run through them."""
    for row in range(mask.shape[0]):
        jumps = np.diff(np.concatenate([[0], mask[row].astype(int), [0]]))
        for first, last in np.flatnonzero(jumps).reshape(-1, 2):
            ax.fill_between(
                edges[0][[first, last]], edges[1][row], edges[1][row + 1],
                facecolor=fill["facecolor"], hatch=fill.get("hatch"),
                edgecolor=fill["edgecolor"], linewidth=0.0,
            )  # fmt: skip


def _points(ax: Axes, values: Any, status: Any, x: str, y: str, scale: _Scale) -> None:
    """Draw one point a sample; crosses where it failed."""
    dims = [dim for dim in values.dims if dim not in values.coords[x].dims]
    middle = _summary(values, (*values.coords[x].dims,), codes=scale.codes is not None)
    at = [coordinate(values, axis) for axis in (x, y)]
    for along, direction, set_ticks in zip(
        at, "xy", (ax.set_xticks, ax.set_yticks), strict=True
    ):
        if spans_decades(along):
            {"x": ax.set_xlim, "y": ax.set_ylim}[direction](
                along.min() / 1.2, 1.2 * along.max()
            )
            use_log(ax, direction)
        if along.dtype.kind not in "iuf":
            names = np.unique(along)
            set_ticks(np.arange(len(names)), [str(name) for name in names])
    places = [
        along.astype(float)
        if along.dtype.kind in "iuf"
        else np.unique(along, return_inverse=True)[1].astype(float)
        for along in at
    ]
    size = float(np.clip(4000 / len(middle), 3, 30))
    fine = np.isfinite(middle)
    ax.scatter(
        places[0][fine], places[1][fine], c=middle[fine], cmap=scale.cmap,
        norm=scale.norm, s=size, linewidths=0, rasterized=True,
    )  # fmt: skip
    failed = np.asarray(((status != DONE) & (status != NOT_RUN)).any(dims))
    if failed.any():
        ax.scatter(
            places[0][failed], places[1][failed], s=14, marker="x", color="black",
            linewidths=0.7, label="failed",
        )  # fmt: skip


def _summary(values: Any, dims: tuple[str, ...], *, codes: bool) -> np.ndarray:
    """Return the median, or the most frequent code, over all other dimensions."""
    others = [dim for dim in values.dims if dim not in dims]
    array = np.asarray(values.transpose(*dims, *others))
    array = array.reshape(*array.shape[: len(dims)], -1)
    if array.shape[-1] == 1:
        return array[..., 0]
    if codes:
        present = np.unique(array[np.isfinite(array)])
        if not len(present):
            return np.full(array.shape[:-1], np.nan)
        counts = (array[..., None] == present).sum(axis=-2)
        found = present[counts.argmax(axis=-1)]
        return np.where(counts.sum(axis=-1) > 0, found, np.nan)
    lost = np.logical_not(np.isfinite(array).any(axis=-1))
    middle = np.nanmedian(np.where(lost.reshape(*lost.shape, 1), 0.0, array), axis=-1)
    return np.where(lost, np.nan, middle)


def name_fills(ax: Axes, fills: Fills) -> None:
    """Put a legend of fills and marks above the axes; none if there are none."""
    handles, labels = ax.get_legend_handles_labels()
    handles = [Patch(label=name, **fill) for name, fill in fills] + handles
    labels = [name for name, _ in fills] + labels
    if handles:
        ax.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.01),
            borderaxespad=0.0, ncols=min(len(handles), 4), frameon=False, fontsize=8,
            handlelength=1.2, columnspacing=1.2,
        )  # fmt: skip


def add_colorbar(axes: list[Axes], label: str) -> None:
    """Add a bar beside `axes` for the colours drawn in the first."""
    mappable = next(
        item for item in axes[0].collections if item.get_array() is not None
    )
    bar = axes[0].figure.colorbar(mappable, ax=axes, pad=0.02)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
