"""The rectified network that starts as the identity."""

import jax
import jax.numpy as jnp

from ..._types import Array, DTypeLike, Float, Key, Matrix, Vector
from .._cell import AbstractCell
from ._parts import check_input, check_positive, check_sizes, normal


class IRNN(AbstractCell):
    r"""$h_k = \mathrm{relu}(W h_{k-1} + V u_k + b)$, with W the identity at first.

    Without input a new one keeps every state that has no negative entry.

    **Initialisation.** W = `gain` times I, V from $\mathcal{N}(0, 0.001^2)$, b zero.

    **Arguments:**

    - `input_size`, `hidden_size`: m and n.
    - `gain`: what W multiplies by at first; the paper takes 1, and less where long
      memory is not wanted.
    - `input_scale`: standard deviation of V.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, or an input that does not fit.

    **Reference:** Q. Le, N. Jaitly, G. Hinton, A simple way to initialize recurrent
    networks of rectified linear units, arXiv:1504.00941 (2015).
    """

    weight: Matrix
    input_weight: Float[Array, "n m"]
    bias: Vector

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        gain: float = 1.0,
        input_scale: float = 1e-3,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        self.weight = check_positive("gain", gain) * jnp.eye(n, dtype=dtype)
        scale = check_positive("input_scale", input_scale)
        self.input_weight = normal(key, (n, m), scale, dtype)
        self.bias = jnp.zeros(n, dtype)

    @property
    def input_size(self) -> int:
        return self.input_weight.shape[1]

    @property
    def output_size(self) -> int:
        return self.bias.shape[0]

    def initial_state(self) -> Vector:
        return jnp.zeros_like(self.bias)

    def step(self, state: Vector, u: Float[Array, " m"]) -> Vector:
        check_input(u, self.input_size, self.bias.dtype)
        return jax.nn.relu(self.weight @ state + self.input_weight @ u + self.bias)

    def output(self, state: Vector) -> Vector:
        return state
