"""Ways to compute k Lyapunov exponents of many orbits of x' = W tanh(x).

Each does the same work: RK4 of the state and of k tangent vectors, `QR_STEPS` steps
between orthonormalisations, from the same first vectors. So all answers agree to
rounding, and none may be quicker by doing less.
"""

import dataclasses
import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from .problem import Problem
from .suites import Candidate

STEP = 2.0**-5
QR_STEPS = 8


@dataclasses.dataclass(frozen=True)
class LyapunovProblem:
    """`lanes` orbits of `size` neurons, `count` exponents, `intervals` · 8 steps."""

    size: int
    count: int
    bits: int
    lanes: int
    intervals: int

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(f"float{self.bits}")

    @property
    def steps(self) -> int:
        return self.intervals * QR_STEPS

    @property
    def duration(self) -> float:
        return self.steps * STEP

    @cached_property
    def weight(self) -> np.ndarray:
        """A skew-symmetric W, shape `(n, n)`, with a radius near 3."""
        return Problem(self.size, self.bits, self.lanes, self.steps).weight

    @cached_property
    def y0(self) -> np.ndarray:
        """Initial states, shape `(lanes, n)`."""
        return Problem(self.size, self.bits, self.lanes, self.steps).y0

    @cached_property
    def frame(self) -> np.ndarray:
        """The first tangent vectors, columns of `(n, k)`: those that ours draws."""
        import jax

        from ctrnn_jax.analysis._orthonormal import random_frame

        key = jax.random.key(0)
        return np.asarray(
            random_frame(self.size, self.count, key=key, dtype=self.dtype)
        )

    def part(self, lanes: int) -> "LyapunovProblem":
        """Return the problem of the first `lanes` lanes only."""
        part = dataclasses.replace(self, lanes=min(lanes, self.lanes))
        part.__dict__.update(weight=self.weight, y0=self.y0[:lanes], frame=self.frame)
        return part


@dataclasses.dataclass(frozen=True)
class LyapunovWay:
    """One row: `prepare` returns a candidate whose `states` are exponents `(lanes, k)`.

    - `lanes`: run this many only (`None`: all); the cost of a loop is proportional.
    """

    key: str
    label: str
    setting: str
    prepare: Callable[[LyapunovProblem], Candidate]
    lanes: int | None = None


def _ours(problem: LyapunovProblem, vmapped: bool) -> Candidate:
    import jax
    import jax.numpy as jnp

    import ctrnn_jax
    from ctrnn_jax.analysis import lyapunov_ensemble, lyapunov_spectrum

    weight = ctrnn_jax.SkewSymmetric.from_matrix(jnp.asarray(problem.weight))
    model = ctrnn_jax.VoltageCTRNN(weight)
    y0 = jnp.asarray(problem.y0)
    options: dict[str, Any] = {
        "dt0": STEP,
        "duration": problem.duration,
        "qr_interval": QR_STEPS * STEP,
        "num_exponents": problem.count,
        "solver": ctrnn_jax.RK4(),
    }
    if vmapped:
        each = partial(lyapunov_spectrum, **options)
        solve = jax.jit(lambda model, y0: jax.vmap(lambda y: each(model, y))(y0))
    else:
        solve = partial(lyapunov_ensemble, **options)
    return Candidate(
        lambda: jax.block_until_ready(solve(model, y0)),
        # Ours are sorted; the others are in the order of the vectors.
        lambda spectrum: np.asarray(spectrum.exponents),
    )


