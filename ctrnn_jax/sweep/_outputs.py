"""What a run returns: found by tracing, checked against what was declared."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._nearest import nearest
from .._types import Array
from ._design import Design
from ._errors import SpecificationError
from ._experiment import AbstractExperiment, BatchedRun, Output
from ._layout import Bucket
from ._spec import RESERVED


@dataclass(frozen=True)
class Variable:
    """One entry of the result, as the store holds it.

    - `name`, `help`.
    - `dtype`: of its numbers.
    - `dims`, `shape`: beyond the runs; the largest where runs differ.
    """

    name: str
    help: str
    dtype: np.dtype
    dims: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def fill(self) -> Any:
        """What stands where there is no result."""
        return np.nan if self.dtype.kind == "f" else self.dtype.type(0).item()

    @property
    def bytes_per_run(self) -> int:
        """Bytes of one run's numbers."""
        return self.dtype.itemsize * math.prod(self.shape)


@dataclass(frozen=True)
class Outputs:
    """All that the runs of a sweep return.

    - `variables`: in order.
    - `coords`: coordinates of their dimensions, by name.
    - `errors`: what was raised while a bucket was traced, by its index.
    """

    variables: tuple[Variable, ...]
    coords: Mapping[str, np.ndarray]
    errors: Mapping[int, Exception] = field(default_factory=dict)

    @property
    def bytes_per_run(self) -> int:
        """Bytes of one run's numbers, its status and its number of steps included."""
        return 5 + sum(variable.bytes_per_run for variable in self.variables)


def find_outputs(
    experiment: AbstractExperiment, design: Design, buckets: tuple[Bucket, ...]
) -> Outputs:
    """Trace every bucket for the names, types and shapes of what it returns.

    **Raises:** what a bucket raises, if all of them do; `SpecificationError` for
    results that cannot be stored.
    """
    declared = {output.name: output for output in experiment.outputs}
    found: dict[str, Variable] = {}
    coords: dict[str, np.ndarray] = {}
    errors: dict[int, Exception] = {}
    for index, bucket in enumerate(buckets):
        try:
            shapes = _trace(experiment, design, bucket)
        except SpecificationError:
            raise
        except Exception as error:
            errors[index] = error
            continue
        _check(experiment, design, shapes, declared, found)
        for name, (shape, dtype) in shapes.items():
            output = declared.get(name) or Output(
                name, "", tuple(f"{name}_{axis}" for axis in range(len(shape)))
            )
            before = found[name].shape if name in found else shape
            largest = tuple(map(max, before, shape))
            found[name] = Variable(name, output.help, dtype, output.dims, largest)
            _gather_coords(output, bucket, coords)
    if len(errors) == len(buckets):
        raise next(iter(errors.values()))
    return Outputs(tuple(found.values()), _fitting(found, coords), errors)


def traced_names(experiment: AbstractExperiment, design: Design) -> tuple[str, ...]:
    """Return the parameters whose values are arrays and not Python's."""
    return tuple(
        item.name
        for item in experiment.parameters
        if not item.static and not isinstance(item.default, str)
    )


def device_values(name: str, values: np.ndarray) -> np.ndarray:
    """Return settings in the type that JAX gives such numbers now.

    **Raises:** `SpecificationError` for whole numbers beyond 32 bits without x64.
    """
    if values.dtype.kind == "b":
        return values
    wanted = jnp.result_type(float if values.dtype.kind == "f" else int)
    if values.dtype.kind == "i" and wanted.itemsize < 8 and values.size:
        limits = np.iinfo(wanted)
        if values.min() < limits.min or values.max() > limits.max:
            raise SpecificationError(
                f"{name} is beyond 32 bits and JAX's 64-bit mode is off: switch on "
                "jax_enable_x64, or make it smaller."
            )
    return values.astype(wanted)


