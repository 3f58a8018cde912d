"""What primitives do to the padded arrays of a lane."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from ..._types import Array
from ._formulas import ELEMENTWISE, FORMULAS
from ._padded import (
    Padded,
    lanes_of,
    masked,
    padded_shape,
    pick,
    repeat,
    spread,
)
from ._padded_moves import MOVES, larger, least, most, smaller
from ._padded_products import PaddedWeight, product
from ._refusal import NotFused
from ._replay import Replay

#: Bytes of an array that a thread may hold: a compiler takes minutes over more.
_MOST_BYTES = 2048


class PaddedRules:
    """Rules for a kernel with so many threads in a block."""

    def __init__(self, num_warps: int, interpreted: bool):
        self._threads, self._interpreted = 32 * num_warps, interpreted
        #: Call a function of one lane on padded arrays.
        self.replay = Replay(lambda x: x.dtype, _literal, _constant, self._apply)

    def check(self, shape: Sequence[int], dtype: Any) -> None:
        """Refuse an array of a block that is too large for its threads.

        **Raises:** `NotFused` saying so.
        """
        size = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize
        if size > _MOST_BYTES * self._threads:
            raise NotFused(
                "a function of the state makes an array that is too large for the "
                "registers of a kernel"
            )

    def _apply(
        self, replay: Replay, equation: Any, operands: list[Any]
    ) -> Sequence[Padded] | None:
        name, params = equation.primitive.name, equation.params
        if name == "dot_general":
            out = equation.outvars[0].aval
            return [product(self.check, self._interpreted, params, out, *operands)]
        # W is not read before it is known how it is used.
        if name == "cond":
            return _branch(replay, params["branches"], operands)
        if not (name in ELEMENTWISE or name in _HANDLED):
            return None
        operands = [
            operand.whole(self.check) if isinstance(operand, PaddedWeight) else operand
            for operand in operands
        ]
        if name in ELEMENTWISE or name in FORMULAS:
            return [self._elementwise(equation, operands)]
        if name in _REDUCTIONS:
            return [_reduce(name, operands[0], params["axes"])]
        if name == "broadcast_in_dim":
            result = _broadcast(operands[0], params)
            self.check(result.array.shape, result.dtype)
            return [result]
        if name in MOVES:
            is_bit = operands and operands[0].dtype == np.bool_
            # Kernels add no truth values up.
            numbers = [x.cast(np.int32) for x in operands] if is_bit else operands
            results = MOVES[name](equation, *numbers)
            for result in results:
                self.check(result.array.shape, result.dtype)
            return [x.cast(np.bool_) for x in results] if is_bit else results
        return None

    def _elementwise(self, equation: Any, operands: list[Padded]) -> Padded:
        name, params = equation.primitive.name, equation.params
        shape = equation.outvars[0].aval.shape
        lanes = lanes_of(operands)
        whole = (*padded_shape(shape), *lanes)
        self.check(whole, equation.outvars[0].aval.dtype)
        # `select_n` and `clamp` take single numbers beside arrays.
        arrays = [
            spread(operand.beside(lanes), whole, leading=operand.shape == shape)
            for operand in operands
        ]
        if name in _KEEP_NAN and jnp.issubdtype(arrays[0].dtype, jnp.floating):
            return Padded(_KEEP_NAN[name](*arrays), shape)
        if name in FORMULAS:
            return Padded(FORMULAS[name](*arrays, **params), shape)
        return Padded(equation.primitive.bind(*arrays, **params), shape)


def _literal(value: Any, dtype: Any) -> Padded:
    if np.ndim(value):
        raise NotFused("a function of the state holds an array inside another function")
    return Padded(jnp.asarray(value, dtype), ())


def _constant(value: Any) -> Padded:
    return _literal(value, jnp.asarray(value).dtype)


# --- each number alone ----------------------------------------------------------------


#: What XLA does to NaN, and kernels do not.
_KEEP_NAN: dict[str, Callable[..., Array]] = {
    "max": larger,
    "min": smaller,
    "clamp": lambda low, x, high: smaller(larger(low, x), high),
}


# --- several numbers into one ---------------------------------------------------------

#: The number that changes nothing, beside the reduction that it does not change.
_REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "reduce_sum": lambda dtype: 0,
    "reduce_prod": lambda dtype: 1,
    "reduce_max": least,
    "reduce_min": most,
    "reduce_and": lambda dtype: True,
    "reduce_or": lambda dtype: False,
}


def _reduce(name: str, x: Padded, axes: Sequence[int]) -> Padded:
    axes = tuple(axes)
    shape = [side for axis, side in enumerate(x.shape) if axis not in axes]
    if not axes:
        return x
    if name in ("reduce_and", "reduce_or"):
        bits = Padded(x.array.astype(jnp.int32), x.shape)
        neutral = 1 if name == "reduce_and" else 0
        whole = masked(bits, neutral, axes)
        reduction = jnp.min if name == "reduce_and" else jnp.max
        return Padded(reduction(whole, axis=axes) > 0, shape)
    if name == "reduce_prod":
        for axis in axes:
            x = _multiplied(x, axis)
        return Padded(jnp.reshape(x.array, (*padded_shape(shape), *x.lanes)), shape)
    whole = masked(x, _REDUCTIONS[name](x.dtype), axes)
    if name == "reduce_sum":
        return Padded(jnp.sum(whole, axis=axes, dtype=x.dtype), shape)
    reduced = (jnp.max if name == "reduce_max" else jnp.min)(whole, axis=axes)
    if jnp.issubdtype(x.dtype, jnp.floating):
        is_nan = jnp.max((whole != whole).astype(jnp.int32), axis=axes) > 0
        reduced = jnp.where(is_nan, jnp.full_like(reduced, np.nan), reduced)
    return Padded(reduced, shape)


def _multiplied(x: Padded, axis: int) -> Padded:
    """Return the product along an axis, which stays: kernels have only sums."""
    start = pick(x, axis, 0)
    body = lambda k, total: total * pick(x, axis, k + 1).array  # noqa: E731
    return Padded(repeat(x.shape[axis] - 1, body, start.array), start.shape)


def _broadcast(x: Padded, params: dict[str, Any]) -> Padded:
    shape, kept = params["shape"], params["broadcast_dimensions"]
    sides = [1] * len(shape)
    for axis, side in zip(kept, padded_shape(x.shape), strict=True):
        sides[axis] = side
    array = x.array
    if array.ndim:
        array = jnp.reshape(array, (*sides, *x.lanes))
    return Padded(jnp.broadcast_to(array, (*padded_shape(shape), *x.lanes)), shape)


#: Primitives that have a rule here, but for those that act on each number alone.
_HANDLED = {*FORMULAS, *_REDUCTIONS, *MOVES, "broadcast_in_dim"}


# --- functions inside functions -------------------------------------------------------


def _branch(
    replay: Replay, branches: Sequence[ClosedJaxpr], operands: list[Any]
) -> list[Padded]:
    """Branch where all lanes go the same way; else take all ways and choose."""
    choice, arguments = operands[0], operands[1:]
    shapes = [aval.shape for aval in branches[0].out_avals]
    lanes = lanes_of(operands)

    def run(branch: ClosedJaxpr) -> list[Array]:
        results = replay.run(branch, arguments)
        return [result.beside(lanes) for result in results]

    if not choice.has_lanes:
        ways = [lambda branch=branch: run(branch) for branch in branches]
        arrays = jax.lax.switch(choice.array, ways)
    else:
        arrays = run(branches[0])
        for place, branch in enumerate(branches[1:], start=1):
            # What is out of bounds is the last way.
            last = place == len(branches) - 1
            goes = choice.array >= place if last else choice.array == place
            arrays = [
                jnp.where(spread(goes, new.shape), new, old)
                for new, old in zip(run(branch), arrays, strict=True)
            ]
    return [Padded(array, shape) for array, shape in zip(arrays, shapes, strict=True)]
