"""The compiled loop of fixed steps over many lanes, as XLA runs it."""

from collections.abc import Callable
from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from .._results import RESULTS
from .._types import Array, Bool, Float, PyTree
from ..fields import AbstractField
from ._base import AbstractFieldSolver
from ._fixed_steps import alive, fixed_step, guarded, overflow_is_possible, repeat
from ._lanes import LaneField, lanes_first, lanes_last
from ._reductions import OneLane
from ._saves import SavePlan


class Run(NamedTuple):
    """What all lanes share but the model: what to do, and how far.

    `plan.lead`, `stride` and `tail` are integers, or traced integers where nothing
    is differentiated: then one program serves any number of steps.
    """

    origin: Float[Array, ""] | np.ndarray
    step: Float[Array, ""] | np.ndarray
    plan: SavePlan
    solver: diffrax.AbstractSolver
    inputs: PyTree
    reductions: PyTree

    def time(self, count: int | Array) -> Array:
        """Return the time after `count` steps."""
        counted = jnp.asarray(count).astype(self.step.dtype)
        return jnp.asarray(self.origin) + counted * self.step

    def save(self, count: int | Array, y: Float[Array, "n lanes"]) -> PyTree:
        """Return what to save of all lanes, which stay on the last axis."""
        fn, t = self.plan.fn, self.time(count)
        if fn is None:
            return y
        return jax.vmap(lambda y: fn(t, y, self.inputs), in_axes=-1, out_axes=-1)(y)


def run_in_xla(
    field: AbstractField, mask: PyTree, start: Float[Array, "lanes n"], run: Run
) -> tuple[PyTree, PyTree, Bool[Array, " lanes"], RESULTS]:
    """Advance the lanes of one chunk; return saves, reductions, which are finite."""
    plan = run.plan
    lanes, advance, begin, by_lane = _stepper(field, mask, run)
    one = OneLane.of(run.reductions, overflow_is_possible(field))
    watch = _Watch(one, lanes)

    def body(index: Array, state: PyTree) -> PyTree:
        y, carry, result, watched = state
        y, carry, outcome = advance(run.time(index), run.step, y, carry)
        if by_lane:
            result = _first_failure(result, outcome)
        return y, carry, result, watch.update(y, index + 1, watched)

    def interval(state: PyTree, first: Array) -> tuple[PyTree, PyTree]:
        state = repeat(body, first, plan.stride, state)
        return state, run.save(first + plan.stride, state[0])

    y0 = start.T
    success = jax.tree.map(lambda leaf: jnp.full(y0.shape[1], leaf), RESULTS.successful)
    state = y0, begin(run.time(0), run.step, y0), success, watch.init(y0)
    state = repeat(body, jnp.asarray(0), plan.lead, state)
    saved = jax.tree.map(lambda leaf: leaf[None], run.save(plan.lead, state[0]))
    more = plan.num_saves - 1
    if more:
        firsts = plan.lead + plan.stride * jnp.arange(more)
        state, rest = jax.lax.scan(interval, state, firsts)
        saved = jax.tree.map(lambda *parts: jnp.concatenate(parts), saved, rest)
    last = jnp.asarray(plan.lead + plan.stride * more)
    y, _, result, watched = repeat(body, last, plan.tail, state)
    saved = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), saved)
    reduced = one.finish(watched, last + plan.tail, lanes=-1)
    return saved, reduced, alive(y), result


class _Watch(NamedTuple):
    """All reductions of a run, over all lanes; their carries have the lanes last."""

    one: OneLane
    lanes: LaneField

    def init(self, y: Float[Array, "n lanes"]) -> list[PyTree]:
        return self.lanes.map(self.one.init, (-1,), -1)(y) if self._any else []

    def update(
        self, y: Float[Array, "n lanes"], index: Array, carries: list[PyTree]
    ) -> list[PyTree]:
        if not self._any:
            return []
        return self.lanes.map(self.one.update, (-1, None, -1), -1)(y, index, carries)

    @property
    def _any(self) -> bool:
        return bool(self.one.reductions)


def _first_failure(old: RESULTS, new: RESULTS) -> RESULTS:
    """Keep the first failure of each lane."""
    return jax.vmap(lambda old, new: RESULTS.where(diffrax.is_okay(old), new, old))(
        old, new
    )


def _stepper(
    field: AbstractField, mask: PyTree, run: Run
) -> tuple[LaneField, Callable, Callable, bool]:
    """Return the built field, a step, its first carry, and whether `result` is theirs.

    It is where lanes are stepped one by one under `vmap`: those of implicit solvers,
    and of structured weights that differ between lanes.
    """
    solver, inputs = run.solver, run.inputs
    structured = (
        any(jax.tree.leaves(mask.weight)) and field.weight.independent_sets is not None
    )
    by_lane = isinstance(solver, AbstractFieldSolver) and (
        structured or not solver.steps_lanes
    )
    lanes = (lanes_first if by_lane else lanes_last)(field, mask)
    step = fixed_step(solver)
    if overflow_is_possible(field):
        step = guarded(step)

    def advance(t: Array, h: Array, y: Array, carry: PyTree) -> PyTree:
        def one(field: AbstractField, y: Array, carry: PyTree) -> PyTree:
            return step(field, t, h, y, inputs, carry)

        if by_lane:
            return lanes.map(one, (-1, 0), (-1, 0, 0))(y, carry)
        return one(lanes.field, y, carry)

    def begin(t: Array, h: Array, y: Array) -> PyTree:
        if not isinstance(solver, AbstractFieldSolver):
            return None

        start = solver.start

        def one(field: AbstractField, y: Array) -> PyTree:
            return start(field, t, h, y, inputs)

        return lanes.map(one, (-1,), 0)(y) if by_lane else one(lanes.field, y)

    return lanes, advance, begin, by_lane
