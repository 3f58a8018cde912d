"""The forward pass of a reversible solve, and the backward pass that undoes it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Bool, Float, Int, PyTree, State
from ..fields import AbstractField, materialise
from ..matrices._base import DenseWeight
from ._motion import Held, Motion, Own
from ._scheme import Scheme
from ._splitting import CoordinateSplitting, Leapfrog
from ._storage import AbstractStorage
from ._substeps import (
    add_compensated,
    add_trees,
    begin_run,
    make_substep,
    undo_beginning,
    undo_substep,
)

#: Substeps whose cotangents are summed plainly, before they join a compensated sum.
STRETCH = 64


def solve_reversibly(
    field: AbstractField,
    y0: State,
    inputs: PyTree,
    origin: Float[Array, ""],
    step: Float[Array, ""] | np.ndarray,
    counts: Int[Array, " time"],
    solver: CoordinateSplitting | Leapfrog,
    storage: AbstractStorage,
) -> tuple[Float[Array, "time n *batch"], Bool[Array, "*batch"]]:
    """Return the states after `counts` steps, and which lanes left the range.

    `y0` is one state `(n,)` or lanes `(n, batch)`; arrays of `field` that differ
    between lanes have them last. `counts` increases from 0.
    """
    size = y0.shape[0]
    scheme = Scheme.of(solver)
    inputs = as_module(inputs, origin)
    field = materialise(field)
    if field.weight.independent_sets is None:
        scheme = scheme.fitted(size)
        field, y0 = pad_neurons(field, y0, -size % scheme.block_size)
    motion = Motion(field, inputs, origin, jnp.asarray(step))
    bounds = counts * len(scheme.fractions)
    saved, spilt = _solve((motion, y0), scheme, storage, bounds)
    return saved[:, :size], jnp.any(spilt[:size], axis=0)


def as_module(inputs: PyTree, t: Float[Array, ""]) -> PyTree:
    """Return u(t) so that what the function closes over can be differentiated in."""
    if inputs is None or isinstance(inputs, eqx.Module):
        return inputs
    return eqx.filter_closure_convert(inputs, t)


def pad_neurons(
    field: AbstractField, y0: State, excess: int
) -> tuple[AbstractField, Float[Array, "padded *batch"]]:
    """Return a field with a dense weight, and `excess` neurons that touch no other."""
    weight = DenseWeight(
        matrix=field.weight.as_matrix(),
        is_skew=field.weight.is_skew,
        has_zero_diagonal=field.weight.has_zero_diagonal,
    )

    def pad(array: Array, axes: int = 1) -> Array:
        if not excess:
            return array
        widths = [(0, excess if axis < axes else 0) for axis in range(array.ndim)]
        return jnp.pad(array, widths)

    weight = eqx.tree_at(lambda w: w.matrix, weight, pad(weight.matrix, 2))
    drives = [
        None if array is None else pad(array)
        for array in (field.bias, field.input_weight)
    ]
    field = eqx.tree_at(
        lambda f: (f.weight, f.bias, f.input_weight),
        field,
        (weight, *drives),
        is_leaf=lambda leaf: leaf is None,
    )
    return field, pad(y0)


@eqx.filter_custom_vjp
def _solve(
    arguments: tuple[Motion, State],
    scheme: Scheme,
    storage: AbstractStorage,
    bounds: Int[Array, " time"],
) -> tuple[Array, Array]:
    saved, spilt, _ = _forward(arguments, scheme, storage, bounds)
    return saved, spilt


def _forward(
    arguments: tuple[Motion, State],
    scheme: Scheme,
    storage: AbstractStorage,
    bounds: Int[Array, " time"],
) -> tuple[Array, Array, Array]:
    """Return the saved states, which numbers left the range, and what is held last."""
    motion, y0 = arguments

    def run(held: Held, span: tuple[Array, Array]) -> tuple[Held, Array]:
        first, stop = span

        def body(index: Array, held: Held) -> Held:
            last = index == stop - 1
            return make_substep(motion, scheme, storage, index, last, held)

        held = begin_run(motion, scheme, storage, first, held)
        held = jax.lax.fori_loop(first, stop, body, held)
        gauge = motion.gauge(scheme.count(stop, motion))
        return held, storage.read(held.value, gauge)

    value = storage.hold(y0)
    held = Held(value, storage.spilt(value))
    held, saved = jax.lax.scan(run, held, (bounds[:-1], bounds[1:]))
    saved = jnp.concatenate([y0[None], saved])
    return saved, storage.has_spilt(held.spill), held.value


@_solve.def_fwd
def _solve_forward(
    perturbed: PyTree,
    arguments: tuple[Motion, State],
    scheme: Scheme,
    storage: AbstractStorage,
    bounds: Int[Array, " time"],
) -> tuple[tuple[Array, Array], Array]:
    saved, spilt, value = _forward(arguments, scheme, storage, bounds)
    return (saved, spilt), value


@_solve.def_bwd
def _solve_backward(
    value: Array,
    cotangents: tuple[Array | None, None],
    perturbed: PyTree,
    arguments: tuple[Motion, State],
    scheme: Scheme,
    storage: AbstractStorage,
    bounds: Int[Array, " time"],
) -> tuple[Own, State]:
    motion, y0 = arguments
    own = eqx.filter(motion, perturbed[0])
    zero = jax.tree.map(jnp.zeros_like, own)
    saved, _ = cotangents
    if saved is None:
        return zero, jnp.zeros_like(y0)

    def run(carry: PyTree, at: PyTree) -> tuple[PyTree, None]:
        (value, cotangent), sums = carry
        first, stop, arriving = at

        def body(back: Array, carry: PyTree) -> PyTree:
            state, total = carry
            index = stop - 1 - back
            state, part = undo_substep(
                motion, own, scheme, storage, index, back == 0, state
            )
            return state, add_trees(total, part)

        def stretch(number: Array, carry: PyTree) -> PyTree:
            state, sums = carry
            begin = number * STRETCH
            end = jnp.minimum(begin + STRETCH, stop - first)
            state, total = jax.lax.fori_loop(begin, end, body, (state, zero))
            return state, add_compensated(sums, total)

        stretches = -((first - stop) // STRETCH)
        state = (value, cotangent + arriving)
        state, sums = jax.lax.fori_loop(0, stretches, stretch, (state, sums))
        state, part = undo_beginning(motion, own, scheme, storage, first, state)
        return (state, sums if part is None else add_compensated(sums, part)), None

    carry = ((value, jnp.zeros_like(y0)), (zero, zero))
    spans = (bounds[:-1], bounds[1:], saved[1:])
    carry, _ = jax.lax.scan(run, carry, spans, reverse=True)
    (value, cotangent), (sums, _) = carry
    cotangent = check_return(cotangent + saved[0], value, y0, storage)
    return sums, cotangent


def check_return(
    cotangent: State, value: Array, y0: State, storage: AbstractStorage
) -> State:
    """Return the cotangent of the start, if that is where undoing has led."""
    return eqx.error_if(
        cotangent,
        storage.differs(value, storage.hold(y0)),
        "ReversibleAdjoint: the backward pass did not return to the initial state bit "
        "for bit, so its gradient cannot be trusted. The products of this device are "
        "not reproducible (on a GPU set XLA_FLAGS=--xla_gpu_deterministic_ops=true); "
        "otherwise use adjoint=diffrax.RecursiveCheckpointAdjoint().",
    )
