"""Many orbits in one compiled loop, the lanes last in memory."""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Float, PyTree
from ..fields import AbstractField
from ..integrate._base import AbstractFieldSolver
from ..integrate._lanes import lanes_last, mark_lanes
from ..integrate._shares import in_chunks, lanes_within, shard
from ._flow import Flow, check_solver, check_start, default_solver, make_flow

#: Bytes of the states and tangent vectors of the lanes that are advanced together, on
#: a CPU: a few stages of them stay in the cache (measured, see benchmarks/).
_CHUNK_BYTES = 128 * 1024


def check_lanes(
    field: Callable,
    y0: object,
    solver: diffrax.AbstractSolver | None,
    model_axes: PyTree,
) -> tuple[Float[Array, "batch n"], diffrax.AbstractSolver, PyTree]:
    """Return the states, the solver and a mask of the field's arrays that have lanes.

    **Raises:** `ValueError` for lanes, shapes or a solver that do not fit.
    """
    if isinstance(field, AbstractField):
        batch = (*jnp.shape(y0), 0)[0]  # pyright: ignore[reportArgumentType]
        mask = mark_lanes(field, model_axes, batch)
        single = jax.tree.map(lambda leaf, own: leaf[0] if own else leaf, field, mask)
    elif model_axes is not None:
        raise ValueError(
            "model_axes needs a VoltageCTRNN or RateCTRNN; for another function use "
            "jax.vmap over the parameters."
        )
    else:
        single = field
        mask = jax.tree.map(lambda leaf: False, field)
    state = check_start(y0, single, ndim=2)
    solver = default_solver(single) if solver is None else solver
    check_solver(single, solver)
    own = any(jax.tree.leaves(mask))
    if own and isinstance(solver, AbstractFieldSolver) and not solver.steps_lanes:
        raise ValueError(
            f"{type(solver).__name__} solves an equation for each lane and cannot step "
            "lanes whose models differ; use jax.vmap over the single orbits, or "
            "CoordinateSplitting()."
        )
    return state, solver, mask


def run_lanes(
    measure: Callable[[Flow, Float[Array, "n lanes"]], PyTree],
    field: PyTree,
    mask: PyTree,
    y0: Float[Array, "batch n"],
    *,
    step: Float[Array, ""],
    t0: Float[Array, ""],
    solver: diffrax.AbstractSolver,
    inputs: PyTree,
    width: int,
) -> PyTree:
    """Call `measure` on chunks of lanes, shared out over the local devices.

    `width` is how many vectors of size n go with a lane; `measure` returns arrays
    that lead with the lanes, as does the result.
    """
    own, shared = eqx.partition(field, mask)
    size = y0.shape[1]
    if isinstance(field, AbstractField) and any(jax.tree.leaves(mask.weight)):
        width = width + size
    chunk = lanes_within(_CHUNK_BYTES, width * size * y0.dtype.itemsize)

    def run(own: PyTree, start: Float[Array, "lanes n"], everywhere: PyTree) -> PyTree:
        shared, inputs, step, t0 = everywhere

        def part(own: PyTree, start: Float[Array, "chunk n"]) -> PyTree:
            whole = eqx.combine(own, shared)
            if isinstance(whole, AbstractField):
                whole = lanes_last(whole, mask).field
            flow = make_flow(
                whole, start.T, dt=step, t0=t0, solver=solver, inputs=inputs
            )
            return measure(flow, start.T)

        return in_chunks(part, own, start, chunk=chunk)

    return shard(run, own, y0, (shared, inputs, step, t0))


def lanes_first(tree: PyTree, *, single: bool) -> PyTree:
    """Put the last axis of each array first, unless they belong to one orbit."""
    if single:
        return tree
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), tree)
