"""A solve to a tolerance, as one small program."""

from collections.abc import Callable
from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Bool, Float, Int, PyTree, Scalar

#: Steps allowed a solve; more are not worth waiting for.
MAX_STEPS = 2**16


class _Method(NamedTuple):
    """Coefficients of an explicit Runge–Kutta method; rows of `a` are stages."""

    a: np.ndarray
    solution: np.ndarray
    error: np.ndarray
    order: int


def _from_tableau(tableau: diffrax.ButcherTableau, order: int) -> _Method:
    stages = len(tableau.a_lower) + 1
    a = np.zeros((stages, stages))
    for index, row in enumerate(tableau.a_lower):
        a[index + 1, : len(row)] = row
    return _Method(a, np.asarray(tableau.b_sol), np.asarray(tableau.b_error), order)


_DOPRI8 = _from_tableau(diffrax.Dopri8.tableau, 8)


class _State(NamedTuple):
    """`t` is summed with `carry`, what rounding left of the last sums."""

    t: Scalar
    carry: Scalar
    step: Scalar
    y: Array
    num_steps: Int[Array, ""]
    stuck: Bool[Array, ""]


def solve_unit(
    slope: Callable, y: Float[Array, "*shape"], args: PyTree, tolerance: Scalar
) -> tuple[Float[Array, "*shape"], Bool[Array, ""]]:
    """Solve y' = slope(y, args) over the unit interval.

    Dormand and Prince's method of order 8 with adaptive steps, the tolerance relative
    and absolute. The stages are a loop, so that the program holds the slope once: it
    compiles in a fraction of the time of an unrolled method, and here many fields are
    solved for a short time each.

    **Returns:** the end, and whether it was reached and is finite.
    """
    method = _DOPRI8
    a, solution, error = (jnp.asarray(part, y.dtype) for part in method[:3])
    stages = method.a.shape[0]
    least = 4 * float(jnp.finfo(y.dtype).eps)

    def advance(state: _State) -> _State:
        left = (1.0 - state.t) + state.carry
        last = state.step >= left
        h = jnp.where(last, left, state.step)

        def stage(index: Array, slopes: Array) -> Array:
            inner = state.y + h * jnp.tensordot(a[index], slopes, 1)
            return slopes.at[index].set(slope(inner, args))

        slopes = jnp.zeros((stages, *y.shape), y.dtype)
        slopes = jax.lax.fori_loop(0, stages, stage, slopes)
        y1 = state.y + h * jnp.tensordot(solution, slopes, 1)
        size = jnp.maximum(jnp.abs(state.y), jnp.abs(y1))
        miss = h * jnp.tensordot(error, slopes, 1) / (tolerance * (1.0 + size))
        miss = jnp.sqrt(jnp.mean(miss**2))
        # What is not finite compares as false: the step is refused.
        accept = miss <= 1.0
        factor = 0.9 * jnp.maximum(miss, 1e-9) ** (-1.0 / method.order)
        factor = jnp.where(jnp.isfinite(miss), jnp.clip(factor, 0.2, 8.0), 0.2)
        total = state.t + (h - state.carry)
        carry = (total - state.t) - (h - state.carry)
        return _State(
            jnp.where(accept, jnp.where(last, 1.0, total), state.t),
            jnp.where(accept, jnp.where(last, 0.0, carry), state.carry),
            factor * h,
            jnp.where(accept, y1, state.y),
            state.num_steps + 1,
            ~accept & (h < least),
        )

    first = slope(y, args)
    rate = jnp.max(jnp.abs(first) / (1.0 + jnp.abs(y)))
    step = tolerance ** (1.0 / method.order) / jnp.maximum(rate, 1e-3)
    zero = jnp.zeros((), y.dtype)
    fine = jnp.all(jnp.isfinite(first)) & jnp.all(jnp.isfinite(y))
    end = jax.lax.while_loop(
        lambda s: (s.t < 1.0) & (s.num_steps < MAX_STEPS) & ~s.stuck,
        advance,
        _State(zero, zero, jnp.minimum(step, 1.0), y, jnp.zeros((), int), ~fine),
    )
    return end.y, (end.t >= 1.0) & jnp.all(jnp.isfinite(end.y))
