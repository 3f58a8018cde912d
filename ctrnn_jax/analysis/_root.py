"""One candidate carried to a fixed point, or to where the field is slowest."""

from collections.abc import Callable
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx

from .._types import Array, ArrayLike, Float, Matrix, PyTree, Scalar, Vector
from ._flow import check_start
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

    **Returns:** a `FixedPoint`. Whatever the search does, three Newton steps follow
    (least-squares steps where the Jacobian is singular), each kept only if the speed
    falls, so that the point is exact to rounding.

    **Raises:** `ValueError` for a bad argument.
    """
    start = check_start(candidate, field)
    if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
        raise ValueError(f"max_steps must be a positive int, got {max_steps!r}.")
    if solver is None:
        solver = default_root_solver(start)

    def f(y: Vector, _: None = None) -> Vector:
        return field(jnp.zeros((), start.dtype), y, inputs)

    # A lane of NaN would keep every lane of a batch waiting.
    finite = jnp.all(jnp.isfinite(start))
    first = jnp.where(finite, start, 0.0)
    found = optx.root_find(f, solver, first, max_steps=max_steps, throw=False)
    usable = jnp.all(jnp.isfinite(found.value))
    y = jnp.where(usable, found.value, first)
    y, value = jax.lax.fori_loop(0, 3, lambda _, pair: _newton(f, *pair), (y, f(y)))
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


def default_root_solver(y: Array) -> RootSolver:
    """Return Levenberg–Marquardt: it minimises the speed, so it cannot be thrown far.

    Normal equations cost a third of QR's time; the Newton steps after the search
    make up for their accuracy.
    """
    tolerance = float(jnp.finfo(y.dtype).eps) ** 0.6
    return optx.LevenbergMarquardt(
        rtol=tolerance, atol=tolerance, linear_solver=lx.Normal(lx.Cholesky())
    )


def _newton(
    f: Callable, y: Float[Array, " n"], value: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Take one Newton step of least length, if it lowers the speed."""
    cutoff = float(jnp.finfo(y.dtype).eps) ** 0.75
    move, *_ = jnp.linalg.lstsq(jax.jacfwd(f)(y), value, rcond=cutoff)
    trial = y - move
    better = f(trial)
    lower = jnp.linalg.norm(better) < jnp.linalg.norm(value)
    return jnp.where(lower, trial, y), jnp.where(lower, better, value)
