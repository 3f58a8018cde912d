"""Small multiples of a sweep over a third axis, and one chooser for all figures."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from ._style import TWO_COLUMNS
from ._sweep_data import (
    axes_that_vary,
    check_axis,
    codes_of,
    coordinate,
    label_of,
    read_variable,
    text_of,
)
from ._sweep_lines import plot_sweep_lines
from ._sweep_map import add_colorbar, draw_map, norm_of, plot_sweep_map

#: Panels that a page holds.
_MOST = 20


def plot_sweep_facets(
    dataset: Any,
    variable: str,
    *,
    x: str,
    facet: str,
    y: str | None = None,
    lines: str | None = None,
    columns: int = 3,
    axes: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draw a panel for each value of a third axis, all to one scale.

    With `y` the panels are maps, else lines.

    **Arguments:**

    - `dataset`: an `xarray.Dataset`, as `sweep` and `open_sweep` return.
    - `variable`: what to draw.
    - `x`, `y`, `lines`: as [`plot_sweep_map`][ctrnn_jax.plot.plot_sweep_map] and
      [`plot_sweep_lines`][ctrnn_jax.plot.plot_sweep_lines] take them.
    - `facet`: the axis with a panel for each value, 20 at most.
    - `columns`: panels side by side.
    - `axes`: one for each panel to draw into; default: new ones.

    **Returns:** the axes of the panels, shape `(panels,)`.

    **Raises:** `ValueError` for a name that is not there, a dimension left over, or
    too many panels.
    """
    across = check_axis(dataset, variable, facet)
    if facet in (x, y, lines):
        raise ValueError(f"facet is {facet!r}, which is drawn already; give another.")
    if y is not None and lines is not None:
        raise ValueError("Give y for maps, or lines for lines, and not both.")
    levels = coordinate(dataset[variable], facet)
    if len(levels) > _MOST:
        raise ValueError(
            f"{facet!r} has {len(levels)} values, and {_MOST} panels are the most; "
            f"choose some, as by dataset.isel({across}=slice(None, None, "
            f"{math.ceil(len(levels) / 9)}))."
        )
    own = axes is None
    panels = _new_panels(len(levels), columns) if own else _given(axes, len(levels))
    values, _ = read_variable(dataset, variable)
    codes = codes_of(dataset[variable])
    finite = np.asarray(values)
    norm = norm_of(finite[np.isfinite(finite)])
    fills: dict[str, dict] = {}
    for index, (ax, level) in enumerate(zip(panels, levels, strict=True)):
        part = dataset.isel({across: index})
        if y is None:
            plot_sweep_lines(part, variable, x=x, lines=lines, legend=False, ax=ax)
        else:
            scale = None if codes else norm
            fills |= dict(draw_map(part, variable, x, y, scale, ax))
        ax.set_title(f"{facet} = {text_of(level)}", fontsize=9)
    if y is None:
        _share_limits(panels)
    elif codes is None:
        add_colorbar([*panels], label_of(dataset[variable], variable))
    order = {name: code for code, name in (codes or {}).items()}
    fills = dict(sorted(fills.items(), key=lambda item: order.get(item[0], 99)))
    few = lines is not None and any(ax.get_legend_handles_labels()[0] for ax in panels)
    _name(panels, fills, label_of(dataset[variable], lines or "") if few else None)
    if own:
        _drop_inner_labels(panels, columns)
    return panels


def plot_sweep(
    dataset: Any,
    variable: str,
    *,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    lines: str | None = None,
    ax: Axes | None = None,
) -> Axes | np.ndarray:
    """Draw one measure of a sweep in the figure that fits the axes.

    With `y` a map, without it lines, with `facet` a panel for each value of a third
    axis.

    **Arguments:**

    - `dataset`: an `xarray.Dataset`, as `sweep` and `open_sweep` return.
    - `variable`: what to draw.
    - `x`: if `None` the first axis that varies, and `y` the second if there are two
      and neither `y` nor `lines` was given.
    - `y`, `lines`, `facet`: as the functions for each figure take them.
    - `ax`: axes to draw into, of a single panel.

    **Returns:** the axes; of facets an array of them.

    **Raises:** `ValueError` as those functions do, and if `ax` is given with `facet`.
    """
    read_variable(dataset, variable)
    if x is None:
        free = axes_that_vary(dataset, variable, without=(y, facet, lines))
        if not free:
            raise ValueError(f"{variable!r} varies along no axis; there is no figure.")
        x = free[0]
        if y is None and lines is None and len(free) > 1:
            y = free[1]
    if facet is not None:
        if ax is not None:
            raise ValueError(
                "Facets need axes of their own: plot_sweep_facets(..., axes=...)."
            )
        return plot_sweep_facets(dataset, variable, x=x, y=y, facet=facet, lines=lines)
    if y is not None:
        if lines is not None:
            raise ValueError("Give y for a map, or lines for lines, and not both.")
        return plot_sweep_map(dataset, variable, x=x, y=y, ax=ax)
    return plot_sweep_lines(dataset, variable, x=x, lines=lines, ax=ax)


def _new_panels(count: int, columns: int) -> np.ndarray:
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}.")
    wide = min(columns, count)
    rows = math.ceil(count / wide)
    size = (max(TWO_COLUMNS * wide / 3, 3.5), 0.5 + 2.2 * rows)
    figure, grid = plt.subplots(
        rows, wide, figsize=size, layout="constrained", squeeze=False
    )
    for ax in grid.ravel()[count:]:
        figure.delaxes(ax)
    for ax in grid.ravel()[:count]:
        for axis in (ax.xaxis, ax.yaxis):
            axis.label.set_fontsize(9)
            axis.set_tick_params(labelsize=8)
    return grid.ravel()[:count]


def _given(axes: Any, count: int) -> np.ndarray:
    panels = np.ravel(np.asarray(axes, dtype=object))
    if len(panels) != count:
        raise ValueError(f"{count} panels need as many axes, got {len(panels)}.")
    return panels


def _share_limits(panels: np.ndarray) -> None:
    if any(ax.get_yscale() == "log" for ax in panels):
        for ax in panels:
            ax.set_yscale("log")
    drawn = [ax for ax in panels if ax.has_data()]
    limits = np.array([ax.get_ylim() for ax in drawn])
    for ax in drawn:
        ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _name(panels: np.ndarray, fills: dict[str, dict], title: str | None) -> None:
    """Put one legend for all panels above the figure."""
    handles = {name: Patch(label=name, **fill) for name, fill in fills.items()}
    for ax in panels:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            # Panels differ in how many runs failed, not in that they are marked.
            handles.setdefault(label.partition(" (")[0], handle)
    if handles:
        figure = panels[0].figure
        # Only a constrained layout makes room for a legend outside the axes.
        roomy = isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)
        figure.legend(
            [*handles.values()], [*handles], title=title,
            loc="outside upper left" if roomy else "upper left",
            title_fontsize=8, alignment="left", ncols=min(len(handles), 6),
            frameon=False, fontsize=8,
        )  # fmt: skip


def _drop_inner_labels(panels: np.ndarray, columns: int) -> None:
    """Leave labels to the first panel of each row and the last of each column."""
    wide = min(columns, len(panels))
    for index, ax in enumerate(panels):
        if index % wide:
            ax.set_ylabel("")
        if index + wide < len(panels):
            ax.set_xlabel("")
