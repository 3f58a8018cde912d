"""The results of a store as one labelled dataset."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._nearest import nearest
from ._arrays import decode, flags, read_array
from ._errors import SpecificationError, load
from ._experiment import STATUS
from ._store import Store

if TYPE_CHECKING:
    import xarray


def open_sweep(
    store: str | Path, *, names: Sequence[str] | None = None
) -> "xarray.Dataset":
    """Return what a store holds by now, shaped as its grid.

    It may still be written to. Runs that are missing have the `status` 4 ("not run"),
    NaN in results that are floating-point numbers, and 0 in others.

    **Arguments:**

    - `store`: the folder.
    - `names`: which results to read; all by default. The status is always read.

    **Returns:** an `xarray.Dataset` whose dimensions are those of the design: an axis
    has its own, zipped axes share one of their group's name, samples are along `sample`
    and repeats along `repeat`. Results may have more dimensions, which come last. Its
    attributes hold what is fixed, the experiment, the specification and the versions.

    **Raises:** `SweepStorageError` if it is no store or damaged.
    """
    opened = Store(Path(store))
    variables = opened.manifest["variables"]
    wanted = list(variables) if names is None else list(names)
    for name in wanted:
        if name not in variables:
            raise SpecificationError(
                f"{store} holds no {name!r}; it holds {', '.join(variables)}."
                f"{nearest(name, variables)}"
            )
    return _dataset(opened, wanted)


def _dataset(store: Store, wanted: Sequence[str]) -> "xarray.Dataset":
    xarray = load("xarray")
    manifest = store.manifest
    design = store.design()
    done = store.done()
    places, ids = _places(store, done)
    data: dict[str, Any] = {}
    for name in (*wanted, "status", "num_steps"):
        array = store.array(name)
        flat = np.full(
            (design.num_runs, *array.shape[1:]), array.fill_value, array.dtype
        )
        _fill(flat, array, places, ids, manifest["chunk_size"], done)
        attributes = {"help": array.attrs["help"]}
        dims = array.metadata.dimension_names[1:]
        shaped = flat.reshape(*design.shape, *flat.shape[1:])
        data[name] = ((*design.dims, *dims), shaped, attributes)
    data["status"][2].update(flags(STATUS))
    coords: dict[str, Any] = {}
    for dimension in design.dimensions:
        if dimension.name not in dimension.axes:
            coords[dimension.name] = np.arange(dimension.size)
        for name, values in dimension.axes.items():
            text = manifest["help"].get(name, "")
            coords[name] = (dimension.name, values, {"help": text} if text else {})
    for dims, _, _ in list(data.values()):
        for dim in dims[len(design.dims) :]:
            if dim not in coords and (store.path / dim / "zarr.json").exists():
                array = store.array(dim)
                coords[dim] = decode(read_array(array), array.attrs)
    attributes = {f"fixed {name}": value for name, value in design.fixed.items()}
    attributes |= {
        "experiment": manifest["experiment"],
        "summary": manifest["summary"],
        "spec": json.dumps(manifest["spec"]),
        "versions": json.dumps(manifest["versions"]),
        "device": manifest["device"],
        "runs_done": int(store.counts[done].sum()),
        "runs": design.num_runs,
    }
    return xarray.Dataset(data, coords, attributes)


def _places(
    store: Store, done: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the places of finished runs and their ids, or `None` if they are equal."""
    if store.manifest["order"] == "by run id":
        return None, None
    size = store.manifest["chunk_size"]
    ids = read_array(store.array("run_id"))
    inside = np.arange(size) < store.counts[:, None]
    chosen = (inside & done[:, None]).ravel()
    return np.flatnonzero(chosen), ids[chosen]


def _fill(
    flat: np.ndarray,
    array: Any,
    places: np.ndarray | None,
    ids: np.ndarray | None,
    size: int,
    done: np.ndarray,
) -> None:
    """Read the finished runs of an array into one that leads with run ids."""
    if places is not None:
        if len(places):
            flat[ids] = read_array(array)[places]
        return
    # Neighbouring finished chunks in one go; unfinished ones may be half written.
    edges = np.flatnonzero(np.diff(np.concatenate([[0], done.astype(int), [0]])))
    for first, last in edges.reshape(-1, 2).tolist():
        end = min(last * size, len(flat))
        flat[first * size : end] = read_array(array, first * size, end)
