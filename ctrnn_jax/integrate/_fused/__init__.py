"""A whole integration in one launch of a GPU kernel, many lanes at once.

XLA launches several kernels a step, each of which reads and writes the states of all
lanes. Here a lane of few neurons stays in the registers of a thread (`_registers`),
and one of more in a tile of its block (`_tiles`). Both run the functions that XLA
runs, number by number (`_written_out`) or tile by tile (`_on_tiles`), by `_replay`.
What is saved or reduced of a tile by a function of one lane runs on arrays that are
padded (`_observed`). `_reversible` undoes both kinds of lanes for their gradient.
"""

import jax
import jax.numpy as jnp

from ..._results import RESULTS
from ..._types import Array, Bool, Float, PyTree
from ...fields import AbstractField
from .._base import AbstractFieldSolver
from .._lane_loop import Run
from .._splitting import CoordinateSplitting, Leapfrog
from ._layout import check_inputs
from ._refusal import NotFused
from ._registers import MOST_IN_REGISTERS, run_in_registers
from ._reversible import solve_in_kernel
from ._tiles import MOST_IN_TILES, are_plain, run_in_tiles


def run_fused(
    field: AbstractField,
    mask: PyTree,
    start: Float[Array, "lanes n"],
    run: Run,
    *,
    cautious: bool,
) -> tuple[PyTree, PyTree, Bool[Array, " lanes"], RESULTS]:
    """Advance all lanes, as `run_in_xla` does.

    **Raises:** `NotFused`, saying why, for a call that no kernel covers; if `cautious`,
    for one whose kernel was never run on a GPU too.
    """
    solver = run.solver
    if isinstance(solver, AbstractFieldSolver) and not isinstance(
        solver, CoordinateSplitting | Leapfrog
    ):
        raise NotFused(f"{type(solver).__name__} solves equations within a step")
    lanes, size = start.shape
    if lanes == 0 or size == 0:
        raise NotFused("there is nothing to integrate")
    if size > MOST_IN_TILES:
        raise NotFused(
            f"the model has {size} neurons, and kernels take {MOST_IN_TILES} at most"
        )
    check_inputs(field, mask, run.inputs)
    if cautious and size > MOST_IN_REGISTERS and _is_new(mask, run):
        raise NotFused("no GPU has yet run its kernel, which engine='pallas' asks for")
    run_lanes = run_in_registers if size <= MOST_IN_REGISTERS else run_in_tiles
    saved, reduced, finite = run_lanes(field, mask, start, run)
    success = jax.tree.map(lambda leaf: jnp.full(lanes, leaf), RESULTS.successful)
    return saved, reduced, finite, success


def _is_new(mask: PyTree, run: Run) -> bool:
    """Whether a call of many neurons is of a kind that was never run on a GPU."""
    one_by_one = isinstance(run.solver, AbstractFieldSolver)
    own_weights = any(jax.tree.leaves(mask.weight))
    observed = run.plan.fn is not None or not are_plain(run)
    return one_by_one or own_weights or observed or run.inputs is not None


__all__ = ["run_fused", "solve_in_kernel"]
