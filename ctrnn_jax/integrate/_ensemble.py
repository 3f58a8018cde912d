"""Solve many trajectories at once, at the speed of the machine."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import diffrax
import equinox as eqx
import jax
import numpy as np

from .._results import RESULTS, mark_nonfinite, throw_unless_okay
from .._types import Array, ArrayLike, Float, PyTree, ScalarLike
from ..fields import AbstractField
from ._base import AbstractFieldSolver
from ._checks import (
    check_state,
    check_step,
    check_times,
    constant_step,
    is_settled,
)
from ._clock import lay_grid
from ._engine import Engine, check_engine, decline, wants_kernel
from ._fixed_steps import has_fixed_step
from ._lane_loop import Run
from ._lanes import (
    blank,
    finite_lanes,
    keep_finite,
    mark_lanes,
    one_lane,
    replace_lanes,
)
from ._memory import check_fits
from ._reductions import check_reductions, is_reduction
from ._reversible import ReversibleAdjoint, choose_adjoint, counts_on_steps
from ._reversible_lanes import run_reversibly
from ._run_fixed import run_fixed
from ._saves import plan_saves
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
    saveat: diffrax.SaveAt | None = None,
    reductions: PyTree = None,
    event: diffrax.Event | None = None,
    adjoint: diffrax.AbstractAdjoint | str | None = None,
    max_steps: int | None = None,
    throw: bool = False,
    engine: Engine = "auto",
) -> diffrax.Solution:
    r"""Solve a batch of trajectories, of one model or of one model per lane.

    Constant steps, with an explicit Runge–Kutta method of diffrax or any solver of
    this package and saves that fall evenly on steps, run in one compiled loop with
    the lanes last in memory, cut into chunks that fit the cache and sharded over all
    local devices. Only what is asked for is kept. Everything else (adaptive steps,
    events, other solvers, an adjoint of diffrax, times traced by JAX) runs `simulate`
    under `vmap`: same results, slower. With `adjoint=ReversibleAdjoint()` gradients
    take constant memory, in the same layout.

    A lane that fails costs that lane only, in values and in gradients of the others:
    its `ys` and reductions are NaN from the start and `result` says why.

    **Arguments:** as [`simulate`][ctrnn_jax.integrate.simulate], except

    - `y0`: initial states, shape `(batch, n)`.
    - `model_axes`: which arrays of `model` lead with the lane axis: `None` for one
      shared model, 0 for one per lane (built with `eqx.filter_vmap`), or a pytree of
      the model's structure with 0 or `None` at its arrays.
    - `inputs`: one u(t) for all lanes; it may return `(m, batch)` to tell them apart
      (on one device and in one chunk, so prefer lanes that share u).
    - `saveat`: overrides what `ts` saves. `diffrax.SaveAt(t1=True)` keeps the final
      states only, `SaveAt(steps=k)` every k-th; its `fn(t, y, args)` sees one lane.
      Of the steps of the compiled loop none are padding, as they are in `simulate`.
    - `reductions`: what to compute along the way without saving states: a pytree of
      [`Minimum`][ctrnn_jax.integrate.Minimum], `Maximum`, `Mean`, `Variance`,
      `MaxChange`, `EnergyDrift`, `Every`, or your own `AbstractReduction`. They see the
      initial state and the state after every step.
    - `throw`: raise if any lane fails. Off by default: look at `solution.result`.
    - `engine`: what runs the compiled loop. `"xla"`; `"pallas"`, one GPU kernel for
      the whole integration; or `"auto"`, on an NVIDIA GPU a kernel that covers the
      call and was run there before, else XLA (the logger `ctrnn_jax` says why at level
      INFO). The two agree to rounding. Without a GPU `"pallas"` runs the kernel in an
      interpreter, slowly. Derivatives are computed in XLA, but for those of
      `ReversibleAdjoint` with `"pallas"`.

    **Returns:** a `diffrax.Solution` with `ts` `(time,)`, `ys` `(batch, time, n)` and
    `result` of shape `(batch,)`; with `reductions`, `stats["reductions"]` is the same
    pytree of results, each leading with the lanes. Where lanes save at steps of their
    own (`SaveAt(steps=...)` with adaptive steps) `ts` is `(batch, time)`.

    **Raises:** as `simulate`; `ValueError` too if the lanes of model and `y0` differ,
    for reductions where the compiled loop cannot be used, and for
    `engine="pallas"` where the kernel cannot, saying why.
    """
    if not isinstance(model, AbstractField):
        raise ValueError(
            "simulate_ensemble needs a VoltageCTRNN or RateCTRNN; for another "
            "function use jax.vmap over simulate."
        )
    check_engine(engine)
    solver = diffrax.Tsit5() if solver is None else solver
    check_reductions(reductions)
    batch = (*np.shape(y0), 0)[0]
    mask = mark_lanes(model, model_axes, batch)
    single = one_lane(model, mask)
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
    options = {
        "stepsize_controller": None if constant else stepsize_controller,
        "saveat": saveat,
        "event": event,
        "max_steps": max_steps,
        "reductions": reductions,
    }
    adjoint = choose_adjoint(adjoint, single, solver, grid, state.dtype, options)
    if isinstance(adjoint, ReversibleAdjoint):
        _, splitting = adjoint.accept(single, solver, options)
        assert grid is not None
        counts = counts_on_steps(grid)
        check_fits(state, len(counts))
        saved, ys, result = run_reversibly(
            model,
            mask,
            state,
            times,
            grid.step,
            counts,
            splitting,
            inputs,
            adjoint,
            engine,
            throw,
        )
        return _solution(saved[0], saved[-1], saved, ys, result, num_steps=counts[-1])
    plan = None if grid is None else plan_saves(saveat, times, grid)
    hindrances = {
        "stepsize_controller": not constant,
        "event": event is not None,
        "adjoint": adjoint is not None,
        "max_steps": max_steps is not None,
        f"solver={type(solver).__name__}()": not has_fixed_step(solver),
        "saves that do not fall evenly on steps": constant and plan is None,
    }
    if plan is None or any(hindrances.values()):
        _refuse_reductions(reductions, hindrances)
        if wants_kernel(engine):
            decline(engine, f"it makes no equal steps by itself ({_names(hindrances)})")
        return _run_vmapped(
            model,
            mask,
            state,
            times,
            throw,
            dt0=dt0,
            solver=solver,
            inputs=inputs,
            stepsize_controller=stepsize_controller,
            saveat=saveat,
            event=event,
            adjoint=adjoint,
            max_steps=max_steps,
        )
    assert grid is not None and isinstance(times, np.ndarray)
    if plan.fn is None:
        check_fits(state, plan.num_saves)
    if saveat is None:
        saved = times
    else:
        saved = times[0] + plan.counts * ((times[-1] - times[0]) / grid.num_steps)
    clock = [np.asarray(t, state.dtype) for t in (times[0], times[-1], saved)]
    # Counts as arguments, so that another number of steps is not another program; but
    # a loop of unknown length has no reverse derivative.
    settled = is_settled((model, state, inputs, reductions, plan.fn))
    run = Run(
        origin=clock[0],
        step=grid.step,
        plan=plan.with_any_counts() if settled else plan,
        solver=solver,
        inputs=inputs,
        reductions=reductions,
    )
    ys, reduced, result, (t0, t1, saved) = run_fixed(
        model, mask, state, run, engine, throw, clock
    )
    stats: dict[str, Any] = {"num_steps": grid.num_steps}
    if reductions is not None:
        stats["reductions"] = reduced
    return _solution(t0, t1, saved, ys, result, **stats)


def _solution(
    t0: Any, t1: Any, ts: PyTree, ys: PyTree, result: RESULTS, **stats: Any
) -> diffrax.Solution:
    """Return a solution of constant steps."""
    return diffrax.Solution(
        t0=t0,
        t1=t1,
        ts=ts,
        ys=ys,
        interpolation=None,
        stats=stats,
        result=result,
        solver_state=None,
        controller_state=None,
        made_jump=None,
        event_mask=None,
    )


def _names(hindrances: dict[str, bool]) -> str:
    return ", ".join(name for name, hinders in hindrances.items() if hinders)


def _refuse_reductions(reductions: PyTree, hindrances: dict[str, bool]) -> None:
    if not jax.tree.leaves(reductions, is_leaf=is_reduction):
        return
    raise ValueError(
        "reductions are computed in the loop of constant steps, which this call "
        f"cannot use because of: {_names(hindrances)}. Drop that, with dt0, evenly "
        "spaced concrete ts and an explicit or structure-preserving solver; or save "
        "states and reduce those."
    )


def _run_vmapped(
    model: AbstractField,
    mask: PyTree,
    y0: Float[Array, "batch n"],
    times: ArrayLike,
    throw: bool,
    **options: Any,
) -> diffrax.Solution:
    """Solve every lane with `simulate` under vmap."""
    ok = finite_lanes(model, mask, y0)
    own, shared = eqx.partition(model, mask)

    def one(own: PyTree, start: Float[Array, " n"]) -> diffrax.Solution:
        lane = eqx.combine(own, shared)
        return simulate(lane, start, times, throw=False, **options)

    start = replace_lanes(ok, y0, 0.0)
    solution = eqx.filter_vmap(one)(keep_finite(ok, own), start)
    result = mark_nonfinite(~ok, solution.result)
    ys = blank(diffrax.is_okay(result), solution.ys)
    if throw:
        ys = throw_unless_okay(ys, result)
    if _has_one_clock(options["stepsize_controller"], options["saveat"]):
        # Lanes save at the same times.
        ts = jax.tree.map(lambda leaf: leaf[0], solution.ts)
        solution = dataclasses.replace(solution, ts=ts)
    if options["event"] is None:
        t0, t1 = solution.t0[0], solution.t1[0]
        solution = dataclasses.replace(solution, t0=t0, t1=t1)
    return dataclasses.replace(solution, ys=ys, result=result)


def _has_one_clock(
    controller: diffrax.AbstractStepSizeController | None,
    saveat: diffrax.SaveAt | None,
) -> bool:
    """Whether all lanes save at the same times: not where they save own steps."""
    if saveat is None or isinstance(controller, diffrax.ConstantStepSize | None):
        return True
    subs = jax.tree.leaves(
        saveat.subs, is_leaf=lambda node: isinstance(node, diffrax.SubSaveAt)
    )
    return not any(sub.steps for sub in subs)
