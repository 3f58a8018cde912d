"""Linear recurrences of two numbers a unit, step by step or in parallel over time."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..._types import Array, Float, Vector
from .._cell import AbstractCell
from .._parallel import runs_parallel
from ._parts import check_input, check_sequence, dtype_of

Pair = tuple[Array, Array]
"""Two numbers for each unit: a complex one's parts, or a velocity and a position."""
Block = tuple[tuple[Array, Array], tuple[Array, Array]]
"""The rows of a 2x2 matrix for each unit."""
State = tuple[Array, Array, Array]
"""The two numbers of each unit, and the last input, for an output's direct part."""


def add(x: Pair, y: Pair) -> Pair:
    """Return the sum of two pairs."""
    return x[0] + y[0], x[1] + y[1]


def apply_block(block: Block, x: Pair) -> Pair:
    """Return the product of a 2x2 matrix and a pair, for each unit."""
    (a, b), (c, d) = block
    return a * x[0] + b * x[1], c * x[0] + d * x[1]


def block_scan(
    block: Block, state: Pair, drives: Pair
) -> tuple[Float[Array, "time n"], Float[Array, "time n"]]:
    """Return x_1, ..., x_T of x_k = M x_{k-1} + d_k, M the same at every step.

    `block` holds M as four arrays `(n,)`, `state` is x_0, and `drives` are d_k, two
    arrays `(time, n)`; so are the results. O(log T) rounds.
    """
    first = add(apply_block(block, state), (drives[0][0], drives[1][0]))
    drives = (drives[0].at[0].set(first[0]), drives[1].at[0].set(first[1]))
    powers = jax.tree.map(lambda x: jnp.broadcast_to(x, drives[0].shape), block)
    return jax.lax.associative_scan(_compose, (powers, drives))[1]


def _compose(first: tuple[Block, Pair], second: tuple[Block, Pair]) -> tuple:
    """Compose affine maps, `first` then `second`."""
    (a, b), (c, d) = first[0]
    left, right = apply_block(second[0], (a, c)), apply_block(second[0], (b, d))
    product = ((left[0], right[0]), (left[1], right[1]))
    return product, add(apply_block(second[0], first[1]), second[1])


class AbstractBlockCell(AbstractCell):
    r"""$x_k = M x_{k-1} + d(u_k)$ with M a 2x2 matrix for each unit, the same always.

    - `prepared`: `constants()`, computed once for all steps, or `None`.
    - `parallel`: whether `scan` is associative over time; `None` as the device is.
    """

    prepared: eqx.AbstractVar[tuple[Block, Any] | None]
    parallel: eqx.AbstractVar[bool | None]

    @abstractmethod
    def constants(self) -> tuple[Block, Any]:
        """Return M, and the gains that `drive` takes."""

    @abstractmethod
    def drive(self, gains: Any, u: Float[Array, " m"]) -> Pair:
        """Return d(u)."""

    def prepare(self) -> "AbstractBlockCell":
        return eqx.tree_at(
            lambda cell: cell.prepared,
            self,
            self._constants(),
            is_leaf=lambda x: x is None,
        )

    def _constants(self) -> tuple[Block, Any]:
        return self.constants() if self.prepared is None else self.prepared

    def step(self, state: State, u: Float[Array, " m"]) -> State:
        check_input(u, self.input_size, dtype_of(self))
        block, gains = self._constants()
        return *add(apply_block(block, state[:2]), self.drive(gains, u)), u

    def scan(
        self, state: State, inputs: Float[Array, "time m"]
    ) -> tuple[State, Float[Array, "time n"]]:
        check_sequence(inputs, self.input_size, dtype_of(self))
        if not runs_parallel(self.parallel):
            return super().scan(state, inputs)
        block, gains = self._constants()
        drives = jax.vmap(lambda u: self.drive(gains, u))(inputs)
        first, second = block_scan(block, state[:2], drives)
        outputs = jax.vmap(self.output)((first, second, inputs))
        return (first[-1], second[-1], inputs[-1]), outputs

    def last(
        self, state: State, inputs: Float[Array, "time m"]
    ) -> tuple[State, Vector]:
        if not runs_parallel(self.parallel):
            return super().last(state, inputs)
        state, outputs = self.scan(state, inputs)
        return state, outputs[-1]
