"""Damped Newton iteration on a square or rank-deficient system."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .._types import Array, Bool, Float, Int, PyTree, Scalar

#: A step shortened more often than this makes no way.
_HALVINGS = 12


class Newton(NamedTuple):
    """Where an iteration ended.

    - `z`: the unknowns, shape `(N,)`; the last that were accepted.
    - `norm`: largest residual there, `()`.
    - `jacobian`: the residual's, `(M, N)`, there.
    - `aux`: what else `evaluate` gave, there.
    - `rank_deficiency`: singular values of the Jacobian that count as zero.
    - `num_steps`: evaluations used.
    - `converged`: whether `norm` reached the tolerance.
    """

    z: Float[Array, " N"]
    norm: Scalar
    jacobian: Float[Array, "M N"]
    aux: PyTree
    rank_deficiency: Int[Array, ""]
    num_steps: Int[Array, ""]
    converged: Bool[Array, ""]


def newton(
    evaluate: Callable,
    z0: Float[Array, " N"],
    *,
    tolerance: Scalar,
    max_steps: int | Int[Array, ""],
    longest: Callable,
) -> Newton:
    """Solve residual = 0, halving steps that do not lower the largest residual.

    Steps are of least length (by a singular value decomposition), so that a family of
    solutions does no harm: the one nearest the start is found.

    **Arguments:**

    - `evaluate`: z ↦ (residual `(M,)`, Jacobian `(M, N)`, aux), all scaled so that
      `tolerance` suits each residual.
    - `longest`: (z, step) ↦ the part of the step, in (0, 1], that may be taken.
    """
    cutoff = jnp.maximum(1e2 * tolerance, 1e2 * float(jnp.finfo(z0.dtype).eps))

    def look(z: Array) -> tuple[PyTree, Array, Array, Array]:
        residual, jacobian, aux = evaluate(z)
        fine = jnp.all(jnp.isfinite(residual)) & jnp.all(jnp.isfinite(jacobian))
        norm = jnp.where(fine, jnp.max(jnp.abs(residual)), jnp.inf)
        safe = jnp.where(fine, jacobian, 0.0)
        u, s, vt = jnp.linalg.svd(safe, full_matrices=False)
        kept = s > cutoff * s[0]
        inverse = jnp.where(kept, 1.0 / jnp.where(kept, s, 1.0), 0.0)
        step = -vt.T @ (inverse * (u.T @ jnp.where(fine, residual, 0.0)))
        deficiency = z.size - jnp.sum(kept)
        return (jacobian, aux), norm, step, deficiency

    def body(state: tuple) -> tuple:
        z, seen, norm, step, deficiency, part, polished, count, _ = state
        trial = z + part * step
        new_seen, new_norm, new_step, new_deficiency = look(trial)
        done = norm <= tolerance
        lower = new_norm < jnp.where(done, norm, (1 - 0.1 * part) * norm)
        pick = lambda new, old: jax.tree.map(  # noqa: E731
            lambda a, b: jnp.where(lower, a, b), new, old
        )
        z, seen, norm, step, deficiency = pick(
            (trial, new_seen, new_norm, new_step, new_deficiency),
            (z, seen, norm, step, deficiency),
        )
        polished = polished + (done | (norm <= tolerance)).astype(int)
        part = jnp.where(lower, jnp.minimum(2 * part, 1.0), part / 2)
        part = jnp.minimum(part, longest(z, step))
        # Below the tolerance two more steps are tried, as long as they help.
        stop = (done & ~lower) | (polished > 2) | (part < 0.5**_HALVINGS)
        return z, seen, norm, step, deficiency, part, polished, count + 1, stop

    seen, norm, step, deficiency = look(z0)
    start = (z0, seen, norm, step, deficiency, longest(z0, step))
    start = (*start, jnp.zeros((), int), jnp.ones((), int), ~jnp.isfinite(norm))
    z, (jacobian, aux), norm, _, deficiency, _, _, count, _ = jax.lax.while_loop(
        lambda state: ~state[-1] & (state[-2] < max_steps), body, start
    )
    return Newton(z, norm, jacobian, aux, deficiency, count, norm <= tolerance)
