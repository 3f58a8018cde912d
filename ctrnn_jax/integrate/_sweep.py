"""The exact flow of every neuron in turn, undone neuron by neuron: dense weights."""

from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float, PyTree, State
from ..fields import AbstractActivation
from ..matrices._base import DenseWeight, contract
from ._motion import AbstractFlow, Held, Motion, Own, Pulled, join_own
from ._storage import AbstractStorage, Gauge, rounded


class Block(NamedTuple):
    """Neurons `start` … `start + k − 1`, and the parts of W that they meet.

    `inner` is W among them `(k, k)`, `out` their columns, transposed, `(k, n)`, and
    `into` their rows `(k, n)`; where each lane has its W, lanes come last.
    """

    start: Array
    inner: Array
    out: Array
    into: Array


class Sent(NamedTuple):
    """What the backward pass through a block leaves for the cotangents of a sweep.

    `signal` is, of each neuron, what meets W: φ(x) in the voltage form, the cotangent
    of φ's argument in the rate form. The rest are cotangents.
    """

    signal: Array
    activation: PyTree
    step: Array


class AbstractSweep(AbstractFlow):
    """Kick by neurons 0 … n−1, or back, for `length` steps, in blocks.

    A block is swept row by row, each row gathering what the rows before it moved; the
    block's effect on the other neurons is one product. Rows of their own, not slices
    of an array, compile to one loop over the lanes each. The blocks are alike, so
    that one is compiled for all: `block_size` divides n (see `padded`).
    """

    length: Array
    gauge: Gauge | None
    block_size: int = eqx.field(static=True)
    backward: bool = eqx.field(static=True)

    @abstractmethod
    def push_block(
        self,
        motion: Motion,
        storage: AbstractStorage,
        block: Block,
        held: Held,
        drive: Array | None,
    ) -> Held:
        """Kick by the neurons of one block."""

    @abstractmethod
    def pull_block(
        self,
        motion: Motion,
        own: AbstractActivation,
        storage: AbstractStorage,
        block: Block,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> tuple[Array, State, Sent]:
        """Undo `push_block`, with `own` of the activation."""

    @abstractmethod
    def pull_weight(
        self,
        motion: Motion,
        storage: AbstractStorage,
        signal: Float[Array, "n *batch"],
        values: tuple[Array, Array],
        cotangents: tuple[State, State],
        drive: Array | None,
    ) -> tuple[Array, Array | None]:
        """Return the cotangents of the matrix and of the drive.

        `values` and `cotangents` are those before and after the sweep.
        """

    def push(
        self, motion: Motion, storage: AbstractStorage, held: Held, drive: Array | None
    ) -> Held:
        def body(index: Array, held: Held) -> Held:
            block = self._block(motion, index, undo=False)
            return self.push_block(motion, storage, block, held, drive)

        return _loop(self._count(motion), body, held)

    def pull(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> Pulled:
        def body(index: Array, state: PyTree) -> PyTree:
            value, cotangent, sent = state
            block = self._block(motion, index, undo=True)
            value, cotangent, part = self.pull_block(
                motion, own.field.activation, storage, block, value, cotangent, drive
            )
            joined = Sent(
                write_rows(sent.signal, block.start, part.signal),
                jax.tree.map(jnp.add, sent.activation, part.activation),
                sent.step + part.step,
            )
            return value, cotangent, joined

        none = jax.tree.map(jnp.zeros_like, own.field.activation)
        sent = Sent(jnp.zeros_like(cotangent), none, jnp.zeros_like(motion.step))
        state = (value, cotangent, sent)
        before, cotangent_before, sent = _loop(self._count(motion), body, state)
        matrix, own_drive = self.pull_weight(
            motion,
            storage,
            sent.signal,
            (before, value),
            (cotangent_before, cotangent),
            drive,
        )
        out = join_own(own, sent.activation, matrix, sent.step)
        return before, cotangent_before, out, own_drive

    @property
    def order(self) -> list[int]:
        """The rows of a block in the order they are kicked."""
        rows = list(range(self.block_size))
        return rows[::-1] if self.backward else rows

    def later(self, motion: Motion) -> np.ndarray:
        """Return whether neuron i is kicked later than neuron j, shape `(i, j)`."""
        later = np.tri(motion.field.size, k=-1, dtype=bool)
        return later.T if self.backward else later

    def _count(self, motion: Motion) -> int:
        return motion.field.size // self.block_size

    def _block(self, motion: Motion, index: Array, *, undo: bool) -> Block:
        matrix = matrix_of(motion)
        if self.backward != undo:
            index = self._count(motion) - 1 - index
        start = index * self.block_size
        into = read_rows(matrix, start, self.block_size)
        out = read_rows(transpose(matrix), start, self.block_size)
        inner = jax.lax.dynamic_slice_in_dim(into, start, self.block_size, axis=1)
        return Block(start, inner, out, into)


def activate(motion: Motion, own: AbstractActivation, x: Array) -> tuple:
    """Return φ(x) and its derivative's transpose, for what is `own` of φ and for x."""
    return jax.vjp(lambda own, x: eqx.combine(own, motion.field.activation)(x), own, x)


def gather(row: Array, active: dict[int, Array], like: Array) -> Array:
    """Return Σ row[j] active[j] over the neurons present, by increasing j.

    Term by term in the same order wherever it is called, and each rounded, so that
    the same neurons give the same bits, in the forward pass and in undoing it.
    """
    total = None
    for j in sorted(active):
        term = rounded(row[j] * active[j])
        total = term if total is None else total + term
    return jnp.zeros(like.shape, row.dtype) if total is None else total


def after(order: list[int], i: int, active: dict[int, Array]) -> dict[int, Array]:
    """Return those of `active` that come after `i` in `order`."""
    return {j: active[j] for j in order[order.index(i) + 1 :]}


def stack(rows: dict[int, Array]) -> Array:
    return jnp.stack([rows[i] for i in range(len(rows))])


def read_rows(array: Array, start: Array, size: int) -> Array:
    """Return rows `start` … `start + size − 1`."""
    return jax.lax.dynamic_slice_in_dim(array, start, size)


def write_rows(array: Array, start: Array, rows: Array) -> Array:
    """Return `array` with the rows from `start` on replaced."""
    return jax.lax.dynamic_update_slice_in_dim(array, rows, start, axis=0)


def _loop(count: int, body: Callable[[Array, PyTree], PyTree], state: PyTree) -> PyTree:
    if count == 1:
        return body(jnp.asarray(0), state)
    return jax.lax.fori_loop(0, count, body, state)


def matrix_of(motion: Motion) -> Float[Array, "n n *lanes"]:
    weight = motion.field.weight
    assert isinstance(weight, DenseWeight)
    return weight.matrix


def transpose(matrix: Array) -> Array:
    return jnp.swapaxes(matrix, 0, 1)


def outer(like: Array, left: Array, right: Array) -> Array:
    """Return the cotangent of M in `contract(M, right)`, of the shape of `like`."""
    _, pull = jax.vjp(lambda matrix: contract(matrix, right), like)
    return pull(left)[0]


def either(mask: np.ndarray, first: Array, second: Array) -> Array:
    """Return `first` where `mask`, `second` where its transpose, else 0."""
    shape = mask.shape + (1,) * (first.ndim - 2)
    other = jnp.where(mask.T.reshape(shape), second, jnp.zeros_like(second))
    return jnp.where(mask.reshape(shape), first, other)


def total_of(parts: list[PyTree]) -> PyTree:
    return jax.tree.map(lambda *leaves: sum(leaves[1:], start=leaves[0]), *parts)
