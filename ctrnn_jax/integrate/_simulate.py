"""Solve one trajectory: diffrax, with its silent failures made loud."""

import dataclasses
from collections.abc import Callable, Sequence

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._results import RESULTS, mark_nonfinite, throw_unless_okay
from .._types import Array, ArrayLike, Float, Int, PyTree, ScalarLike
from ..fields import AbstractField, materialise
from ._base import AbstractFieldSolver
from ._checks import (
    check_increasing,
    check_state,
    check_step,
    check_times,
    constant_step,
)
from ._clock import ClockInterpolation, ClockTerm, Grid, lay_grid
from ._reversible import (
    ReversibleAdjoint,
    choose_adjoint,
    counts_on_steps,
)
from ._reversible_solve import solve_reversibly
from ._splitting import CoordinateSplitting, Leapfrog

_ADAPTIVE_MAX_STEPS = 2**16


def simulate(
    model: Callable,
    y0: ArrayLike | Sequence,
    ts: ArrayLike | Sequence,
    *,
    dt0: ScalarLike | None = None,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
    stepsize_controller: diffrax.AbstractStepSizeController | None = None,
    saveat: diffrax.SaveAt | None = None,
    event: diffrax.Event | None = None,
    adjoint: diffrax.AbstractAdjoint | str | None = None,
    max_steps: int | None = None,
    throw: bool = True,
) -> diffrax.Solution:
    r"""Solve one trajectory of a model from `y0` over `ts`.

    With a constant step size (the default) the span of `ts` is divided into equal
    steps no longer than `dt0`, counted by an integer, so the last step is never
    short and time never drifts. Evenly spaced saves always fall on a step.

    **Arguments:**

    - `model`: a `VoltageCTRNN`, `RateCTRNN`, or any `f(t, y, args)` on an array.
    - `y0`: initial state, shape `(n,)`, of the model's dtype.
    - `ts`: times to save, shape `(time,)`, strictly increasing; the first and last
      are the span. In units of `tau`.
    - `dt0`: the longest step (constant steps), or the first one (adaptive; `None`
      lets the controller choose).
    - `solver`: any diffrax solver or one of `ctrnn_jax.integrate`; default
      `diffrax.Tsit5()`.
    - `inputs`: u(t), a callable returning `(m,)`, `SampledInputs`, or a diffrax path;
      for a plain function, whatever it expects as `args`.
    - `stepsize_controller`: default `diffrax.ConstantStepSize()`.
    - `saveat`: overrides what `ts` saves (steps, dense output, a function of the
      state); `ts` still gives the span.
    - `event`: as in `diffrax.diffeqsolve`.
    - `adjoint`: how to differentiate: one of diffrax (the default is its
      `RecursiveCheckpointAdjoint()`),
      [`ReversibleAdjoint()`][ctrnn_jax.integrate.ReversibleAdjoint] for constant
      memory with a splitting solver, or `"auto"`, which takes that wherever it
      applies, leaks aside.
    - `max_steps`: default just enough for constant steps, 65 536 for adaptive ones.
    - `throw`: raise if the solve fails; otherwise look at `solution.result`.

    **Returns:** a `diffrax.Solution` with `ts` `(time,)`, `ys` `(time, n)`, `stats` and
    `result`, a member of `ctrnn_jax.RESULTS`.

    **Raises:** `ValueError` for a bad argument, saying what to change. With
    `throw=True` a runtime error for a failed solve: `nonfinite` (NaN or infinity in
    the state, which diffrax itself reports as success), `max_steps_reached`,
    `dt_min_reached`, or a non-linear solver's failure. Under `vmap` one failure
    fails the batch; use `simulate_ensemble` for a status per lane.
    """
    solver = diffrax.Tsit5() if solver is None else solver
    controller = (
        diffrax.ConstantStepSize()
        if stepsize_controller is None
        else stepsize_controller
    )
    state = check_state(y0, model, ndim=1)
    times = check_times(ts, state.dtype)
    if dt0 is not None:
        check_step(dt0)
    if isinstance(solver, AbstractFieldSolver) and isinstance(model, AbstractField):
        solver.check(model)
    constant = isinstance(controller, diffrax.ConstantStepSize)
    grid = lay_grid(times, constant_step(dt0), state.dtype) if constant else None
    options = {
        "stepsize_controller": None if constant else controller,
        "saveat": saveat,
        "event": event,
        "max_steps": max_steps,
    }
    adjoint = choose_adjoint(adjoint, model, solver, grid, state.dtype, options)
    if isinstance(adjoint, ReversibleAdjoint):
        field, splitting = adjoint.accept(model, solver, options)
        assert grid is not None
        return _solve_reversibly(
            field,
            state,
            times,
            grid,
            counts_on_steps(grid),
            splitting,
            inputs,
            adjoint,
            throw,
        )
    adjoint = diffrax.RecursiveCheckpointAdjoint() if adjoint is None else adjoint
    if grid is not None:
        return _solve_on_grid(
            model,
            state,
            times,
            # Arrays, so that another number of steps is not another program.
            jnp.asarray(grid.num_steps, state.dtype),
            jnp.asarray(grid.step),
            jnp.asarray(grid.counts),
            solver,
            inputs,
            saveat,
            event,
            adjoint,
            _enough_steps(grid, max_steps),
            throw,
        )
    if isinstance(solver, AbstractFieldSolver):
        raise ValueError(
            f"{type(solver).__name__} needs a constant step size: it makes no error "
            "estimate, and changing the step would break the structure it keeps. Drop "
            "stepsize_controller, or use diffrax.Tsit5()."
        )
    return _solve_adaptively(
        model,
        state,
        jnp.asarray(times, state.dtype),
        None if dt0 is None else jnp.asarray(dt0, state.dtype),
        solver,
        inputs,
        controller,
        saveat,
        event,
        adjoint,
        _ADAPTIVE_MAX_STEPS if max_steps is None else max_steps,
        throw,
    )