def _numpy_batched(problem: LyapunovProblem) -> Candidate:
    h = problem.dtype.type(STEP)
    weight = problem.weight

    def slope(y: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s = np.tanh(y)
        return s @ weight.T, weight @ ((1 - s**2)[..., None] * v)

    def run() -> np.ndarray:
        y = problem.y0.copy()
        v = np.broadcast_to(problem.frame, (len(y), *problem.frame.shape)).copy()
        total = np.zeros((len(y), problem.count), problem.dtype)
        for _ in range(problem.intervals):
            for _ in range(QR_STEPS):
                a, p = slope(y, v)
                b, q = slope(y + h / 2 * a, v + h / 2 * p)
                c, r = slope(y + h / 2 * b, v + h / 2 * q)
                d, s = slope(y + h * c, v + h * r)
                y = y + h / 6 * (a + 2 * b + 2 * c + d)
                v = v + h / 6 * (p + 2 * q + 2 * r + s)
            v, triangle = np.linalg.qr(v)
            total += np.log(np.abs(np.diagonal(triangle, axis1=1, axis2=2)))
        return total / problem.duration

    return Candidate(run, lambda exponents: exponents)


def _numbers(problem: LyapunovProblem) -> tuple[Any, ...]:
    """Return 1, 2, h, h/2, h/6 in the precision asked: numba would widen literals."""
    return tuple(map(problem.dtype.type, (1, 2, STEP, STEP / 2, STEP / 6)))


def _one_orbit(
    weight: np.ndarray,
    y: np.ndarray,
    v: np.ndarray,
    numbers: tuple[Any, ...],
    intervals: int,
    steps: int,
) -> np.ndarray:
    """Return the sums of logarithms of one orbit, as one writes it in NumPy."""
    one, _, h, half, sixth = numbers
    total = np.zeros_like(v[0])
    for _ in range(intervals):
        for _ in range(steps):
            s = np.tanh(y)
            a, p = weight @ s, weight @ ((one - s * s).reshape(-1, 1) * v)
            s = np.tanh(y + half * a)
            b, q = weight @ s, weight @ ((one - s * s).reshape(-1, 1) * (v + half * p))
            s = np.tanh(y + half * b)
            c, r = weight @ s, weight @ ((one - s * s).reshape(-1, 1) * (v + half * q))
            s = np.tanh(y + h * c)
            d, e = weight @ s, weight @ ((one - s * s).reshape(-1, 1) * (v + h * r))
            y = y + sixth * (a + b + b + c + c + d)
            v = v + sixth * (p + q + q + r + r + e)
        v, triangle = np.linalg.qr(v)
        total += np.log(np.abs(np.diag(triangle)))
    return total


def _numpy_loop(problem: LyapunovProblem, compiled: bool) -> Candidate:
    one = _one_orbit
    if compiled:
        import numba

        one = numba.njit(fastmath=True)(_one_orbit)
    numbers = _numbers(problem)
    frame = np.ascontiguousarray(problem.frame)

    def run() -> np.ndarray:
        each = [
            one(problem.weight, y, frame, numbers, problem.intervals, QR_STEPS)
            for y in problem.y0
        ]
        return np.stack(each) / problem.duration

    return Candidate(run, lambda exponents: exponents)


def _numba_loops(problem: LyapunovProblem) -> Candidate:
    """Every loop written out, no array made on the way: numba's fastest form."""
    import numba

    def solve(
        weight: np.ndarray,
        y0: np.ndarray,
        frame: np.ndarray,
        numbers: tuple[Any, ...],
        intervals: int,
    ) -> np.ndarray:
        one, two, h, half, sixth = numbers
        lanes, n = y0.shape
        k = frame.shape[1]
        out = np.zeros((lanes, k), y0.dtype)
        # The state is column 0, so that one product serves it and the vectors.
        width = k + 1
        z = np.empty((n, width), y0.dtype)
        active, slope = np.empty_like(z), np.empty_like(z)
        stage, total = np.empty_like(z), np.empty_like(z)
        for lane in range(lanes):
            for i in range(n):
                z[i, 0] = y0[lane, i]
                for j in range(k):
                    z[i, j + 1] = frame[i, j]
            for _ in range(intervals):
                for _ in range(QR_STEPS):
                    for part in range(4):
                        source = z if part == 0 else stage
                        for i in range(n):
                            s = math.tanh(source[i, 0])
                            gain = one - s * s
                            active[i, 0] = s
                            for j in range(1, width):
                                active[i, j] = gain * source[i, j]
                        for i in range(n):
                            for j in range(width):
                                slope[i, j] = 0
                            for m in range(n):
                                w = weight[i, m]
                                for j in range(width):
                                    slope[i, j] += w * active[m, j]
                        ahead = h if part == 2 else half
                        for i in range(n):
                            for j in range(width):
                                if part == 0:
                                    total[i, j] = slope[i, j]
                                elif part == 3:
                                    total[i, j] += slope[i, j]
                                else:
                                    total[i, j] += two * slope[i, j]
                                if part < 3:
                                    stage[i, j] = z[i, j] + ahead * slope[i, j]
                                else:
                                    z[i, j] += sixth * total[i, j]
                for j in range(1, width):
                    length = one - one
                    for i in range(n):
                        length += z[i, j] * z[i, j]
                    length = math.sqrt(length)
                    out[lane, j - 1] += math.log(length)
                    for i in range(n):
                        z[i, j] /= length
                    for m in range(j + 1, width):
                        share = one - one
                        for i in range(n):
                            share += z[i, j] * z[i, m]
                        for i in range(n):
                            z[i, m] -= share * z[i, j]
        return out

    compiled = numba.njit(fastmath=True)(solve)
    numbers = _numbers(problem)

    def run() -> np.ndarray:
        logs = compiled(
            problem.weight, problem.y0, problem.frame, numbers, problem.intervals
        )
        return logs / problem.duration

    return Candidate(run, lambda exponents: exponents)


WAYS = (
    LyapunovWay(
        "ours",
        "**ctrnn_jax `lyapunov_ensemble`**",
        "ours",
        partial(_ours, vmapped=False),
    ),
    LyapunovWay(
        "ours-vmap",
        "ctrnn_jax `vmap(lyapunov_spectrum)`",
        "ours",
        partial(_ours, vmapped=True),
    ),
    LyapunovWay(
        "numpy-loop",
        "NumPy, an orbit at a time",
        "default",
        partial(_numpy_loop, compiled=False),
        lanes=2,
    ),
    LyapunovWay("numpy-batched", "NumPy, all orbits together", "tuned", _numpy_batched),
    LyapunovWay(
        "numba-loop",
        "numba, the same orbit at a time",
        "default",
        partial(_numpy_loop, compiled=True),
        lanes=128,
    ),
    LyapunovWay(
        "numba-loops",
        "numba, an orbit at a time, loops written out",
        "tuned",
        _numba_loops,
        lanes=128,
    ),
)
