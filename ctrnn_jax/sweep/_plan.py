"""Everything about a sweep that is settled before the first run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.random as jr
import numpy as np

from .._types import Key
from ._design import Design
from ._errors import SpecificationError
from ._experiment import AbstractExperiment
from ._function import FunctionExperiment
from ._layout import Chunks, Order, choose_chunk_size, cut, lay_out
from ._outputs import Outputs, find_outputs
from ._spec import Specification, read_spec

#: The only kind of keys of which a run's numbers do not depend on its batch.
_IMPL = "threefry2x32"


@dataclass(frozen=True)
class Plan:
    """A sweep, ready to run.

    - `spec`, `design`, `experiment`: what is to be run.
    - `order`, `chunks`: in which order, and what is computed and stored together.
    - `outputs`: what comes out.
    - `batch_size`: runs that a device computes at once, at most.
    - `chose_batch`: whether that was chosen for this machine, and not asked for.
    - `key_data`, `key_impl`: the root of all runs' keys.
    """

    spec: Specification
    design: Design
    experiment: AbstractExperiment
    order: Order
    chunks: Chunks
    outputs: Outputs
    batch_size: int
    chose_batch: bool
    key_data: np.ndarray
    key_impl: str

    @property
    def key(self) -> Key:
        """The root key."""
        return jr.wrap_key_data(jax.numpy.asarray(self.key_data), impl=self.key_impl)

    def ids(self, chunk: int) -> np.ndarray:
        """Return the ids of the runs of a chunk."""
        first, count = self.chunks.firsts[chunk], self.chunks.counts[chunk]
        return self.order.runs(int(first), int(count))


def make_plan(
    experiment: AbstractExperiment | Callable,
    grid: Any,
    *,
    batch_size: int | None = None,
    chunk_size: int | None = None,
    key: Key | None = None,
    static: Sequence[str] = (),
) -> Plan:
    """Check a sweep and lay it out; nothing is computed yet.

    **Arguments:** as [`sweep`][ctrnn_jax.sweep.sweep].

    **Raises:** `SpecificationError`, naming the key and the mend; what the experiment
    raises while it is traced, if no setting can be traced.
    """
    spec = read_spec(grid)
    static = static or spec.options.get("static", ())
    if isinstance(experiment, AbstractExperiment):
        if static:
            raise SpecificationError(
                "static is for plain functions; an experiment declares which of its "
                "parameters are."
            )
        design = spec.design(experiment)
    elif callable(experiment):
        design = spec.design()
        experiment = FunctionExperiment(experiment, design, static)
    else:
        raise SpecificationError(
            "a sweep runs an experiment or a function fn(settings, key), got "
            f"{type(experiment).__name__}."
        )
    named = spec.options.get("experiment")
    is_path = named is not None and ":" in named
    if named is not None and named != experiment.name and not is_path:
        raise SpecificationError(
            f"experiment in [sweep] is {named!r}, and {experiment.name!r} is to be "
            "run; make them agree."
        )
    _check_precision(spec)
    batch_size = _size("batch_size", batch_size, spec)
    chunk_size = _size("chunk_size", chunk_size, spec)
    order = lay_out(design, experiment)
    outputs = find_outputs(experiment, design, order.buckets)
    if chunk_size is None:
        axes = sum(8 for _ in design.axes)
        largest = max(bucket.num_runs for bucket in order.buckets)
        chunk_size = choose_chunk_size(
            min(design.num_runs, max(largest, 256)), outputs.bytes_per_run + axes
        )
        if batch_size is not None:
            # Whole calls, so that no chunk ends with a padded one.
            chunk_size = -(-chunk_size // batch_size) * batch_size
    key = jr.key(spec.options["seed"], impl=_IMPL) if key is None else _typed(key)
    return Plan(
        spec=spec,
        design=design,
        experiment=experiment,
        order=order,
        chunks=cut(order, chunk_size),
        outputs=outputs,
        batch_size=min(batch_size or _share(chunk_size), chunk_size),
        chose_batch=batch_size is None,
        key_data=np.asarray(jr.key_data(key)),
        key_impl=str(jr.key_impl(key)),
    )


def _check_precision(spec: Specification) -> None:
    given, here = spec.options.get("dtype"), str(jax.numpy.result_type(float))
    if given is not None and given != here:
        raise SpecificationError(
            f"dtype in [sweep] is {given}, and JAX computes in {here}: call "
            f'jax.config.update("jax_enable_x64", {given == "float64"}) first, or '
            "leave dtype out."
        )


def _share(chunk_size: int) -> int:
    """Return the part of a chunk that each device of this machine gets."""
    return max(-(-chunk_size // jax.local_device_count()), 2)


def _size(name: str, given: int | None, spec: Specification) -> int | None:
    if given is None:
        return spec.options.get(name)
    if type(given) is not int or given < 2:
        raise SpecificationError(
            f"{name} must be a whole number of at least 2, got {given!r}."
        )
    return given


def _typed(key: Key) -> Key:
    """Return a single new-style key."""
    if not jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jr.wrap_key_data(key)
    if key.ndim:
        raise SpecificationError(
            f"key must be one key, got an array of them of shape {key.shape}."
        )
    if str(jr.key_impl(key)) != _IMPL:
        raise SpecificationError(
            f"keys of the kind {jr.key_impl(key)} give a run other numbers in another "
            f'batch: use jax.random.key(seed, impl="{_IMPL}").'
        )
    return key
