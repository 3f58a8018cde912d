"""Long short-term memory."""

import equinox as eqx
import jax.numpy as jnp

from ..._types import Array, DTypeLike, Float, Key, Vector
from .._cell import AbstractCell
from ._parts import check_input, check_sizes


class LSTM(AbstractCell):
    r"""Gates i, f, o and a memory c, by `equinox.nn.LSTMCell`.

    $c_k = \sigma(f_k) c_{k-1} + \sigma(i_k) \tanh(g_k)$ and $h_k = \sigma(o_k) \tanh
    (c_k)$, where $(i, f, g, o)_k = W h_{k-1} + V u_k + b$. The state is (h, c), the
    output h.

    **Initialisation.** $\mathcal{U}(-1/\sqrt n, 1/\sqrt n)$, and the bias of f is
    `forget_bias`, so that a new cell remembers (Jozefowicz and others 2015).

    **Arguments:**

    - `input_size`, `hidden_size`: m and n.
    - `forget_bias`: bias of the forget gate at first; `None` leaves it random.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, or an input that does not fit.

    **Reference:** S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural
    Computation 9 (1997); with the forget gate of F. Gers and others (2000).
    """

    cell: eqx.nn.LSTMCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float | None = 1.0,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        cell = eqx.nn.LSTMCell(m, n, dtype=dtype, key=key)
        if forget_bias is not None:
            # equinox keeps the gates in the order i, f, g, o.
            assert cell.bias is not None
            bias = cell.bias.at[n : 2 * n].set(float(forget_bias))
            cell = eqx.tree_at(lambda cell: cell.bias, cell, bias)
        self.cell = cell

    @property
    def input_size(self) -> int:
        return self.cell.input_size

    @property
    def output_size(self) -> int:
        return self.cell.hidden_size

    def initial_state(self) -> tuple[Vector, Vector]:
        zero = jnp.zeros(self.cell.hidden_size, self.cell.weight_hh.dtype)
        return zero, zero

    def step(
        self, state: tuple[Vector, Vector], u: Float[Array, " m"]
    ) -> tuple[Vector, Vector]:
        check_input(u, self.input_size, self.cell.weight_hh.dtype)
        return self.cell(u, state)

    def output(self, state: tuple[Vector, Vector]) -> Vector:
        return state[0]