def _trace(
    experiment: AbstractExperiment, design: Design, bucket: Bucket
) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Return the shape of one run, and the type, by name."""
    names = traced_names(experiment, design)
    first = design.settings(np.zeros(2, np.int64), names)
    settings = {
        name: jax.ShapeDtypeStruct((2,), device_values(name, first[name]).dtype)
        for name in names
    }

    def call(settings: Mapping[str, Array]) -> dict[str, Any]:
        run: BatchedRun = experiment.build({**design.fixed, **bucket.static})
        found = run(settings, jax.random.split(jax.random.key(0), 2))
        if not isinstance(found, Mapping) or not found:
            raise SpecificationError(
                f"{experiment.name} must return a dict of arrays by name, at least one."
            )
        return {str(name): jnp.asarray(value) for name, value in found.items()}

    shapes = {}
    for name, value in jax.eval_shape(call, settings).items():
        if value.shape[:1] != (2,):
            raise SpecificationError(
                f"{name} of {experiment.name} must lead with the batch, here (2, ...); "
                f"got shape {value.shape}."
            )
        is_key = jnp.issubdtype(value.dtype, jax.dtypes.extended)
        if is_key or value.dtype.kind not in "biuf":
            raise SpecificationError(
                f"{name} of {experiment.name} has the type {value.dtype}, which cannot "
                "be stored; return real numbers (a real and an imaginary part, or "
                "jax.random.key_data)."
            )
        shapes[name] = (value.shape[1:], np.dtype(value.dtype))
    return shapes


def _check(
    experiment: AbstractExperiment,
    design: Design,
    shapes: dict[str, tuple[tuple[int, ...], np.dtype]],
    declared: dict[str, Output],
    found: dict[str, Variable],
) -> None:
    """Refuse results that the store or its reader could not tell apart."""
    for name in ("status", "num_steps"):
        if name in shapes:
            shape, dtype = shapes.pop(name)
            if shape or dtype.kind not in "iu":
                raise SpecificationError(
                    f"{name} of {experiment.name} must be a whole number a run, got "
                    f"{dtype} of shape {shape}."
                )
    for name in declared:
        if name not in shapes and name not in ("status", "num_steps"):
            raise SpecificationError(
                f"{experiment.name} declares {name} and does not return it; it returns "
                f"{', '.join(shapes)}.{nearest(name, shapes)}"
            )
    taken = {*design.axes, *design.dims}
    for name, (shape, dtype) in shapes.items():
        if name in taken or name in RESERVED or "/" in name or not name:
            raise SpecificationError(
                f"{experiment.name} returns {name!r}, which is the name of an axis or "
                "one that the store uses for itself; rename it."
            )
        if name in declared and len(declared[name].dims) != len(shape):
            raise SpecificationError(
                f"{name} of {experiment.name} is declared with dimensions "
                f"{declared[name].dims} and has the shape {shape}."
            )
        for dim in declared[name].dims if name in declared else ():
            if dim in taken or dim in RESERVED:
                raise SpecificationError(
                    f"{name} of {experiment.name} has a dimension {dim!r}, which is an "
                    "axis of the sweep too; rename one."
                )
        if found and (
            name not in found
            or found[name].dtype != dtype
            or len(found[name].shape) != len(shape)
        ):
            raise SpecificationError(
                f"{name} of {experiment.name} has another type or number of dimensions "
                "for some settings than for others; make them one, or sweep these "
                "settings apart."
            )


def _gather_coords(
    output: Output, bucket: Bucket, coords: dict[str, np.ndarray]
) -> None:
    """Keep the longest coordinates of each dimension."""
    if output.coords is None:
        return
    given = output.coords(bucket.static) if callable(output.coords) else output.coords
    for name, values in given.items():
        values = np.asarray(values)
        if name not in coords or len(values) > len(coords[name]):
            coords[name] = values


def _fitting(
    found: dict[str, Variable], coords: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return coordinates, checked against the sizes that variables give dimensions."""
    sizes: dict[str, int] = {}
    for variable in found.values():
        for dim, size in zip(variable.dims, variable.shape, strict=True):
            if sizes.setdefault(dim, size) != size:
                raise SpecificationError(
                    f"dimension {dim!r} has the length {sizes[dim]} in one result and "
                    f"{size} in {variable.name}; name them differently."
                )
    for name, values in coords.items():
        if values.shape != (sizes.get(name),):
            raise SpecificationError(
                f"coordinates of {name!r} have the shape {values.shape} and the "
                f"dimension the length {sizes.get(name)}; make them equal."
            )
    return coords
