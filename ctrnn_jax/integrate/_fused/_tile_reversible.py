"""A reversible solve of many neurons: one launch, and one more that undoes it."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, Int, PyTree
from .._motion import Held, Motion
from .._reversible_solve import STRETCH
from .._substeps import (
    add_compensated,
    add_trees,
    begin_run,
    make_substep,
    undo_beginning,
    undo_substep,
)
from ._launch import launch
from ._motion_rows import Solve
from ._on_tiles import call_exactly_on_tiles as exactly
from ._tile_model import TileLayout
from ._tile_motion import TileMotion, differentiable, own_leaves
from ._tile_scheme import TileScheme
from ._tiles import padded_size

#: Lanes of a block: the fewest that matrix units sum over.
_LANES = 16
#: Bytes of a tile that a warp holds where W is multiplied, and where neurons are kicked
#: one after another, for which warps wait for each other. Compiled, where the way back
#: spills little with 32 neurons and some kilobytes with 128; not measured.
_BYTES_A_WARP, _BYTES_A_WARP_OF_A_SWEEP = 1024, 2048


def make_on_tiles(
    motion: Motion, start: Array, bounds: Int[Array, " time"], *, solve: Solve
) -> tuple[Array, Array, Array]:
    """Return the states `(lanes, time, n)`, which lanes left the range, what is held.

    The latter is `(n, lanes)`.
    """
    size, spans = start.shape[1], len(bounds) - 1
    storage, tiles = solve.storage, _Tiles(motion, solve, start.shape[1])
    value = tiles.layout.pad(storage.hold(start.T))

    def kernel(interpreted: bool, bounds_ref: Any, clock_ref: Any, *refs: Any) -> None:
        moving, others = tiles.read(clock_ref, refs, interpreted)
        value_ref, saved_ref, last_ref, spilt_ref = others
        value = value_ref[...]
        held = Held(value, exactly(storage.spilt, value))

        def span(slot: Array, held: Held) -> Held:
            first, stop = bounds_ref[slot], bounds_ref[slot + 1]

            def body(index: Array, held: Held) -> Held:
                last = index == stop - 1
                return make_substep(moving, tiles.scheme, storage, index, last, held)

            held = begin_run(moving, tiles.scheme, storage, first, held)
            held = jax.lax.fori_loop(first, stop, body, held)
            saved_ref[slot, :, :] = exactly(tiles.state, moving, stop, held.value)
            return held

        held = jax.lax.fori_loop(0, spans, span, held)
        last_ref[...], spilt_ref[...] = held.value, held.spill

    padded = (tiles.padded,)
    saved, value, spill = launch(
        kernel,
        name="ctrnn_reversible_tiles",
        everywhere=[bounds, tiles.clock, *tiles.layout.everywhere],
        lanes=[*tiles.layout.lanes, value],
        outputs=[
            ((spans, *padded), start.dtype),
            (padded, value.dtype),
            (padded, value.dtype),
        ],
        block=tiles.block,
        num_warps=tiles.num_warps,
    )
    saved = jnp.moveaxis(saved[:, :size], -1, 0)
    states = jnp.concatenate([start[:, None], saved], axis=1)
    spilt = jnp.any(storage.has_spilt(spill[:size]), axis=0)
    return states, spilt, value[:size]


def undo_on_tiles(
    motion: Motion,
    bounds: Int[Array, " time"],
    value: Array,
    saved: Array,
    *,
    solve: Solve,
    perturbed: PyTree,
) -> tuple[PyTree, Array, Array]:
    """Return the cotangents of the motion and of the first state, and what was held.

    `saved` are the cotangents of the states; that of the first is still to be added.
    """
    (size, lanes), spans = value.shape, len(bounds) - 1
    storage, tiles = solve.storage, _Tiles(motion, solve, value.shape[0])
    own = own_leaves(motion, perturbed, solve.marks)
    ranks = [leaf.rank for leaf in own for _ in range(leaf.number)]
    are_arrays = jax.tree.map(eqx.is_array, motion.inputs)
    of_inputs = jax.tree.leaves(eqx.filter(perturbed.inputs, are_arrays))

    def kernel(interpreted: bool, bounds_ref: Any, clock_ref: Any, *refs: Any) -> None:
        moving, others = tiles.read(clock_ref, refs, interpreted)
        value_ref, arriving_ref, first_ref, cotangent_ref, *sum_refs = others
        moving, own = differentiable(moving, perturbed, of_inputs)
        zero = jax.tree.map(jnp.zeros_like, own)
        sums = _Sums.of(ranks, sum_refs)
        sums.clear(jax.tree.leaves(zero))

        def span(back: Array, state: PyTree) -> PyTree:
            slot = spans - 1 - back
            first, stop = bounds_ref[slot], bounds_ref[slot + 1]

            def body(back: Array, carry: PyTree) -> PyTree:
                state, total = carry
                index, last = stop - 1 - back, back == 0
                state, part = undo_substep(
                    moving, own, tiles.scheme, storage, index, last, state
                )
                return state, add_trees(total, part)

            def stretch(number: Array, state: PyTree) -> PyTree:
                begin = number * STRETCH
                end = jnp.minimum(begin + STRETCH, stop - first)
                state, total = jax.lax.fori_loop(begin, end, body, (state, zero))
                sums.add(jax.tree.leaves(total))
                return state

            value, cotangent = state
            state = value, cotangent + arriving_ref[slot, :, :]
            stretches = (stop - first + STRETCH - 1) // STRETCH
            state = jax.lax.fori_loop(0, stretches, stretch, state)
            state, part = undo_beginning(
                moving, own, tiles.scheme, storage, first, state
            )
            if part is not None:
                sums.add(jax.tree.leaves(add_trees(zero, part)))
            return state

        state = value_ref[...], jnp.zeros(value_ref.shape, saved.dtype)
        first, cotangent = jax.lax.fori_loop(0, spans, span, state)
        first_ref[...], cotangent_ref[...] = first, cotangent

    # A block sums over its lanes: those that fill it up are to add nothing.
    arriving = tiles.layout.pad(jnp.moveaxis(saved[:, 1:], 0, -1), (1,))
    arriving = jnp.pad(arriving, ((0, 0), (0, 0), (0, -lanes % tiles.block)))
    padded, dtype = tiles.padded, saved.dtype
    shapes = [((padded,) if rank else (1,), dtype) for rank in ranks if rank < 2]
    first, cotangent, *parts = launch(
        kernel,
        name="ctrnn_reversible_tiles_gradient",
        everywhere=[bounds, tiles.clock, *tiles.layout.everywhere],
        lanes=[*tiles.layout.lanes, tiles.layout.pad(value), arriving],
        outputs=[((padded,), value.dtype), ((padded,), dtype), *shapes, *shapes],
        of_blocks=[((padded, padded), dtype)] * (2 * sum(r == 2 for r in ranks)),
        block=tiles.block,
        num_warps=tiles.num_warps,
    )
    totals = iter(_Sums.of(ranks, parts).totals)
    leaves = [
        leaf.join([next(totals) for _ in range(leaf.number)], size, lanes)
        for leaf in own
    ]
    structure = jax.tree.structure(eqx.filter(motion, perturbed))
    own = jax.tree.unflatten(structure, leaves)
    return own, cotangent[:size, :lanes].T, first[:size, :lanes]


class _Tiles:
    """How a motion and its lanes lie in both kernels."""

    def __init__(self, motion: Motion, solve: Solve, size: int):
        dtype = motion.step.dtype
        self._storage = solve.storage
        self.padded = padded_size(size)
        self.layout = TileLayout(
            motion.field,
            solve.marks.field,
            motion.inputs,
            self.padded,
            dtype,
            splits=True,
        )
        self.scheme = TileScheme(solve.scheme.fractions, 1)
        kicks = self.layout.multiplies_one
        most = _BYTES_A_WARP if kicks else _BYTES_A_WARP_OF_A_SWEEP
        self.block = _LANES
        self.num_warps = max(self.padded * _LANES * dtype.itemsize // most, 1)
        self.clock = jnp.stack([motion.origin, motion.step])

    def read(
        self, clock_ref: Any, refs: Any, interpreted: bool
    ) -> tuple[TileMotion, list[Any]]:
        """Return the motion that the first references are to, and the others."""
        model, others = self.layout.read(refs, interpreted)
        motion = TileMotion.of(model, self.block, clock_ref[0], clock_ref[1])
        return motion, others

    def state(self, motion: Motion, stop: Array, value: Array) -> Array:
        """Return the state that is held after substep `stop`."""
        gauge = motion.gauge(self.scheme.count(stop, motion))
        return self._storage.read(value, gauge)


class _Sums(NamedTuple):
    """Compensated sums of cotangents, leaf by leaf, and what they have lost."""

    totals: list[Any]
    lost: list[Any]

    @classmethod
    def of(cls, ranks: list[int], parts: list[Any]) -> "_Sums":
        """Take those of lanes, and then those of blocks: twice the leaves each."""
        lanes = sum(rank < 2 for rank in ranks)
        whole = len(ranks) - lanes
        ends = np.cumsum([lanes, lanes, whole, whole])
        total, lost, total_whole, lost_whole = (
            iter(parts[end - count : end])
            for end, count in zip(ends, (lanes, lanes, whole, whole), strict=True)
        )
        return cls(
            [next(total_whole if rank == 2 else total) for rank in ranks],
            [next(lost_whole if rank == 2 else lost) for rank in ranks],
        )

    def clear(self, like: list[Array]) -> None:
        for refs in (self.totals, self.lost):
            for ref, leaf in zip(refs, like, strict=True):
                _write(ref, jnp.zeros_like(leaf))

    def add(self, parts: list[Array]) -> None:
        for total, lost, part in zip(self.totals, self.lost, parts, strict=True):
            sums = _read(total, part), _read(lost, part)
            sums = add_compensated(sums, part)
            _write(total, sums[0])
            _write(lost, sums[1])


def _read(ref: Any, like: Array) -> Array:
    return ref[0, :] if like.ndim == 1 else ref[0] if ref.ndim == 3 else ref[...]


def _write(ref: Any, value: Array) -> None:
    if value.ndim == 1:
        ref[0, :] = value
    elif ref.ndim == 3:
        ref[0, :, :] = value
    else:
        ref[...] = value
