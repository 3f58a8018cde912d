"""RK4 with a backward pass by hand, and three ways to have its states again."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from ..problem import Problem
from ..schemes import as_matrix, coupled_rk4, rk4, rk4_increment
from ._way import Differentiate, GradientWay


def _pull_back(weight: Any, y: Any, h: float, cotangent: Any) -> tuple[Any, Any]:
    """Return the pull-back by y, and by W, of an RK4 step's *increment* at y.

    Four products with Wᵀ, one with all stages at once for W; a tape would keep more.
    """
    import jax.numpy as jnp

    k: Any = 0.0
    active = []
    for fraction in (0.0, h / 2, h / 2, h):
        s = jnp.tanh(y + fraction * k if fraction else y)
        active.append(s)
        k = weight @ s
    by_slope = []
    by_y: Any = 0.0
    by_stage: Any = None
    for s, share, reach in zip(
        reversed(active), (h / 6, h / 3, h / 3, h / 6), (0.0, h, h / 2, h / 2),
        strict=True,
    ):  # fmt: skip
        by_k = share * cotangent
        if by_stage is not None:
            by_k = by_k + reach * by_stage
        by_stage = (1 - s * s) * (weight.T @ by_k)
        by_slope.append(by_k)
        by_y = by_y + by_stage
    stages = jnp.concatenate(active[::-1], axis=1)
    return by_y, jnp.concatenate(by_slope, axis=1) @ stages.T


def _gradient(problem: Problem, pull_back: Callable[[Any, Any, Any], Any]) -> Any:
    """Return the gradient of (W, y0, projection), as one by (parameter, y0)."""
    import jax

    def differentiate(parameter: Any, y0: Any, projection: Any) -> tuple[Any, Any]:
        weight, to_parameter = jax.vjp(lambda p: as_matrix(problem, p), parameter)
        by_weight, by_y0 = pull_back(weight, y0, projection)
        return to_parameter(by_weight)[0], by_y0

    return differentiate


def _kept(problem: Problem) -> Differentiate:
    """Keep all states."""
    import jax
    import jax.numpy as jnp

    step = rk4(problem).step

    def run(weight: Any, y0: Any, cotangent: Any) -> tuple[Any, Any]:
        def forward(y: Any, _: None) -> tuple[Any, Any]:
            return step(weight, y), y

        _, states = jax.lax.scan(forward, y0, None, length=problem.steps)

        def backward(carry: Any, y: Any) -> tuple[Any, None]:
            cotangent, total = carry
            by_y, by_weight = _pull_back(weight, y, problem.step, cotangent)
            return (cotangent + by_y, total + by_weight), None

        start = (cotangent, jnp.zeros_like(weight))
        (by_y0, total), _ = jax.lax.scan(backward, start, states, reverse=True)
        return total, by_y0

    return _gradient(problem, run)


def _rebuilt(problem: Problem, every: int | None = None) -> Differentiate:
    """Rebuild the states by negative steps, from the end or from kept anchors."""
    import jax
    import jax.numpy as jnp

    h = problem.step
    step = rk4(problem).step
    # Stretches of equal length: the largest divisor that is not above `every`.
    length = math.gcd(problem.steps, every) if every else problem.steps

    def run(weight: Any, y0: Any, cotangent: Any) -> tuple[Any, Any]:
        def slope(y: Any) -> Any:
            return weight @ jnp.tanh(y)

        def advance(y: Any, _: None) -> tuple[Any, Any]:
            end = jax.lax.fori_loop(0, length, lambda i, y: step(weight, y), y)
            return end, end

        _, ends = jax.lax.scan(advance, y0, None, length=problem.steps // length)

        def back(_: Any, carry: Any) -> Any:
            y, cotangent, total = carry
            y = y + rk4_increment(slope, y, -h)
            by_y, by_weight = _pull_back(weight, y, h, cotangent)
            return y, cotangent + by_y, total + by_weight

        def retreat(carry: Any, end: Any) -> tuple[Any, None]:
            carry = jax.lax.fori_loop(0, length, back, (end, *carry))
            return carry[1:], None

        start = (cotangent, jnp.zeros_like(weight))
        (by_y0, total), _ = jax.lax.scan(retreat, start, ends, reverse=True)
        return total, by_y0

    return _gradient(problem, run)


def _coupled(problem: Problem, coupling: float) -> Differentiate:
    """Invert the pair (y, z) of McCallum and Foster algebraically."""
    import jax
    import jax.numpy as jnp

    h = problem.step
    scheme = coupled_rk4(problem, coupling)

    def run(weight: Any, y0: Any, cotangent: Any) -> tuple[Any, Any]:
        def add(y: Any, h: float) -> Any:
            return rk4_increment(lambda y: weight @ jnp.tanh(y), y, h)

        pair = jax.lax.fori_loop(
            0, problem.steps, lambda _, pair: scheme.step(weight, pair), (y0, y0)
        )

        def back(_: Any, carry: Any) -> Any:
            y, z, by_y, by_z, total = carry
            # z⁺ = z − Ψ₋ₕ(y⁺), then y⁺ = λy + (1 − λ)z + Ψₕ(z), undone in that order.
            more, by_weight = _pull_back(weight, y, -h, -by_z)
            z = z + add(y, -h)
            y = (y - (1 - coupling) * z - add(z, h)) / coupling
            by_y, total = by_y + more, total + by_weight
            more, by_weight = _pull_back(weight, z, h, by_y)
            by_z = by_z + (1 - coupling) * by_y + more
            return y, z, coupling * by_y, by_z, total + by_weight

        start = (*pair, cotangent, jnp.zeros_like(cotangent), jnp.zeros_like(weight))
        _, _, by_y, by_z, total = jax.lax.fori_loop(0, problem.steps, back, start)
        return total, by_y + by_z

    return _gradient(problem, run)


WAYS = (
    GradientWay(
        "kept-rk4",
        "plain JAX, RK4, backward pass by hand, all states kept",
        "tuned",
        _kept,
        "rk4",
    ),
    GradientWay(
        "anchored-rk4",
        "plain JAX, RK4 rebuilt by negative steps, an anchor every 1000",
        "tuned",
        partial(_rebuilt, every=1000),
        "rk4",
        standing="rebuilt",
    ),
    GradientWay(
        "rebuilt-rk4",
        "plain JAX, RK4 rebuilt by negative steps",
        "tuned",
        _rebuilt,
        "rk4",
        standing="rebuilt",
    ),
    GradientWay(
        "coupled-rk4",
        "plain JAX, reversible RK4 (McCallum–Foster, λ = 0.999)",
        "default",
        partial(_coupled, coupling=0.999),
        "converged",
        standing="rebuilt",
    ),
    GradientWay(
        "coupled-rk4-1",
        "plain JAX, reversible RK4 (McCallum–Foster, λ = 1)",
        "tuned",
        partial(_coupled, coupling=1.0),
        "converged",
        standing="rebuilt",
    ),
)
