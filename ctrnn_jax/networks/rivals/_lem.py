"""Long expressive memory: two time scales, each learned."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from ..._types import Array, DTypeLike, Float, Key, Matrix, Vector
from .._cell import AbstractCell
from ._parts import check_input, check_positive, check_sizes, uniform


class LEM(AbstractCell):
    r"""Two coupled states whose time steps depend on state and input.

    $\delta_k = \Delta t\, \sigma(W_1 y_{k-1} + V_1 u_k + b_1)$, $\bar\delta_k = \Delta
    t\, \sigma(W_2 y_{k-1} + V_2 u_k + b_2)$, then

    $z_k = (1 - \delta_k) z_{k-1} + \delta_k \tanh(W_z y_{k-1} + V_z u_k + b_z)$,

    $y_k = (1 - \bar\delta_k) y_{k-1} + \bar\delta_k \tanh(W_y z_k + V_y u_k + b_y)$.

    The state is (y, z), the output y; both stay in [-1, 1] if $\Delta t \le 1$.

    **Initialisation.** $\mathcal{U}(-1/\sqrt n, 1/\sqrt n)$, biases included.

    **Arguments:**

    - `input_size`, `hidden_size`: m and n.
    - `dt`: Δt, 1 unless a task asks for slower states.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, or an input that does not fit.

    **Reference:** T. K. Rusch, S. Mishra, N. B. Erichson, M. Mahoney, Long expressive
    memory for sequence modeling, ICLR (2022), arXiv:2110.04744, equation (3).
    """

    # Rows of the first three: W_1, W_2, W_z, for one product a step.
    weight: Float[Array, "three_n n"]
    output_weight: Matrix
    input_weight: Float[Array, "four_n m"]
    bias: Float[Array, " four_n"]
    dt: float = eqx.field(static=True)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        dt: float = 1.0,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        self.dt = check_positive("dt", dt)
        bound = n**-0.5
        keys = jr.split(key, 4)
        self.weight = uniform(keys[0], (3 * n, n), bound, dtype)
        self.output_weight = uniform(keys[1], (n, n), bound, dtype)
        self.input_weight = uniform(keys[2], (4 * n, m), bound, dtype)
        self.bias = uniform(keys[3], (4 * n,), bound, dtype)

    @property
    def input_size(self) -> int:
        return self.input_weight.shape[1]

    @property
    def output_size(self) -> int:
        return self.output_weight.shape[0]

    def initial_state(self) -> tuple[Vector, Vector]:
        zero = jnp.zeros(self.output_size, self.bias.dtype)
        return zero, zero

    def step(
        self, state: tuple[Vector, Vector], u: Float[Array, " m"]
    ) -> tuple[Vector, Vector]:
        check_input(u, self.input_size, self.bias.dtype)
        y, z = state
        drives = jnp.split(self.input_weight @ u + self.bias, 4)
        slow, fast, inner = jnp.split(self.weight @ y, 3)
        z_step = self.dt * jax.nn.sigmoid(slow + drives[0])
        y_step = self.dt * jax.nn.sigmoid(fast + drives[1])
        z = (1 - z_step) * z + z_step * jnp.tanh(inner + drives[2])
        outer = jnp.tanh(self.output_weight @ z + drives[3])
        return (1 - y_step) * y + y_step * outer, z

    def output(self, state: tuple[Vector, Vector]) -> Vector:
        return state[0]
