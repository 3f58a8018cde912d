"""An echo-state network: the baseline of free-run generation that is hard to beat."""

import dataclasses
import itertools

import numpy as np


@dataclasses.dataclass(frozen=True)
class EchoState:
    r"""A random network of which only the readout is fitted.

    $x_k = (1 - a) x_{k-1} + a \tanh(W x_{k-1} + v u_k + b)$, with W, v and b random,
    and a readout $\hat u_{k+1} = c \cdot (x_k, u_k, 1)$ by ridge regression. It reads
    the whole recording, then its own answers.

    - `size`: number of neurons n.
    - `radius`: spectral radius of W, a tenth of whose entries are not zero.
    - `rate`: a, in (0, 1].
    - `input_scale`: v and b are uniform in ± this.
    - `ridge`: weight of the squared readout, relative to the number of samples.
    - `washout`: first samples, which the readout is not fitted to.

    **Reference:** Jaeger (2001), The "echo state" approach, GMD report 148; leaky as in
    Jaeger et al. (2007), Neural Networks 20(3), equation 2.
    """

    size: int = 200
    radius: float = 0.9
    rate: float = 1.0
    input_scale: float = 0.5
    ridge: float = 1e-6
    washout: int = 30

    def weights(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return W `(n, n)`, v and b `(n,)`."""
        rng = np.random.default_rng(seed)
        shape = (self.size, self.size)
        weight = rng.uniform(-1, 1, shape) * (rng.random(shape) < 0.1)
        weight *= self.radius / np.abs(np.linalg.eigvals(weight)).max()
        scale = self.input_scale
        return weight, *rng.uniform(-scale, scale, (2, self.size))

    def forecast(self, values: np.ndarray, horizon: int, *, seed: int) -> np.ndarray:
        """Return what follows `values` `(time,)`, shape `(horizon,)`.

        Infinite from where the answers are no longer finite.
        """
        weight, entry, bias = self.weights(seed)
        state = np.zeros(self.size)

        def step(state: np.ndarray, value: float) -> np.ndarray:
            drive = np.tanh(weight @ state + entry * value + bias)
            return (1 - self.rate) * state + self.rate * drive

        rows = np.empty((len(values), self.size + 2))
        for row, value in zip(rows, values, strict=True):
            state = step(state, value)
            row[:] = (*state, value, 1.0)
        seen = slice(min(self.washout, len(values) // 4), -1)
        known, next_values = rows[seen], values[1:][seen.start :]
        gram = known.T @ known + self.ridge * len(known) * np.eye(rows.shape[1])
        readout = np.linalg.solve(gram, known.T @ next_values)
        out = np.full(horizon, np.inf)
        value = rows[-1] @ readout
        for place in range(horizon):
            if not abs(value) < 1e100:
                break
            out[place] = value
            state = step(state, value)
            value = np.array([*state, value, 1.0]) @ readout
        return out


def settings(
    size: int = 200,
    radii: tuple[float, ...] = (0.5, 0.9, 1.1),
    rates: tuple[float, ...] = (0.3, 1.0),
    input_scales: tuple[float, ...] = (0.2, 1.0),
    ridges: tuple[float, ...] = (1e-8, 1e-5, 1e-2),
) -> list[EchoState]:
    """Return a grid of echo-state networks to choose from."""
    grid = itertools.product(radii, rates, input_scales, ridges)
    return [EchoState(size, *point) for point in grid]