def _enough_steps(grid: Grid, max_steps: int | None) -> int:
    """Return a static bound on the steps, rounded up so that few programs are built."""
    if max_steps is not None:
        return max_steps
    if isinstance(grid.num_steps, int):
        return 1 << max(grid.num_steps - 1, 15).bit_length()
    return _ADAPTIVE_MAX_STEPS


@eqx.filter_jit
def _solve_on_grid(
    model: PyTree,
    y0: Float[Array, " n"],
    ts: Float[Array, " time"] | np.ndarray,
    num_steps: Float[Array, ""],
    step: Float[Array, ""],
    counts: Float[Array, " time"],
    solver: diffrax.AbstractSolver,
    inputs: PyTree,
    saveat: diffrax.SaveAt | None,
    event: diffrax.Event | None,
    adjoint: diffrax.AbstractAdjoint,
    max_steps: int,
    throw: bool,
) -> diffrax.Solution:
    times = check_increasing(jnp.asarray(ts, y0.dtype))
    term = ClockTerm(_prepare(model), times[0], step)
    wanted = diffrax.SaveAt(ts=counts) if saveat is None else saveat
    if saveat is not None:
        wanted = _on_clock(saveat, term)
    solution = _diffeqsolve(
        term,
        solver,
        jnp.zeros((), y0.dtype),
        num_steps,
        jnp.ones((), y0.dtype),
        y0,
        inputs,
        wanted,
        diffrax.ConstantStepSize(),
        None if event is None else _event_on_clock(event, term),
        adjoint,
        max_steps,
    )
    interpolation = solution.interpolation
    if interpolation is not None:
        interpolation = ClockInterpolation(interpolation, times[0], step)
    solution = dataclasses.replace(
        solution,
        t0=times[0],
        t1=times[-1] if event is None else term.time(solution.t1),
        ts=times if saveat is None else jax.tree.map(term.time, solution.ts),
        interpolation=interpolation,
    )
    return throw_unless_okay(solution, solution.result) if throw else solution


@eqx.filter_jit
def _solve_reversibly(
    model: AbstractField,
    y0: Float[Array, " n"],
    ts: Float[Array, " time"] | np.ndarray,
    grid: Grid,
    counts: Int[Array, " time"],
    solver: CoordinateSplitting | Leapfrog,
    inputs: PyTree,
    adjoint: ReversibleAdjoint,
    throw: bool,
) -> diffrax.Solution:
    times = check_increasing(jnp.asarray(ts, y0.dtype))
    ys, lost = solve_reversibly(
        model,
        y0,
        inputs,
        times[0],
        grid.step,
        counts,
        solver,
        adjoint.storage(y0.dtype),
    )
    result = mark_nonfinite(lost, RESULTS.successful)
    solution = diffrax.Solution(
        t0=times[0],
        t1=times[-1],
        ts=times,
        ys=ys,
        interpolation=None,
        stats={"num_steps": counts[-1]},
        result=result,
        solver_state=None,
        controller_state=None,
        made_jump=None,
        event_mask=None,
    )
    if throw:
        solution = eqx.error_if(solution, lost, adjoint.out_of_range(y0.dtype))
    return solution


