"""Many lanes by a reversible solve: laid out, cut and shared out like any others."""

from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._results import RESULTS, mark_nonfinite
from .._types import Array, Float, Int, PyTree
from ..fields import AbstractField
from ._engine import decline, wants_kernel, with_kernel
from ._fused import solve_in_kernel
from ._lanes import (
    blank,
    finite_lanes,
    keep_finite,
    lanes_first,
    lanes_last,
    replace_lanes,
)
from ._reversible import ReversibleAdjoint
from ._reversible_solve import solve_reversibly
from ._shares import chunk_size, in_chunks, shard
from ._splitting import CoordinateSplitting, Leapfrog

#: States of the lanes of one device.
Lanes: TypeAlias = Float[Array, "lanes n"]


@eqx.filter_jit
def run_reversibly(
    model: AbstractField,
    mask: PyTree,
    y0: Float[Array, "batch n"],
    ts: Float[Array, " time"] | np.ndarray,
    step: Float[Array, ""] | np.ndarray,
    counts: Int[Array, " time"],
    solver: CoordinateSplitting | Leapfrog,
    inputs: PyTree,
    adjoint: ReversibleAdjoint,
    engine: str,
    throw: bool,
) -> tuple[Float[Array, " time"], Float[Array, "batch time n"], RESULTS]:
    """Return times, states after `counts` steps, and a result a lane."""
    times = jnp.asarray(ts, y0.dtype)
    ok = finite_lanes(model, mask, y0)
    own, shared = eqx.partition(model, mask)
    own, start = keep_finite(ok, own), replace_lanes(ok, y0, 0.0)

    def fused(own: PyTree, start: Lanes, everywhere: PyTree) -> PyTree:
        shared, inputs, origin, step, counts = everywhere
        field = eqx.combine(own, shared)
        return solve_in_kernel(
            field, mask, start, inputs, origin, step, counts, solver, storage
        )

    def plain(own: PyTree, start: Lanes, everywhere: PyTree) -> PyTree:
        shared, inputs, origin, step, counts = everywhere

        def solve(field: AbstractField, y: Array) -> PyTree:
            return solve_reversibly(
                field, y, inputs, origin, step, counts, solver, storage
            )

        def chunk(own: PyTree, start: Float[Array, "chunk n"]) -> PyTree:
            field = eqx.combine(own, shared)
            if per_lane and field.weight.independent_sets is not None:
                return lanes_first(field, mask).map(solve, (0,), (0, 0))(start)
            ys, lost = solve(lanes_last(field, mask).field, start.T)
            return jnp.moveaxis(ys, -1, 0), lost

        itemsize = start.dtype.itemsize
        lanes = chunk_size(start.shape[1], itemsize, per_lane=per_lane)
        return in_chunks(chunk, own, start, chunk=lanes)

    def share(own: PyTree, start: Lanes, everywhere: PyTree) -> PyTree:
        if engine == "pallas":
            return with_kernel(engine, fused, plain, own, start, everywhere)
        if wants_kernel(engine):
            decline(
                engine, "no GPU has yet run its kernels, which engine='pallas' asks for"
            )
        return plain(own, start, everywhere)

    per_lane = any(jax.tree.leaves(mask.weight))
    storage = adjoint.storage(y0.dtype)
    everywhere = (shared, inputs, times[0], jnp.asarray(step), counts)
    ys, lost = shard(share, own, start, everywhere)
    okay = ok & ~lost
    ys = blank(okay, ys)
    if throw:
        ys = eqx.error_if(ys, ~okay, adjoint.out_of_range(y0.dtype))
    success = jax.tree.map(lambda leaf: jnp.full(okay.shape, leaf), RESULTS.successful)
    return times, ys, mark_nonfinite(~okay, success)
