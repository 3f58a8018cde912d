"""Solve many trajectories at once, at the speed of the machine."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._results import RESULTS, mark_nonfinite, throw_unless_okay
from .._types import Array, ArrayLike, Float, PyTree, ScalarLike
from ..fields import AbstractField
from ._base import AbstractFieldSolver
from ._checks import check_state, check_step, check_times, constant_step
from ._clock import lay_grid
from ._fixed_steps import (
    alive,
    fixed_step,
    guarded,
    has_fixed_step,
    overflow_is_possible,
    repeat,
)
from ._lanes import (
    finite_lanes,
    lanes_last,
    mark_lanes,
    materialise_lanes,
    replace_lanes,
)
from ._shares import chunk_size, in_chunks, shard
from ._simulate import simulate


def simulate_ensemble(
    model: AbstractField,
    y0: ArrayLike | Sequence,
    ts: ArrayLike | Sequence,
    *,
    dt0: ScalarLike | None = None,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
    model_axes: PyTree = None,
    stepsize_controller: diffrax.AbstractStepSizeController | None = None,
    event: diffrax.Event | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
    max_steps: int | None = None,
    throw: bool = False,
) -> diffrax.Solution:
    r"""Solve a batch of trajectories, of one model or of one model per lane.

    Constant steps over evenly spaced concrete `ts`, with an explicit Runge–Kutta
    method of diffrax or any solver of this package, run in one compiled loop with
    the lanes last in memory, cut into chunks that fit the cache and sharded over all
    local devices. Everything else (adaptive steps, events, other solvers, a given
    adjoint, times traced by JAX) runs `simulate` under `vmap`: same results, slower.

    A lane that fails costs that lane only, in values and in gradients of the others:
    its `ys` are NaN from the start and `result` says why.

    **Arguments:** as [`simulate`][ctrnn_jax.integrate.simulate], except

    - `y0`: initial states, shape `(batch, n)`.
    - `model_axes`: which arrays of `model` lead with the lane axis: `None` for one
      shared model, 0 for one per lane (built with `eqx.filter_vmap`), or a pytree of
      the model's structure with 0 or `None` at its arrays.
    - `inputs`: one u(t) for all lanes; it may return `(m, batch)` to tell them apart
      (on one device and in one chunk, so prefer lanes that share u).
    - `throw`: raise if any lane fails. Off by default: look at `solution.result`.

    **Returns:** a `diffrax.Solution` with `ts` `(time,)`, `ys` `(batch, time, n)` and
    `result` of shape `(batch,)`.

    **Raises:** as `simulate`; `ValueError` too if the lanes of model and `y0` differ.
    """
    if not isinstance(model, AbstractField):
        raise ValueError(
            "simulate_ensemble needs a VoltageCTRNN or RateCTRNN; for another "
            "function use jax.vmap over simulate."
        )
    solver = diffrax.Tsit5() if solver is None else solver
    batch = (*np.shape(y0), 0)[0]
    mask = mark_lanes(model, model_axes, batch)
    single = _one_lane(model, mask)
    state = check_state(y0, single, ndim=2)
    times = check_times(ts, state.dtype)
    if dt0 is not None:
        check_step(dt0)
    if isinstance(solver, AbstractFieldSolver):
        solver.check(single)
    constant = stepsize_controller is None or isinstance(
        stepsize_controller, diffrax.ConstantStepSize
    )
    grid = lay_grid(times, constant_step(dt0), state.dtype) if constant else None
    plain = event is None and adjoint is None and max_steps is None
    if grid is None or grid.stride is None or not plain or not has_fixed_step(solver):
        return _run_vmapped(
            model,
            mask,
            state,
            times,
            dt0,
            inputs,
            throw,
            solver=solver,
            stepsize_controller=stepsize_controller,
            event=event,
            adjoint=adjoint,
            max_steps=max_steps,
        )
    ys, result = _run_fixed(
        model,
        mask,
        state,
        jnp.asarray(times[0], state.dtype),
        grid.step,
        solver,
        inputs,
        len(times) - 1,
        grid.stride,
        throw,
    )
    return diffrax.Solution(
        t0=jnp.asarray(times[0], state.dtype),
        t1=jnp.asarray(times[-1], state.dtype),
        ts=jnp.asarray(times, state.dtype),
        ys=ys,
        interpolation=None,
        stats={"num_steps": grid.num_steps},
        result=result,
        solver_state=None,
        controller_state=None,
        made_jump=None,
        event_mask=None,
    )


def _one_lane(model: AbstractField, mask: PyTree) -> AbstractField:
    """Return the model of the first lane, for checks of shape and structure."""
    return jax.tree.map(lambda leaf, own: leaf[0] if own else leaf, model, mask)


@eqx.filter_jit
def _run_fixed(
    model: AbstractField,
    mask: PyTree,
    y0: Float[Array, "batch n"],
    origin: Float[Array, ""],
    step: Float[Array, ""],
    solver: diffrax.AbstractSolver,
    inputs: PyTree,
    intervals: int,
    stride: int,
    throw: bool,
) -> tuple[Float[Array, "batch time n"], RESULTS]:
    ok = finite_lanes(model, mask, y0)
    own, shared = eqx.partition(model, mask)
    own = jax.tree.map(partial(replace_lanes, ok, fill=1.0), own)
    start = replace_lanes(ok, y0, 0.0)

    def run(
        own: PyTree, start: Float[Array, "lanes n"], everywhere: PyTree
    ) -> tuple[Float[Array, "lanes time n"], RESULTS]:
        shared, inputs, origin, step = everywhere
        field = eqx.combine(own, shared)
        return _run_chunks(
            field, mask, start, inputs, origin, step, solver, intervals, stride
        )

    ys, result = shard(run, own, start, (shared, inputs, origin, step))
    # A frozen lane is finite, but past the bound at which it was frozen.
    finite = ok & alive(ys[:, -1].T)
    result = mark_nonfinite(~finite, result)
    ys = jnp.where(finite[:, None, None], ys, jnp.nan)
    if throw:
        ys = throw_unless_okay(ys, result)
    return ys, result


def _run_chunks(
    field: AbstractField,
    mask: PyTree,
    start: Float[Array, "lanes n"],
    inputs: PyTree,
    origin: Float[Array, ""],
    step: Float[Array, ""],
    solver: diffrax.AbstractSolver,
    intervals: int,
    stride: int,
) -> tuple[Float[Array, "lanes time n"], RESULTS]:
    """Advance the lanes of one device, a cache-sized chunk at a time."""
    own, shared = eqx.partition(field, mask)

    def run(
        own: PyTree, start: Float[Array, "chunk n"]
    ) -> tuple[Float[Array, "chunk time n"], RESULTS]:
        return _run_lanes(
            eqx.combine(own, shared),
            mask,
            start,
            inputs=inputs,
            origin=origin,
            step=step,
            solver=solver,
            intervals=intervals,
            stride=stride,
        )

    chunk = chunk_size(
        start.shape[1],
        start.dtype.itemsize,
        per_lane=any(jax.tree.leaves(mask.weight)),
    )
    return in_chunks(run, own, start, chunk=chunk)


def _run_lanes(
    field: AbstractField,
    mask: PyTree,
    start: Float[Array, "lanes n"],
    *,
    inputs: PyTree,
    origin: Float[Array, ""],
    step: Float[Array, ""],
    solver: diffrax.AbstractSolver,
    intervals: int,
    stride: int,
) -> tuple[Float[Array, "lanes time n"], RESULTS]:
    y0 = start.T
    batched = any(jax.tree.leaves(mask.weight))
    structured = batched and field.weight.independent_sets is not None
    by_lane = False
    if isinstance(solver, AbstractFieldSolver) and (
        structured or not solver.steps_lanes
    ):
        by_lane = True
        advance, begin = _by_lane(solver, *materialise_lanes(field, mask), inputs)
    else:
        advance, begin = _all_lanes(solver, lanes_last(field, mask), inputs)

    def body(index: Array, state: PyTree) -> PyTree:
        y, carry, result = state
        t = origin + index.astype(step.dtype) * step
        y, carry, outcome = advance(t, step, y, carry)
        if by_lane:
            result = _first_failure(result, outcome)
        return y, carry, result

    def interval(state: PyTree, first: Array) -> tuple[PyTree, Array]:
        state = repeat(body, first, stride, state)
        return state, state[0]

    success = jax.tree.map(lambda leaf: jnp.full(y0.shape[1], leaf), RESULTS.successful)
    state = (y0, begin(origin, step, y0), success)
    state, saved = jax.lax.scan(interval, state, stride * jnp.arange(intervals))
    ys = jnp.concatenate([y0[None], saved])
    return jnp.transpose(ys, (2, 0, 1)), state[2]


def _first_failure(old: RESULTS, new: RESULTS) -> RESULTS:
    """Keep the first failure of each lane."""
    return jax.vmap(lambda old, new: RESULTS.where(diffrax.is_okay(old), new, old))(
        old, new
    )


def _all_lanes(
    solver: diffrax.AbstractSolver, field: AbstractField, inputs: PyTree
) -> tuple[Callable, Callable]:
    """Advance an array of lanes `(n, lanes)` by array operations."""
    step = fixed_step(solver)
    if overflow_is_possible(field):
        step = guarded(step)

    def advance(t: Array, h: Array, y: Array, carry: PyTree) -> PyTree:
        return step(field, t, h, y, inputs, carry)

    def begin(t: Array, h: Array, y: Array) -> PyTree:
        if isinstance(solver, AbstractFieldSolver):
            return solver.start(field, t, h, y, inputs)
        return None

    return advance, begin


def _by_lane(
    solver: AbstractFieldSolver, field: AbstractField, mask: PyTree, inputs: PyTree
) -> tuple[Callable, Callable]:
    """Advance each lane by itself under vmap: implicit or structured and batched."""
    own, shared = eqx.partition(field, mask)
    step = solver.advance
    if overflow_is_possible(field):
        step = guarded(step)

    def advance(t: Array, h: Array, y: Array, carry: PyTree) -> PyTree:
        def one(own: PyTree, y: Array, carry: PyTree) -> PyTree:
            return step(eqx.combine(own, shared), t, h, y, inputs, carry)

        return jax.vmap(one, in_axes=(0, -1, 0), out_axes=(-1, 0, 0))(own, y, carry)

    def begin(t: Array, h: Array, y: Array) -> PyTree:
        def one(own: PyTree, y: Array) -> PyTree:
            return solver.start(eqx.combine(own, shared), t, h, y, inputs)

        return jax.vmap(one, in_axes=(0, -1))(own, y)

    return advance, begin


def _run_vmapped(
    model: AbstractField,
    mask: PyTree,
    y0: Float[Array, "batch n"],
    times: ArrayLike,
    dt0: ScalarLike | None,
    inputs: PyTree,
    throw: bool,
    **options: object,
) -> diffrax.Solution:
    """Solve every lane with `simulate` under vmap."""
    ok = finite_lanes(model, mask, y0)
    own, shared = eqx.partition(model, mask)
    own = jax.tree.map(partial(replace_lanes, ok, fill=1.0), own)

    def one(own: PyTree, start: Float[Array, " n"]) -> diffrax.Solution:
        return simulate(
            eqx.combine(own, shared),
            start,
            times,
            dt0=dt0,
            inputs=inputs,
            throw=False,
            **options,  # pyright: ignore[reportArgumentType]
        )

    solution = eqx.filter_vmap(one)(own, replace_lanes(ok, y0, 0.0))
    result = mark_nonfinite(~ok, solution.result)
    okay = diffrax.is_okay(result)
    ys = jnp.where(okay[:, None, None], solution.ys, jnp.nan)
    if throw:
        ys = throw_unless_okay(ys, result)
    return dataclasses.replace(
        solution,
        t0=solution.t0[0],
        t1=solution.t1[0],
        ts=solution.ts[0],
        ys=ys,
        result=result,
    )
