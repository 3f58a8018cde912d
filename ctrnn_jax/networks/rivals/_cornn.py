"""Coupled, damped, driven oscillators as a recurrent network."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from ..._types import Array, DTypeLike, Float, Key, Matrix, Vector
from .._cell import AbstractCell
from ._parts import check_input, check_positive, check_sizes, uniform


class CoRNN(AbstractCell):
    r"""Damped oscillators, coupled and driven inside a tanh.

    $y'' = \tanh(W y + \mathcal{W} y' + V u + b) - \gamma y - \epsilon y'$ by an
    implicit-explicit step:

    $z_k = z_{k-1} + \Delta t (\tanh(W y_{k-1} + \mathcal{W} z_{k-1} + V u_k + b) -
    \gamma y_{k-1} - \epsilon \bar z)$, $y_k = y_{k-1} + \Delta t z_k$.

    The state is (y, z), the output y. With $\bar z = z_k$ (`implicit`) and $\Delta t
    \le (2\epsilon - 1)/\gamma$, $\gamma |y_k|^2 + |z_k|^2 \le n k
    \Delta t$ from a state of rest; the authors' experiments take $\bar z = z_{k-1}$.

    **Initialisation.** $\mathcal{U}(-1/\sqrt{m + 2n}, 1/\sqrt{m + 2n})$, biases
    included, as the authors' code has it.

    **Arguments:**

    - `input_size`, `hidden_size`: m and n.
    - `dt`: Δt. This, γ and ε are searched for each task in the paper; the defaults are
      its values for sequential digits.
    - `frequency`: γ, positive; an oscillator alone turns by √γ radians per unit time.
    - `damping`: ε, not negative.
    - `implicit`: whether the damping acts on $z_k$ rather than $z_{k-1}$.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, or an input that does not fit.

    **Reference:** T. K. Rusch, S. Mishra, Coupled oscillatory recurrent neural network,
    ICLR (2021), arXiv:2010.00951, equation (3).
    """

    weight: Matrix
    velocity_weight: Matrix
    input_weight: Float[Array, "n m"]
    bias: Vector
    dt: float = eqx.field(static=True)
    frequency: float = eqx.field(static=True)
    damping: float = eqx.field(static=True)
    implicit: bool = eqx.field(static=True)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        dt: float = 0.042,
        frequency: float = 2.7,
        damping: float = 4.7,
        implicit: bool = False,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        self.dt = check_positive("dt", dt)
        self.frequency = check_positive("frequency", frequency)
        self.damping = check_positive("damping", damping, zero=True)
        self.implicit = implicit
        bound = (m + 2 * n) ** -0.5
        keys = jr.split(key, 4)
        self.weight = uniform(keys[0], (n, n), bound, dtype)
        self.velocity_weight = uniform(keys[1], (n, n), bound, dtype)
        self.input_weight = uniform(keys[2], (n, m), bound, dtype)
        self.bias = uniform(keys[3], (n,), bound, dtype)

    @property
    def input_size(self) -> int:
        return self.input_weight.shape[1]

    @property
    def output_size(self) -> int:
        return self.bias.shape[0]

    def initial_state(self) -> tuple[Vector, Vector]:
        zero = jnp.zeros_like(self.bias)
        return zero, zero

    def step(
        self, state: tuple[Vector, Vector], u: Float[Array, " m"]
    ) -> tuple[Vector, Vector]:
        check_input(u, self.input_size, self.bias.dtype)
        y, z = state
        drive = self.input_weight @ u + self.bias
        force = jnp.tanh(self.weight @ y + self.velocity_weight @ z + drive)
        force = force - self.frequency * y
        if self.implicit:
            z = (z + self.dt * force) / (1 + self.dt * self.damping)
        else:
            z = z + self.dt * (force - self.damping * z)
        return y + self.dt * z, z

    def output(self, state: tuple[Vector, Vector]) -> Vector:
        return state[0]
