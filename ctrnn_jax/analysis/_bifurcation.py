"""A special point on a branch, as its users see it."""

import dataclasses

import numpy as np

from ._arclength import Special


# Compared by identity: arrays have no truth value.
@dataclasses.dataclass(frozen=True, eq=False)
class Bifurcation:
    r"""Where a branch turns, meets another, or changes its stability.

    - `kind`: `"fold"` (the branch turns back in the parameter), `"branch point"`
      (another branch crosses: pitchfork, transcritical), and where eigenvalues or
      multipliers become neutral without either: `"hopf"` (a pair ±iω of a fixed
      point), `"period doubling"` (a multiplier −1), `"torus"` (a pair on the unit
      circle; Neimark and Sacker's), `"degenerate"` (several real ones at once).
    - `parameter`: its value there.
    - `point`: the fixed point, or a state on the orbit, shape `(n,)`.
    - `period`: of the orbit; NaN for fixed points.
    - `angular_frequencies`: those of the neutral pairs, greatest first: ω of a Hopf
      point in radians per unit time, or the angle of the multipliers over the period.
    - `direction`: real unit vector `(n,)` that the Jacobian of a fixed point
      annihilates, along which another branch leaves; NaN otherwise.
    - `index`: the point comes before `parameters[index]` of the branch.
    """

    kind: str
    parameter: float
    point: np.ndarray
    period: float
    angular_frequencies: np.ndarray
    direction: np.ndarray
    index: int


def name_special(special: Special, is_orbit: bool) -> tuple[str, np.ndarray]:
    """Return the kind of a special point, and the angles of its neutral pairs."""
    rates, kind = special.place.rates, special.kind
    size = np.max(np.abs(rates), initial=1e-300)
    neutral = np.imag(rates[np.abs(np.real(rates)) <= 1e-5 * size])
    angles = np.sort(neutral[neutral > 1e-5 * size])[::-1]
    if kind != "crossing":
        return kind, angles
    if angles.size == 0:
        return "degenerate", angles
    if not is_orbit:
        return "hopf", angles
    turned = np.any(np.abs(angles - np.pi) < 1e-3)
    return "period doubling" if turned else "torus", angles


def distinct(found: list[Bifurcation]) -> tuple[Bifurcation, ...]:
    """Drop what two test functions found at the same place.

    A real rate that crosses is the fold or branch point that was found by its own.
    """
    kept: list[Bifurcation] = []
    for one in found:
        same = [
            other
            for other in found
            if other is not one
            and other.index == one.index
            and abs(other.parameter - one.parameter) <= 1e-5 * (1 + abs(one.parameter))
        ]
        named = any(other.kind in ("fold", "branch point") for other in same)
        twin = any(other.kind == one.kind for other in same if other in kept)
        if (one.kind == "degenerate" and named) or twin:
            continue
        kept.append(one)
    return tuple(kept)
