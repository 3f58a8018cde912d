"""One candidate carried to a fixed point, or to where the field is slowest."""

from collections.abc import Callable
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, Matrix, PyTree, Scalar, Vector
from ._flow import check_start
from ._levenberg import descend
from ._status import OUTCOMES, mark

#: What `optimistix.root_find` takes; least-squares solvers are accepted there too.
RootSolver: TypeAlias = optx.AbstractRootFinder | optx.AbstractLeastSquaresSolver


class FixedPoint(eqx.Module):
    r"""Where one candidate ended.

    - `point`: y, shape `(n,)`.
    - `speed`: $\|f(y)\|_2$, shape `()`.
    - `slope`: gradient norm of $q = \tfrac12\|f\|^2$, $\|J^\top f\|_2$, shape `()`; 0
      at a slow point, where the speed is least but not 0.
    - `jacobian`: ∂f/∂y, shape `(n, n)`.
    - `result`: `successful`; `not_converged`, where the search is at a slow point or
      has not ended; `escaped`, where it met NaN or infinity, or the candidate had it.
    """

    point: Vector
    speed: Scalar
    slope: Scalar
    jacobian: Matrix
    result: OUTCOMES


@full_precision
def refine_fixed_point(
    field: Callable,
    candidate: ArrayLike,
    *,
    inputs: PyTree = None,
    max_speed: float | None = None,
    solver: RootSolver | None = None,
    max_steps: int = 256,
) -> FixedPoint:
    r"""Find the fixed point $f(0, y) = 0$ that one candidate leads to.

    May be jitted and mapped; `find_fixed_points` maps it over many candidates and
    gathers what they find.

    **Arguments:**

    - `field`: a model, or any `f(t, y, args)`; time is held at 0.
    - `candidate`: where the search starts, shape `(n,)`.
    - `inputs`, `max_speed`, `solver`, `max_steps`: as in
      [`find_fixed_points`][ctrnn_jax.analysis.find_fixed_points].

    **Returns:** a `FixedPoint`. Whatever the search does, Newton steps follow
    (of least length where the Jacobian is singular) for as long as they halve the
    speed, so that the point is exact to rounding.

    **Raises:** `ValueError` for a bad argument.
    """
    start = check_start(candidate, field)
    if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
        raise ValueError(f"max_steps must be a positive int, got {max_steps!r}.")

    def f(y: Vector, _: None = None) -> Vector:
        return field(jnp.zeros((), start.dtype), y, inputs)

    # A lane of NaN would keep every lane of a batch waiting.
    finite = jnp.all(jnp.isfinite(start))
    first = jnp.where(finite, start, 0.0)
    if solver is None:
        end = descend(f, first, max_steps)
    else:
        end = optx.root_find(f, solver, first, max_steps=max_steps, throw=False).value
    usable = jnp.all(jnp.isfinite(end))
    y = jnp.where(usable, end, first)
    y, value = _polish(f, y)
    speed = jnp.linalg.norm(value)
    if max_speed is None:
        limit = float(jnp.finfo(y.dtype).eps) ** 0.75
        limit = limit * (1.0 + jnp.linalg.norm(f(first)))
    else:
        limit = jnp.asarray(max_speed, y.dtype)
    jacobian = jax.jacfwd(f)(y)
    lost = ~(finite & usable & jnp.isfinite(speed))
    result = mark(lost, OUTCOMES.escaped, OUTCOMES.successful)
    result = mark(~(speed <= limit), OUTCOMES.not_converged, result)
    # Where a candidate was not finite there is no answer, not the point 0.
    y, speed = jnp.where(lost, jnp.nan, y), jnp.where(lost, jnp.nan, speed)
    return FixedPoint(y, speed, jnp.linalg.norm(jacobian.T @ value), jacobian, result)


def _polish(
    f: Callable, y: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Take Newton steps of least length while they halve the speed.

    Two or three at a simple root; more at a multiple one, where each gains a factor.
    """
    cutoff = float(jnp.finfo(y.dtype).eps) ** 0.75

    def improve(carry: tuple) -> tuple:
        y, value, count, _ = carry
        move, *_ = jnp.linalg.lstsq(jax.jacfwd(f)(y), value, rcond=cutoff)
        trial = y - move
        better = f(trial)
        before, after = jnp.linalg.norm(value), jnp.linalg.norm(better)
        y, value = jax.tree.map(
            lambda new, old: jnp.where(after < before, new, old),
            (trial, better),
            (y, value),
        )
        return y, value, count + 1, after < 0.5 * before

    start = (y, f(y), jnp.zeros((), int), jnp.ones((), bool))
    y, value, *_ = jax.lax.while_loop(
        lambda carry: carry[3] & (carry[2] < 40), improve, start
    )
    return y, value
