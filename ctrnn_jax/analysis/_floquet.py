"""Floquet multipliers: what becomes of the neighbours of a periodic orbit."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, Float, PyTree, Scalar
from ..matrices._checks import check_integer
from ._conserved import Conserved, levels_and_gradients, resolve
from ._periodic_orbit import PeriodicOrbit
from ._periodic_schur import product_eigenvalues
from ._segments import (
    Rhs,
    autonomous,
    default_tolerance,
    flow_segments,
    sample_segments,
)
from ._shooting import unit
from ._status import OUTCOMES, mark


class FloquetMultipliers(eqx.Module):
    r"""Eigenvalues $e^{\mu T}$ of the derivative of the flow over one period.

    - `multipliers`: complex, shape `(n,)`, greatest modulus first; may overflow
      where `exponents` do not.
    - `exponents`: μ, complex, shape `(n,)`, in that order, per unit time; imaginary
      parts in (−π/T, π/T].
    - `nontrivial`: the multipliers that nothing fixes at 1, shape `(n − 1 − k,)`.
    - `trivial`: as measured, those that must be 1: along the flow, and one for each
      of k conserved quantities; shape `(1 + k,)`.
    - `trivial_error`: their largest distance from 1, `()`: the accuracy of the orbit
      and of the integration, and a test of what was said to be conserved.
    - `result`: `successful`; `escaped` where the tangent flow was not solved, or the
      orbit is none: then all numbers are NaN.
    """

    multipliers: Array
    exponents: Array
    nontrivial: Array
    trivial: Array
    trivial_error: Scalar
    result: OUTCOMES

    def stability(self, tolerance: float = 1e-6) -> str:
        """Return `"stable"`, `"unstable"` or `"neutral"`; not under a transform.

        By the greatest modulus of the nontrivial multipliers: below 1, above it, or
        within `tolerance`, as it is for every orbit of a conservative family that
        does not repel.
        """
        moduli = np.abs(np.asarray(self.nontrivial))
        if moduli.size == 0 or abs(moduli.max() - 1) <= tolerance:
            return "neutral"
        return "unstable" if moduli.max() > 1 else "stable"


@full_precision
def floquet_multipliers(
    field: Callable,
    orbit: PeriodicOrbit,
    *,
    inputs: PyTree = None,
    conserved: Conserved = None,
    num_segments: int = 32,
    tolerance: float | None = None,
) -> FloquetMultipliers:
    r"""Compute the Floquet multipliers of a periodic orbit.

    The tangent flow is solved over many short segments. In each, the direction of
    the flow and the gradients of what is conserved are split off: they belong to
    multipliers that are 1, often in a Jordan block, which rounding would spread by
    $\sqrt{\text{eps}}$. The eigenvalues of the rest come from orthogonal iteration
    through the segments, so that the product is never formed.

    **Arguments:**

    - `field`, `inputs`, `conserved`: as they were for the orbit.
    - `orbit`: a [`PeriodicOrbit`][ctrnn_jax.analysis.PeriodicOrbit].
    - `num_segments`: at least this many segments. Over one of them neighbours should
      not separate by more than 1e4 (float64).
    - `tolerance`: of the integration; by default eps^(3/4).

    **Returns:** [`FloquetMultipliers`][ctrnn_jax.analysis.FloquetMultipliers]. The
    *relative* error of each multiplier, tiny ones included, is about the tolerance
    times the number of segments, times the largest spread within one segment: spreads
    of 1e±10 and far more over the period are resolved (see the tests). Multipliers
    that nearly coincide are as ill-conditioned as such eigenvalues are.

    **Cost:** a solve of n(n + 1) equations over the period, and O(40 m n³). Works under
    `jit` and `vmap` (the last eigenvalues are found on the host).

    **Raises:** `ValueError` for a bad argument.

    **Reference:** Fairgrieve and Jepson (1991), SIAM J. Numer. Anal. 28; Lust (2001),
    Int. J. Bifurcation and Chaos 11.
    """
    num_segments = check_integer("num_segments", num_segments, minimum=1, maximum=10**5)
    if not isinstance(orbit, PeriodicOrbit):
        raise ValueError(
            "orbit must be a PeriodicOrbit, as find_periodic_orbit returns it, got "
            f"{type(orbit).__name__}."
        )
    functions = resolve(conserved, field, inputs)
    dtype = orbit.nodes.dtype
    local = default_tolerance(dtype) if tolerance is None else tolerance
    per_node = -(-num_segments // orbit.nodes.shape[0])
    return _multipliers(
        field, orbit, inputs, functions, jnp.asarray(local, dtype), per_node
    )


@eqx.filter_jit
def _multipliers(
    field: Callable,
    orbit: PeriodicOrbit,
    inputs: PyTree,
    conserved: tuple[Callable, ...],
    tolerance: Scalar,
    per_node: int,
) -> FloquetMultipliers:
    rhs = autonomous(field, inputs)
    none = jnp.zeros((0,), orbit.nodes.dtype)
    exists = jnp.isfinite(orbit.period)
    period = jnp.where(exists, orbit.period, 0.0)
    ys, fine = sample_segments(rhs, orbit.nodes, period, tolerance, per_node)
    nodes = ys[:-1]
    _, moves, okay = flow_segments(rhs, nodes, none, period, tolerance)
    logs, trivial_logs = split_multipliers(rhs, nodes, moves, conserved)
    both = jnp.concatenate([logs, trivial_logs])
    order = jnp.argsort(-jnp.real(both))
    lost = ~(exists & fine & okay)
    both, logs, trivial_logs = (
        jnp.where(lost, jnp.nan, part) for part in (both[order], logs, trivial_logs)
    )
    trivial = jnp.exp(trivial_logs)
    return FloquetMultipliers(
        multipliers=jnp.exp(both),
        exponents=both / orbit.period.astype(both.dtype),
        nontrivial=jnp.exp(logs[jnp.argsort(-jnp.real(logs))]),
        trivial=trivial,
        trivial_error=jnp.max(jnp.abs(trivial - 1.0)),
        result=mark(lost, OUTCOMES.escaped, OUTCOMES.successful),
    )


def split_multipliers(
    rhs: Rhs,
    nodes: Float[Array, "m n"],
    moves: Float[Array, "m n n"],
    conserved: tuple[Callable, ...],
) -> tuple[Array, Array]:
    r"""Return log multipliers: the nontrivial ones, and those that should be 0.

    In frames (flow, rest, gradients) at the nodes each segment's derivative is block
    triangular, as $M_i f_i = f_{i+1}$ and $\nabla I_{i+1}^\top M_i = \nabla I_i^\top$.
    """
    none = jnp.zeros((0,), nodes.dtype)

    def frame(y: Array) -> Array:
        _, gradients = levels_and_gradients(conserved, y)
        lengths = jnp.linalg.norm(gradients, axis=1, keepdims=True)
        gradients = gradients / jnp.where(lengths > 0, lengths, 1.0)
        known = jnp.concatenate([unit(rhs(y, none))[None], gradients]).T
        basis, _ = jnp.linalg.qr(known, mode="complete")
        return basis

    frames = jax.vmap(frame)(nodes)
    blocks = jnp.swapaxes(jnp.roll(frames, -1, axis=0), 1, 2) @ moves @ frames
    k = len(conserved)
    rest = product_eigenvalues(blocks[:, 1 + k :, 1 + k :])
    pinned = product_eigenvalues(blocks[:, 1 : 1 + k, 1 : 1 + k])
    along = blocks[:, 0, 0]
    log = jnp.sum(jnp.log(jnp.abs(along))).astype(rest.dtype)
    turned = jnp.where(jnp.prod(jnp.sign(along)) < 0, jnp.pi * 1j, 0.0)
    along_log = log + turned.astype(rest.dtype)
    return rest, jnp.concatenate([along_log[None], pinned])
