"""numba: every lane by itself, compiled."""

import math
from functools import partial

import numpy as np

from ..problem import STEP, Problem
from ..suites import Candidate
from ._way import Way


def _prepare(problem: Problem, fastmath: bool) -> Candidate:
    import numba

    h = problem.dtype.type(STEP)
    half, sixth, two = h / 2, h / 6, problem.dtype.type(2)

    def solve(weight: np.ndarray, y0: np.ndarray, steps: int) -> np.ndarray:
        lanes, n = y0.shape
        out = y0.copy()
        s, z = np.empty_like(y0[0]), np.empty_like(y0[0])
        k, total = np.empty_like(y0[0]), np.empty_like(y0[0])
        for lane in range(lanes):
            y = out[lane]
            for _ in range(steps):
                for stage in range(4):
                    for i in range(n):
                        s[i] = math.tanh(y[i] if stage == 0 else z[i])
                    for i in range(n):
                        k[i] = 0
                        for j in range(n):
                            k[i] += weight[i, j] * s[j]
                    for i in range(n):
                        if stage == 0:
                            total[i] = k[i]
                            z[i] = y[i] + half * k[i]
                        elif stage == 1:
                            total[i] += two * k[i]
                            z[i] = y[i] + half * k[i]
                        elif stage == 2:
                            total[i] += two * k[i]
                            z[i] = y[i] + h * k[i]
                        else:
                            y[i] += sixth * (total[i] + k[i])
        return out

    compiled = numba.njit(fastmath=fastmath)(solve)
    return Candidate(
        lambda: compiled(problem.weight, problem.y0, problem.steps), lambda y: y
    )


WAYS = (
    Way(
        "numba",
        "numba, loop a lane",
        "default",
        partial(_prepare, fastmath=False),
        lanes=256,
    ),
    Way(
        "numba-fastmath",
        "numba, loop a lane, `fastmath`",
        "tuned",
        partial(_prepare, fastmath=True),
        lanes=256,
    ),
)
