"""How a reversible solve holds its state between one exact flow and the next."""

from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Bool, DTypeLike, Float, Int, PyTree, State

#: Bits of the integers that hold a floating dtype, and of their fraction by default.
_INTEGERS = {"float32": (np.dtype("int32"), 24), "float64": (np.dtype("int64"), 54)}


class Gauge(NamedTuple):
    r"""$e^{\gamma t}$ and its inverse, of which what is held is the first times y.

    A leak then only turns the clock: in $e^{\gamma t}y$ it loses no bit of the state.
    """

    grow: Array
    decay: Array

    @classmethod
    def at(cls, exponent: Array) -> "Gauge":
        """Return the gauge of γt, a scalar or one a lane."""
        return cls(*alone(lambda x: (jnp.exp(x), jnp.exp(-x)))(exponent))


def alone(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """Return `function`, fenced against being rewritten together with what is around.

    A compiler may move a factor through a product, or choose the order of several, in
    one place and not in another, and so change the last bit of what both places
    should agree on.
    """

    def call(*arguments: PyTree) -> PyTree:
        arrays, rest = eqx.partition(arguments, eqx.is_array)
        arrays = jax.lax.optimization_barrier(arrays)
        return jax.lax.optimization_barrier(function(*eqx.combine(arrays, rest)))

    return call


def rounded(product: Array) -> Array:
    """Return a product as it is, but keep a compiler from fusing it with a sum.

    A fused multiply-add skips the rounding of the product, in one kernel and not in
    another. Only bits of a NaN are changed, which the compiler cannot rule out.
    """
    bits = {4: jnp.int32, 8: jnp.int64}[product.dtype.itemsize]
    whole = jax.lax.bitcast_convert_type(product, bits)
    whole = whole ^ jnp.isnan(product).astype(bits)
    return jax.lax.bitcast_convert_type(whole, product.dtype)


class AbstractStorage(eqx.Module):
    """What is kept of a state: `read` gives the state, sums with `round` move it.

    The same move, subtracted, undoes a sum. All methods work on single rows too.
    """

    @abstractmethod
    def hold(self, y: State) -> Array:
        """Return `y` as it is held."""

    @abstractmethod
    def read(self, held: Array, gauge: Gauge | None) -> Array:
        """Return the state that is held."""

    @abstractmethod
    def round(self, length: Array, rate: Array, gauge: Gauge | None) -> Array:
        """Return by how much a change of `length * rate` moves what is held."""

    @abstractmethod
    def spilt(self, held: Array) -> Array:
        """Return a marker of each number that is out of range; joined by `|`."""

    @abstractmethod
    def has_spilt(self, marker: Array) -> Bool[Array, "n *batch"]:
        """Return which numbers ever were out of range, from the joined markers."""

    @abstractmethod
    def differs(self, held: Array, other: Array) -> Bool[Array, ""]:
        """Return whether two states that should be the same are not."""


class FixedPoint(AbstractStorage):
    r"""Integers in units of $2^{-b}$: sums are exact, so shifts can be undone exactly.

    Half of the integers' range is used. A sum that leaves it lands in the other half,
    whatever is added, so that one look after each sum finds every overflow. Nothing
    is frozen then: sums wrap round, and are undone all the same.
    """

    bits: int = eqx.field(static=True)
    dtype: str = eqx.field(static=True)

    @staticmethod
    def holds(dtype: DTypeLike) -> bool:
        """Whether there are integers for a floating dtype."""
        return jnp.dtype(dtype).name in _INTEGERS

    @classmethod
    def of(cls, dtype: DTypeLike, bits: int | None) -> "FixedPoint":
        """Return the storage of a floating dtype.

        **Raises:** `ValueError` for a dtype without one, or a number of bits that
        leaves no range or no fraction.
        """
        name = jnp.dtype(dtype).name
        if not cls.holds(dtype):
            raise ValueError(
                f"ReversibleAdjoint holds float32 and float64 states, got {name}."
            )
        width = jnp.iinfo(_INTEGERS[name][0]).bits
        bits = _INTEGERS[name][1] if bits is None else bits
        if (
            isinstance(bits, bool)
            or not isinstance(bits, int)
            or not 0 < bits < width - 2
        ):
            raise ValueError(
                f"fraction_bits must be an integer from 1 to {width - 3} for {name}, "
                f"got {bits!r}."
            )
        return cls(bits, name)

    @property
    def limit(self) -> float:
        """The range: |y| must stay below it."""
        return 2.0 ** (jnp.iinfo(self.integer).bits - 2 - self.bits)

    @property
    def integer(self) -> np.dtype:
        """The dtype of what is held."""
        return _INTEGERS[self.dtype][0]

    def hold(self, y: State) -> Int[Array, "n *batch"]:
        return self.round(jnp.ones((), y.dtype), y, None)

    def read(self, held: Array, gauge: Gauge | None) -> Array:
        unit = 2.0**-self.bits
        if gauge is not None:
            unit = _beside(held, alone(jnp.multiply)(gauge.decay, unit))
        return held.astype(self.dtype) * unit

    def round(self, length: Array, rate: Array, gauge: Gauge | None) -> Array:
        # One factor, made by itself: of several, a compiler chooses the order.
        factor = length * 2.0**self.bits
        if gauge is not None:
            factor = gauge.grow * factor
        units = _beside(rate, jax.lax.optimization_barrier(factor)) * rate
        info = jnp.iinfo(self.integer)
        # Also false for NaN. The least integer added to half the range leaves it.
        fits = jnp.abs(units) < 2.0 ** (info.bits - 2)
        return jnp.where(fits, jnp.round(units).astype(self.integer), info.min)

    def spilt(self, held: Array) -> Array:
        # Out of half the range the two highest bits differ.
        return held ^ (held << 1)

    def has_spilt(self, marker: Array) -> Bool[Array, "n *batch"]:
        return marker < 0

    def differs(self, held: Array, other: Array) -> Bool[Array, ""]:
        return jnp.any(held != other)


class Floating(AbstractStorage):
    """Plain floats: what a shift rounds away, undoing it does not bring back."""

    def hold(self, y: State) -> Float[Array, "n *batch"]:
        return y

    def read(self, held: Array, gauge: Gauge | None) -> Array:
        return held if gauge is None else held * _beside(held, gauge.decay)

    def round(self, length: Array, rate: Array, gauge: Gauge | None) -> Array:
        return length * (rate if gauge is None else _beside(rate, gauge.grow) * rate)

    def spilt(self, held: Array) -> Array:
        return ~jnp.isfinite(held)

    def has_spilt(self, marker: Array) -> Bool[Array, "n *batch"]:
        return marker

    def differs(self, held: Array, other: Array) -> Bool[Array, ""]:
        return jnp.zeros((), bool)


def _beside(lanes: Array, scalar: Array | float) -> Array | float:
    """Return a scalar, or one a lane, so that it multiplies an array or a row."""
    if jnp.ndim(scalar) == 1 and lanes.ndim == 2:
        return jnp.asarray(scalar)[None]
    return scalar
