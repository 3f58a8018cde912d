"""What a reversible solve moves by, and the exact flows it is made of."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Float, PyTree, State
from ..fields import AbstractField, VoltageCTRNN
from ._base import relax
from ._splitting import kick_rate, outer_force
from ._storage import AbstractStorage, Gauge, alone


class Motion(eqx.Module):
    """All that a solve may be differentiated in, its start aside."""

    field: AbstractField
    inputs: PyTree
    origin: Float[Array, ""]
    step: Float[Array, ""]

    def drive(self, count: Array) -> Array | None:
        """Return Bu + b after `count` steps."""
        return self.field.drive(self.origin + count * self.step, self.inputs)

    def pull_drive(
        self, own: PyTree, count: Array
    ) -> tuple[Array | None, Callable[[Array], tuple[PyTree]]]:
        """Return the drive, and what takes its cotangent to that of `own`."""
        return jax.vjp(lambda own: eqx.combine(own, self).drive(count), own)

    def gauge(self, count: Array) -> Gauge | None:
        """Return the gauge after `count` steps, `None` without leak."""
        if not self.field.has_leak:
            return None
        leak = jnp.asarray(self.field.leak, self.step.dtype)
        return Gauge.at(leak * (count * self.step))


class Held(eqx.Module):
    """A state as it is held, and the joined markers of what was out of range."""

    value: Array
    spill: Array

    def shift(self, storage: AbstractStorage, *moves: Array) -> "Held":
        """Move by rounded changes, looking at the range after each."""
        value, spill = self.value, self.spill
        for move in moves:
            value = value + move
            spill = spill | storage.spilt(value)
        return Held(value, spill)

    def shift_block(
        self,
        storage: AbstractStorage,
        start: Array,
        inside: list[Array],
        outside: Array | None,
    ) -> "Held":
        """Move the rows from `start` on by `inside`, one after another, others at once.

        `outside` has a row for each neuron; those of the block are passed over.
        """
        size = inside[0].shape[0]
        value = self.value if outside is None else self.value + outside
        spill = self.spill if outside is None else self.spill | storage.spilt(value)
        own = Held(
            jax.lax.dynamic_slice_in_dim(self.value, start, size),
            jax.lax.dynamic_slice_in_dim(self.spill, start, size),
        ).shift(storage, *inside)
        return Held(
            jax.lax.dynamic_update_slice_in_dim(value, own.value, start, 0),
            jax.lax.dynamic_update_slice_in_dim(spill, own.spill, start, 0),
        )


#: What is left of a motion when only the leaves to differentiate in are kept, and
#: what is returned as its cotangent: a `Motion` with `None` elsewhere.
Own: TypeAlias = PyTree

#: The state before a flow as it is held, the cotangents of that state, of the motion
#: and of the drive.
Pulled: TypeAlias = tuple[Array, State, Own, Array | None]


class AbstractFlow(eqx.Module):
    """A map of the state that can be undone exactly from its result."""

    @abstractmethod
    def push(
        self, motion: Motion, storage: AbstractStorage, held: Held, drive: Array | None
    ) -> Held:
        """Return the state after the flow."""

    @abstractmethod
    def pull(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> Pulled:
        """Undo the flow, and take the cotangent of its result to its arguments."""


class Kick(AbstractFlow):
    """Kick by one independent set for `length` steps, and then for `following` more.

    The set itself stays, so that one product serves both, and undoing them. They are
    rounded apart, as two kicks would be. `following` is a length, `None` for none, or
    a boolean: once more for `length` or not.
    """

    index: int = eqx.field(static=True)
    length: Array
    following: Array | None
    gauge: Gauge | None

    def push(
        self, motion: Motion, storage: AbstractStorage, held: Held, drive: Array | None
    ) -> Held:
        y = storage.read(held.value, self.gauge)
        rate = kick_rate(motion.field, self.index, y, drive)
        rows = self._rows(motion.field)
        own = Held(held.value[rows], held.spill[rows])
        own = own.shift(storage, *self._moves(motion, storage, rate[rows]))
        return jax.tree.map(partial(_replace, rows), held, own)

    def pull(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> Pulled:
        def rate_of(own: PyTree, y: State, drive: Array | None) -> State:
            field = eqx.combine(own, motion.field)
            return kick_rate(field, self.index, y, drive)

        y = storage.read(value, self.gauge)
        rate, pull_rate = jax.vjp(rate_of, own.field, y, drive)
        rows = self._rows(motion.field)
        own_rows = value[rows]
        for move in self._moves(motion, storage, rate[rows]):
            own_rows = own_rows - move
        value = _replace(rows, value, own_rows)
        length = self._total()
        own_field, own_y, own_drive = pull_rate(length * motion.step * cotangent)
        own_step = None
        if own.step is not None:
            own_step = length * jnp.sum(cotangent * rate)
        out = eqx.tree_at(
            lambda motion: (motion.field, motion.step),
            none_like(own),
            (own_field, own_step),
            is_leaf=lambda leaf: leaf is None,
        )
        return value, cotangent + own_y, out, own_drive

    def _rows(self, field: AbstractField) -> slice:
        """Return the neurons that are moved, all of them if they are not in one piece.

        Of two groups one moves, and rounding half the state takes half the time.
        """
        sets = field.weight.independent_sets
        assert sets is not None
        moved = sets[1 - self.index if isinstance(field, VoltageCTRNN) else self.index]
        if len(sets) != 2 or not isinstance(moved, slice) or moved.step is not None:
            return slice(0, field.size)
        return moved

    def _total(self) -> Array:
        if self.following is None:
            return self.length
        if self.following.dtype == bool:
            return self.length * (1 + self.following.astype(self.length.dtype))
        return self.length + self.following

    def _moves(
        self, motion: Motion, storage: AbstractStorage, rate: State
    ) -> list[Array]:
        first = storage.round(self.length * motion.step, rate, self.gauge)
        if self.following is None:
            return [first]
        if self.following.dtype == bool:
            return [first, jnp.where(self.following, first, jnp.zeros_like(first))]
        second = storage.round(self.following * motion.step, rate, self.gauge)
        return [first, second]


class Relaxation(AbstractFlow):
    r"""Flow along $y' = -\gamma y + \text{force}$ for `length` steps.

    In the gauge of the leak only the force moves what is held.
    """

    length: Array
    before: Gauge | None
    after: Gauge | None

    @staticmethod
    def is_rest(motion: Motion, drive: Array | None) -> bool:
        """Whether there is neither leak nor force."""
        return not motion.field.has_leak and outer_force(motion.field, drive) is None

    def push(
        self, motion: Motion, storage: AbstractStorage, held: Held, drive: Array | None
    ) -> Held:
        move = self._move(motion, storage, held.value, drive)
        return held if move is None else held.shift(storage, move)

    def pull(
        self,
        motion: Motion,
        own: Own,
        storage: AbstractStorage,
        value: Array,
        cotangent: State,
        drive: Array | None,
    ) -> Pulled:
        def flow(own: Own, y: State, drive: Array | None) -> State:
            field = eqx.combine(own.field, motion.field)
            step = motion.step if own.step is None else own.step
            return relax(field, self.length * step, y, outer_force(field, drive))

        move = self._move(motion, storage, value, drive)
        value = value if move is None else value - move
        y = storage.read(value, self.before)
        _, pull = jax.vjp(flow, own, y, drive)
        own, cotangent, own_drive = pull(cotangent)
        return value, cotangent, own, own_drive

    def _move(
        self,
        motion: Motion,
        storage: AbstractStorage,
        value: Array,
        drive: Array | None,
    ) -> Array | None:
        force = outer_force(motion.field, drive)
        if force is None:
            return None
        still = jnp.zeros(value.shape, motion.step.dtype)
        change = alone(relax)(motion.field, self.length * motion.step, still, force)
        return storage.round(jnp.ones((), change.dtype), change, self.after)


def _replace(rows: slice, array: Array, own: Array) -> Array:
    """Return `array` with the given rows replaced."""
    return jnp.concatenate([array[: rows.start], own, array[rows.stop :]])


def none_like(tree: PyTree) -> PyTree:
    """Return `tree` with every leaf `None`."""
    return jax.tree.map(lambda _: None, tree)


def join_own(own: Own, activation: PyTree, matrix: Array | None, step: Array) -> Own:
    """Return the cotangents of a motion, of what is `own` of it."""
    return eqx.tree_at(
        lambda motion: (
            motion.field.activation,
            motion.field.weight.matrix,
            motion.step,
        ),
        none_like(own),
        (
            activation,
            None if own.field.weight.matrix is None else matrix,
            None if own.step is None else step,
        ),
        is_leaf=lambda leaf: leaf is None,
    )
