"""The fixed points and slow points that many candidates lead to."""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, Int, Key, PyTree
from ..matrices._checks import is_concrete
from ._flow import check_start
from ._root import FixedPoint, RootSolver, refine_fixed_point
from ._stability import kind_of, sorted_eigenvalues
from ._status import OUTCOMES, is_okay


class FixedPoints(eqx.Module):
    r"""Distinct points, k of them, and what became of the m candidates.

    Points are in the order of the first candidate that reached them.

    - `points`: shape `(k, n)`.
    - `speeds`: $\|f\|_2$ there, shape `(k,)`: rounding for fixed points.
    - `jacobians`: ∂f/∂y there, shape `(k, n, n)`.
    - `eigenvalues`: of the Jacobians, shape `(k, n)`, complex, greatest real part
      first.
    - `kinds`: k of `"stable"` and `"unstable"` (all real parts negative, positive),
      `"saddle"` (both occur), `"centre"` (all real parts zero), `"marginal"` (some
      zero, the rest of one sign), `"degenerate"` (the Jacobian is singular: the point
      is not isolated, such as one on the kernel of a skew W of odd size, or it is at
      a bifurcation; then its position is known only to a root of the precision).
      Within √eps of the norm of the Jacobian is zero.
    - `counts`: candidates that reached each point, shape `(k,)`.
    - `labels`: the point each candidate reached, −1 for none, shape `(m,)`.
    - `ends`: where each candidate ended, shape `(m, n)`; NaN if it was lost.
    - `result`: for each candidate, shape `(m,)`: `successful`, `not_converged`
      (too fast where the search ended), `escaped` (NaN or infinity met, or given).
    """

    points: Float[Array, "k n"]
    speeds: Float[Array, " k"]
    jacobians: Float[Array, "k n n"]
    eigenvalues: Array
    kinds: tuple[str, ...] = eqx.field(static=True)
    counts: Int[Array, " k"]
    labels: Int[Array, " m"]
    ends: Float[Array, "m n"]
    result: OUTCOMES

    def __len__(self) -> int:
        """Return the number of distinct points."""
        return len(self.kinds)

    def of_kind(self, kind: str) -> Float[Array, "j n"]:
        """Return the points of one kind, shape `(j, n)`."""
        chosen = [i for i, own in enumerate(self.kinds) if own == kind]
        return self.points[np.asarray(chosen, int)]


@full_precision
def find_fixed_points(
    field: Callable,
    candidates: ArrayLike,
    *,
    inputs: PyTree = None,
    max_speed: float | None = None,
    separation: float | None = None,
    outlier_scale: float | None = None,
    solver: RootSolver | None = None,
    max_steps: int = 256,
) -> FixedPoints:
    r"""Find the distinct fixed points $f(0, y) = 0$ that candidates lead to.

    All candidates are searched at once; what they found is then gathered outside
    `jit`, as the number of points depends on the numbers. Under `jit` and `vmap` use
    [`refine_fixed_point`][ctrnn_jax.analysis.refine_fixed_point].

    **Arguments:**

    - `field`: a model, or any `f(t, y, args)` on one state; time is held at 0.
    - `candidates`: where to start, shape `(m, n)`; see `sample_candidates`.
    - `inputs`: for a model u(t), of which u(0) counts; else whatever `f` takes.
    - `max_speed`: a point must be slower, $\|f\|_2$. By default $\text{eps}^{3/4}(1 +
      v)$ with v the speed at the candidate: 2e-12 in float64, 6e-6 in float32.
    - `separation`: points nearer than `separation`·(1 + ‖y‖) are one. By default
      $10\,\text{eps}^{0.45}$: 9e-7 in float64, 8e-3 in float32. Give less if points are
      close, which float32 may not tell apart.
    - `outlier_scale`: leave out points farther from the mean of the candidates than
      this many times the candidates' mean distance from it; `None` keeps all.
    - `solver`: an `optimistix` root finder or least-squares solver; by default
      Levenberg–Marquardt, which converges from afar. `optimistix.Newton` is faster
      and may be thrown anywhere; `optimistix.Dogleg` lies between.
    - `max_steps`: iterations allowed a candidate.

    **Returns:** [`FixedPoints`][ctrnn_jax.analysis.FixedPoints]. Newton steps at the
    end make points exact to rounding over the smallest singular value of the
    Jacobian. That all fixed points were found is not proved: more candidates are the
    only test.

    **Cost:** O(m n³) an iteration, all candidates until the last has converged, and
    memory for m Jacobians.

    **Raises:** `ValueError` for a bad argument or under a JAX transformation.

    **Reference:** Sussillo and Barak (2013), Neural Computation 25; Golub and Sussillo
    (2018), FixedPointFinder.
    """
    starts = _check(field, candidates, max_speed, separation, outlier_scale)
    found = _search(field, starts, inputs, max_speed, solver, max_steps)
    wanted = np.asarray(is_okay(found.result))
    return _gather(found, starts, wanted, separation, outlier_scale)


