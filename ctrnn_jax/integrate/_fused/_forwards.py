"""A reversible solve in one launch."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..._types import Array, Int, PyTree
from .._motion import Held, Motion
from .._substeps import begin_run, make_substep
from ._launch import launch, warps_of
from ._layout import Packed
from ._motion_rows import Solve, read_motion
from ._numbers import scalar
from ._registers import block_of
from ._rows import read_rows, write_rows
from ._written_out import call_exactly


def make(
    motion: Motion, start: Array, bounds: Int[Array, " time"], *, solve: Solve
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
        model, others = read_motion(rows, motion, refs)
        value_ref, spill_ref, saved_ref, last_ref, spilt_ref = others
        held = read_rows(value_ref, size), read_rows(spill_ref, size)
        packed = Packed.of(held, value.dtype, block)

        def span(slot: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
            first, stop = bounds_ref[slot], bounds_ref[slot + 1]

            def body(index: Array, flat: tuple[Array, ...]) -> tuple[Array, ...]:
                last = scalar(index == stop - 1)
                held = packed.restore(flat)
                return packed.flatten(
                    call_exactly(one, model, scalar(index), last, *held)
                )

            held = call_exactly(begin, model, scalar(first), *packed.restore(flat))
            flat = jax.lax.fori_loop(first, stop, body, packed.flatten(held))
            y = call_exactly(read, model, scalar(stop), packed.restore(flat)[0])
            write_rows(saved_ref, y, slot)
            return flat

        flat = jax.lax.fori_loop(0, spans, span, packed.flatten(held))
        last, spilt = packed.restore(flat)
        write_rows(last_ref, last)
        write_rows(spilt_ref, spilt)

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
