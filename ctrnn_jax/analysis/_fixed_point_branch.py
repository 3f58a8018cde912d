"""Branches of fixed points over a parameter, and their bifurcations."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, ArrayLike, Bool, Float, PyTree, Scalar
from ..matrices._checks import as_floating
from ._arclength import Corrected, Path, Place, correct, follow
from ._bifurcation import Bifurcation, distinct, name_special
from ._branch_options import BranchOptions, check_options
from ._segments import family_rhs
from ._stability import sorted_eigenvalues
from ._status import OUTCOMES


class FixedPointBranch(eqx.Module):
    """Fixed points along a branch, N of them, in order.

    - `parameters`: shape `(N,)`; not monotone where the branch folds.
    - `points`: shape `(N, n)`.
    - `eigenvalues`: of the Jacobian, complex, shape `(N, n)`, greatest real part first.
    - `stable`: whether all real parts are negative, shape `(N,)`.
    - `bifurcations`: a tuple of [`Bifurcation`][ctrnn_jax.analysis.Bifurcation].
    - `result`: `successful`, also where a bound of the parameter ended the branch;
      `step_underflow`; `not_converged` if the start is no fixed point (N = 0 then).
    """

    parameters: Float[Array, " N"]
    points: Float[Array, "N n"]
    eigenvalues: Array
    stable: Bool[Array, " N"]
    bifurcations: tuple[Bifurcation, ...] = eqx.field(static=True)
    result: OUTCOMES


@full_precision
def continue_fixed_points(
    family: Callable,
    start: ArrayLike | Bifurcation,
    parameter: float | None = None,
    *,
    inputs: PyTree = None,
    direction: int = 1,
    num_points: int = 200,
    step: float = 0.02,
    min_step: float = 1e-6,
    max_step: float = 0.1,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> FixedPointBranch:
    r"""Follow a branch of fixed points by pseudo-arclength continuation.

    **Arguments:**

    - `family`: a function of one scalar parameter that returns a field (a model or
      `f(t, y, args)`), such as `lambda g: VoltageCTRNN(GainPlusSkew(W, g), leak=1.0)`.
    - `start`: a state near a fixed point at `parameter`, shape `(n,)`; or a branch
      point that was found on another branch, to follow the branch that crosses there.
    - `parameter`: where to start.
    - `inputs`: the fields' `args`, constant in time.
    - `direction`: 1 to start towards greater parameters, −1 towards smaller. From a
      branch point: to one side of the old branch, or the other.
    - `num_points`: points on the branch, at most.
    - `step`, `min_step`, `max_step`: the arclength in (y, parameter) of the first
      step, and its bounds. Two special points of one kind within a step are missed.
    - `bounds`: parameters at which the branch ends.

    **Returns:** a [`FixedPointBranch`][ctrnn_jax.analysis.FixedPointBranch]. Points are
    exact to rounding; folds, branch points and Hopf points are located to about 1e-10
    in the parameter, where the test function crosses zero transversally.

    **Cost:** one compilation, then O(n³) a step. Runs on the host, not under `jit`.

    **Raises:** `ValueError` for a bad argument.

    **Reference:** Keller (1977); Govaerts (2000), Numerical Methods for Bifurcations of
    Dynamical Equilibria, chapters 3 and 4.
    """
    options = check_options(
        family, num_points, step, min_step, max_step, bounds, direction
    )
    if isinstance(start, Bifurcation):
        parameter, y = start.parameter, jnp.asarray(start.point)
    else:
        y = as_floating("start", start)
    if y.ndim != 1 or parameter is None:
        raise ValueError(
            "start must be a state of shape (n,), with its parameter, or a "
            f"Bifurcation; got shape {y.shape} and parameter {parameter}."
        )
    dtype = y.dtype
    tolerance = jnp.asarray(float(jnp.finfo(dtype).eps) ** 0.75, dtype)
    weights = np.ones(y.shape[0] + 1, dtype)

    def corrector(predicted: np.ndarray, tangent: np.ndarray, _: Any) -> Place | None:
        found = _correct(
            family, jnp.asarray(predicted), jnp.asarray(tangent), inputs, tolerance
        )
        return _place(found) if bool(found.converged) else None

    w = np.append(np.asarray(y), np.asarray(parameter, dtype))
    first = _first(corrector, w, start, options)
    if first is None:
        nothing = Path([], [], OUTCOMES.not_converged)
        return _as_branch(nothing, y.shape[0], dtype)
    path = follow(corrector, first, weights, **options.steps)
    return _as_branch(path, y.shape[0], dtype)


@eqx.filter_jit
def _correct(
    family: Callable,
    predicted: Float[Array, " w"],
    tangent: Float[Array, " w"],
    inputs: PyTree,
    tolerance: Scalar,
) -> Corrected:
    rhs = family_rhs(family, inputs)

    def equations(w: Array) -> tuple[Array, Array, None]:
        value = lambda w: rhs(w[:-1], w[-1:])  # noqa: E731
        return value(w), jax.jacfwd(value)(w), None

    return correct(equations, predicted, tangent, jnp.ones_like(predicted), tolerance)


def _place(found: Corrected) -> Place:
    jacobian = np.asarray(found.jacobian)[:, :-1]
    return Place(
        w=np.asarray(found.w),
        tangent=np.asarray(found.tangent),
        sign=float(found.sign),
        log=float(found.log),
        rates=sorted_eigenvalues(jacobian),
        extra=jacobian,
        num_steps=int(found.num_steps),
    )


def _first(
    corrector: Callable, w: np.ndarray, start: object, options: BranchOptions
) -> Place | None:
    if isinstance(start, Bifurcation):
        if start.kind != "branch point" or not np.all(np.isfinite(start.direction)):
            raise ValueError(
                "Only a branch point of fixed points has another branch through it, "
                f"this is a {start.kind!r}."
            )
        # Across the old branch: the plane a step along what the Jacobian annihilates.
        across = options.direction * np.append(start.direction, 0.0).astype(w.dtype)
        return corrector(w + options.steps["step"] * across, across, None)
    # The parameter is held while the start is corrected.
    fixed = np.append(np.zeros(w.size - 1), 1.0).astype(w.dtype)
    first = corrector(w, fixed, None)
    if first is not None and first.tangent[-1] * options.direction < 0:
        first = first.reversed()
    return first


def _as_branch(path: Path, size: int, dtype: np.dtype) -> FixedPointBranch:
    ws = np.array([place.w for place in path.places], dtype).reshape(-1, size + 1)
    rates = [place.rates for place in path.places]
    rates = np.array(rates, np.result_type(dtype, 1j)).reshape(-1, size)
    found = []
    for special in path.special:
        kind, angles = name_special(special, is_orbit=False)
        place, direction = special.place, np.full(size, np.nan)
        if kind in ("branch point", "fold"):
            direction = np.linalg.svd(place.extra)[2][-1]
        found.append(
            Bifurcation(
                kind=kind,
                parameter=place.parameter,
                point=place.w[:-1],
                period=float("nan"),
                angular_frequencies=angles,
                direction=direction,
                index=special.before,
            )
        )
    return FixedPointBranch(
        parameters=jnp.asarray(ws[:, -1]),
        points=jnp.asarray(ws[:, :-1]),
        eigenvalues=jnp.asarray(rates),
        stable=jnp.asarray(np.all(np.real(rates) < 0, axis=1)),
        bifurcations=distinct(found),
        result=path.result,
    )
