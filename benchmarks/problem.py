"""The work that every candidate does, and the answer that it must give."""

import dataclasses
from collections.abc import Iterator
from functools import cached_property

import numpy as np

#: A power of two, so that each peer's clock, summed or multiplied, in float32 or
#: float64, is exact and no difference of answers comes from the time.
STEP = 2.0**-7

#: Lanes whose answer is checked, spread over the batch.
CHECKED_LANES = 32


@dataclasses.dataclass(frozen=True)
class Problem:
    """x' = W tanh(x): `lanes` states of `size` neurons, `steps` steps of RK4.

    With `own_weights` each lane has a matrix W of its own.
    """

    size: int
    bits: int
    lanes: int
    steps: int
    own_weights: bool = False

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(f"float{self.bits}")

    @property
    def duration(self) -> float:
        return self.steps * STEP

    @property
    def lane_steps(self) -> int:
        return self.lanes * self.steps

    @cached_property
    def weight(self) -> np.ndarray:
        """A skew-symmetric W `(n, n)`, or `(lanes, n, n)`, with a radius near 3."""
        random = np.random.default_rng(20250413)
        count = self.lanes if self.own_weights else 1
        lower = np.tril(random.normal(size=(count, self.size, self.size)), -1)
        lower = (1.5 / np.sqrt(self.size) * lower).astype(self.dtype)
        weight = lower - np.swapaxes(lower, 1, 2)
        return weight if self.own_weights else weight[0]

    @cached_property
    def y0(self) -> np.ndarray:
        """Initial states `(lanes, n)`."""
        random = np.random.default_rng(7)
        return random.normal(size=(self.lanes, self.size)).astype(self.dtype)

    @cached_property
    def y0_lanes_last(self) -> np.ndarray:
        """Initial states `(n, lanes)`, contiguous."""
        return np.ascontiguousarray(self.y0.T)

    def part(self, lanes: int) -> "Problem":
        """Return the problem of the first `lanes` lanes only.

        For ways whose cost is proportional to the lanes and that would take minutes.
        """
        if lanes >= self.lanes:
            return self
        part = dataclasses.replace(self, lanes=lanes)
        weight = self.weight[:lanes] if self.own_weights else self.weight
        part.__dict__.update(weight=weight, y0=self.y0[:lanes])
        return part


def checked_lanes(lanes: int) -> np.ndarray:
    """Return the lanes to check: both ends, so that a lost last chunk is seen."""
    return np.unique(np.linspace(0, lanes - 1, CHECKED_LANES).astype(int))


def reference_steps(problem: Problem, lanes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the states `(lanes, n)` after each step, by RK4 in float64."""
    weight = problem.weight.astype(np.float64)
    if problem.own_weights:
        weight = weight[lanes]
    y = problem.y0[lanes].astype(np.float64)

    def slope(y: np.ndarray) -> np.ndarray:
        return (weight @ np.tanh(y)[..., None])[..., 0]

    for _ in range(problem.steps):
        k1 = slope(y)
        k2 = slope(y + STEP / 2 * k1)
        k3 = slope(y + STEP / 2 * k2)
        k4 = slope(y + STEP * k3)
        y = y + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        yield y
