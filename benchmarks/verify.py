"""No time is taken of a wrong answer."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np

from .problem import STEP, Problem, checked_lanes, reference_steps
from .suites import WrongAnswer

#: How a candidate advances: the classical RK4 of the reference; another method of
#: order 4 or more with the same steps; or steps of its own choice.
Method = Literal["rk4", "other", "adaptive"]

#: The flow neither contracts nor, on these short spans, expands much: a difference
#: made early grows by shear, about linearly in time. Measured growth of a small
#: perturbation over the longest span is below 8 at every size.
GROWTH = 10.0


@lru_cache(maxsize=4)
def reference(problem: Problem) -> np.ndarray:
    """Return the final states of the checked lanes, float64."""
    *_, last = reference_steps(problem, checked_lanes(problem.lanes))
    return last


def tolerance(problem: Problem, method: Method, size: float) -> float:
    r"""Return the largest error that `method` may make.

    The budget, with u the unit roundoff, T the duration, L the radius of W (below
    3.5 as the problem scales it), M = `size` the largest state:

    - adding h·k to y rounds once a step by at most u M. The signs vary, so N steps
      make a random walk: 6 √N u M is six standard deviations or more.
    - a slope carries the error of tanh (4 u: several peers use a rational form) and
      of a sum of n terms, whose signs vary too (√n u), together at most
      (4 + √n) u L √n, and enters with weight T in all.
    - RK4 itself is within T L (h L)⁴ / 120 of the solution, relative to M; another
      method of order four or more within as much again.
    - GROWTH times all that, for what the flow makes of errors made early.

    One step too few is off by h |f|, about 1e-2, at least 20 times the float32
    budget; W transposed, or a wrong coefficient of the tableau, by more.

    SciPy's default tolerances (1e-3 relative, 1e-6 absolute) per step add up to a
    few percent over its tens of steps: the adaptive row may be that far off.
    """
    unit = np.finfo(problem.dtype).eps / 2
    radius, n, t = 3.5, problem.size, problem.duration
    walk = 6 * np.sqrt(problem.steps) * unit * size
    slopes = t * (4 + np.sqrt(n)) * unit * radius * np.sqrt(n)
    budget = walk + slopes
    if method != "rk4":
        budget += 2 * t * radius * (STEP * radius) ** 4 / 120 * size
    if method == "adaptive":
        budget += 5e-3 * size
    return float(GROWTH * budget)


def check_answer(
    problem: Problem, method: Method, states: Callable[[], np.ndarray]
) -> tuple[float, float]:
    """Compare final states `(lanes, n)` with the reference; return (error, allowed).

    **Raises:** `WrongAnswer`.
    """
    expected = reference(problem)
    allowed = tolerance(problem, method, float(np.abs(expected).max()))
    found = np.asarray(states())
    if found.shape != (problem.lanes, problem.size):
        raise WrongAnswer(
            f"final states of shape {found.shape}, not {(problem.lanes, problem.size)}"
        )
    if not np.all(np.isfinite(found)):
        raise WrongAnswer("final states that are not finite")
    chosen = found[checked_lanes(problem.lanes)].astype(np.float64)
    error = float(np.abs(chosen - expected).max())
    if not error <= allowed:
        raise WrongAnswer(f"off by {error:.1e} where {allowed:.1e} is allowed")
    return error, allowed
