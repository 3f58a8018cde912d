"""The work that every way of differentiating does."""

import dataclasses
from functools import cached_property
from typing import Literal

import numpy as np

#: Two hundred steps to the shortest period. A power of two, so that the clock of
#: every peer, summed or multiplied, is exact: with another step diffrax's float32
#: clock, a running sum, costs its gradient accuracy that the other ways keep.
STEP = 2.0**-5

Weight = Literal["bipartite", "dense"]

#: Square roots of primes are incommensurate: equally spaced frequencies would be
#: full of resonances, through which even small oscillations turn chaotic.
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)

#: Starts of this size stay regular through 10⁶ steps; starts of size one are chaotic.
REGULAR, CHAOTIC = 0.1, 1.0


@dataclasses.dataclass(frozen=True)
class Problem:
    r"""Differentiate $\sum p \cdot x(t)$ through x' = W tanh(x), over all lanes.

    The projection p is random and fixed. (The square of the final state would not
    do: near zero it is the conserved energy, whose gradient hardly sees W.)

    - `weight`: "bipartite", W = [[0, C], [-Cᵀ, 0]], or "dense". Their spectra are
      the same: frequencies up to 1, from 0.19 with 32 neurons.
    - `amplitude`: standard deviation of the initial states.
    - `step`: of time; the span is `steps * step`.
    - `size`: neurons, an even number up to 32.
    """

    weight: Weight
    bits: int
    steps: int
    amplitude: float = REGULAR
    lanes: int = 64
    step: float = STEP
    size: int = 2 * len(_PRIMES)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(f"float{self.bits}")

    @property
    def duration(self) -> float:
        return self.steps * self.step

    @cached_property
    def parameter(self) -> np.ndarray:
        """C `(n/2, n/2)`, or the strictly lower triangle of a dense W `(n, n)`."""
        random = np.random.default_rng(20250413)
        half = self.size // 2
        frequencies = np.sqrt(_PRIMES[:half]) / np.sqrt(_PRIMES[half - 1])
        left, right = (_orthogonal(random, half) for _ in range(2))
        coupling = left * frequencies @ right.T
        if self.weight == "bipartite":
            return self._rounded(coupling)
        blocks = np.zeros((self.size, self.size))
        blocks[:half, half:] = np.diag(frequencies)
        basis = _orthogonal(random, self.size)
        return self._rounded(np.tril(basis @ (blocks - blocks.T) @ basis.T, -1))

    @cached_property
    def y0(self) -> np.ndarray:
        """Initial states `(n, lanes)`."""
        random = np.random.default_rng(7)
        states = self.amplitude * random.normal(size=(self.size, self.lanes))
        return self._rounded(states)

    @cached_property
    def projection(self) -> np.ndarray:
        """The loss's p, shape `(n, lanes)`."""
        random = np.random.default_rng(11)
        return self._rounded(random.normal(size=(self.size, self.lanes)))

    def _rounded(self, array: np.ndarray) -> np.ndarray:
        """Round to float32 first: both precisions then solve the same problem."""
        return array.astype(np.float32).astype(self.dtype)


def _orthogonal(random: np.random.Generator, size: int) -> np.ndarray:
    return np.linalg.qr(random.normal(size=(size, size)))[0]
