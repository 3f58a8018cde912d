"""Loops in plain JAX, without any solver library."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..problem import STEP, Problem
from ..suites import Candidate
from ._way import Way


def rk4_step(slope: Callable[[Any], Any], y: Any) -> Any:
    k1 = slope(y)
    k2 = slope(y + STEP / 2 * k1)
    k3 = slope(y + STEP / 2 * k2)
    k4 = slope(y + STEP * k3)
    return y + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _lanes_last(problem: Problem) -> Candidate:
    import jax
    import jax.numpy as jnp

    @jax.jit
    def solve(weight: jax.Array, y0: jax.Array) -> jax.Array:
        def body(y: jax.Array, _: None) -> tuple[jax.Array, None]:
            return rk4_step(lambda y: weight @ jnp.tanh(y), y), None

        return jax.lax.scan(body, y0, None, length=problem.steps)[0]

    arrays = jnp.asarray(problem.weight), jnp.asarray(problem.y0_lanes_last)
    return Candidate(
        lambda: jax.block_until_ready(solve(*arrays)), lambda y: np.asarray(y).T
    )


def _vmapped(problem: Problem) -> Candidate:
    import jax
    import jax.numpy as jnp

    def one(weight: jax.Array, y0: jax.Array) -> jax.Array:
        def body(y: jax.Array, _: None) -> tuple[jax.Array, None]:
            return rk4_step(lambda y: weight @ jnp.tanh(y), y), None

        return jax.lax.scan(body, y0, None, length=problem.steps)[0]

    axes = (0 if problem.own_weights else None, 0)
    solve = jax.jit(jax.vmap(one, in_axes=axes))
    arrays = jnp.asarray(problem.weight), jnp.asarray(problem.y0)
    return Candidate(lambda: jax.block_until_ready(solve(*arrays)), np.asarray)


WAYS = (
    Way("jax-lanes-last", "plain JAX loop, state (n, B)", "tuned", _lanes_last),
    Way("jax-vmap", "plain JAX loop, vmapped", "default", _vmapped),
    Way(
        "jax-vmap-own",
        "plain JAX loop, vmapped",
        "default",
        _vmapped,
        own_weights=True,
    ),
)
