"""Where the spectrum of a new network lies: phases a step, placed outright."""

import math
from collections.abc import Sequence

import diffrax
import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from .._types import Array, DTypeLike, Float, Key
from ..integrate import CayleyStep, CoordinateSplitting, Leapfrog
from ..matrices import BipartiteSkew, BlockRotation, SkewSymmetric
from ..matrices._base import contract
from ..matrices._checks import check_dtype, check_size

#: The widest range: past π an oscillator turns as one that goes the other way round.
FULL_CIRCLE = (0.0, math.pi)


def angular_frequency_of(
    phase: Float[Array, "*shape"], solver: diffrax.AbstractSolver, step_size: float
) -> Float[Array, "*shape"]:
    r"""Return ω such that one step of `solver` turns a linear oscillator by `phase`.

    $\theta/h$ for the exponential, $2\tan(\theta/2)/h$ for Cayley,
    $2\sin(\theta/2)/h$ for leapfrog and second-order splitting of two groups; any
    other solver is taken to be accurate, which it is for small phases.

    **Arguments:**

    - `phase`: θ in rad a step, 0 ≤ θ ≤ π.
    - `solver`, `step_size`: the step, h in units of `tau`.

    **Returns:** rad per unit time, the shape of `phase`.
    """
    if isinstance(solver, CayleyStep):
        return 2 * jnp.tan(phase / 2) / step_size
    if isinstance(solver, Leapfrog) or (
        isinstance(solver, CoordinateSplitting) and len(solver.fractions) == 1
    ):
        return 2 * jnp.sin(phase / 2) / step_size
    return phase / step_size


def check_phases(phases: Sequence[float]) -> tuple[float, float]:
    """Return a range of phases, or refuse it."""
    low, high = phases
    if not 0 <= low <= high <= math.pi:
        raise ValueError(
            f"phases must be (low, high) with 0 <= low <= high <= π, got {phases}."
        )
    return float(low), float(high)


def place_phases(
    count: int, phases: Sequence[float], *, key: Key, dtype: DTypeLike | None = None
) -> Float[Array, " count"]:
    """Return phases spread over a range, one at random in each of `count` stretches.

    Evenly, so that no two start alike; at random, so that no two networks do.
    """
    low, high = check_phases(phases)
    dtype = check_dtype(dtype)
    place = jnp.arange(count, dtype=dtype) + jr.uniform(key, (count,), dtype)
    return low + (high - low) / count * place


def rotation_weight(
    size: int,
    phases: Sequence[float],
    solver: diffrax.AbstractSolver,
    step_size: float,
    *,
    key: Key,
    dtype: DTypeLike | None = None,
) -> BlockRotation:
    """Return uncoupled rotations that a step turns by phases in the range."""
    size, dtype = check_size(size, minimum=2), check_dtype(dtype)
    theta = place_phases(size // 2, phases, key=key, dtype=dtype)
    omega = angular_frequency_of(theta, solver, step_size)
    weight = BlockRotation(size, key=key, dtype=dtype)
    return eqx.tree_at(lambda w: w.angular_frequency, weight, omega)


def bipartite_weight(
    size: int,
    phases: Sequence[float],
    solver: diffrax.AbstractSolver,
    step_size: float,
    *,
    key: Key,
    dtype: DTypeLike | None = None,
) -> BipartiteSkew:
    r"""Return $C = Q_1 \mathrm{diag}(\omega) Q_2^\top$ with phases in the range."""
    size, dtype = check_size(size, minimum=2), check_dtype(dtype)
    phase_key, left_key, right_key = jr.split(key, 3)
    q = size // 2
    theta = place_phases(q, phases, key=phase_key, dtype=dtype)
    omega = angular_frequency_of(theta, solver, step_size)
    left = jr.orthogonal(left_key, size - q, dtype=dtype)[:, :q]
    right = jr.orthogonal(right_key, q, dtype=dtype)
    return BipartiteSkew.from_coupling(contract(left * omega[None], right.T))


def skew_weight(
    size: int,
    phases: Sequence[float],
    solver: diffrax.AbstractSolver,
    step_size: float,
    *,
    key: Key,
    dtype: DTypeLike | None = None,
) -> SkewSymmetric:
    r"""Return $W = QRQ^\top$, R uncoupled rotations with phases in the range."""
    rotation_key, basis_key = jr.split(key)
    blocks = rotation_weight(
        size, phases, solver, step_size, key=rotation_key, dtype=dtype
    )
    basis = jr.orthogonal(basis_key, size, dtype=blocks.dtype)
    full = contract(contract(basis, blocks.as_matrix()), basis.T)
    return SkewSymmetric.from_matrix(0.5 * (full - full.T))
