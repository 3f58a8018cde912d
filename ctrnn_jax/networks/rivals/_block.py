"""The block in which the state-space papers use their cells."""

import equinox as eqx
import jax
import jax.numpy as jnp

from ..._types import Array, Float, Key, PyTree, Vector
from .._cell import AbstractCell
from ._parts import check_input, check_sequence, dtype_of


class ResidualBlock(AbstractCell):
    r"""Normalisation, a cell, a gated linear unit, and the input added again.

    $p_k = u_k + (G_1 g_k + c_1) \odot \sigma(G_2 g_k + c_2)$ with $g_k =
    \mathrm{gelu}(\text{cell}(\text{norm}(u)_k))$: as many outputs as inputs, so that
    blocks stack. The state is that of the cell, and $p_k$.

    The papers normalise over the batch and drop units out while they train. A cell
    sees one sequence alone, so this normalises each input over its channels (layer
    normalisation) and drops nothing.

    **Arguments:**

    - `cell`: an `AbstractCell`; its inputs are as many as the block's.
    - `key`: a `jax.random` key.

    **Raises:** `ValueError` for an input that does not fit.

    **Reference:** A. Orvieto and others, arXiv:2303.06349, figure 1; T. K. Rusch, D.
    Rus, arXiv:2410.03943, section 2; gated linear unit: Y. Dauphin and others,
    arXiv:1612.08083.
    """

    norm: eqx.nn.LayerNorm
    cell: AbstractCell
    mix: eqx.nn.Linear

    def __init__(self, cell: AbstractCell, *, key: Key):
        dtype, size = dtype_of(cell), cell.input_size
        self.norm = eqx.nn.LayerNorm(size, dtype=dtype)
        self.cell = cell
        self.mix = eqx.nn.Linear(cell.output_size, 2 * size, dtype=dtype, key=key)

    @property
    def input_size(self) -> int:
        return self.cell.input_size

    @property
    def output_size(self) -> int:
        return self.cell.input_size

    def initial_state(self) -> PyTree:
        return self.cell.initial_state(), jnp.zeros(self.input_size, dtype_of(self))

    def recurrent_weights(self) -> PyTree:
        return self.cell.recurrent_weights()

    def prepare(self) -> "ResidualBlock":
        return eqx.tree_at(lambda block: block.cell, self, self.cell.prepare())

    def step(self, state: PyTree, u: Float[Array, " m"]) -> PyTree:
        check_input(u, self.input_size, dtype_of(self))
        inner = self.cell.step(state[0], self.norm(u))
        return inner, u + self._gate(self.cell.output(inner))

    def output(self, state: PyTree) -> Vector:
        return state[1]

    def scan(
        self, state: PyTree, inputs: Float[Array, "time m"]
    ) -> tuple[PyTree, Float[Array, "time m"]]:
        check_sequence(inputs, self.input_size, dtype_of(self))
        inner, outputs = self.cell.scan(state[0], jax.vmap(self.norm)(inputs))
        outputs = inputs + jax.vmap(self._gate)(outputs)
        return (inner, outputs[-1]), outputs

    def last(
        self, state: PyTree, inputs: Float[Array, "time m"]
    ) -> tuple[PyTree, Vector]:
        check_sequence(inputs, self.input_size, dtype_of(self))
        inner, output = self.cell.last(state[0], jax.vmap(self.norm)(inputs))
        output = inputs[-1] + self._gate(output)
        return (inner, output), output

    def _gate(self, x: Vector) -> Float[Array, " m"]:
        value, gate = jnp.split(self.mix(jax.nn.gelu(x)), 2)
        return value * jax.nn.sigmoid(gate)