@full_precision
def find_slow_points(
    field: Callable,
    candidates: ArrayLike,
    *,
    max_speed: float,
    inputs: PyTree = None,
    separation: float | None = None,
    outlier_scale: float | None = 10.0,
    max_steps: int = 1024,
) -> FixedPoints:
    r"""Find where the field is slow: local minima of $q(y) = \tfrac12\|f(0, y)\|^2$.

    Fixed points are among them, with `speeds` at rounding. Others are the ghosts of
    fixed points, near which trajectories linger. Levenberg–Marquardt minimises q.

    **Arguments:**

    - `max_speed`: keep minima at which $\|f\|_2$ is at most this.
    - `outlier_scale`: as in `find_fixed_points`, 10 by default as FixedPointFinder
      has it.
    - the rest as in [`find_fixed_points`][ctrnn_jax.analysis.find_fixed_points]. At a
      minimum that is not a fixed point the search converges linearly, so that points
      are known to about √eps, and `max_steps` is larger.

    **Returns:** [`FixedPoints`][ctrnn_jax.analysis.FixedPoints]; the Jacobian's
    eigenvalues describe the flow near a slow point for as long as it stays there.
    `not_converged` marks candidates that ended faster than `max_speed`, or where
    the gradient of q is not small beside the speed: $\|J^\top f\| > 10^{-2}\|J\|
    \|f\|$.

    **Raises:** `ValueError` for a bad argument or under a JAX transformation.

    **Reference:** Sussillo and Barak (2013), Neural Computation 25, section 3.
    """
    if max_speed is None:
        raise ValueError(
            "max_speed is what makes a point slow: give a speed well below that of "
            "the trajectories, or use find_fixed_points."
        )
    starts = _check(field, candidates, max_speed, separation, outlier_scale)
    found = _search(field, starts, inputs, max_speed, None, max_steps)
    size = np.linalg.norm(np.asarray(found.jacobian), 2, axis=(1, 2))
    exact = np.finfo(starts.dtype).eps ** 0.75
    flat = np.asarray(found.slope) <= 1e-2 * size * np.asarray(found.speed)
    minimum = flat | (np.asarray(found.speed) <= exact)
    wanted = np.asarray(is_okay(found.result)) & minimum
    return _gather(found, starts, wanted, separation, outlier_scale)


def sample_candidates(
    ys: ArrayLike, num_candidates: int, *, noise: float = 0.0, key: Key
) -> Float[Array, "m n"]:
    """Draw candidates from states that a network visits, with noise around them.

    **Arguments:**

    - `ys`: states, shape `(..., n)`, such as `solution.ys` of an ensemble; states
      that are not finite are left out.
    - `num_candidates`: how many, drawn with replacement.
    - `noise`: standard deviation of Gaussian noise added to each neuron.
    - `key`: a `jax.random` key.

    **Returns:** shape `(num_candidates, n)`.

    **Raises:** `ValueError` if there is no finite state to draw from.
    """
    states = np.asarray(ys)
    if states.ndim < 2:
        raise ValueError(f"ys must have shape (..., n), got {states.shape}.")
    states = states.reshape(-1, states.shape[-1])
    states = states[np.all(np.isfinite(states), axis=1)]
    if len(states) == 0:
        raise ValueError("ys holds no finite state to draw candidates from.")
    if num_candidates < 1:
        raise ValueError(f"num_candidates must be positive, got {num_candidates}.")
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be non-negative and finite, got {noise}.")
    which, scatter = jr.split(key)
    chosen = jr.randint(which, (num_candidates,), 0, len(states))
    drawn = jnp.asarray(states)[chosen]
    return drawn + noise * jr.normal(scatter, drawn.shape, drawn.dtype)


