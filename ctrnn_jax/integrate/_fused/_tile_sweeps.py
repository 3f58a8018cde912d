"""Sweeps of a reversible solve on tiles: neuron after neuron, with dense weights.

A flow must undo what it made, bit for bit, in another kernel. In the voltage form each
kick is rounded to integers by itself, and no floats are summed; in the rate form a row
of W is multiplied, alike in both kernels.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, PyTree, State
from .._motion import AbstractFlow, Held, Motion, Own, Pulled, join_own
from .._storage import AbstractStorage, Gauge
from ._on_tiles import call_exactly_on_tiles as exactly
from ._tile_flows import activate, pull_activation, read, send_drive
from ._tile_model import TileWeight, column, row_of


class Kicked(NamedTuple):
    """What undoing the kick by one neuron leaves, all but `cotangent` of one row.

    - `value`, `cotangent`: the lanes before the kick.
    - `signal`: what meets W: φ(x) in the voltage form, the cotangent of φ's argument
      in the rate form.
    - `activation`, `step`: cotangents, the latter over the length.
    """

    value: Array
    cotangent: State
    signal: Array
    activation: PyTree
    step: Array


class AbstractTileSweep(AbstractFlow):
    """Kick by neurons 0 … n−1, or back, for `length` steps, one after another."""

    length: Array
    gauge: Gauge | None
    backward: bool = eqx.field(static=True)

    @abstractmethod
    def push_kick(
        self,
        motion: Motion,
        storage: AbstractStorage,
        i: Array,
        held: Held,
        drive: Array | None,
    ) -> Held:
        """Kick by neuron i."""

    @abstractmethod
    def pull_kick(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        i: Array,
        state: tuple[Array, State],
        drive: Array | None,
    ) -> Kicked:
        """Undo `push_kick`."""

    @abstractmethod
    def pull_weight(
        self,
        motion: Motion,
        storage: AbstractStorage,
        signal: State,
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
        def kick(i: Array, held: Held) -> Held:
            return self.push_kick(motion, storage, i, held, drive)

        return _loop(motion, kick, held, reverse=self.backward)

    def pull(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> Pulled:
        def kick(i: Array, state: PyTree) -> PyTree:
            lanes, sent = state
            back = self.pull_kick(motion, own, storage, i, lanes, drive)
            signal, total, step = sent
            total = jax.tree.map(jnp.add, total, back.activation)
            sent = _add_row(signal, i, back.signal), total, step + back.step
            return (back.value, back.cotangent), sent

        none = jax.tree.map(jnp.zeros_like, own.field.activation)
        row = jnp.zeros((1, value.shape[1]), cotangent.dtype)
        state = (value, cotangent), (jnp.zeros_like(cotangent), none, row)
        lanes, sent = _loop(motion, kick, state, reverse=not self.backward)
        (before, moved), (signal, part, step) = lanes, sent
        own_matrix, own_drive = self.pull_weight(
            motion, storage, signal, (before, value), (moved, cotangent), drive
        )
        out = join_own(own, part, own_matrix, self.length * step)
        return before, moved, out, own_drive

    def either(self, first: Array, second: Array, *, transposed: bool) -> Array:
        """Return `first` where the row's neuron is kicked after the column's.

        `second` where it is kicked before, and 0 on the diagonal; `transposed`: the
        other way round.
        """
        row, neuron = (
            jax.lax.broadcasted_iota(np.int32, first.shape, axis) for axis in (0, 1)
        )
        if self.backward != transposed:
            row, neuron = neuron, row
        other = jnp.where(row < neuron, second, jnp.zeros_like(second))
        return jnp.where(row > neuron, first, other)


class TileVoltageSweep(AbstractTileSweep):
    r"""$x_j \mathrel{+}= h W_{ji}\varphi(x_i)$ for each neuron i in turn."""

    def push_kick(
        self,
        motion: Motion,
        storage: AbstractStorage,
        i: Array,
        held: Held,
        drive: Array | None,
    ) -> Held:
        x = read(storage, row_of(held.value, i), self.gauge)
        wire, active = _tiles(motion).wire(i), activate(motion, x)
        move = exactly(TileVoltageSweep._move, self, motion, storage, wire, active)
        return exactly(Held.shift, held, storage, move)

    def pull_kick(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        i: Array,
        state: tuple[Array, State],
        drive: Array | None,
    ) -> Kicked:
        value, cotangent = state
        h, wire = self.length * motion.step, _tiles(motion).wire(i)
        x = read(storage, row_of(value, i), self.gauge)
        arriving = jnp.sum(wire * cotangent, axis=0, keepdims=True)
        active, part, change = pull_activation(motion, own, x, h * arriving)
        move = exactly(TileVoltageSweep._move, self, motion, storage, wire, active)
        cotangent = _add_row(cotangent, i, change)
        return Kicked(value - move, cotangent, active, part, active * arriving)

    def pull_weight(
        self,
        motion: Motion,
        storage: AbstractStorage,
        signal: State,
        values: tuple[Array, Array],
        cotangents: tuple[State, State],
        drive: Array | None,
    ) -> tuple[Array, None]:
        # The kick by neuron i met the cotangents of the neurons kicked later as they
        # were before the sweep, those of the others as they were after it.
        h = self.length * motion.step
        first, last = (
            _tiles(motion).product(h * one, signal, (1, 1)) for one in cotangents
        )
        return self.either(first, last, transposed=False), None

    def _move(
        self, motion: Motion, storage: AbstractStorage, wire: Array, active: Array
    ) -> Array:
        return storage.round(self.length * motion.step, wire * active, self.gauge)


class TileRateSweep(AbstractTileSweep):
    r"""$r_i \mathrel{+}= h\varphi((Wr)_i + d_i)$ for each neuron i in turn."""

    def push_kick(
        self,
        motion: Motion,
        storage: AbstractStorage,
        i: Array,
        held: Held,
        drive: Array | None,
    ) -> Held:
        current = self._current(motion, storage, held.value, drive, i)
        active = activate(motion, current)
        move = exactly(TileRateSweep._move, self, motion, storage, active)
        value = _add_row(held.value, i, move)
        return Held(value, held.spill | storage.spilt(value))

    def pull_kick(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        i: Array,
        state: tuple[Array, State],
        drive: Array | None,
    ) -> Kicked:
        value, cotangent = state
        current = self._current(motion, storage, value, drive, i)
        h, arriving = self.length * motion.step, row_of(cotangent, i)
        active, part, sent = pull_activation(motion, own, current, h * arriving)
        move = exactly(TileRateSweep._move, self, motion, storage, active)
        cotangent = cotangent + _tiles(motion).wire(i) * sent
        return Kicked(
            _add_row(value, i, -move), cotangent, sent, part, active * arriving
        )

    def pull_weight(
        self,
        motion: Motion,
        storage: AbstractStorage,
        signal: State,
        values: tuple[Array, Array],
        cotangents: tuple[State, State],
        drive: Array | None,
    ) -> tuple[Array, Array | None]:
        # The kick of neuron i read the neurons kicked later as they were before the
        # sweep, the others as they were after it.
        first, last = (
            _tiles(motion).product(signal, read(storage, value, self.gauge), (1, 1))
            for value in values
        )
        own_matrix = self.either(first, last, transposed=True)
        return own_matrix, send_drive(drive, signal)

    def _move(self, motion: Motion, storage: AbstractStorage, active: Array) -> Array:
        return storage.round(self.length * motion.step, active, self.gauge)

    def _current(
        self,
        motion: Motion,
        storage: AbstractStorage,
        value: Array,
        drive: Array | None,
        i: Array,
    ) -> Array:
        """Return what neuron i receives. Its own part is a product with 0."""

        def receive(wire: Array, y: State) -> Array:
            return jnp.sum(wire * y, axis=0, keepdims=True)

        y = read(storage, value, self.gauge)
        current = exactly(receive, _tiles(motion).wire(i), y)
        return current if drive is None else current + row_of(column(drive), i)


def _loop(
    motion: Motion,
    kick: Callable[[Array, PyTree], PyTree],
    state: PyTree,
    *,
    reverse: bool,
) -> PyTree:
    size = _tiles(motion).num_neurons

    def body(count: Array, state: PyTree) -> PyTree:
        return kick(size - 1 - count if reverse else count, state)

    return jax.lax.fori_loop(jnp.int32(0), jnp.int32(size), body, state)


def _tiles(motion: Motion) -> TileWeight:
    weight: Any = motion.field.weight
    return weight.tiles


def _add_row(tile: Array, i: Array, row: Array) -> Array:
    """Return a tile with `(1, lanes)` added to row i."""
    index = jax.lax.broadcasted_iota(np.int32, tile.shape, 0)
    row = jnp.broadcast_to(row, tile.shape)
    return jnp.where(index == i, tile + row, tile)
