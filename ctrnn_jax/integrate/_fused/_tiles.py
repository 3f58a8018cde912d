"""One launch for a whole integration: lanes of many neurons, as tiles of a block."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, Bool, Float, PyTree
from ...fields import AbstractField, RateCTRNN, VoltageCTRNN
from .._fixed_steps import alive, overflow_is_possible
from .._lane_loop import Run
from .._lanes import one_lane
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
from .._splitting import CoordinateSplitting
from ._launch import launch
from ._observed import Observers
from ._on_tiles import call_on_tiles
from ._refusal import NotFused
from ._schedule import Schedule
from ._tile_model import TileLayout
from ._tile_steps import first_carry, step_on_tiles

#: The sides of a product on matrix units are at least this long.
_SHORTEST_SIDE = 16
#: By bytes of a number and rows of a tile: lanes and warps of a block where one W is
#: multiplied (fastest of several on an H200).
_BLOCKS = {
    4: {16: (64, 2), 32: (64, 4), 64: (32, 4), 128: (64, 8)},
    8: {16: (64, 4), 32: (64, 4), 64: (32, 4), 128: (16, 4)},
}
#: Elsewhere, bytes that a thread holds of a tile, and that a row of a block has at
#: least. Blocks are of one warp: what sums over neurons, one after another, would wait
#: for other warps each time. Compiled, where a Runge–Kutta step keeps six tiles, but
#: not measured.
_BYTES_A_THREAD, _BYTES_A_ROW = 64, 32
MOST_IN_TILES = 128
#: Reductions that, of a state, take each neuron by itself.
_PLAIN = (Minimum, Maximum, Mean, Variance, MaxChange)


def run_in_tiles(
    field: AbstractField, mask: PyTree, start: Float[Array, "lanes n"], run: Run
) -> tuple[PyTree, PyTree, Bool[Array, " lanes"]]:
    """Advance all lanes; return what is saved, the reductions, and which are finite.

    **Raises:** `NotFused` for a call that tiles do not cover.
    """
    check_on_tiles(field, mask)
    size, dtype = start.shape[1], start.dtype
    padded = padded_size(size)
    splits = isinstance(run.solver, CoordinateSplitting)
    layout = TileLayout(field, mask, run.inputs, padded, dtype, splits=splits)
    block, num_warps = _block_of(layout.multiplies_one, padded, dtype.itemsize)
    schedule = Schedule(run.plan)
    may_overflow = overflow_is_possible(field)
    step = step_on_tiles(run.solver, may_overflow)
    watch = _Watch(OneLane.of(run.reductions, may_overflow), field)
    reduces = not are_plain(run)
    observers = Observers(
        field,
        mask,
        start,
        run,
        watch.one,
        block,
        num_warps,
        reduces=reduces,
        has_weight=layout.multiplies_one,
    )

    tile = jax.ShapeDtypeStruct((padded, block), dtype)
    if reduces:
        carries, carry_tree = jax.tree.flatten(observers.first)
        sizes = [(leaf.shape[:-1], leaf.dtype) for leaf in carries]
    else:
        carries, carry_tree = jax.tree.flatten(jax.eval_shape(watch.init, tile))
        sizes = [((padded,), leaf.dtype) for leaf in carries]
    saves = [((padded,), dtype)] if observers.saved is None else observers.saved
    counts = [len(observers.everywhere), len(observers.lanes), len(observers.first)]

    def kernel(interpreted: bool, counts_ref: Any, clock_ref: Any, *refs: Any) -> None:
        everywhere, refs = refs[: counts[0]], refs[counts[0] :]
        model, rest = layout.read(refs, interpreted)
        lanes, first, rest = _dealt(rest, counts[1:])
        observed = list(everywhere), lanes
        weight: Any = model.field.weight if layout.multiplies_one else None
        y_ref, *rest = rest
        saved_refs, (finite_ref, *carry_refs) = _dealt(rest, [len(saves)])
        origin, h = clock_ref[0], clock_ref[1]

        def body(index: Array, state: PyTree) -> PyTree:
            y, carry, watched = state
            t = origin + index.astype(dtype) * h
            y, carry, _ = step(model, t, h, y, None, carry)
            return y, carry, update(y, index + 1, watched)

        def update(y: Array, index: Array, watched: PyTree) -> PyTree:
            if reduces:
                return observers.update(
                    observed, weight, interpreted, y, index, watched
                )
            return call_on_tiles(watch.update, y, index, watched)

        def save(slot: Array, index: Array, state: PyTree) -> None:
            values = [state[0]]
            if observers.saved is not None:
                t = origin + index.astype(dtype) * h
                values = observers.save(observed, interpreted, t, state[0])
            for ref, value in zip(saved_refs, values, strict=True):
                ref[(slot, *[slice(None)] * value.ndim)] = value

        y = y_ref[...]
        carry = first_carry(run.solver, model, origin, y, run.inputs is not None)
        watched = [ref[...] for ref in first]
        state = y, carry, watched if reduces else call_on_tiles(watch.init, y)
        y, _, watched = schedule.run(counts_ref, body, save, state)
        finite_ref[0, :] = call_on_tiles(alive, y).astype(jnp.int32)
        for ref, value in zip(carry_refs, jax.tree.leaves(watched), strict=True):
            ref[...] = value

    outputs = launch(
        kernel,
        name="ctrnn_tiles",
        everywhere=[
            schedule.counts,
            jnp.stack([jnp.asarray(run.origin, dtype), jnp.asarray(run.step, dtype)]),
            *observers.everywhere,
            *layout.everywhere,
        ],
        lanes=[
            *layout.lanes,
            *observers.lanes,
            *observers.first,
            layout.pad(start.T),
        ],
        outputs=[
            *[((schedule.slots, *shape), kind) for shape, kind in saves],
            ((1,), np.dtype(np.int32)),
            *sizes,
        ],
        block=block,
        num_warps=num_warps,
    )
    saved, (finite, *watched) = _dealt(outputs, [len(saves)])
    if observers.saved is None:
        saved = jnp.moveaxis(saved[0][: run.plan.num_saves, :size], -1, 0)
    else:
        saved = observers.unpack_saved(saved, run.plan.num_saves)
    if reduces:
        watched = observers.unpack_carries(watched)
    else:
        watched = jax.tree.unflatten(carry_tree, [leaf[:size].T for leaf in watched])
    count = jnp.asarray(run.plan.num_steps)
    return saved, watch.one.finish(watched, count, lanes=0), finite[0].astype(bool)


class _Watch(NamedTuple):
    """The reductions of all lanes, where `are_plain`: those ask no model."""

    one: OneLane
    field: AbstractField

    def init(self, y: Array) -> list[PyTree]:
        if not self.one.reductions:
            return []
        return jax.vmap(partial(self.one.init, self.field), -1, -1)(y)

    def update(self, y: Array, index: Array, watched: list[PyTree]) -> list[PyTree]:
        if not self.one.reductions:
            return []
        update = partial(self.one.update, self.field)
        return jax.vmap(update, (-1, None, -1), -1)(y, index, watched)


def padded_size(size: int) -> int:
    """Return how many rows the tiles of so many neurons have."""
    return max(_SHORTEST_SIDE, 1 << (size - 1).bit_length())


def _block_of(multiplies_one: bool, padded: int, itemsize: int) -> tuple[int, int]:
    """Return lanes and warps of a block."""
    if multiplies_one:
        return _BLOCKS[itemsize][padded]
    lanes = 32 * _BYTES_A_THREAD // (padded * itemsize)
    return min(max(lanes, _BYTES_A_ROW // itemsize), 32), 1


def check_on_tiles(field: AbstractField, mask: PyTree) -> None:
    """Refuse a field that is not known to act on many neurons at once."""
    if type(field) not in (VoltageCTRNN, RateCTRNN):
        raise NotFused(f"{type(field).__name__} is a field of your own")
    one = one_lane(field, mask)
    if any(map(jnp.ndim, jax.tree.leaves(eqx.filter(one.activation, eqx.is_array)))):
        raise NotFused("its activation holds more than scalars, of many neurons")


def are_plain(run: Run) -> bool:
    """Whether reductions measure states only, neuron by neuron: tiles then serve."""
    for reduction in jax.tree.leaves(run.reductions, is_leaf=is_reduction):
        inner = reduction
        while type(inner) is Every:
            inner = inner.reduction
        # A subclass may measure otherwise.
        if type(inner) not in _PLAIN or getattr(inner, "of", None) is not None:
            return False
    return True


def _dealt(items: Sequence[Any], counts: list[int]) -> list[list[Any]]:
    """Return the first few items, the next few, and so on, and the rest."""
    parts, rest = [], list(items)
    for count in counts:
        parts.append(rest[:count])
        rest = rest[count:]
    return [*parts, rest]