@eqx.filter_jit
def _search(
    field: Callable,
    starts: Float[Array, "m n"],
    inputs: PyTree,
    max_speed: float | None,
    solver: RootSolver | None,
    max_steps: int,
) -> FixedPoint:
    return jax.vmap(
        lambda start: refine_fixed_point(
            field,
            start,
            inputs=inputs,
            max_speed=max_speed,
            solver=solver,
            max_steps=max_steps,
        )
    )(starts)


def _check(
    field: Callable,
    candidates: ArrayLike,
    max_speed: float | None,
    separation: float | None,
    outlier_scale: float | None,
) -> Float[Array, "m n"]:
    if not callable(field):
        raise ValueError(
            "field must be a VoltageCTRNN, a RateCTRNN or a function f(t, y, args), "
            f"got {type(field).__name__}."
        )
    if not is_concrete(candidates):
        raise ValueError(
            "The number of points depends on the numbers: call this outside jit and "
            "vmap, or use refine_fixed_point inside."
        )
    if np.ndim(candidates) != 2:
        raise ValueError(
            "candidates must have shape (m, n), one start a row, got "
            f"{np.shape(candidates)}; use y[None] for a single one."
        )
    for name, value in [
        ("max_speed", max_speed),
        ("separation", separation),
        ("outlier_scale", outlier_scale),
    ]:
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}.")
    return check_start(candidates, field, ndim=2)


def _gather(
    found: FixedPoint,
    starts: Float[Array, "m n"],
    wanted: np.ndarray,
    separation: float | None,
    outlier_scale: float | None,
) -> FixedPoints:
    """Give each candidate that is `wanted` the label of a distinct point."""
    ends = np.asarray(found.point)
    apart = 10 * float(np.finfo(ends.dtype).eps) ** 0.45
    apart = apart if separation is None else separation
    keep = wanted.copy()
    if outlier_scale is not None:
        keep &= _within(ends, np.asarray(starts), outlier_scale)
    labels, chosen = _group(ends, np.asarray(found.speed), keep, apart)
    jacobians = np.asarray(found.jacobian)[chosen]
    eigenvalues = sorted_eigenvalues(jacobians)
    kinds = tuple(map(kind_of, jacobians, eigenvalues))
    value = np.asarray(found.result._value)
    failed = ~wanted & np.asarray(is_okay(found.result))
    value = np.where(failed, np.asarray(OUTCOMES.not_converged._value), value)
    result = dataclasses.replace(found.result, _value=jnp.asarray(value))
    return FixedPoints(
        points=jnp.asarray(ends[chosen]),
        speeds=jnp.asarray(np.asarray(found.speed)[chosen]),
        jacobians=jnp.asarray(jacobians),
        eigenvalues=jnp.asarray(eigenvalues),
        kinds=kinds,
        counts=jnp.asarray(np.bincount(labels[labels >= 0], minlength=len(chosen))),
        labels=jnp.asarray(labels),
        ends=found.point,
        result=result,
    )


def _group(
    ends: np.ndarray, speeds: np.ndarray, keep: np.ndarray, separation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return each candidate's label, and the slowest candidate of each label."""
    labels = np.full(len(ends), -1)
    leaders: list[int] = []
    sizes = 1 + np.linalg.norm(ends, axis=1)
    for i in np.flatnonzero(keep):
        gaps = np.linalg.norm(ends[leaders] - ends[i], axis=1)
        near = np.flatnonzero(gaps <= separation * sizes[i])
        if near.size:
            labels[i] = near[np.argmin(gaps[near])]
        else:
            labels[i] = len(leaders)
            leaders.append(int(i))
    members = [np.flatnonzero(labels == label) for label in range(len(leaders))]
    best = [group[np.argmin(speeds[group])] for group in members]
    return labels, np.asarray(best, int)


def _within(ends: np.ndarray, starts: np.ndarray, scale: float) -> np.ndarray:
    """Return which ends are not outliers of where the candidates are."""
    finite = starts[np.all(np.isfinite(starts), axis=1)]
    if len(finite) < 2:
        return np.ones(len(ends), bool)
    middle = finite.mean(axis=0)
    spread = np.linalg.norm(finite - middle, axis=1).mean()
    return np.linalg.norm(ends - middle, axis=1) <= scale * spread
