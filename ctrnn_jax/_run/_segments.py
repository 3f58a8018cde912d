"""The solve itself, cut into segments so that it can stop and go on."""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._results import RESULTS
from .._types import Array, Float, Int
from ..fields import AbstractField
from ..integrate import simulate_ensemble
from ..invariants import energy
from ._build import Problem
from ._checkpoint import Checkpoint, Segment
from ._config import Config

OKAY = 0
#: A member of `RESULTS` is stored as its place in this list.
STATUS_NAMES = list(RESULTS._name_to_item)  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True)
class Samples:
    """All samples of a run.

    - `ts`: times, shape `(time,)`.
    - `ys`: states, shape `(batch, time, n)`; NaN from the segment on in which a lane
      failed.
    - `energy`: energies, shape `(batch, time)`, or `None` if the model has none.
    - `status`: index in `STATUS_NAMES`, shape `(batch,)`.
    - `no_energy`: why there is no conserved energy, or `None`.
    """

    ts: np.ndarray
    ys: np.ndarray
    energy: np.ndarray | None
    status: np.ndarray
    no_energy: str | None


def segment_lengths(config: Config) -> list[int]:
    """Return the number of samples of each segment, the initial one not counted."""
    intervals = config.values["time.saves"] - 1
    length = config.values["run.segment"]
    full, rest = divmod(intervals, length)
    return [length] * full + [rest] * (rest > 0)


def run_segments(
    config: Config,
    problem: Problem,
    checkpoint: Checkpoint,
    *,
    advanced: Callable[[int], None],
    remark: Callable[[str], None],
) -> Samples:
    """Solve segment by segment, from where the checkpoint ends.

    Each segment is solved by the same program from the last saved state of the one
    before, on times counted from its own start (the field does not depend on time),
    so that it does not matter which process computed which. `advanced` is told the
    number of samples added, `remark` what there is to say about the checkpoint.
    """
    values = config.values
    lengths = segment_lengths(config)
    batch, size = problem.y0.shape
    gap = (values["time.t1"] - values["time.t0"]) / (values["time.saves"] - 1)
    no_energy = why_no_energy(problem)
    ys = np.full((batch, values["time.saves"], size), np.nan, problem.y0.dtype)
    ys[:, 0] = problem.y0
    energies = None
    if no_energy is None:
        energies = np.full(ys.shape[:2], np.nan, ys.dtype)
        energies[:, 0] = energy(problem.model, problem.y0)
    status = np.zeros(batch, np.int32)
    advance = _advance_by(problem, gap, values["time.dt0"], no_energy is None)
    last, resuming = 0, True
    for index, length in enumerate(lengths):
        segment = None
        if resuming:
            segment, damage = checkpoint.load(index, (batch, length, size))
            resuming = segment is not None
            if damage is not None:
                remark(damage)
            elif index and not resuming:
                remark(f"Going on after {index} of {len(lengths)} segments.")
            if not resuming:
                checkpoint.drop_from(index)
        if segment is None:
            fresh = advance(problem.model, jnp.asarray(ys[:, last]), length)
            segment = Segment(*(np.asarray(part) for part in fresh))
            checkpoint.save(index, segment)
        new = slice(last + 1, last + 1 + length)
        ys[:, new] = segment.ys
        if energies is not None:
            energies[:, new] = segment.energy
        status = np.where(status == OKAY, segment.status, status)
        last += length
        advanced(length)
        if np.all(status != OKAY):
            break  # Nothing is left to solve: the rest stays NaN.
    ts = values["time.t0"] + gap * np.arange(values["time.saves"])
    return Samples(ts, ys, energies, status, no_energy)


def _advance_by(
    problem: Problem, gap: float, dt0: float, with_energy: bool
) -> Callable[
    [AbstractField, Float[Array, "batch n"], int],
    tuple[Float[Array, "batch k n"], Float[Array, "batch k"], Int[Array, " batch"]],
]:
    """Return the compiled program of one segment of a given length."""

    @eqx.filter_jit
    def advance(
        model: AbstractField, y0: Float[Array, "batch n"], length: int
    ) -> tuple[Array, Array, Array]:
        solution = simulate_ensemble(
            model,
            y0,
            gap * np.arange(length + 1),
            dt0=dt0,
            solver=problem.solver,
            stepsize_controller=problem.controller,
        )
        assert solution.ys is not None
        ys = solution.ys[:, 1:]
        energies = energy(model, ys) if with_energy else ys[:, :0, 0]
        (status,) = jax.tree.leaves(solution.result)
        return ys, energies, status

    return advance


def why_no_energy(problem: Problem) -> str | None:
    """Return why the model conserves no energy, or `None` if it does."""
    model = problem.model
    if not model.weight.is_skew:
        return f"{type(model.weight).__name__} is not skew-symmetric"
    if model.has_leak:
        return "the leak dissipates it"
    try:
        energy(model, problem.y0[0]).block_until_ready()
    except RuntimeError:
        return "the bias has a component in the kernel of W"
    return None
