"""Which steps of a fixed grid to save, where that is a regular pattern."""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import numpy as np

from .._types import Array, Float
from ..matrices._checks import is_concrete
from ._clock import Grid


class SavePlan(NamedTuple):
    """`lead` steps, then `num_saves` saves `stride` steps apart, then `tail` steps.

    `fn(t, y, args)` is what to save of one lane, the state if `None`.
    """

    lead: int | Array
    stride: int | Array
    tail: int | Array
    num_saves: int
    fn: Callable | None = None

    @property
    def counts(self) -> np.ndarray:
        """Steps before each save, shape `(num_saves,)`."""
        return int(self.lead) + int(self.stride) * np.arange(self.num_saves)

    @property
    def num_steps(self) -> int | Array:
        """All steps."""
        return self.lead + self.stride * (self.num_saves - 1) + self.tail

    def with_any_counts(self) -> "SavePlan":
        """Return the plan with counts that a compiled program takes as arguments.

        All but a count of 0, whose loop the program can do without.
        """

        def any_count(count: int | Array) -> Any:
            return np.asarray(count) if count else 0

        return self._replace(
            lead=any_count(self.lead),
            stride=any_count(self.stride),
            tail=any_count(self.tail),
        )


def plan_saves(
    saveat: diffrax.SaveAt | None, ts: Float[Array, " time"] | np.ndarray, grid: Grid
) -> SavePlan | None:
    """Return the saves of `ts`, or of `saveat` if given; `None` if they are irregular.

    Irregular is what falls between steps or is unevenly spaced, times traced by JAX,
    and a `saveat` that asks for more than saves (dense output, solver states).
    """
    if not isinstance(grid.num_steps, int):
        return None
    if saveat is None:
        if grid.stride is None:
            return None
        return SavePlan(0, grid.stride, 0, len(ts))
    sub = saveat.subs
    extra = saveat.dense, saveat.solver_state, saveat.controller_state, saveat.made_jump
    if not isinstance(sub, diffrax.SubSaveAt) or any(extra):
        return None
    counts = _counts(sub, ts, grid)
    if counts is None:
        return None
    strides = np.diff(counts)
    if np.any(strides <= 0) or np.any(strides != strides[:1]):
        return None
    lead, tail = int(counts[0]), grid.num_steps - int(counts[-1])
    fn = None if sub.fn is diffrax.SubSaveAt(t1=True).fn else sub.fn
    return SavePlan(lead, int([*strides, 1][0]), tail, len(counts), fn)


def _counts(
    sub: diffrax.SubSaveAt, ts: Float[Array, " time"] | np.ndarray, grid: Grid
) -> np.ndarray | None:
    """Return the steps before each save in diffrax's order, if all are whole."""
    steps = grid.num_steps
    assert isinstance(steps, int)
    counts = [np.zeros(1, int)] if sub.t0 else []
    if sub.ts is not None:
        if sub.steps or not (is_concrete(sub.ts) and is_concrete(ts)):
            return None
        times = np.asarray(sub.ts, np.float64)
        step = (ts[-1] - ts[0]) / steps
        exact = (times - ts[0]) / step
        whole = np.round(exact)
        # What the times lost when they were rounded to their dtype, in steps.
        rounding = 4 * np.finfo(sub.ts.dtype).eps * np.max(np.abs(times)) / step
        off_grid = np.abs(exact - whole) > max(1e-6, rounding)
        if np.any(off_grid) or whole.min() < 0 or whole.max() > steps:
            return None
        counts.append(whole.astype(int))
    if sub.steps:
        counts.append(np.arange(sub.steps, steps + 1, sub.steps))
    if sub.t1 and not (sub.steps and steps % sub.steps == 0):
        counts.append(np.full(1, steps))
    found = np.concatenate(counts)
    return found if found.size else None
