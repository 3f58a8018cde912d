"""What primitives do that put the numbers of padded arrays elsewhere, or find them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array
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
from ._refusal import NotFused


def larger(a: Array, b: Array) -> Array:
    """Return the larger number, or NaN if one is; kernels would take the other."""
    return jnp.where(a != a, a, jnp.where(b != b, b, jnp.maximum(a, b)))


def smaller(a: Array, b: Array) -> Array:
    """Return the smaller number, or NaN if one is."""
    return -larger(-a, -b)


def least(dtype: Any) -> Any:
    """Return what is no larger than any number."""
    return -np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min


def most(dtype: Any) -> Any:
    """Return what is no smaller than any number."""
    return np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).max


def _first_of(equation: Any, x: Padded) -> list[Padded]:
    """Return where the largest or smallest number stands first."""
    is_max = equation.primitive.name == "argmax"
    (axis,) = equation.params["axes"]
    worst = (least if is_max else most)(x.dtype)
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
    axis = int(equation.params["axis"])
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
    "cummax": lambda a, b: larger(a, b),
    "cummin": lambda a, b: smaller(a, b),
}


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
    axis, sizes = (
        int(equation.params["axis"]),
        [int(k) for k in equation.params["sizes"]],
    )
    starts = np.cumsum([0, *sizes])[:-1].tolist()
    pairs = zip(starts, sizes, strict=True)
    return [_cut(x, axis, start, size) for start, size in pairs]


def _concatenate(equation: Any, *pieces: Padded) -> list[Padded]:
    axis = int(equation.params["dimension"])
    ends = np.cumsum([0, *(piece.shape[axis] for piece in pieces)]).tolist()
    parts = [(piece, start, 1) for piece, start in zip(pieces, ends[:-1], strict=True)]
    return [placed(parts, axis, ends[-1])]


def _stack(equation: Any, *pieces: Padded) -> list[Padded]:
    axis, shape = int(equation.params["axis"]), pieces[0].shape
    axis %= len(shape) + 1
    wider = (*shape[:axis], 1, *shape[axis:])
    parts = [(reshaped(piece, wider), k, 1) for k, piece in enumerate(pieces)]
    return [placed(parts, axis, len(pieces))]


def _unstack(equation: Any, x: Padded) -> list[Padded]:
    axis = int(equation.params["axis"]) % len(x.shape)
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


#: Primitives by name, and their rule.
MOVES: dict[str, Callable[..., list[Padded]]] = {
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
