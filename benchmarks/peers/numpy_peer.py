"""NumPy on the whole batch: plain expressions, and in place in chunks."""

import numpy as np

from ..problem import STEP, Problem
from ..suites import Candidate
from ._way import Way

#: Bytes of one array of a chunk: six of them stay in a 1 MB level-2 cache, and
#: fewer, larger chunks would spend less on calls only where n is small.
_CHUNK_BYTES = 128 * 1024


def _plain(problem: Problem) -> Candidate:
    weight, y0 = problem.weight, problem.y0_lanes_last
    h = problem.dtype.type(STEP)

    def slope(y: np.ndarray) -> np.ndarray:
        return weight @ np.tanh(y)

    def run() -> np.ndarray:
        y = y0
        for _ in range(problem.steps):
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            k4 = slope(y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y

    return Candidate(run, lambda y: y.T)


def _in_place(problem: Problem) -> Candidate:
    weight, y0 = problem.weight, problem.y0_lanes_last
    n, lanes = y0.shape
    itemsize = problem.dtype.itemsize
    chunk = max(64, min(lanes, _CHUNK_BYTES // (n * itemsize)))
    h = problem.dtype.type(STEP)
    half, third, sixth = h / 2, h / 3, h / 6
    result = np.empty_like(y0)

    def advance(y: np.ndarray) -> None:
        k, s, z, total = (np.empty_like(y) for _ in range(4))

        def slope(at: np.ndarray) -> None:
            np.tanh(at, out=s)
            np.matmul(weight, s, out=k)

        for _ in range(problem.steps):
            np.copyto(total, y)
            at = y
            for towards, share in ((half, sixth), (half, third), (h, third)):
                slope(at)
                np.multiply(k, share, out=z)
                total += z
                np.multiply(k, towards, out=z)
                np.add(y, z, out=z)
                at = z
            slope(at)
            np.multiply(k, sixth, out=z)
            np.add(total, z, out=y)

    def run() -> np.ndarray:
        for first in range(0, lanes, chunk):
            y = np.ascontiguousarray(y0[:, first : first + chunk])
            # A copy in every case: the input must survive for the next run.
            y = y.copy() if np.shares_memory(y, y0) else y
            advance(y)
            result[:, first : first + chunk] = y
        return result

    return Candidate(run, lambda y: y.T)


WAYS = (
    Way("numpy", "NumPy, state (n, B)", "default", _plain),
    Way("numpy-in-place", "NumPy, in place, chunks in cache", "tuned", _in_place),
)
