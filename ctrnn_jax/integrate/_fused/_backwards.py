"""A reversible solve undone in one launch, with its gradient."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, Float, Int, PyTree
from .._motion import Motion
from .._reversible_solve import STRETCH
from .._substeps import add_compensated, add_trees, undo_beginning, undo_substep
from ._launch import launch, warps_of
from ._layout import Packed
from ._motion_rows import Solve, read_motion
from ._numbers import Numbers, known, numbers_of, scalar
from ._refusal import NotFused
from ._registers import block_of
from ._rows import for_each, read_rows, write_rows
from ._written_out import call_exactly


def undo(
    motion: Motion,
    bounds: Int[Array, " time"],
    value: Array,
    saved: Float[Array, "lanes time n"],
    *,
    solve: Solve,
    perturbed: PyTree,
) -> tuple[PyTree, Float[Array, "lanes n"], Array]:
    """Return the cotangents of the motion and of the first state, and what was held.

    `saved` are the cotangents of the states; that of the first is still to be added.
    """
    size, lanes = value.shape
    spans, block = len(bounds) - 1, block_of(lanes)
    undoing = Undoing(motion, solve, perturbed, (lanes, size))
    rows, own, zero = undoing.rows, undoing.own, undoing.zero

    def kernel(interpreted: bool, bounds_ref: Any, *refs: Any) -> None:
        model, others = read_motion(rows, motion, refs)
        value_ref, arriving_ref, first_ref, cotangent_ref, *sum_refs = others
        sums = _Sums(sum_refs)
        sums.clear()
        nothing = known(np.zeros(size, saved.dtype))
        state = read_rows(value_ref, size), nothing
        held = Packed.of(state, saved.dtype, block)
        packed = Packed.of((state, zero), saved.dtype, block)

        def span(back: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
            slot = spans - 1 - back
            first, stop = bounds_ref[slot], bounds_ref[slot + 1]

            def body(back: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
                index, last = scalar(stop - 1 - back), scalar(back == 0)
                carry = packed.restore(flat)
                return packed.flatten(
                    call_exactly(undoing.one, model, index, last, *carry)
                )

            def stretch(number: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
                begin = number * STRETCH
                end = jnp.minimum(begin + STRETCH, stop - first)
                flat = packed.flatten((held.restore(flat), zero))
                flat = jax.lax.fori_loop(begin, end, body, flat)
                state, total = packed.restore(flat)
                sums.add(total)
                return held.flatten(state)

            value, cotangent = held.restore(flat)
            arriving = read_rows(arriving_ref, size, slot)
            moved = [a + b for a, b in zip(cotangent, arriving, strict=True)]
            flat = held.flatten((value, numbers_of(moved, (size,))))
            stretches = (stop - first + STRETCH - 1) // STRETCH
            flat = jax.lax.fori_loop(0, stretches, stretch, flat)
            state = held.restore(flat)
            state, part = call_exactly(undoing.beginning, model, scalar(first), state)
            if part is not None:
                sums.add(part)
            return held.flatten(state)

        flat = jax.lax.fori_loop(0, spans, span, held.flatten(state))
        first, cotangent = held.restore(flat)
        write_rows(first_ref, first)
        write_rows(cotangent_ref, cotangent)

    count = sum(leaf.size for leaf in own)
    arriving = jnp.moveaxis(saved[:, 1:], 0, -1)
    first, cotangent, *sums = launch(
        kernel,
        name="ctrnn_reversible_gradient",
        everywhere=[bounds, *rows.shared.pack()],
        lanes=[*rows.own.pack(), value, arriving],
        outputs=[
            ((size,), value.dtype),
            ((size,), saved.dtype),
            *[((count,), saved.dtype)] * (2 if count else 0),
        ],
        block=block,
        num_warps=warps_of(block),
    )
    marks = jax.tree.leaves(eqx.filter(solve.marks, perturbed))
    leaves, ends = [], np.cumsum([leaf.size for leaf in own])
    for leaf, of_lanes, end in zip(own, marks, ends, strict=True):
        part = sums[0][end - leaf.size : end]
        part = part if of_lanes else jnp.sum(part, axis=-1)
        leaves.append(part.T.reshape(*part.shape[1:], *leaf.shape))
    own = jax.tree.unflatten(undoing.structure, leaves)
    return own, cotangent.T, first


class Undoing:
    """What is done to one lane on the way back, and to the cotangents of its motion."""

    def __init__(
        self, motion: Motion, solve: Solve, perturbed: PyTree, shape: tuple[int, int]
    ):
        self._motion, self._solve, self._perturbed = motion, solve, perturbed
        self._size = shape[1]
        self.rows, self._static = solve.rows(motion, shape[0])
        shapes = eqx.filter_eval_shape(self._own, self.rows.one_lane)
        self.own, self.structure = jax.tree.flatten(shapes)
        if any(leaf.dtype != self._solve.storage.dtype for leaf in self.own):
            raise NotFused("its arrays have dtypes other than the state's")
        zero = [known(np.zeros(leaf.shape, leaf.dtype)) for leaf in self.own]
        #: Cotangents of the motion that are nothing yet.
        self.zero = jax.tree.unflatten(self.structure, zero)

    def one(
        self,
        arrays: PyTree,
        index: Array,
        last: Array,
        state: tuple[Array, Array],
        total: PyTree,
    ) -> tuple[tuple[Array, Array], PyTree]:
        """Undo substep `index`; what it adds to the cotangents joins `total`."""
        scheme, storage = self._solve.scheme, self._solve.storage
        motion, own = eqx.combine(arrays, self._static), self._own(arrays)
        state, part = undo_substep(motion, own, scheme, storage, index, last, state)
        return state, add_trees(total, part)

    def beginning(
        self, arrays: PyTree, first: Array, state: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array], PyTree]:
        """Undo what began a run of substeps at `first`."""
        scheme, storage = self._solve.scheme, self._solve.storage
        motion, own = eqx.combine(arrays, self._static), self._own(arrays)
        return undo_beginning(motion, own, scheme, storage, first, state)

    def check(self) -> None:
        """Refuse what cannot be written out, in numbers of a single lane."""

        def one(arrays: list[Array], index: Array, held: Array, moved: Array) -> None:
            model, _ = read_motion(self.rows, self._motion, arrays)
            state = _numbers_of_rows(held), _numbers_of_rows(moved)
            last = scalar(index == 0)
            call_exactly(self.one, model, scalar(index), last, state, self.zero)
            call_exactly(self.beginning, model, scalar(index), state)

        storage, size = self._solve.storage, self._size
        arrays = [*self.rows.shared.pack(), *self.rows.own.pack()]
        arrays = [array[..., :1] if array.ndim > 1 else array for array in arrays]
        held = jax.ShapeDtypeStruct((size, 1), storage.integer)
        moved = jax.ShapeDtypeStruct((size, 1), np.dtype(storage.dtype))
        index = jax.ShapeDtypeStruct((), np.dtype(np.int32))
        jax.eval_shape(one, arrays, index, held, moved)

    def _own(self, arrays: PyTree) -> PyTree:
        return eqx.filter(eqx.combine(arrays, self._static), self._perturbed)


class _Sums(NamedTuple):
    """Compensated sums of cotangents, in arrays: they are many, and seldom needed.

    `refs` are to the sums and to what they have lost; none if there is nothing to sum.
    """

    refs: list[Any]

    def clear(self) -> None:
        for ref in self.refs:
            write_rows(ref, known(np.zeros(ref.shape[0], ref.dtype)))

    def add(self, part: PyTree) -> None:
        """Add numbers, of all leaves one after another."""
        if not self.refs:
            return
        total, lost = self.refs

        def add(index: Array, row: Array) -> None:
            sums = add_compensated((total[index, :], lost[index, :]), row)
            total[index, :], lost[index, :] = sums

        leaves = [leaf.reshape(-1) for leaf in jax.tree.leaves(part)]
        for_each(np.concatenate(leaves), total, add)


def _numbers_of_rows(array: Array) -> Numbers:
    return numbers_of(list(array), (len(array),))
