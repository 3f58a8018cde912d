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
    pick_anywhere,
    placed,
    places,
    repeat,
    reshaped,
    spread,
    taken,
)
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
        if name in _MOVES:
            is_bit = operands and operands[0].dtype == np.bool_
            # Kernels add no truth values up.
            numbers = [x.cast(np.int32) for x in operands] if is_bit else operands
            results = _MOVES[name](equation, *numbers)
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


def _larger(a: Array, b: Array) -> Array:
    """Return the larger number, or NaN if one is; kernels would take the other."""
    return jnp.where(a != a, a, jnp.where(b != b, b, jnp.maximum(a, b)))


def _smaller(a: Array, b: Array) -> Array:
    return -_larger(-a, -b)


#: What XLA does to NaN, and kernels do not.
_KEEP_NAN: dict[str, Callable[..., Array]] = {
    "max": _larger,
    "min": _smaller,
    "clamp": lambda low, x, high: _smaller(_larger(low, x), high),
}


# --- several numbers into one ---------------------------------------------------------

#: The number that changes nothing, beside the reduction that it does not change.
_REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "reduce_sum": lambda dtype: 0,
    "reduce_prod": lambda dtype: 1,
    "reduce_max": lambda dtype: _least(dtype),
    "reduce_min": lambda dtype: _most(dtype),
    "reduce_and": lambda dtype: True,
    "reduce_or": lambda dtype: False,
}


def _least(dtype: Any) -> Any:
    return -np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min


def _most(dtype: Any) -> Any:
    return np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).max


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


def _first_of(equation: Any, x: Padded) -> list[Padded]:
    """Return where the largest or smallest number stands first."""
    is_max = equation.primitive.name == "argmax"
    (axis,) = equation.params["axes"]
    worst = (_least if is_max else _most)(x.dtype)
    whole = masked(x, worst, (axis,))
    best = (jnp.max if is_max else jnp.min)(whole, axis=axis, keepdims=True)
    # As XLA has it, NaN is the most extreme number.
    is_best = whole == best
    if jnp.issubdtype(x.dtype, jnp.floating):
        is_nan = whole != whole
        any_nan = jnp.max(is_nan.astype(jnp.int32), axis=axis, keepdims=True) > 0
        is_best = jnp.where(jnp.broadcast_to(any_nan, whole.shape), is_nan, is_best)
    # Padding may equal the best number, but stands after all true ones.
    place = jnp.where(is_best, places(whole.shape, axis), jnp.int32(whole.shape[axis]))
    shape = [side for k, side in enumerate(x.shape) if k != axis]
    first = jnp.min(place, axis=axis)
    return [Padded(first.astype(equation.params["index_dtype"]), shape)]


def _running(equation: Any, x: Padded) -> list[Padded]:
    """Return sums, products or extremes of all numbers up to each one."""
    axis = equation.params["axis"]
    both = _RUNNING[equation.primitive.name]
    index, last = places(x.array.shape, axis), x.shape[axis] - 1
    reverse = equation.params["reverse"]

    def take(count: Array | int, total: Array) -> Array:
        k = last - 1 - count if reverse else count + 1
        is_after = index <= k if reverse else index >= k
        number = spread(pick(x, axis, k).array, total.shape)
        return jnp.where(is_after, both(total, number), total)

    start = spread(pick(x, axis, last if reverse else 0).array, x.array.shape)
    return [Padded(repeat(last, take, start), x.shape)]


_RUNNING: dict[str, Callable[[Array, Array], Array]] = {
    "cumsum": jnp.add,
    "cumprod": jnp.multiply,
    "cummax": lambda a, b: _larger(a, b),
    "cummin": lambda a, b: _smaller(a, b),
}


# --- numbers that move ----------------------------------------------------------------


def _broadcast(x: Padded, params: dict[str, Any]) -> Padded:
    shape, kept = params["shape"], params["broadcast_dimensions"]
    sides = [1] * len(shape)
    for axis, side in zip(kept, padded_shape(x.shape), strict=True):
        sides[axis] = side
    array = x.array
    if array.ndim:
        array = jnp.reshape(array, (*sides, *x.lanes))
    return Padded(jnp.broadcast_to(array, (*padded_shape(shape), *x.lanes)), shape)


