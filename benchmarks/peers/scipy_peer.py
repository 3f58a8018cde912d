"""SciPy's RK45: a lane at a time, and all lanes as one system."""

from functools import partial
from typing import Any

import numpy as np

from ..problem import STEP, Problem
from ..suites import Candidate
from ._way import Way

#: Steps of length h as long as no error estimate refuses one.
_SAME_STEPS: dict[str, Any] = {
    "max_step": STEP,
    "first_step": STEP,
    "rtol": 1e-2,
    "atol": 1e-2,
}


def _lane_by_lane(problem: Problem, same_steps: bool) -> Candidate:
    from scipy.integrate import solve_ivp

    options: dict[str, Any] = _SAME_STEPS if same_steps else {}

    def one(y0: np.ndarray) -> np.ndarray:
        def slope(t: float, y: np.ndarray) -> np.ndarray:
            return problem.weight @ np.tanh(y)

        return solve_ivp(slope, (0.0, problem.duration), y0, **options).y[:, -1]

    return Candidate(lambda: np.stack([one(y) for y in problem.y0]), lambda y: y)


def _one_system(problem: Problem) -> Candidate:
    from scipy.integrate import solve_ivp

    shape = problem.y0_lanes_last.shape

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        return (problem.weight @ np.tanh(y.reshape(shape))).ravel()

    def run() -> np.ndarray:
        solution = solve_ivp(
            slope,
            (0.0, problem.duration),
            problem.y0_lanes_last.ravel(),
            # Only the end is kept: otherwise every step of every lane would be.
            t_eval=[problem.duration],
            **_SAME_STEPS,
        )
        return solution.y[:, -1]

    return Candidate(run, lambda y: y.reshape(shape).T)


# SciPy computes in float64 whatever it is given.
WAYS = (
    Way(
        "scipy",
        "SciPy RK45 a lane, steps by its default tolerances",
        "default",
        partial(_lane_by_lane, same_steps=False),
        method="adaptive",
        bits=(64,),
        lanes=4,
    ),
    Way(
        "scipy-same-steps",
        "SciPy RK45 a lane, same steps",
        "default",
        partial(_lane_by_lane, same_steps=True),
        method="other",
        bits=(64,),
        lanes=2,
    ),
    Way(
        "scipy-one-system",
        "SciPy RK45, all lanes as one system, same steps",
        "tuned",
        _one_system,
        method="other",
        bits=(64,),
    ),
)
