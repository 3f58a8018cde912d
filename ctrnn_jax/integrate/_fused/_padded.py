"""Arrays of a lane in a kernel of many neurons: padded, with their true shape.

A compiler of kernels has arrays only whose sides are powers of two. What is written for
one lane, with arrays of any shape, runs on these by `_padded_rules`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, Bool, Int
from ._refusal import NotFused

#: Moves of few numbers are written out, and those of more are loops.
_WRITTEN_OUT = 4


def padded_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return each side as the power of two that holds it.

    **Raises:** `NotFused` for an array of nothing.
    """
    if 0 in shape:
        raise NotFused("it makes an empty array")
    return tuple(1 << (size - 1).bit_length() for size in shape)


class Padded:
    """An array of a lane, or the same in all lanes.

    - `array`: of sides that are powers of two; the lanes are last, or it is the same in
      all of them and has no such axis. What lies beyond the true shape is anything, NaN
      too, and no rule may let it reach a true number.
    - `shape`: the true one, without lanes.
    """

    def __init__(self, array: Array, shape: Sequence[int]):
        self.array, self.shape = array, tuple(shape)
        assert array.shape[: len(self.shape)] == padded_shape(self.shape)

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    @property
    def has_lanes(self) -> bool:
        """Whether lanes have numbers of their own."""
        return self.array.ndim > len(self.shape)

    @property
    def lanes(self) -> tuple[int, ...]:
        """The axis of lanes, if any."""
        return self.array.shape[len(self.shape) :]

    def beside(self, lanes: tuple[int, ...]) -> Array:
        """Return the array with an axis of lanes, if it is to stand beside some."""
        if self.has_lanes or not lanes:
            return self.array
        return spread(self.array, (*padded_shape(self.shape), *lanes), leading=True)

    def cast(self, dtype: Any) -> "Padded":
        """Return the same numbers in another dtype."""
        return Padded(self.array.astype(dtype), self.shape)


def spread(array: Array, shape: tuple[int, ...], *, leading: bool = False) -> Array:
    """Broadcast to a shape; the axes that are there are its last, or its first."""
    if array.shape == shape:
        return array
    missing = len(shape) - array.ndim
    if missing and array.ndim:
        ones = (1,) * missing
        whole = (*array.shape, *ones) if leading else (*ones, *array.shape)
        array = jnp.reshape(array, whole)
    return jnp.broadcast_to(array, shape)


def lanes_of(operands: Sequence[Any]) -> tuple[int, ...]:
    """Return the axis of lanes that any of several has."""
    return max((operand.lanes for operand in operands), key=len, default=())


def places(shape: tuple[int, ...], axis: int) -> Int[Array, "..."]:
    """Return the place of each number along an axis."""
    return jax.lax.broadcasted_iota(np.int32, shape, axis)


def positions(shape: tuple[int, ...]) -> Int[Array, "..."]:
    """Return where each number stands row by row; −1 in the padding."""
    whole = padded_shape(shape)
    total = jnp.zeros(whole, jnp.int32)
    for axis, size in enumerate(shape):
        total = total * jnp.int32(size) + places(whole, axis)
    is_true = inside(whole, shape, range(len(shape)))
    return total if is_true is None else jnp.where(is_true, total, jnp.int32(-1))


def inside(
    whole: tuple[int, ...], shape: tuple[int, ...], axes: Sequence[int]
) -> Bool[Array, "..."] | None:
    """Return which numbers of `whole` are true ones; `None` if all are."""
    found = None
    for axis in axes:
        if whole[axis] > shape[axis]:
            here = places(whole, axis) < shape[axis]
            found = here if found is None else found & here
    return found


def masked(x: Padded, neutral: Any, axes: Sequence[int]) -> Array:
    """Return the array with `neutral` for the padding along `axes`."""
    is_true = inside(x.array.shape, x.shape, axes)
    if is_true is None:
        return x.array
    return jnp.where(is_true, x.array, jnp.full_like(x.array, neutral))


