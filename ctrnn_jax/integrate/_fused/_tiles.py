"""One launch for a whole integration: lanes of many neurons, as tiles of a block."""

from functools import partial
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, Bool, Float, Matrix, PyTree, State
from ...fields import AbstractField, RateCTRNN, VoltageCTRNN
from ...matrices._base import AbstractWeight
from .._base import AbstractFieldSolver
from .._fixed_steps import alive, fixed_step, guarded, overflow_is_possible
from .._lane_loop import Run
from .._reductions import (
    Every,
    MaxChange,
    Maximum,
    Mean,
    Minimum,
    OneLane,
    Variance,
    is_reduction,
)
from ._launch import launch
from ._on_tiles import call_on_tiles
from ._refusal import NotFused
from ._schedule import Schedule

#: The sides of a product on matrix units are at least this long.
_SHORTEST_SIDE = 16
#: By bytes of a number and neurons: lanes and warps of a block (fastest of several on
#: an H200).
_BLOCKS = {
    4: {16: (64, 2), 32: (64, 4), 64: (32, 4), 128: (64, 8)},
    8: {16: (64, 4), 32: (64, 4), 64: (32, 4), 128: (16, 4)},
}
MOST_IN_TILES = 128


class _TileWeight(AbstractWeight):
    """A matrix in a kernel, whose products are as accurate as its dtype.

    On matrix units a float32 is taken as a sum of two TensorFloat-32 numbers, and a
    product as three of theirs. The interpreter has the plain product.
    """

    matrix: Matrix
    is_skew: bool = eqx.field(static=True)
    has_zero_diagonal: bool = eqx.field(static=True)
    interpreted: bool = eqx.field(static=True)

    @property
    def size(self) -> int:
        return self.matrix.shape[0]

    def as_matrix(self) -> Matrix:
        return self.matrix

    def mv(self, x: State) -> State:
        split = jax.lax.DotAlgorithmPreset.TF32_TF32_F32_X3
        whole = self.interpreted or self.size <= 16 or x.dtype != jnp.float32
        precision = jax.lax.Precision.HIGHEST if whole else split
        sums = (((1,), (0,)), ((), ()))
        return jax.lax.dot_general(self.matrix, x, sums, precision=precision)


