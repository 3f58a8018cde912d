"""The figures of a sweep's page: which measures, over which axes."""

import base64
import dataclasses
import io
import math
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .. import plot
from ..plot._sweep_data import DONE, axes_that_vary, read_variable, text_of

#: Figures of a page; panels of a figure; lines of a panel; points of a scatter.
_FIGURES, _PANELS, _LINES, _POINTS = 12, 9, 6, 20_000


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A picture as the `src` of an image, and what it shows."""

    uri: str
    caption: str


def draw_all(dataset: Any) -> list[Drawn]:
    """Return a figure of each measure over the first axes that vary, up to three.

    First comes what became of the runs, unless all are done. Axes beyond the third
    stand at their middle value, as the caption says.
    """
    dataset = _thinned(dataset)
    names = [str(name) for name in dataset.data_vars]
    wanted = [name for name in names if name not in ("status", "num_steps")]
    if np.any(dataset["status"].values != DONE):
        wanted.insert(0, "status")
    pictures = []
    for name in wanted:
        if dataset[name].dtype.kind not in "biuf":
            continue
        if len(pictures) < _FIGURES and _has_values(dataset, name):
            picture = _draw(dataset, name)
            if picture is not None:
                pictures.append(picture)
    return pictures


def _has_values(dataset: Any, name: str) -> bool:
    values = np.asarray(read_variable(dataset, name)[0])
    finite = values[np.isfinite(values)]
    if not len(finite):
        return False
    # One value everywhere the table says.
    return name == "status" or bool(finite.min() < finite.max())


def _thinned(dataset: Any) -> Any:
    """Return the dataset with no more samples than a figure can show."""
    count = dataset.sizes.get("sample", 0)
    step = math.ceil(count / _POINTS) if count > _POINTS else 1
    return dataset.isel(sample=slice(None, None, step)) if step > 1 else dataset


def _draw(dataset: Any, name: str) -> Drawn | None:
    array = dataset[name]
    runs = {str(dim) for dim in dataset["status"].dims}
    own = [str(dim) for dim in array.dims if str(dim) not in runs]
    axes = [axis for axis in axes_that_vary(dataset, name) if axis not in own]
    dims = {axis: str(array.coords[axis].dims[0]) if axis in array.coords else axis
            for axis in axes}  # fmt: skip
    chosen: dict[str, str | None] = dict.fromkeys(("x", "y", "lines", "facet"))
    if own:
        # The course of a run: a line for each value of the first axis.
        chosen["x"] = own[0]
        chosen["lines"] = next((a for a in axes if dims[a] != "sample"), None)
        spare = own[1:]
    else:
        spare = []
        if not axes:
            return None
        chosen["x"] = axes[0]
        if len(axes) > 1:
            chosen["y"] = axes[1]
    used = {dims.get(axis, axis) for axis in chosen.values() if axis}
    rest = [a for a in axes if dims[a] not in used and dims[a] not in ("sample",)]
    if rest:
        chosen["facet"] = rest[0]
        used.add(dims[rest[0]])
    held = [dim for dim in (*spare, *dict.fromkeys(dims[a] for a in rest[1:]))
            if dim not in used]  # fmt: skip
    part, words = dataset, []
    for dim in held:
        middle = dataset.sizes[dim] // 2
        if dim in dataset.coords:
            words.append(f"{dim} = {text_of(dataset.coords[dim].values[middle])}")
        part = part.isel({dim: middle})
    for role, most in (("lines", _LINES), ("facet", _PANELS)):
        axis = chosen[role]
        if axis is not None:
            part = _spread(part, dims[axis], most)
    png = _picture(part, name, chosen)
    uri = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return Drawn(uri, _caption(dataset, name, words))


def _spread(dataset: Any, dim: str, most: int) -> Any:
    """Return no more than `most` values of a dimension, evenly spread, ends kept."""
    size = dataset.sizes[dim]
    if size <= most:
        return dataset
    places = np.unique(np.linspace(0, size - 1, most).round().astype(int))
    return dataset.isel({dim: places})


def _picture(dataset: Any, name: str, chosen: dict[str, str | None]) -> bytes:
    facet = chosen["facet"]
    with matplotlib.rc_context({"font.size": 8}):
        if facet is None:
            figure = Figure(figsize=(5.4, 3.6), layout="constrained")
            FigureCanvasAgg(figure)
            ax = figure.add_subplot()
            _one(dataset, name, chosen, ax)
        else:
            count = dataset[name].coords[facet].size if facet in dataset.coords else (
                dataset.sizes[facet])  # fmt: skip
            wide = min(3, count)
            rows = math.ceil(count / wide)
            figure = Figure(
                figsize=(1.0 + 2.6 * wide, 0.6 + 2.3 * rows), layout="constrained"
            )
            FigureCanvasAgg(figure)
            grid = figure.subplots(rows, wide, squeeze=False).ravel()
            for ax in grid[count:]:
                figure.delaxes(ax)
            plot.plot_sweep_facets(
                dataset, name, x=chosen["x"] or "", y=chosen["y"],
                lines=chosen["lines"], facet=facet, axes=grid[:count],
            )  # fmt: skip
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=150)
    return buffer.getvalue()


def _one(dataset: Any, name: str, chosen: dict[str, str | None], ax: Axes) -> None:
    plot.plot_sweep(
        dataset, name, x=chosen["x"], y=chosen["y"], lines=chosen["lines"], ax=ax
    )


def _caption(dataset: Any, name: str, words: list[str]) -> str:
    about = str(dataset[name].attrs.get("help", ""))
    text = "what became of the runs" if name == "status" else about
    caption = f"{name}: {text}" if text else name
    summarised = [d for d in ("repeat",) if d in dataset[name].dims]
    if summarised:
        caption += "; over repeats the median"
    if words:
        caption += f"; at {', '.join(words)}"
    return caption + "."
