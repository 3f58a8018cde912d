"""A reversible solve in one launch, and one more that undoes it for the gradient.

As in `_registers` a lane stays in the registers of a thread. The two kernels must round
alike, bit for bit: see `is_exact` of `_replay`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, Bool, Float, Int, PyTree
from ...fields import AbstractField
from ...matrices._base import DenseWeight
from .._lanes import lanes_first
from .._motion import Held, Motion
from .._reversible_solve import STRETCH, as_module, check_return
from .._scheme import Scheme
from .._splitting import CoordinateSplitting, Leapfrog
from .._storage import AbstractStorage, FixedPoint
from .._substeps import (
    add_compensated,
    add_trees,
    begin_run,
    make_substep,
    undo_beginning,
    undo_substep,
)
from ._launch import launch, warps_of
from ._layout import Model, Packed, without_diagonal
from ._numbers import Numbers, is_known, known, numbers_of
from ._refusal import NotFused
from ._registers import MOST_IN_REGISTERS, block_of
from ._written_out import call_exactly

#: Numbers of the inputs that a kernel differentiates in: each is a sum of a thread.
_MOST_OF_INPUTS = 64


def solve_in_kernel(
    field: AbstractField,
    mask: PyTree,
    start: Float[Array, "lanes n"],
    inputs: PyTree,
    origin: Float[Array, ""],
    step: Float[Array, ""] | np.ndarray,
    counts: Int[Array, " time"],
    solver: CoordinateSplitting | Leapfrog,
    storage: AbstractStorage,
) -> tuple[Float[Array, "lanes time n"], Bool[Array, " lanes"]]:
    """Return the states after `counts` steps, and which lanes left the range.

    `field` and `mask` are as users give them: arrays of lanes lead with those.

    **Raises:** `NotFused` for what cannot be made or undone number by number.
    """
    lanes, size = start.shape
    if lanes == 0 or not 0 < size <= MOST_IN_REGISTERS:
        raise NotFused(
            f"a kernel undoes 1 to {MOST_IN_REGISTERS} neurons, and there are {size}"
        )
    if not isinstance(storage, FixedPoint):
        raise NotFused("ReversibleAdjoint(mode='float') does not keep its bits")
    built = lanes_first(field, mask)
    scheme = Scheme.of(solver)
    if built.field.weight.independent_sets is None:
        if not isinstance(built.field.weight, DenseWeight):
            raise NotFused(f"{type(field.weight).__name__} is not held as a matrix")
        scheme = Scheme(scheme.fractions, size)
    inputs = as_module(inputs, origin)
    motion = Motion(built.field, inputs, origin, jnp.asarray(step))
    numbers = eqx.filter(inputs, eqx.is_inexact_array)
    if sum(leaf.size for leaf in jax.tree.leaves(numbers)) > _MOST_OF_INPUTS:
        raise NotFused(f"its inputs hold more than {_MOST_OF_INPUTS} numbers")
    marks = jax.tree.map(lambda _: False, motion)
    marks = eqx.tree_at(lambda marks: marks.field, marks, built.mask)
    bounds = (counts * len(scheme.fractions)).astype(jnp.int32)
    solve = _Solve(marks, scheme, storage)
    # A kernel that cannot be undone is to be refused before a gradient is asked for.
    saved = jax.ShapeDtypeStruct((lanes, len(counts), size), start.dtype)
    value = jax.ShapeDtypeStruct((size, lanes), storage.integer)
    everything = jax.tree.map(eqx.is_inexact_array, motion)
    eqx.filter_eval_shape(
        partial(_undo, solve=solve, perturbed=everything), motion, bounds, value, saved
    )
    return _solve((motion, start), solve, bounds)


class _Solve(eqx.Module):
    """What a solve is made by, apart from what it is differentiated in."""

    marks: PyTree
    scheme: Scheme
    storage: FixedPoint

    def rows(self, motion: Motion, lanes: int) -> tuple[Model, PyTree]:
        """Return the arrays of a motion, for a kernel to read, and the rest of it."""
        arrays, static = eqx.partition(motion, eqx.is_array)
        return Model.of(arrays, self.marks, lanes), static


@eqx.filter_custom_vjp
def _solve(
    arguments: tuple[Motion, Array], solve: _Solve, bounds: Int[Array, " time"]
) -> tuple[Array, Array]:
    saved, spilt, _ = _make(*arguments, bounds, solve=solve)
    return saved, spilt


@_solve.def_fwd
def _solve_forward(
    perturbed: PyTree,
    arguments: tuple[Motion, Array],
    solve: _Solve,
    bounds: Int[Array, " time"],
) -> tuple[tuple[Array, Array], Array]:
    saved, spilt, value = _make(*arguments, bounds, solve=solve)
    return (saved, spilt), value


@_solve.def_bwd
def _solve_backward(
    value: Array,
    cotangents: tuple[Array | None, None],
    perturbed: PyTree,
    arguments: tuple[Motion, Array],
    solve: _Solve,
    bounds: Int[Array, " time"],
) -> tuple[PyTree, Array]:
    motion, start = arguments
    saved, _ = cotangents
    if saved is None:
        own = eqx.filter(motion, perturbed[0])
        return jax.tree.map(jnp.zeros_like, own), jnp.zeros_like(start)
    own, cotangent, value = _undo(
        motion, bounds, value, saved, solve=solve, perturbed=perturbed[0]
    )
    cotangent = check_return(cotangent.T, value, start.T, solve.storage)
    return own, cotangent.T + saved[:, 0]


# --- forwards -------------------------------------------------------------------------


def _make(
    motion: Motion, start: Array, bounds: Int[Array, " time"], *, solve: _Solve
) -> tuple[Array, Array, Array]:
    """Return the states `(lanes, time, n)`, which lanes left the range, what is held.

    The latter is `(n, lanes)`.
    """
    lanes, size = start.shape
    spans, block = len(bounds) - 1, block_of(lanes)
    scheme, storage = solve.scheme, solve.storage
    rows, static = solve.rows(motion, lanes)
    value = storage.hold(start.T)

    def begin(arrays: PyTree, first: Array, value: Array, spill: Array) -> tuple:
        motion = eqx.combine(arrays, static)
        held = begin_run(motion, scheme, storage, first, Held(value, spill))
        return held.value, held.spill

    def one(
        arrays: PyTree, index: Array, last: Array, value: Array, spill: Array
    ) -> tuple:
        motion, held = eqx.combine(arrays, static), Held(value, spill)
        held = make_substep(motion, scheme, storage, index, last, held)
        return held.value, held.spill

    def read(arrays: PyTree, stop: Array, value: Array) -> Array:
        motion = eqx.combine(arrays, static)
        return storage.read(value, motion.gauge(scheme.count(stop, motion)))

    def kernel(interpreted: bool, bounds_ref: Any, *refs: Any) -> None:
        model, others = _read(rows, motion, refs)
        value_ref, spill_ref, saved_ref, last_ref, spilt_ref = others
        held = _load(value_ref, size), _load(spill_ref, size)
        packed = Packed.of(held, value.dtype, block)

        def span(slot: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
            first, stop = bounds_ref[slot], bounds_ref[slot + 1]

            def body(index: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
                last = _number(index == stop - 1)
                held = packed.restore(flat)
                return packed.flatten(
                    call_exactly(one, model, _number(index), last, *held)
                )

            held = call_exactly(begin, model, _number(first), *packed.restore(flat))
            flat = jax.lax.fori_loop(first, stop, body, packed.flatten(held))
            y = call_exactly(read, model, _number(stop), packed.restore(flat)[0])
            _write(saved_ref.at[slot], y)
            return flat

        flat = jax.lax.fori_loop(0, spans, span, packed.flatten(held))
        last, spilt = packed.restore(flat)
        _write(last_ref, last)
        _write(spilt_ref, spilt)

    saved, value, spill = launch(
        kernel,
        name="ctrnn_reversible",
        everywhere=[bounds, *rows.shared.pack()],
        lanes=[*rows.own.pack(), value, storage.spilt(value)],
        outputs=[
            ((spans, size), start.dtype),
            ((size,), value.dtype),
            ((size,), value.dtype),
        ],
        block=block,
        num_warps=warps_of(block),
    )
    states = jnp.concatenate([start[:, None], jnp.moveaxis(saved, -1, 0)], axis=1)
    return states, jnp.any(storage.has_spilt(spill), axis=0), value


# --- and backwards --------------------------------------------------------------------


def _undo(
    motion: Motion,
    bounds: Int[Array, " time"],
    value: Array,
    saved: Float[Array, "lanes time n"],
    *,
    solve: _Solve,
    perturbed: PyTree,
) -> tuple[PyTree, Float[Array, "lanes n"], Array]:
    """Return the cotangents of the motion and of the first state, and what was held.

    `saved` are the cotangents of the states; that of the first is still to be added.
    """
    size, lanes = value.shape
    spans, block = len(bounds) - 1, block_of(lanes)
    scheme, storage = solve.scheme, solve.storage
    rows, static = solve.rows(motion, lanes)

    def own_of(arrays: PyTree) -> PyTree:
        return eqx.filter(eqx.combine(arrays, static), perturbed)

    own, own_tree = jax.tree.flatten(eqx.filter_eval_shape(own_of, rows.one_lane))
    zero = [known(np.zeros(leaf.shape, leaf.dtype)) for leaf in own]
    zero = jax.tree.unflatten(own_tree, zero)

    def one(
        arrays: PyTree, index: Array, last: Array, state: tuple, total: PyTree
    ) -> tuple[tuple, PyTree]:
        motion, own = eqx.combine(arrays, static), own_of(arrays)
        state, part = undo_substep(motion, own, scheme, storage, index, last, state)
        return state, add_trees(total, part)

    def beginning(arrays: PyTree, first: Array, state: tuple) -> tuple:
        motion, own = eqx.combine(arrays, static), own_of(arrays)
        return undo_beginning(motion, own, scheme, storage, first, state)

    def kernel(interpreted: bool, bounds_ref: Any, *refs: Any) -> None:
        model, others = _read(rows, motion, refs)
        value_ref, arriving_ref, first_ref, cotangent_ref, *sum_refs = others
        sums = _Sums(sum_refs[: len(own)], sum_refs[len(own) :])
        sums.clear()
        nothing = known(np.zeros(size, saved.dtype))
        state = _load(value_ref, size), nothing
        held = Packed.of(state, saved.dtype, block)
        packed = Packed.of((state, zero), saved.dtype, block)

        def span(back: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
            slot = spans - 1 - back
            first, stop = bounds_ref[slot], bounds_ref[slot + 1]

            def body(back: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
                index, last = _number(stop - 1 - back), _number(back == 0)
                carry = packed.restore(flat)
                return packed.flatten(call_exactly(one, model, index, last, *carry))

            def stretch(number: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
                begin = number * STRETCH
                end = jnp.minimum(begin + STRETCH, stop - first)
                flat = packed.flatten((held.restore(flat), zero))
                flat = jax.lax.fori_loop(begin, end, body, flat)
                state, total = packed.restore(flat)
                sums.add(total)
                return held.flatten(state)

            value, cotangent = held.restore(flat)
            arriving = [arriving_ref[slot, i, :] for i in range(size)]
            moved = [a + b for a, b in zip(cotangent, arriving, strict=True)]
            flat = held.flatten((value, numbers_of(moved, (size,))))
            stretches = (stop - first + STRETCH - 1) // STRETCH
            flat = jax.lax.fori_loop(0, stretches, stretch, flat)
            state = held.restore(flat)
            state, part = call_exactly(beginning, model, _number(first), state)
            if part is not None:
                sums.add(part)
            return held.flatten(state)

        flat = jax.lax.fori_loop(0, spans, span, held.flatten(state))
        first, cotangent = held.restore(flat)
        _write(first_ref, first)
        _write(cotangent_ref, cotangent)

    sums = [((leaf.size,), leaf.dtype) for leaf in own]
    first, cotangent, *totals = launch(
        kernel,
        name="ctrnn_reversible_gradient",
        everywhere=[bounds, *rows.shared.pack()],
        lanes=[*rows.own.pack(), value, jnp.moveaxis(saved[:, 1:], 0, -1)],
        outputs=[((size,), value.dtype), ((size,), saved.dtype), *sums, *sums],
        block=block,
        num_warps=warps_of(block),
    )
    marks = jax.tree.leaves(eqx.filter(solve.marks, perturbed))
    leaves = [
        _of_leaf(total, leaf, of_lanes)
        for total, leaf, of_lanes in zip(totals[: len(own)], own, marks, strict=True)
    ]
    return jax.tree.unflatten(own_tree, leaves), cotangent.T, first


class _Sums(NamedTuple):
    """Compensated sums of cotangents, in arrays: they are many, and seldom needed."""

    totals: Sequence[Any]
    lost: Sequence[Any]

    def clear(self) -> None:
        for ref in (*self.totals, *self.lost):
            for i in range(ref.shape[0]):
                ref[i, :] = jnp.zeros(ref.shape[1:], ref.dtype)

    def add(self, part: PyTree) -> None:
        """Add numbers; those that are known to be zero are passed over."""
        leaves = jax.tree.leaves(part)
        for total, lost, numbers in zip(self.totals, self.lost, leaves, strict=True):
            for i, number in enumerate(numbers.reshape(-1)):
                if is_known(number) and number == 0:
                    continue
                lanes = jnp.broadcast_to(jnp.asarray(number), total.shape[1:])
                sums = add_compensated((total[i, :], lost[i, :]), lanes)
                total[i, :], lost[i, :] = sums


def _of_leaf(total: Array, leaf: jax.ShapeDtypeStruct, of_lanes: bool) -> Array:
    """Return the cotangent of an array, from those of its numbers in each lane."""
    if not of_lanes:
        return jnp.sum(total, axis=-1).reshape(leaf.shape)
    return total.T.reshape(-1, *leaf.shape)


# --- numbers --------------------------------------------------------------------------


def _read(rows: Model, motion: Motion, refs: Sequence[Any]) -> tuple[PyTree, list[Any]]:
    """Return the numbers of a motion, and the references that are left."""
    model, others = rows.read(refs)
    field = without_diagonal(model.field, motion.field)
    model = eqx.tree_at(lambda model: model.field, model, field)
    return model, others


def _number(value: Array) -> Numbers:
    return numbers_of([value], ())


def _load(ref: Any, size: int) -> Numbers:
    return numbers_of([ref[i, :] for i in range(size)], (size,))


def _write(ref: Any, numbers: Numbers) -> None:
    for i, number in enumerate(numbers):
        ref[i, :] = number