def run_in_tiles(
    field: AbstractField, mask: PyTree, start: Float[Array, "lanes n"], run: Run
) -> tuple[PyTree, PyTree, Bool[Array, " lanes"]]:
    """Advance all lanes; return what is saved, the reductions, and which are finite.

    **Raises:** `NotFused` for a call that tiles do not cover.
    """
    _check(field, mask, run)
    size, dtype = start.shape[1], start.dtype
    padded = max(_SHORTEST_SIDE, 1 << (size - 1).bit_length())
    block, num_warps = _BLOCKS[dtype.itemsize][padded]
    excess = padded - size

    def pad(array: Array) -> Array:
        return jnp.pad(array, [(0, excess)] + [(0, 0)] * (array.ndim - 1))

    matrix = jnp.pad(field.weight.as_matrix(), ((0, excess), (0, excess)))
    bare = eqx.tree_at(
        lambda field: (field.weight, field.input_weight),
        field,
        (None, None),
        is_leaf=lambda leaf: leaf is None,
    )
    bare_mask = eqx.tree_at(
        lambda mask: (mask.weight, mask.input_weight),
        mask,
        (None, None),
        is_leaf=lambda leaf: leaf is None,
    )
    arrays, static = eqx.partition(bare, eqx.is_array)
    own, shared = eqx.partition(arrays, bare_mask)
    own = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), own)
    own_leaves, own_tree = jax.tree.flatten(own)
    own_leaves = [pad(leaf) if leaf.ndim > 1 else leaf[None] for leaf in own_leaves]
    shared_leaves, shared_tree = jax.tree.flatten(shared)
    shapes = [leaf.shape for leaf in shared_leaves]
    shared_leaves = [pad(leaf) if leaf.ndim else leaf[None] for leaf in shared_leaves]
    schedule = Schedule(run.plan)
    may_overflow = overflow_is_possible(field)
    step = fixed_step(run.solver)
    step = guarded(step) if may_overflow else step

    reductions = OneLane.of(run.reductions, may_overflow)

    # The reductions that `_check` lets through look at the state alone, not the model.
    def init(y: Array) -> list[PyTree]:
        if not reductions.reductions:
            return []
        one = partial(reductions.init, field)
        return jax.vmap(one, in_axes=-1, out_axes=-1)(y)

    def update(y: Array, index: Array, watched: list[PyTree]) -> list[PyTree]:
        if not reductions.reductions:
            return []
        one = partial(reductions.update, field)
        return jax.vmap(one, in_axes=(-1, None, -1), out_axes=-1)(y, index, watched)

    tile = jax.ShapeDtypeStruct((padded, block), dtype)
    carries, carry_tree = jax.tree.flatten(jax.eval_shape(init, tile))

    def kernel(interpreted: bool, counts_ref: Any, clock_ref: Any, *refs: Any) -> None:
        w_ref, refs = refs[0], refs[1:]
        shared_refs, refs = refs[: len(shapes)], refs[len(shapes) :]
        own_refs, refs = refs[: len(own_leaves)], refs[len(own_leaves) :]
        y_ref, saved_ref, finite_ref, *carry_refs = refs
        pieces = [
            ref[...] if shape else ref[0]
            for ref, shape in zip(shared_refs, shapes, strict=True)
        ]
        lanes = [ref[0, :] if ref.shape[0] == 1 else ref[...] for ref in own_refs]
        model = eqx.combine(
            jax.tree.unflatten(shared_tree, pieces),
            jax.tree.unflatten(own_tree, lanes),
        )
        matrix, origin, h = w_ref[...], clock_ref[0], clock_ref[1]

        def advance(
            model: PyTree, matrix: Array, index: Array, t: Array, h: Array, state: Any
        ) -> PyTree:
            y, watched = state
            weight = _TileWeight(
                matrix=matrix,
                is_skew=field.weight.is_skew,
                has_zero_diagonal=field.weight.has_zero_diagonal,
                interpreted=interpreted,
            )
            whole = eqx.combine(model, static)
            whole = eqx.tree_at(
                lambda field: field.weight, whole, weight, is_leaf=lambda x: x is None
            )
            y, _, _ = step(whole, t, h, y, None, None)
            return y, update(y, index + 1, watched)

        def body(index: Array, state: PyTree) -> PyTree:
            t = origin + index.astype(dtype) * h
            return call_on_tiles(advance, model, matrix, index, t, h, state)

        def save(slot: Array, index: Array, state: PyTree) -> None:
            saved_ref[slot, :, :] = state[0]

        y = y_ref[...]
        state = y, call_on_tiles(init, y)
        y, watched = schedule.run(counts_ref, body, save, state)
        finite_ref[0, :] = call_on_tiles(alive, y).astype(jnp.int32)
        for ref, value in zip(carry_refs, jax.tree.leaves(watched), strict=True):
            ref[...] = value

    outputs = launch(
        kernel,
        name="ctrnn_tiles",
        everywhere=[
            schedule.counts,
            jnp.stack([jnp.asarray(run.origin, dtype), jnp.asarray(run.step, dtype)]),
            matrix,
            *shared_leaves,
        ],
        lanes=[*own_leaves, pad(start.T)],
        outputs=[
            ((schedule.slots, padded), dtype),
            ((1,), np.dtype(np.int32)),
            *[((padded,), leaf.dtype) for leaf in carries],
        ],
        block=block,
        num_warps=num_warps,
    )
    saved, finite, *watched = outputs
    saved = jnp.moveaxis(saved[: run.plan.num_saves, :size], -1, 0)
    watched = jax.tree.unflatten(carry_tree, [leaf[:size].T for leaf in watched])
    count = jnp.asarray(run.plan.num_steps)
    return saved, reductions.finish(watched, count, lanes=0), finite[0].astype(bool)


def _check(field: AbstractField, mask: PyTree, run: Run) -> None:
    """Refuse what would need a lane's neurons one by one, or their true number."""
    if type(field) not in (VoltageCTRNN, RateCTRNN):
        raise NotFused(f"{type(field).__name__} is a field of your own")
    if isinstance(run.solver, AbstractFieldSolver) or not isinstance(
        run.solver, diffrax.Euler | diffrax.AbstractERK
    ):
        raise NotFused(
            f"{type(run.solver).__name__} steps neurons one after another, which a "
            "kernel does for few neurons only"
        )
    if any(jax.tree.leaves(mask.weight)):
        raise NotFused("each lane has a weight of its own, and many neurons")
    if run.inputs is not None:
        raise NotFused("it has inputs, and many neurons")
    if run.plan.fn is not None:
        raise NotFused("a function of the state is saved, of many neurons")
    for reduction in jax.tree.leaves(run.reductions, is_leaf=is_reduction):
        inner = reduction
        while isinstance(inner, Every):
            inner = inner.reduction
        if (
            not isinstance(inner, Minimum | Maximum | Mean | Variance | MaxChange)
            or inner.of is not None
        ):
            raise NotFused("a reduction measures more than the state, of many neurons")
