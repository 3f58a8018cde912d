"""The plain recurrent network, with tanh."""

import jax.numpy as jnp
import jax.random as jr

from ..._types import Array, DTypeLike, Float, Key, Matrix, Vector
from .._cell import AbstractCell
from ._parts import check_input, check_sizes, glorot


class TanhRNN(AbstractCell):
    r"""$h_k = \tanh(W h_{k-1} + V u_k + b)$.

    **Initialisation.** The paper gives none. W is a random orthogonal matrix (Saxe and
    others 2014), V is Glorot's uniform one, b and the initial state are zero.

    **Arguments:**

    - `input_size`, `hidden_size`: m and n.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, or an input that does not fit.

    **Reference:** J. Elman, Finding structure in time, Cognitive Science 14 (1990).
    """

    weight: Matrix
    input_weight: Float[Array, "n m"]
    bias: Vector

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        weight_key, input_key = jr.split(key)
        self.weight = jr.orthogonal(weight_key, n, dtype=dtype)
        self.input_weight = glorot(input_key, n, m, dtype)
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
        return jnp.tanh(self.weight @ state + self.input_weight @ u + self.bias)

    def output(self, state: Vector) -> Vector:
        return state
