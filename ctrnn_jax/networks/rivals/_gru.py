"""The gated recurrent unit."""

import equinox as eqx
import jax.numpy as jnp

from ..._types import Array, DTypeLike, Float, Key, Vector
from .._cell import AbstractCell
from ._parts import check_input, check_sizes


class GRU(AbstractCell):
    r"""A state that gates its own renewal, by `equinox.nn.GRUCell`.

    $h_k = (1 - z_k) n_k + z_k h_{k-1}$ with $n_k = \tanh(V_n u_k + b_n + r_k (W_n
    h_{k-1} + c_n))$, and gates r, z that are σ of the same kind of sum. The reset gate
    stands behind the product with $W_n$, as in cuDNN and PyTorch, not before it.

    **Initialisation.** $\mathcal{U}(-1/\sqrt n, 1/\sqrt n)$.

    **Arguments:**

    - `input_size`, `hidden_size`: m and n.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, or an input that does not fit.

    **Reference:** K. Cho and others, Learning phrase representations using RNN
    encoder-decoder, EMNLP (2014), arXiv:1406.1078.
    """

    cell: eqx.nn.GRUCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        self.cell = eqx.nn.GRUCell(m, n, dtype=dtype, key=key)

    @property
    def input_size(self) -> int:
        return self.cell.input_size

    @property
    def output_size(self) -> int:
        return self.cell.hidden_size

    def initial_state(self) -> Vector:
        return jnp.zeros(self.cell.hidden_size, self.cell.weight_hh.dtype)

    def step(self, state: Vector, u: Float[Array, " m"]) -> Vector:
        check_input(u, self.input_size, self.cell.weight_hh.dtype)
        return self.cell(u, state)

    def output(self, state: Vector) -> Vector:
        return state
