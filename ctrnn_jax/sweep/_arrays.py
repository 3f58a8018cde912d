"""The zarr arrays of a store: checksums in every file, one file a chunk."""

import errno
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ._errors import SweepStorageError, load
from ._experiment import STATUS
from ._plan import Plan


def create_arrays(folder: Path, plan: Plan) -> None:
    """Create the arrays of a sweep, all of them empty, and write its axes.

    Arrays lead with the dimension `run`: a place for each run, chunk by chunk. What
    they hold at a place belongs to the run that `run_id` says; axes are there too, so
    that `xarray.open_zarr` gives a labelled table.
    """
    zarr = load("zarr")
    root = zarr.create_group(folder, zarr_format=3)
    size, places = plan.chunks.size, len(plan.chunks) * plan.chunks.size

    def per_run(name: str, dtype: Any, fill: Any, **options: Any) -> None:
        dims, shape = options.pop("dims", ()), options.pop("shape", ())
        _create(
            root, name, dtype, fill, (places, *shape), (size, *shape), ("run", *dims),
            options,
        )  # fmt: skip

    per_run("run_id", "int64", -1, help="row-major place in the design")
    helps = {item.name: item.help for item in plan.experiment.parameters}
    for name, values in plan.design.axes.items():
        codes, attributes = encode(values)
        per_run(name, codes.dtype, fill_of(codes.dtype), help=helps[name], **attributes)
    for item in plan.outputs.variables:
        per_run(
            item.name, item.dtype, item.fill, help=item.help, dims=item.dims,
            shape=item.shape,
        )  # fmt: skip
    status = flags(STATUS)
    per_run(
        "status", "int8", STATUS.index("not run"), help="what became of it", **status
    )
    per_run("num_steps", "int32", -1, help="steps taken; -1 if not told")
    chunks = len(plan.chunks)
    for name, dtype in (("done", "int8"), ("attempts", "int16")):
        # A file for each chunk, as several processes may write at once.
        _create(root, name, dtype, 0, (chunks,), (1,), ("chunk",), {})
    for name, values in plan.outputs.coords.items():
        codes, attributes = encode(values)
        _create(
            root, name, codes.dtype, fill_of(codes.dtype), codes.shape, codes.shape,
            (name,), attributes,
        )[:] = codes  # fmt: skip
    axes = root.create_group("design")
    for dimension in plan.design.dimensions:
        for name, values in dimension.axes.items():
            codes, attributes = encode(values)
            _create(
                axes, name, codes.dtype, fill_of(codes.dtype), codes.shape,
                (min(len(codes), 1 << 20),), (dimension.name,), attributes,
            )[:] = codes  # fmt: skip
    root.attrs["coordinates"] = " ".join(["run_id", *plan.design.axes])
    root.attrs["experiment"] = plan.experiment.name
    with warnings.catch_warnings():
        # Readers then need not list a folder that holds a manifest too.
        warnings.filterwarnings("ignore", message=".*[Cc]onsolidated metadata.*")
        zarr.consolidate_metadata(root.store)


def open_array(folder: Path, name: str, mode: str = "r") -> Any:
    """Open one array of a store, of which every file is written, whatever it holds."""
    array = load("zarr").open_array(folder / name, mode=mode, zarr_format=3)
    return array.with_config({"write_empty_chunks": True})


def read_array(
    array: Any, first: int | None = None, last: int | None = None
) -> np.ndarray:
    """Read an array, or a part of it along its first dimension.

    **Raises:** `SweepStorageError` that names it if it is damaged.
    """
    try:
        return array[first:last]
    except (ValueError, RuntimeError, TypeError, KeyError) as error:
        raise SweepStorageError(
            errno.EIO,
            f"{array.store_path} is damaged ({error}): `ctrnn sweep repair` or "
            "ctrnn_jax.sweep.repair computes it again.",
        ) from error


def encode(values: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Return values as zarr may hold them, and the attributes that explain them."""
    if values.dtype.kind not in "US":
        return values, {}
    texts, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int32), {**flags(texts.tolist()), "texts": texts.tolist()}


def decode(codes: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    """Return what `encode` was given; where there is no code, an empty text."""
    if "texts" not in attributes:
        return codes
    return np.array([*attributes["texts"], ""])[codes]


def flags(names: Any) -> dict[str, Any]:
    """Return attributes that explain codes, as the CF conventions have them."""
    words = ["_".join(str(name).split()) for name in names]
    return {
        "flag_values": list(range(len(words))),
        "flag_meanings": " ".join(words),
    }


def fill_of(dtype: Any) -> Any:
    """Return what stands in an axis where no run is."""
    kind = np.dtype(dtype).kind
    return np.nan if kind == "f" else False if kind == "b" else -1


def _create(
    group: Any, name: str, dtype: Any, fill: Any, shape: tuple[int, ...],
    chunks: tuple[int, ...], dims: tuple[str, ...], attributes: Mapping[str, Any],
) -> Any:  # fmt: skip
    codecs = load("zarr.codecs")
    return group.create_array(
        name,
        shape=shape,
        chunks=tuple(max(size, 1) for size in chunks),
        dtype=np.dtype(dtype),
        fill_value=fill,
        # The first tells a damaged number, the second a damaged file.
        compressors=(codecs.ZstdCodec(level=1, checksum=True), codecs.Crc32cCodec()),
        dimension_names=dims,
        attributes=dict(attributes),
        config={"write_empty_chunks": True},
    )
