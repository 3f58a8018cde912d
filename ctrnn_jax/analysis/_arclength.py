"""Pseudo-arclength continuation: one branch followed, its special points located."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from .._types import Array, Bool, Float, Int, PyTree, Scalar
from ._newton import newton
from ._status import OUTCOMES

#: Evaluations the corrector may take; a step that needs more is shortened.
_CORRECTIONS = 12
#: Steps are lengthened after fewer evaluations than this.
_EASY = 7
#: Cosine of the largest turn a step may make.
_COSINE = 0.9


class Corrected(NamedTuple):
    """A point on the branch, from one corrector.

    - `w`: unknowns, the parameter last, shape `(N + 1,)`.
    - `tangent`: of the branch there, of length 1 in the weighted norm.
    - `sign`, `log`: of the determinant of [∂G/∂w; tangent], whose sign changes where
      another branch crosses.
    - `jacobian`: ∂G/∂w, shape `(N, N + 1)`.
    - `aux`: what the equations gave besides.
    """

    w: Float[Array, " w"]
    tangent: Float[Array, " w"]
    sign: Scalar
    log: Scalar
    jacobian: Float[Array, "N w"]
    aux: PyTree
    num_steps: Int[Array, ""]
    converged: Bool[Array, ""]


def correct(
    equations: Callable,
    predicted: Float[Array, " w"],
    tangent: Float[Array, " w"],
    weights: Float[Array, " w"],
    tolerance: Scalar,
) -> Corrected:
    """Solve G(w) = 0 in the plane through `predicted` across `tangent`.

    `equations` gives (residual `(N,)`, Jacobian `(N, N + 1)`, aux) of w.
    """
    across = weights * tangent

    def evaluate(w: Array) -> tuple[Array, Array, PyTree]:
        residual, jacobian, aux = equations(w)
        height = jnp.vdot(across, w - predicted)
        square = jnp.concatenate([jacobian, across[None]])
        return jnp.concatenate([residual, height[None]]), square, aux

    found = newton(
        evaluate,
        predicted,
        tolerance=tolerance,
        max_steps=_CORRECTIONS,
        longest=lambda w, step: jnp.ones((), w.dtype),
    )
    # At a branch point the system is singular: least squares gives a tangent still.
    last = jnp.zeros_like(predicted).at[-1].set(1.0)
    move, *_ = jnp.linalg.lstsq(found.jacobian, last)
    move = move / jnp.sqrt(jnp.vdot(weights, move**2))
    jacobian = found.jacobian[:-1]
    sign, log = jnp.linalg.slogdet(jnp.concatenate([jacobian, (weights * move)[None]]))
    converged = found.converged & jnp.all(jnp.isfinite(move))
    return Corrected(
        found.z, move, sign, log, jacobian, found.aux, found.num_steps, converged
    )


class Place(NamedTuple):
    """A corrected point on the host, with its growth rates `(j,)`, greatest first.

    The rates are eigenvalues of a Jacobian or logarithms of multipliers: complex, and
    neutral where the real part is 0.
    """

    w: np.ndarray
    tangent: np.ndarray
    sign: float
    log: float
    rates: np.ndarray
    extra: Any
    num_steps: int

    @property
    def parameter(self) -> float:
        """The last of the unknowns."""
        return float(self.w[-1])

    @property
    def growing(self) -> int:
        """Number of rates with a positive real part."""
        return int(np.sum(np.real(self.rates) > 0))

    def reversed(self) -> "Place":
        """Return the place with its tangent the other way; so is the determinant."""
        return self._replace(tangent=-self.tangent, sign=-self.sign)


#: (predicted, tangent, reference) -> place, or None where the corrector failed.
Corrector: TypeAlias = Callable[[np.ndarray, np.ndarray, Any], Place | None]


class Special(NamedTuple):
    """A special point, and the number of points on the branch before it."""

    kind: str
    place: Place
    before: int


class Path(NamedTuple):
    """Places along a branch, the special ones between them, and why it ended."""

    places: list[Place]
    special: list[Special]
    result: PyTree


def follow(
    corrector: Corrector,
    first: Place,
    weights: np.ndarray,
    *,
    step: float,
    min_step: float,
    max_step: float,
    num_points: int,
    bounds: tuple[float, float],
    ended: Callable[[Place], bool] = lambda place: False,
) -> Path:
    """Follow a branch from `first` along its tangent.

    Steps adapt to the corrector and to the turn of the tangent. The branch ends at
    a bound of the parameter, where a last point is placed, where `ended` says so,
    after `num_points`, or where the smallest step fails.
    """
    places, special = [first], []
    while len(places) < num_points:
        here = places[-1]
        there = corrector(here.w + step * here.tangent, here.tangent, here)
        smooth = there is not None and (
            float(np.dot(weights * here.tangent, there.tangent)) >= _COSINE
        )
        if there is None or not smooth:
            step /= 2
            if step < min_step:
                return Path(places, special, OUTCOMES.step_underflow)
            continue
        low, high = bounds
        outside = not low <= there.parameter <= high
        if outside:
            bound = low if there.parameter < low else high
            there = locate(corrector, here, there, step, _past(bound))
            w = np.append(there.w[:-1], bound).astype(there.w.dtype)
            there = there._replace(w=w)
        special += _specials(corrector, here, there, step, len(places))
        places.append(there)
        gap = min(abs(there.parameter - low), abs(there.parameter - high))
        at_bound = outside or gap <= 1e-12 * (1 + abs(there.parameter))
        if at_bound or ended(there):
            break
        if there.num_steps < _EASY:
            step = min(1.5 * step, max_step)
    return Path(places, special, OUTCOMES.successful)


def _past(bound: float) -> Callable[[Place], float]:
    return lambda place: place.parameter - bound


def locate(
    corrector: Corrector,
    here: Place,
    there: Place,
    step: float,
    test: Callable[[Place], float],
) -> Place:
    """Return the point between two at which a test function changes sign.

    By the Illinois variant of the secant method on the length of the step.
    """
    low, high = 0.0, step
    at_low, at_high = test(here), test(there)
    best = here if abs(at_low) < abs(at_high) else there
    if at_high == 0:
        return there
    side = 0
    for _ in range(60):
        if at_low == at_high:
            break
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        if not low < middle < high:
            middle = 0.5 * (low + high)
        found = corrector(here.w + middle * here.tangent, here.tangent, here)
        if found is None:
            # The corrector may fail just where the system is singular.
            break
        value = test(found)
        best = found
        if value == 0 or high - low <= 1e-12 * step:
            break
        if (value >= 0) == (at_high >= 0):
            shorter = high - middle
            high, at_high = middle, value
            at_low = at_low / 2 if side == 1 else at_low
            side = 1
        else:
            shorter = middle - low
            low, at_low = middle, value
            at_high = at_high / 2 if side == -1 else at_high
            side = -1
        if shorter <= 1e-13 * step:
            break
    return best


def _specials(
    corrector: Corrector, here: Place, there: Place, step: float, index: int
) -> list[Special]:
    found = []

    def add(kind: str, test: Callable[[Place], float]) -> None:
        found.append(Special(kind, locate(corrector, here, there, step, test), index))

    # Zero counts as positive, so that a point just on the spot is not lost.
    folds = (here.tangent[-1] >= 0) != (there.tangent[-1] >= 0)
    crosses = (here.sign >= 0) != (there.sign >= 0)
    if folds:
        add("fold", lambda place: float(place.tangent[-1]))
    if crosses:
        top = max(here.log, there.log)
        add("branch point", lambda place: place.sign * float(np.exp(place.log - top)))
    before, after = sorted((here.growing, there.growing))
    for rank in sorted({before, after - 1}) if before < after else ():
        add("crossing", lambda place, rank=rank: float(place.rates[rank].real))
    return found
