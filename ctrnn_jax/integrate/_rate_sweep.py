"""A sweep of the rate form: each neuron is kicked by what it receives."""

import jax
import jax.numpy as jnp

from .._types import Array, Float, State
from ..fields import AbstractActivation
from ..fields._fields import as_column
from ..matrices._base import contract
from ._motion import Held, Motion
from ._storage import AbstractStorage, alone
from ._sweep import (
    AbstractSweep,
    Block,
    Sent,
    activate,
    either,
    gather,
    matrix_of,
    outer,
    read_rows,
    stack,
    total_of,
    transpose,
    write_rows,
)


class RateSweep(AbstractSweep):
    r"""$r_i \mathrel{+}= h\varphi((Wr)_i + d_i)$ for each neuron i in turn."""

    def push_block(
        self,
        motion: Motion,
        storage: AbstractStorage,
        block: Block,
        held: Held,
        drive: Array | None,
    ) -> Held:
        h = self.length * motion.step
        base = self._base(storage, block, held.value, drive)
        rows = read_rows(held.value, block.start, self.block_size)
        y = {i: storage.read(row, self.gauge) for i, row in enumerate(rows)}
        moves: dict[int, Array] = {}
        for i in self.order:
            current = base[i] + self._inside(motion, block, y, i)
            moves[i] = storage.round(h, motion.field.activation(current), self.gauge)
            y[i] = storage.read(rows[i] + moves[i], self.gauge)
        return held.shift_block(storage, block.start, [stack(moves)], None)

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
        h = self.length * motion.step
        base = self._base(storage, block, value, drive)
        rows = dict(enumerate(read_rows(value, block.start, self.block_size)))
        arriving = read_rows(cotangent, block.start, self.block_size)
        y = {i: storage.read(row, self.gauge) for i, row in rows.items()}
        signal: dict[int, Array] = {}
        parts, of_step = [], []
        for i in reversed(self.order):
            total = arriving[i]
            for j in signal:
                total = total + block.inner[j, i] * signal[j]
            current = base[i] + self._inside(motion, block, y, i)
            active, pull = activate(motion, own, current)
            part, signal[i] = pull(h * total)
            parts.append(part)
            of_step.append(active * total)
            rows[i] = rows[i] - storage.round(h, active, self.gauge)
            y[i] = storage.read(rows[i], self.gauge)
        sent = stack(signal)
        value = write_rows(value, block.start, stack(rows))
        cotangent = cotangent + contract(transpose(block.into), sent)
        step = self.length * jnp.sum(jnp.stack(of_step))
        return value, cotangent, Sent(sent, total_of(parts), step)

    def pull_weight(
        self,
        motion: Motion,
        storage: AbstractStorage,
        signal: Float[Array, "n *batch"],
        values: tuple[Array, Array],
        cotangents: tuple[State, State],
        drive: Array | None,
    ) -> tuple[Array, Array | None]:
        # The kick of neuron i read the neurons kicked later as they were before the
        # sweep, the others as they were after it.
        matrix = matrix_of(motion)
        first, last = (
            outer(matrix, signal, storage.read(value, self.gauge)) for value in values
        )
        own_matrix = either(self.later(motion).T, first, last)
        if drive is None:
            return own_matrix, None
        _, pull = jax.vjp(
            lambda drive: jnp.broadcast_to(as_column(drive, signal), signal.shape),
            drive,
        )
        return own_matrix, pull(signal)[0]

    def _base(
        self,
        storage: AbstractStorage,
        block: Block,
        value: Array,
        drive: Array | None,
    ) -> Float[Array, "k *batch"]:
        """Return the part of Wr + d that the block itself does not change."""
        y = storage.read(value, self.gauge)
        own = jnp.zeros((self.block_size, *y.shape[1:]), y.dtype)
        base = alone(contract)(block.into, write_rows(y, block.start, own))
        if drive is None:
            return base
        return base + read_rows(as_column(drive, y), block.start, self.block_size)

    def _inside(
        self, motion: Motion, block: Block, y: dict[int, Array], i: int
    ) -> Array:
        """Return what the other neurons of the block, as they are now, add to i."""
        others = {j: row for j, row in y.items() if j != i}
        return gather(block.inner[i], others, y[i])
