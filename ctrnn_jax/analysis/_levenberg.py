"""Levenberg and Marquardt's descent of ½‖f‖², in the precision of the state."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from .._types import Array, Float

#: Damping is divided or multiplied by these after a step that helped, or did not.
_EASE, _TIGHTEN = 8.0, 4.0


def descend(f: Callable, y0: Float[Array, " n"], max_steps: int) -> Float[Array, " n"]:
    r"""Return where $\tfrac12\|f\|^2$ is least near y0, or where steps ran out.

    Steps solve $(J^\top J + \lambda\|J\|^2 I)\,\delta = -J^\top f$ by Cholesky's
    factors, and are taken only if the speed falls. Ends where a step is below eps^0.6
    of the state: a root is then left to Newton's method.

    `optimistix.LevenbergMarquardt` does the same, but does not take a float32 state
    where JAX has x64 on.
    """
    eps = float(jnp.finfo(y0.dtype).eps)
    eye = jnp.eye(y0.shape[0], dtype=y0.dtype)

    def step(carry: tuple) -> tuple:
        y, value, damping, count, _ = carry
        jacobian = jax.jacfwd(f)(y)
        size = jnp.sum(jacobian**2) + jnp.finfo(y.dtype).tiny
        # Rounding of the product must not make the matrix indefinite.
        lift = (damping + 4 * eps) * size
        factor = jax.scipy.linalg.cho_factor(jacobian.T @ jacobian + lift * eye)
        move = jax.scipy.linalg.cho_solve(factor, jacobian.T @ value)
        trial = y - move
        new = f(trial)
        helped = jnp.linalg.norm(new) < jnp.linalg.norm(value)
        small = jnp.linalg.norm(move) <= eps**0.6 * (1.0 + jnp.linalg.norm(y))
        # A small step far from the root for all its damping: go on.
        done = (small & (helped | (damping < 1.0))) | (damping > 1 / eps)
        damping = jnp.where(
            helped, damping / _EASE, jnp.maximum(damping, eps) * _TIGHTEN
        )
        y, value = jax.tree.map(
            lambda a, b: jnp.where(helped, a, b), (trial, new), (y, value)
        )
        return y, value, damping, count + 1, done

    start = (y0, f(y0), jnp.full((), 1e-2, y0.dtype), jnp.zeros((), int))
    y, *_ = jax.lax.while_loop(
        lambda carry: ~carry[4] & (carry[3] < max_steps),
        step,
        (*start, jnp.zeros((), bool)),
    )
    return y
