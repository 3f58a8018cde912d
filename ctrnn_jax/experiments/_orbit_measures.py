"""What is measured of an oscillation while it runs, without keeping its states."""

import equinox as eqx
import jax.numpy as jnp

from .._types import Array, Float, PyTree
from ..fields import AbstractField
from ..fields._energy import energy_of
from ..integrate import AbstractReduction
from ._random_fields import offset_of

#: A maximum must rise this many roundings above its neighbours.
_ROUNDINGS = 32


class Maxima(AbstractReduction):
    """Count the maxima of the first neuron after `transient` steps, and time them.

    Returns the times of the first and the last, in steps, from the parabola through
    three samples, and their number; all of shape `()`.
    """

    transient: int = eqx.field(static=True)

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> PyTree:
        zero = jnp.zeros_like(y[0])
        return y[0], y[0], zero, zero, zero

    def update(
        self, model: AbstractField, y: Float[Array, " n"], index: Array, carry: PyTree
    ) -> PyTree:
        before, middle, first, last, count = carry
        after = y[0]
        bend = (middle - before) + (middle - after)
        eps = float(jnp.finfo(after.dtype).eps)
        is_maximum = (
            (middle > before)
            & (middle >= after)
            & (bend > _ROUNDINGS * eps * jnp.abs(middle))
            & (index > self.transient + 1)
        )
        shift = 0.5 * (after - before) / jnp.where(is_maximum, bend, 1.0)
        time = (index - 1).astype(after.dtype) + shift
        first = jnp.where(is_maximum & (count == 0), time, first)
        last = jnp.where(is_maximum, time, last)
        return middle, after, first, last, count + is_maximum.astype(after.dtype)

    def finish(self, carry: PyTree, count: Array) -> tuple[Array, Array, Array]:
        return carry[2:]


class HalfRanges(AbstractReduction):
    """Half the range of every neuron, in the two halves of the record.

    The record begins after step `transient`, and its second half after `middle`.
    Returns both, each of shape `(n,)`.
    """

    transient: int = eqx.field(static=True)
    middle: int = eqx.field(static=True)

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> PyTree:
        return y, y, jnp.zeros_like(y)

    def update(
        self, model: AbstractField, y: Float[Array, " n"], index: Array, carry: PyTree
    ) -> PyTree:
        low, high, early = carry
        anew = (index == self.transient) | (index == self.middle)
        early = jnp.where(index == self.middle, 0.5 * (high - low), early)
        low = jnp.where(anew, y, jnp.minimum(low, y))
        high = jnp.where(anew, y, jnp.maximum(high, y))
        return low, high, early

    def finish(self, carry: PyTree, count: Array) -> tuple[Array, Array]:
        low, high, early = carry
        return early, 0.5 * (high - low)


class RelativeEnergyChange(AbstractReduction):
    """Largest change of the energy as a share of its first value, shape `()`.

    `EnergyDrift` over |H(0)|, for networks with b = W c too, whose c is known here.
    """

    def init(self, model: AbstractField, y: Float[Array, " n"]) -> PyTree:
        first = energy_of(model, offset_of(model), y)
        return first, jnp.zeros_like(first)

    def update(
        self, model: AbstractField, y: Float[Array, " n"], index: Array, carry: PyTree
    ) -> PyTree:
        first, largest = carry
        change = jnp.abs(energy_of(model, offset_of(model), y) - first)
        return first, jnp.maximum(largest, change)

    def finish(self, carry: PyTree, count: Array) -> Array:
        first, largest = carry
        size = jnp.abs(first)
        return largest / jnp.where(size > 0, size, jnp.ones_like(size))
