"""Kicks and relaxation of a reversible solve on tiles, blocks of lanes of many neurons.

A flow must undo what it made, bit for bit, in another kernel: both multiply by W alike.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..._types import Array, PyTree, State
from ...fields import VoltageCTRNN
from .._motion import (
    Held,
    Kick,
    Motion,
    Own,
    Pulled,
    Relaxation,
    join_own,
)
from .._storage import AbstractStorage, Gauge, rounded
from ._on_tiles import call_exactly_on_tiles as exactly
from ._tile_model import TileWeight, column


class TileRelaxation(Relaxation):
    """The flow of leak and force: it acts on each number alone."""

    def push(
        self, motion: Motion, storage: AbstractStorage, held: Held, drive: Array | None
    ) -> Held:
        return exactly(Relaxation.push, self, motion, storage, held, drive)

    def pull(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> Pulled:
        arguments = motion, own, storage, value, cotangent, drive
        return exactly(Relaxation.pull, self, *arguments)


class TileKick(Kick):
    """The kick by one independent set, whose neurons W is multiplied by."""

    def push(
        self, motion: Motion, storage: AbstractStorage, held: Held, drive: Array | None
    ) -> Held:
        y = read(storage, held.value, self.gauge)
        weight, members = self._weight(motion)
        if isinstance(motion.field, VoltageCTRNN):
            rate = weight.mv(members * activate(motion, y))
        else:
            rate = members * activate(motion, _current(weight, y, drive))
        moves = exactly(TileKick._moves, self, motion, storage, rate)
        return exactly(Held.shift, held, storage, *moves)

    def pull(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> Pulled:
        y = read(storage, value, self.gauge)
        weight, members = self._weight(motion)
        total = self._total()
        moving = total * motion.step * cotangent
        if isinstance(motion.field, VoltageCTRNN):
            arriving = members * weight.mv_transposed(moving)
            active, part, change = pull_activation(motion, own, y, arriving)
            signal, of_drive = members * active, None
            rate = weight.mv(signal)
            own_matrix = weight.product(moving, signal, (1, 1))
        else:
            current = _current(weight, y, drive)
            active, part, signal = pull_activation(
                motion, own, current, members * moving
            )
            rate, of_drive = members * active, send_drive(drive, signal)
            change = weight.mv_transposed(signal)
            own_matrix = weight.product(signal, y, (1, 1))
        for move in exactly(TileKick._moves, self, motion, storage, rate):
            value = value - move
        step = total * jnp.sum(cotangent * rate, axis=0, keepdims=True)
        out = join_own(own, part, own_matrix, step)
        return value, cotangent + change, out, of_drive

    def _weight(self, motion: Motion) -> tuple[TileWeight, Array]:
        held: Any = motion.field.weight
        return held.tiles, held.members(self.index)


def _current(weight: TileWeight, y: State, drive: Array | None) -> State:
    current = weight.mv(y)
    return current if drive is None else current + column(drive)


def read(storage: AbstractStorage, value: Array, gauge: Gauge | None) -> Array:
    """Return the state that is held, a product, rounded before any use of it."""
    return exactly(lambda value, g: rounded(storage.read(value, g)), value, gauge)


def activate(motion: Motion, x: Array) -> Array:
    return exactly(lambda activation, x: activation(x), motion.field.activation, x)


def pull_activation(
    motion: Motion, own: Own, x: Array, arriving: Array
) -> tuple[Array, PyTree, Array]:
    """Return φ(x), and the cotangents of what is `own` of φ and of x."""

    def both(own: PyTree, activation: Any, x: Array, arriving: Array) -> tuple:
        active, pull = jax.vjp(lambda own, x: eqx.combine(own, activation)(x), own, x)
        return active, *pull(arriving)

    return exactly(both, own.field.activation, motion.field.activation, x, arriving)


def send_drive(drive: Array | None, signal: Array) -> Array | None:
    """Return the cotangent of a drive that may be the same in all lanes."""
    if drive is None:
        return None
    return signal if drive.ndim == signal.ndim else jnp.sum(signal, axis=1)