def pick(x: Padded, axis: int, i: Array | int) -> Padded:
    """Return what stands at place i of an axis, which stays, of length 1."""
    if x.shape[axis] == 1:
        return x
    mine = places(x.array.shape, axis) == i
    chosen = jnp.where(mine, x.array, jnp.zeros_like(x.array))
    picked = jnp.sum(chosen, axis=axis, keepdims=True, dtype=x.dtype)
    return Padded(picked, _with_side(x.shape, axis, 1))


def pick_anywhere(x: Padded, k: Array | int) -> Padded:
    """Return the number at a position, as `positions` counts them."""
    if not x.shape:
        return x
    where = spread(positions(x.shape), x.array.shape, leading=True)
    chosen = jnp.where(where == k, x.array, jnp.zeros_like(x.array))
    axes = tuple(range(len(x.shape)))
    return Padded(jnp.sum(chosen, axis=axes, dtype=x.dtype), ())


def placed(pieces: Sequence[tuple[Padded, int, int]], axis: int, size: int) -> Padded:
    """Return an array along whose `axis` some others stand.

    Each piece is put at an offset, so many places apart; between them there are zeros.
    """
    first = pieces[0][0]
    shape = _with_side(first.shape, axis, size)
    lanes = lanes_of([piece for piece, *_ in pieces])
    whole = (*padded_shape(shape), *lanes)
    out = jnp.zeros(whole, first.dtype)
    index = places(whole, axis)
    for piece, offset, apart in pieces:
        full = Padded(piece.beside(lanes), piece.shape)
        put = partial(_put, full, axis, whole, index, offset, apart)
        out = repeat(piece.shape[axis], put, out)
    return Padded(out, shape)


def _put(
    piece: Padded,
    axis: int,
    whole: tuple[int, ...],
    index: Array,
    offset: int,
    apart: int,
    k: Array | int,
    out: Array,
) -> Array:
    number = spread(pick(piece, axis, k).array, whole)
    return jnp.where(index == offset + k * apart, number, out)


def taken(
    x: Padded, axis: int, size: int, source: Callable[[Any], Array | int]
) -> Padded:
    """Return an array with, at place j of `axis`, what stood at place `source(j)`."""
    shape = _with_side(x.shape, axis, size)
    if size == 1:
        return pick(x, axis, source(0))
    whole = (*padded_shape(shape), *x.lanes)
    index = places(whole, axis)

    def put(j: Array | int, out: Array) -> Array:
        number = spread(pick(x, axis, source(j)).array, whole)
        return jnp.where(index == j, number, out)

    return Padded(repeat(size, put, jnp.zeros(whole, x.dtype)), shape)


def reshaped(x: Padded, shape: tuple[int, ...]) -> Padded:
    """Return the same numbers, row by row, in another shape."""
    old, new = padded_shape(x.shape), padded_shape(shape)
    same = [side for side in x.shape if side > 1] == [
        side for side in shape if side > 1
    ]
    if same or (old == x.shape and new == shape):
        return Padded(jnp.reshape(x.array, (*new, *x.lanes)), shape)
    whole = (*new, *x.lanes)
    where = spread(positions(shape), whole, leading=True)

    def put(k: Array | int, out: Array) -> Array:
        number = spread(pick_anywhere(x, k).array, whole)
        return jnp.where(where == k, number, out)

    count = int(np.prod(shape, dtype=int))
    return Padded(repeat(count, put, jnp.zeros(whole, x.dtype)), shape)


def repeat(
    count: int, body: Callable[[Array | int, Array], Array], start: Array
) -> Array:
    """Apply `body(k, array)` for every k."""
    if count > _WRITTEN_OUT:
        return jax.lax.fori_loop(jnp.int32(0), jnp.int32(count), body, start)
    for k in range(count):
        start = body(k, start)
    return start


def _with_side(shape: Sequence[int], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])
