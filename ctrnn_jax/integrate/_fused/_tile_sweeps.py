"""Sweeps of a reversible solve on tiles: neuron after neuron, with dense weights.

A flow must undo what it made, bit for bit, in another kernel. In the voltage form each
kick is rounded to integers by itself, and no floats are summed; in the rate form a row
of W is multiplied, alike in both kernels.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, PyTree, State
from .._motion import AbstractFlow, Held, Motion, Own, Pulled
from .._storage import AbstractStorage, Gauge
from ._on_tiles import call_exactly_on_tiles as exactly
from ._tile_flows import join_own, pull_activation, send_drive
from ._tile_model import TileWeight, column, row_of


class AbstractTileSweep(AbstractFlow):
    """Kick by neurons 0 … n−1, or back, for `length` steps, one after another."""

    length: Array
    gauge: Gauge | None
    backward: bool = eqx.field(static=True)

    def each(
        self, motion: Motion, kick: Callable[[Array, PyTree], PyTree], state: PyTree
    ) -> PyTree:
        """Return what `kick(i, state)` by every neuron leads to."""
        return _loop(motion, kick, state, reverse=self.backward)

    def each_back(
        self, motion: Motion, kick: Callable[[Array, PyTree], PyTree], state: PyTree
    ) -> PyTree:
        """Go through the neurons the other way."""
        return _loop(motion, kick, state, reverse=not self.backward)

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

    def push(
        self, motion: Motion, storage: AbstractStorage, held: Held, drive: Array | None
    ) -> Held:
        def one(motion: Motion, wire: Array, row: Array, held: Held) -> Held:
            active = motion.field.activation(storage.read(row, self.gauge))
            h = self.length * motion.step
            return held.shift(storage, storage.round(h, wire * active, self.gauge))

        def kick(i: Array, held: Held) -> Held:
            wire = _tiles(motion).wire(i)
            return exactly(one, motion, wire, row_of(held.value, i), held)

        return self.each(motion, kick, held)

    def pull(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> Pulled:
        h = self.length * motion.step

        def undo(motion: Motion, wire: Array, active: Array, value: Array) -> Array:
            h = self.length * motion.step
            return value - storage.round(h, wire * active, self.gauge)

        def kick(i: Array, state: PyTree) -> PyTree:
            value, cotangent, signal, total, step = state
            wire = _tiles(motion).wire(i)
            x = exactly(storage.read, row_of(value, i), self.gauge)
            arriving = jnp.sum(wire * cotangent, axis=0, keepdims=True)
            active, part, change = pull_activation(motion, own, x, h * arriving)
            value = exactly(undo, motion, wire, active, value)
            return (
                value,
                _add_row(cotangent, i, change),
                _add_row(signal, i, active),
                jax.tree.map(jnp.add, total, part),
                step + active * arriving,
            )

        zero = jax.tree.map(jnp.zeros_like, own.field.activation)
        row = jnp.zeros((1, value.shape[1]), cotangent.dtype)
        state = value, cotangent, jnp.zeros_like(cotangent), zero, row
        before, moved, signal, part, step = self.each_back(motion, kick, state)
        # The kick by neuron i met the cotangents of the neurons kicked later as they
        # were before the sweep, those of the others as they were after it.
        first, last = (
            _tiles(motion).product(h * one, signal, (1, 1))
            for one in (moved, cotangent)
        )
        own_matrix = self.either(first, last, transposed=False)
        return before, moved, join_own(own, part, own_matrix, self.length * step), None


class TileRateSweep(AbstractTileSweep):
    r"""$r_i \mathrel{+}= h\varphi((Wr)_i + d_i)$ for each neuron i in turn."""

    def push(
        self, motion: Motion, storage: AbstractStorage, held: Held, drive: Array | None
    ) -> Held:
        def one(motion: Motion, current: Array) -> Array:
            h = self.length * motion.step
            return storage.round(h, motion.field.activation(current), self.gauge)

        def kick(i: Array, held: Held) -> Held:
            current = self._current(motion, storage, held.value, drive, i)
            move = exactly(one, motion, current)
            value = _add_row(held.value, i, move)
            return Held(value, held.spill | storage.spilt(value))

        return self.each(motion, kick, held)

    def pull(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> Pulled:
        h = self.length * motion.step

        def undo(motion: Motion, active: Array) -> Array:
            return -storage.round(self.length * motion.step, active, self.gauge)

        def kick(i: Array, state: PyTree) -> PyTree:
            value, cotangent, signal, total, step = state
            current = self._current(motion, storage, value, drive, i)
            arriving = row_of(cotangent, i)
            active, part, sent = pull_activation(motion, own, current, h * arriving)
            return (
                _add_row(value, i, exactly(undo, motion, active)),
                cotangent + _tiles(motion).wire(i) * sent,
                _add_row(signal, i, sent),
                jax.tree.map(jnp.add, total, part),
                step + active * arriving,
            )

        zero = jax.tree.map(jnp.zeros_like, own.field.activation)
        row = jnp.zeros((1, value.shape[1]), cotangent.dtype)
        state = value, cotangent, jnp.zeros_like(cotangent), zero, row
        before, moved, signal, part, step = self.each_back(motion, kick, state)
        # The kick of neuron i read the neurons kicked later as they were before the
        # sweep, the others as they were after it.
        first, last = (
            _tiles(motion).product(
                signal, exactly(storage.read, one, self.gauge), (1, 1)
            )
            for one in (before, value)
        )
        own_matrix = self.either(first, last, transposed=True)
        out = join_own(own, part, own_matrix, self.length * step)
        return before, moved, out, send_drive(drive, signal)

    def _current(
        self,
        motion: Motion,
        storage: AbstractStorage,
        value: Array,
        drive: Array | None,
        i: Array,
    ) -> Array:
        """Return what neuron i receives. Its own part is a product with 0."""

        def receive(wire: Array, value: Array) -> Array:
            y = storage.read(value, self.gauge)
            return jnp.sum(wire * y, axis=0, keepdims=True)

        current = exactly(receive, _tiles(motion).wire(i), value)
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

    return jax.lax.fori_loop(0, size, body, state)


def _tiles(motion: Motion) -> TileWeight:
    weight: Any = motion.field.weight
    return weight.tiles


def _add_row(tile: Array, i: Array, row: Array) -> Array:
    """Return a tile with `(1, lanes)` added to row i."""
    index = jax.lax.broadcasted_iota(np.int32, tile.shape, 0)
    row = jnp.broadcast_to(row, tile.shape)
    return jnp.where(index == i, tile + row, tile)
