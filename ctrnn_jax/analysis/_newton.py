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
        least = jnp.where(done | jnp.isinf(norm), norm, (1 - 0.1 * part) * norm)
        lower = new_norm < least
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
        # Below the tolerance one more step is taken, if it helps.
        stop = (done & ~lower) | (polished > 1) | (part < 0.5**_HALVINGS)
        # A start that is not finite is not improved on.
        return (
            z,
            seen,
            norm,
            step,
            deficiency,
            part,
            polished,
            count + 1,
            stop | ~(jnp.isfinite(norm)),
        )

    # The first pass takes a step of 0, so that the equations are compiled once.
    seen, _, step, deficiency = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(look, z0)
    )
    start = (z0, seen, jnp.full((), jnp.inf, z0.dtype), step, deficiency)
    start = (*start, jnp.ones((), z0.dtype), jnp.zeros((), int), jnp.zeros((), int))
    z, (jacobian, aux), norm, _, deficiency, _, _, count, _ = jax.lax.while_loop(
        # Where no step is allowed the start is looked at all the same.
        lambda state: ~state[-1] & (state[-2] < jnp.maximum(max_steps, 1)),
        body,
        (*start, jnp.zeros((), bool)),
    )
    return Newton(z, norm, jacobian, aux, deficiency, count, norm <= tolerance)
