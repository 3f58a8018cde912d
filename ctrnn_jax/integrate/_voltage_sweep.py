"""A sweep of the voltage form: each neuron kicks all it sends to."""

import jax.numpy as jnp

from .._types import Array, Float, State
from ..fields import AbstractActivation
from ..matrices._base import contract
from ._motion import Held, Motion
from ._storage import AbstractStorage, alone
from ._sweep import (
    AbstractSweep,
    Block,
    Sent,
    activate,
    after,
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


class VoltageSweep(AbstractSweep):
    r"""$x_j \mathrel{+}= h W_{ji}\varphi(x_i)$ for each neuron i in turn.

    A neuron is moved by those of its block in two sums, each rounded once: by the
    ones before it, which its own kick must see, and by the ones after it.
    """

    def push_block(
        self,
        motion: Motion,
        storage: AbstractStorage,
        block: Block,
        held: Held,
        drive: Array | None,
    ) -> Held:
        h = self.length * motion.step
        rows = read_rows(held.value, block.start, self.block_size)
        early: dict[int, Array] = {}
        active: dict[int, Array] = {}
        for i in self.order:
            total = gather(block.inner[i], active, rows[i])
            early[i] = storage.round(h, total, self.gauge)
            row = storage.read(rows[i] + early[i], self.gauge)
            active[i] = motion.field.activation(row)
        late = {
            i: gather(block.inner[i], after(self.order, i, active), rows[i])
            for i in active
        }
        outside = alone(contract)(transpose(block.out), stack(active))
        return held.shift_block(
            storage,
            block.start,
            [stack(early), storage.round(h, stack(late), self.gauge)],
            storage.round(h, outside, self.gauge),
        )

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
        rows = read_rows(value, block.start, self.block_size)
        # Of each φ(xᵢ), but for what the neurons kicked later add to it.
        arriving = contract(block.out, cotangent)
        active: dict[int, Array] = {}
        change: dict[int, Array] = {}
        late: dict[int, Array] = {}
        parts, of_step = [], []
        for i in reversed(self.order):
            late[i] = gather(block.inner[i], active, rows[i])
            row = rows[i] - storage.round(h, late[i], self.gauge)
            active[i], pull = activate(motion, own, storage.read(row, self.gauge))
            total = arriving[i]
            for j in change:
                total = total + block.inner[j, i] * change[j]
            part, change[i] = pull(h * total)
            parts.append(part)
            of_step.append(active[i] * total)
        early = {
            i: gather(block.inner[i], after(self.order[::-1], i, active), rows[i])
            for i in active
        }
        signal = stack(active)
        outside = alone(contract)(transpose(block.out), signal)
        for moved in (late, early):
            rows = rows - storage.round(h, stack(moved), self.gauge)
        value = value - storage.round(h, outside, self.gauge)
        value = write_rows(value, block.start, rows)
        own_rows = read_rows(cotangent, block.start, self.block_size) + stack(change)
        cotangent = write_rows(cotangent, block.start, own_rows)
        step = self.length * jnp.sum(jnp.stack(of_step))
        return value, cotangent, Sent(signal, total_of(parts), step)

    def pull_weight(
        self,
        motion: Motion,
        storage: AbstractStorage,
        signal: Float[Array, "n *batch"],
        values: tuple[Array, Array],
        cotangents: tuple[State, State],
        drive: Array | None,
    ) -> tuple[Array, None]:
        # The kick by neuron i met the cotangents of the neurons kicked later as they
        # were before the sweep, those of the others as they were after it.
        h, matrix = self.length * motion.step, matrix_of(motion)
        first, last = (outer(matrix, h * part, signal) for part in cotangents)
        return either(self.later(motion), first, last), None