def _slice(equation: Any, x: Padded) -> list[Padded]:
    params = equation.params
    strides = params["strides"] or (1,) * len(x.shape)
    cuts = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    for axis, (start, limit, stride) in enumerate(cuts):
        x = _cut(x, axis, int(start), -(-(limit - start) // stride), int(stride))
    return [x]


def _cut(x: Padded, axis: int, start: int, size: int, stride: int = 1) -> Padded:
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    if start == 0 and stride == 1 and padded_shape(shape) == padded_shape(x.shape):
        return Padded(x.array, shape)
    return taken(x, axis, size, lambda j: start + j * stride)


def _split(equation: Any, x: Padded) -> list[Padded]:
    axis, sizes = equation.params["axis"], [int(k) for k in equation.params["sizes"]]
    starts = np.cumsum([0, *sizes])[:-1].tolist()
    pairs = zip(starts, sizes, strict=True)
    return [_cut(x, axis, start, size) for start, size in pairs]


def _concatenate(equation: Any, *pieces: Padded) -> list[Padded]:
    axis = equation.params["dimension"]
    ends = np.cumsum([0, *(piece.shape[axis] for piece in pieces)]).tolist()
    parts = [(piece, start, 1) for piece, start in zip(pieces, ends[:-1], strict=True)]
    return [placed(parts, axis, ends[-1])]


def _stack(equation: Any, *pieces: Padded) -> list[Padded]:
    axis, shape = equation.params["axis"], pieces[0].shape
    axis %= len(shape) + 1
    wider = (*shape[:axis], 1, *shape[axis:])
    parts = [(reshaped(piece, wider), k, 1) for k, piece in enumerate(pieces)]
    return [placed(parts, axis, len(pieces))]


def _unstack(equation: Any, x: Padded) -> list[Padded]:
    axis = equation.params["axis"] % len(x.shape)
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return [reshaped(pick(x, axis, k), shape) for k in range(x.shape[axis])]


def _pad(equation: Any, x: Padded, value: Padded) -> list[Padded]:
    for axis, (low, high, between) in enumerate(equation.params["padding_config"]):
        if min(low, high) < 0:
            raise NotFused("a function of the state pads by less than nothing")
        apart, count = int(between) + 1, x.shape[axis]
        size = int(low) + (count - 1) * apart + 1 + int(high)
        if size == count:
            continue
        wide = placed([(x, int(low), apart)], axis, size)
        whole = (
            wide.array.shape if wide.has_lanes else (*wide.array.shape, *value.lanes)
        )
        lanes = lanes_of([x, value])
        whole = (*padded_shape(wide.shape), *lanes)
        index = places(whole, axis) - int(low)
        is_there = (index >= 0) & (index <= (count - 1) * apart)
        if apart > 1:
            is_there &= jax.lax.rem(index, jnp.full_like(index, apart)) == 0
        fill = spread(value.array, whole)
        x = Padded(jnp.where(is_there, wide.beside(lanes), fill), wide.shape)
    return [x]


def _reverse(equation: Any, x: Padded) -> list[Padded]:
    for axis in equation.params["dimensions"]:
        size = x.shape[axis]
        x = taken(x, axis, size, lambda j, size=size: size - 1 - j)
    return [x]


def _transpose(equation: Any, x: Padded) -> list[Padded]:
    order = equation.params["permutation"]
    shape = [x.shape[axis] for axis in order]
    lanes = (len(order),) if x.has_lanes else ()
    return [Padded(jnp.transpose(x.array, (*order, *lanes)), shape)]


def _gather(equation: Any, x: Padded, indices: Padded) -> list[Padded]:
    """Return numbers of a vector at a few places, as `y[places]` is."""
    numbers = equation.params["dimension_numbers"]
    is_plain = numbers.collapsed_slice_dims == (0,) and not numbers.offset_dims
    if len(x.shape) != 1 or not is_plain or len(indices.shape) != 2:
        raise NotFused("a function of the state looks numbers up in a matrix")
    shape = equation.outvars[0].aval.shape
    flat = reshaped(indices, shape).cast(np.int32)
    # Those that are out of bounds are 0 here, and NaN or the nearest one elsewhere.
    if equation.params["mode"] != jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS:
        raise NotFused("a function of the state looks numbers up that may not exist")
    lanes = lanes_of([x, flat])
    x = Padded(x.beside(lanes), x.shape)

    def source(j: Array | int) -> Array:
        return spread(pick_anywhere(flat, j).array, (1, *lanes))

    return [taken(x, 0, shape[0], source)]


def _iota(equation: Any) -> list[Padded]:
    shape, axis = equation.params["shape"], equation.params["dimension"]
    index = places(padded_shape(shape), axis)
    return [Padded(index.astype(equation.params["dtype"]), shape)]


def _reshape(equation: Any, x: Padded, *_: Any) -> list[Padded]:
    return [reshaped(x, equation.outvars[0].aval.shape)]


def _same(equation: Any, *operands: Padded) -> list[Padded]:
    return list(operands)


_MOVES: dict[str, Callable[..., list[Padded]]] = {
    "argmax": _first_of,
    "argmin": _first_of,
    "concatenate": _concatenate,
    "cummax": _running,
    "cummin": _running,
    "cumprod": _running,
    "cumsum": _running,
    "expand_dims": _reshape,
    "gather": _gather,
    "iota": _iota,
    "copy": _same,
    "copy_p": _same,
    "optimization_barrier": _same,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _reverse,
    "slice": _slice,
    "split": _split,
    "squeeze": _reshape,
    "stack": _stack,
    "stop_gradient": _same,
    "transpose": _transpose,
    "unstack": _unstack,
}


#: Primitives that have a rule here, but for those that act on each number alone.
_HANDLED = {*FORMULAS, *_REDUCTIONS, *_MOVES, "broadcast_in_dim"}


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