@eqx.filter_jit
def _solve_adaptively(
    model: PyTree,
    y0: Float[Array, " n"],
    ts: Float[Array, " time"],
    dt0: Array | None,
    solver: diffrax.AbstractSolver,
    inputs: PyTree,
    controller: diffrax.AbstractStepSizeController,
    saveat: diffrax.SaveAt | None,
    event: diffrax.Event | None,
    adjoint: diffrax.AbstractAdjoint,
    max_steps: int,
    throw: bool,
) -> diffrax.Solution:
    ts = check_increasing(ts)
    solution = _diffeqsolve(
        diffrax.ODETerm(_prepare(model)),
        solver,
        ts[0],
        ts[-1],
        dt0,
        y0,
        inputs,
        diffrax.SaveAt(ts=ts) if saveat is None else saveat,
        controller,
        event,
        adjoint,
        max_steps,
    )
    return throw_unless_okay(solution, solution.result) if throw else solution


def _diffeqsolve(
    term: diffrax.AbstractTerm,
    solver: diffrax.AbstractSolver,
    t0: Array,
    t1: Array,
    dt0: Array | None,
    y0: Float[Array, " n"],
    inputs: PyTree,
    saveat: diffrax.SaveAt,
    controller: diffrax.AbstractStepSizeController,
    event: diffrax.Event | None,
    adjoint: diffrax.AbstractAdjoint,
    max_steps: int,
) -> diffrax.Solution:
    """Run diffrax, and let the final state too decide whether it succeeded."""
    # Backsolve refuses a second thing to save; there the last sample stands in.
    watched = not isinstance(adjoint, diffrax.BacksolveAdjoint)
    if watched:
        final_save = (saveat.subs, diffrax.SubSaveAt(t1=True))
        saveat = eqx.tree_at(
            lambda s: s.subs, saveat, final_save, is_leaf=lambda x: x is None
        )
    solution = diffrax.diffeqsolve(
        term,
        solver,
        t0,
        t1,
        dt0,
        y0,
        args=inputs,
        saveat=saveat,
        stepsize_controller=controller,
        event=event,
        adjoint=adjoint,
        max_steps=max_steps,
        throw=False,
    )
    if watched:
        assert solution.ts is not None and solution.ys is not None
        (ts, _), (ys, final) = solution.ts, solution.ys
    else:
        ts = solution.ts
        ys = final = solution.ys
        assert final is not None
    # A state that is not finite never recovers, so the last one speaks for all.
    finite = jnp.all(jnp.isfinite(final[-1]))
    result = mark_nonfinite(~finite, solution.result)
    return dataclasses.replace(solution, ts=ts, ys=ys, result=result)


def _prepare(model: PyTree) -> PyTree:
    return materialise(model) if isinstance(model, AbstractField) else model


def _on_clock(saveat: diffrax.SaveAt, term: ClockTerm) -> diffrax.SaveAt:
    def convert(sub: diffrax.SubSaveAt) -> diffrax.SubSaveAt:
        fn = sub.fn
        times = None if sub.ts is None else (sub.ts - term.origin) / term.step
        return eqx.tree_at(
            lambda s: (s.ts, s.fn),
            sub,
            (times, lambda t, y, args: fn(term.time(t), y, args)),
            is_leaf=lambda x: x is None,
        )

    subs = jax.tree.map(
        convert, saveat.subs, is_leaf=lambda x: isinstance(x, diffrax.SubSaveAt)
    )
    return eqx.tree_at(lambda s: s.subs, saveat, subs, is_leaf=lambda x: x is None)


def _event_on_clock(event: diffrax.Event, term: ClockTerm) -> diffrax.Event:
    def convert(condition: object) -> object:
        return lambda t, y, args, **kwargs: condition(term.time(t), y, args, **kwargs)  # pyright: ignore[reportCallIssue]

    conditions = jax.tree.map(convert, event.cond_fn, is_leaf=callable)
    return diffrax.Event(conditions, event.root_finder, event.direction)
