"""Read a sweep's dataset: values where runs are done, labels, and kinds of axes."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

#: Dimensions over which a summary is taken unless they are drawn.
SUMMARISED = ("repeat", "sample")
DONE, NOT_RUN = 0, 4

_CODE = re.compile(r"(-?\d+) = ([^,;()]+)")
_UNIT = re.compile(r"\(([^()]*)\)\s*$")


def read_variable(dataset: Any, variable: str) -> tuple[Any, Any]:
    """Return a variable, NaN where a run is not done, and the status, as `DataArray`s.

    **Raises:** `ValueError` if it is no dataset of a sweep, or has no such variable.
    """
    names = [str(name) for name in getattr(dataset, "data_vars", ())]
    if "status" not in names:
        raise ValueError(
            "An xarray.Dataset of a sweep is needed here, as sweep() and open_sweep() "
            f"return it, got {type(dataset).__name__}."
        )
    if variable not in names:
        raise ValueError(f"The sweep has no {variable!r}; it has {', '.join(names)}.")
    status, found = dataset["status"], dataset[variable]
    if variable == "status":
        return found.astype(float).where(status != NOT_RUN), status
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{variable!r} holds no numbers but {found.dtype}.")
    return found.astype(float).where(status == DONE), status


def check_axis(dataset: Any, variable: str, axis: str) -> str:
    """Return the dimension along which a coordinate changes.

    **Raises:** `ValueError` if it is none of the variable's coordinates.
    """
    found = dataset[variable]
    if axis in found.dims:
        return axis
    if axis in found.coords and len(found.coords[axis].dims) == 1:
        return str(found.coords[axis].dims[0])
    names = [str(n) for n in found.coords if found.coords[n].dims]
    raise ValueError(
        f"{variable!r} has no axis {axis!r}; it has "
        f"{', '.join(dict.fromkeys([*map(str, found.dims), *names]))}."
    )


def coordinate(array: Any, axis: str) -> np.ndarray:
    """Return the values along an axis; numbers from 0 where it has none."""
    if axis in array.coords:
        return np.asarray(array.coords[axis].values)
    return np.arange(array.sizes[axis])


def check_drawn(array: Any, drawn: Sequence[str]) -> Any:
    """Return the array without dimensions of length 1 that are not drawn.

    **Raises:** `ValueError` for one that is neither drawn nor summarised.
    """
    spare = [d for d in array.dims if d not in drawn and array.sizes[d] == 1]
    array = array.isel(dict.fromkeys(spare, 0))
    for dim in array.dims:
        if dim not in drawn and dim not in SUMMARISED:
            raise ValueError(
                f"{array.name!r} also changes along {dim!r}, of {array.sizes[dim]} "
                f"values; choose one by dataset.sel({dim}=...) or "
                f"dataset.isel({dim}=0), or make it the facets."
            )
    return array


def codes_of(array: Any) -> dict[int, str] | None:
    """Return what a variable's codes mean, or `None` if it is a measure.

    They stand in its `flag_meanings`, or as "0 = name, 1 = name" in its help.
    """
    attributes = array.attrs
    if "flag_meanings" in attributes:
        names = str(attributes["flag_meanings"]).split()
        values = np.ravel(attributes.get("flag_values", np.arange(len(names))))
        return {int(v): n.replace("_", " ") for v, n in zip(values, names, strict=True)}
    found = _CODE.findall(str(attributes.get("help", "")))
    return {int(v): name.strip() for v, name in found} if len(found) > 1 else None


def label_of(array: Any, name: str) -> str:
    """Return an axis label: the name, and the unit in which its help ends."""
    source = array if array.name == name else array.coords.get(name)
    text = "" if source is None else str(source.attrs.get("help", ""))
    unit = "" if source is None else str(source.attrs.get("units", ""))
    match = _UNIT.search(text)
    if not unit and match and len(match[1]) < 30:
        unit = match[1].split(";")[0]
    plain = name.replace("_", " ")
    return f"{plain} ({unit})" if unit else plain


def is_log(values: np.ndarray) -> bool:
    """Whether numbers are evenly spaced in their logarithm and not in themselves."""
    if values.dtype.kind not in "iuf" or len(values) < 3 or np.any(values <= 0):
        return False
    steps = np.diff(np.log(values.astype(float)))
    even = np.allclose(steps, steps[0], rtol=1e-3, atol=1e-9)
    return bool(even and abs(steps[0]) * (len(values) - 1) > 0.5)


def spans_decades(values: np.ndarray) -> bool:
    """Whether scattered positive numbers are better told apart by their logarithm."""
    if values.dtype.kind not in "iuf" or np.any(values <= 0):
        return False
    low, high = float(values.min()), float(values.max())
    # Of numbers drawn evenly the median is in the middle, however small the least is.
    return bool(high > 20 * low and np.median(values) < 0.2 * high)


def use_log(ax: Axes, direction: str) -> None:
    """Make an axis logarithmic, with labels that do not run into each other."""
    {"x": ax.set_xscale, "y": ax.set_yscale}[direction]("log")
    axis = {"x": ax.xaxis, "y": ax.yaxis}[direction]
    low, high = axis.get_view_interval()
    few = low > 0 and high < 300 * low
    if few and low > 1e-3 and high < 1e4:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def places_of(values: np.ndarray) -> np.ndarray:
    """Return where along an axis values are: texts and flags at whole numbers."""
    if values.dtype.kind in "iuf":
        return values.astype(float)
    return np.arange(len(values), dtype=float)


def edges_of(places: np.ndarray, *, log: bool) -> np.ndarray:
    """Return the edges of the cells around places, one more than there are."""
    if len(places) == 1:
        width = 0.5 * abs(places[0]) or 0.5
        return np.array([places[0] - width, places[0] + width])
    at = np.log(places) if log else places
    middle = 0.5 * (at[1:] + at[:-1])
    edges = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
    return np.exp(edges) if log else edges


def text_of(value: Any) -> str:
    """Return a value of an axis as it stands in a legend or title."""
    value = value.item() if hasattr(value, "item") else value
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def axes_that_vary(
    dataset: Any, variable: str, *, without: Sequence[str | None] = ()
) -> list[str]:
    """Return the axes of a variable with more than one value, design axes first.

    Along `sample` these are the sampled parameters; `repeat` is none.
    """
    array = dataset[variable]
    found: list[str] = []
    for dim in map(str, array.dims):
        if dim == "repeat" or array.sizes[dim] < 2:
            continue
        names = [str(n) for n in array.coords if array.coords[n].dims == (dim,)]
        # The axes of samples and of zipped groups, whose own numbers say little.
        inner = [name for name in names if name != dim]
        found += inner or [dim]
    return [name for name in found if name not in without]
