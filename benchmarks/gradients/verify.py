"""No time is taken of a wrong gradient."""

from typing import Literal

import numpy as np

from ..suites import Verdict, WrongAnswer
from .problem import Problem
from .reference import Gradient, expected, growth

Standing = Literal["exact", "rebuilt"]


def distance(found: Gradient, other: Gradient) -> float:
    """Return the larger relative error of the two parts, in the 2-norm."""
    return max(
        float(np.linalg.norm(a - b) / np.linalg.norm(b))
        for a, b in zip(found, other, strict=True)
    )


def tolerance(problem: Problem, standing: Standing) -> float:
    r"""Return the largest relative error against the same scheme in float64.

    The budget, with u the unit roundoff, N the steps of length h, and W of radius 1:

    - adding an increment to the state, and to its cotangent, rounds once a step by
      at most u. The signs vary, so N steps make a random walk: 6 √N u is six
      standard deviations or more.
    - each increment, of size h, carries the error of tanh (4 u) and of a sum of n
      terms (√n u), in all components (√n): h (4 + √n) √n √N u.
    - both times six, since there is a way forward and one back, and since a gradient,
      the size of small differences on their way, changes with the state at which it
      is taken; and times the growth of small differences: its root mean square over the
      lanes, since an error is measured over all of them together.

    One step too few is off by about h, 3e-2: in float32 two hundred times this at 10⁴
    steps and six times at 10⁵. At 10⁶ it would pass: what is checked there is that
    the same program was right at 10⁵.

    What is "rebuilt" is not allowed more, but for two things that its documentation
    says: a step of -h inverts one of h up to h⁵, and backsolving takes the adjoint
    equation's own steps, which are not the derivative of the forward ones.
    """
    unit = np.finfo(problem.dtype).eps / 2
    n, walk = problem.size, np.sqrt(problem.steps)
    rounding = 6 * walk * unit
    slopes = problem.step * (4 + np.sqrt(n)) * np.sqrt(n) * walk * unit
    factor = float(np.sqrt(np.mean(growth(problem).factor ** 2)))
    budget = 6 * factor * (rounding + slopes)
    if standing == "rebuilt":
        budget += 2 * factor * problem.duration * problem.step**4 / 120
    return budget


def check_gradient(
    problem: Problem, scheme: str, standing: Standing, found: Gradient
) -> Verdict:
    """Compare with back-propagation through the same scheme in float64.

    A "rebuilt" gradient that is off comes back as such, which is a result. The
    details have the error against the "converged" gradient, what the scheme itself
    does not resolve included, and the "norm" of the gradient.

    **Raises:** `WrongAnswer` for an "exact" one that is off.
    """
    right = expected(problem, scheme)
    for part, name, other in zip(found, Gradient._fields, right, strict=True):
        if np.shape(part) != other.shape:
            raise WrongAnswer(
                f"gradient by {name} of shape {np.shape(part)}, not {other.shape}"
            )
    finite = all(np.all(np.isfinite(part)) for part in found)
    wide = Gradient(*(np.asarray(part, np.float64) for part in found))
    error = distance(wide, right) if finite else np.inf
    allowed = tolerance(problem, standing)
    if standing == "exact" and not error <= allowed:
        raise WrongAnswer(f"off by {error:.1e} where {allowed:.1e} is allowed")
    details = {
        "converged": distance(wide, expected(problem, "converged")),
        "norm": float(np.sqrt(sum(np.sum(part**2) for part in wide))),
    }
    if not finite:
        details = dict.fromkeys(details, np.inf)
    return Verdict(error, allowed, details)
