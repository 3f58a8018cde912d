"""Products of the padded arrays of a lane, W's among them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..._types import Array
from ._padded import (
    Padded,
    lanes_of,
    masked,
    padded_shape,
    pick,
    places,
    repeat,
    spread,
)
from ._refusal import NotFused
from ._tile_model import TileWeight

#: Refuses an array of a shape and dtype that is too large for a block.
Check = Callable[[Sequence[int], Any], None]
#: Products on matrix units have lanes and sides of this length at least.
_SHORTEST_SIDE = 16


class PaddedWeight:
    """W of a lane, `(n, n)`, as a function of one lane is given it.

    - `weight`: how it is multiplied.
    - `read`: returns all of it, rows first, with lanes last if they have their own.
    """

    def __init__(self, weight: TileWeight, lanes: int, read: Callable[[], Array]):
        self.weight, self.lanes, self._read = weight, (lanes,), read
        self.shape = (weight.num_neurons, weight.num_neurons)
        self.dtype = np.dtype(weight.ref.dtype)

    def mv(self, x: Padded) -> Padded:
        """Return Wx."""
        whole = masked(Padded(x.beside(self.lanes), x.shape), 0, (0,))
        return Padded(self.weight.mv(whole), x.shape)

    def whole(self, check: Check) -> Padded:
        """Return W itself, if it is not too large."""
        ref = self.weight.ref
        check(ref.shape, ref.dtype)
        return Padded(self._read(), self.shape)


def product(
    check: Check,
    interpreted: bool,
    params: dict[str, Any],
    out: Any,
    left: Any,
    right: Any,
) -> Padded:
    """Return what `dot_general` does."""
    (left_axes, right_axes), (left_batch, right_batch) = params["dimension_numbers"]
    dimensions = (tuple(left_axes), tuple(right_axes), len(left_batch))
    if dimensions == ((1,), (0,), 0) and _are_weight_and_vector(left, right):
        return left.mv(right)
    if dimensions == ((0,), (1,), 0) and _are_weight_and_vector(right, left):
        return right.mv(left)
    first, second = (
        x.whole(check) if isinstance(x, PaddedWeight) else x for x in (left, right)
    )
    first, second = first.cast(out.dtype), second.cast(out.dtype)
    first = _sorted(first, left_batch, left_axes)
    second = _sorted(second, right_batch, right_axes)
    shape = tuple(out.shape)
    if not left_batch and len(left_axes) == 1:
        for matrix, vector in ((first, second), (second, first)):
            if len(matrix.shape) == 2 and len(vector.shape) == 1:
                return _matrix_vector(check, interpreted, matrix, vector)
    return _all_pairs(check, first, second, len(left_batch), len(left_axes), shape)


def _are_weight_and_vector(left: Any, right: Any) -> bool:
    is_vector = isinstance(right, Padded) and len(right.shape) == 1
    return is_vector and isinstance(left, PaddedWeight)


def _sorted(x: Padded, batch: Sequence[int], summed: Sequence[int]) -> Padded:
    """Return an array with its axes in the order batch, free, summed."""
    free = [axis for axis in range(len(x.shape)) if axis not in (*batch, *summed)]
    order = [*batch, *free, *summed]
    if order == list(range(len(order))):
        return x
    lanes = [len(order)] if x.has_lanes else []
    shape = [x.shape[axis] for axis in order]
    return Padded(jnp.transpose(x.array, [*order, *lanes]), shape)


def _matrix_vector(
    check: Check, interpreted: bool, matrix: Padded, vector: Padded
) -> Padded:
    """Multiply the vectors of all lanes at once, or by a row at a time if large."""
    rows, terms = matrix.shape
    lanes = lanes_of([matrix, vector])
    sides = padded_shape(matrix.shape)
    fits = not matrix.has_lanes and min(*sides, *lanes, *lanes) >= _SHORTEST_SIDE
    if lanes and fits and jnp.issubdtype(matrix.dtype, jnp.floating):
        # NaN in the padding of either would be in every sum.
        whole = masked(matrix, 0, (0, 1))
        weight = TileWeight(None, whole, terms, interpreted)
        return Padded(weight.mv(masked(vector, 0, (0,))), (rows,))
    try:
        check((*sides, *lanes), matrix.dtype)
    except NotFused:
        return _row_by_row(matrix, vector)
    return _all_pairs(check, matrix, vector, 0, 1, (rows,))


def _row_by_row(matrix: Padded, vector: Padded) -> Padded:
    lanes = lanes_of([matrix, vector])
    rows = matrix.shape[0]
    whole = (*padded_shape((rows,)), *lanes)
    index = places(whole, 0)
    numbers = masked(Padded(vector.beside(lanes), vector.shape), 0, (0,))

    def put(i: Array | int, out: Array) -> Array:
        row = pick(matrix, 0, i)
        row = Padded(jnp.reshape(row.array, row.array.shape[1:]), vector.shape)
        terms = masked(Padded(row.beside(lanes), row.shape), 0, (0,)) * numbers
        total = jnp.sum(terms, axis=0, keepdims=True)
        return jnp.where(index == i, spread(total, whole), out)

    return Padded(repeat(rows, put, jnp.zeros(whole, vector.dtype)), (rows,))


def _all_pairs(
    check: Check,
    left: Padded,
    right: Padded,
    num_batch: int,
    num_summed: int,
    shape: tuple[int, ...],
) -> Padded:
    """Multiply every number with every other, then add up."""
    lanes = lanes_of([left, right])
    batch = left.shape[:num_batch]
    rows = left.shape[num_batch : len(left.shape) - num_summed]
    cols = right.shape[num_batch : len(right.shape) - num_summed]
    summed = left.shape[len(left.shape) - num_summed :]
    sides = [padded_shape(part) for part in (batch, rows, cols, summed)]
    whole = (*(side for part in sides for side in part), *lanes)
    check(whole, left.dtype)
    ones = [(1,) * len(part) for part in sides]
    a = jnp.reshape(
        left.beside(lanes), (*sides[0], *sides[1], *ones[2], *sides[3], *lanes)
    )
    b = jnp.reshape(
        right.beside(lanes), (*sides[0], *ones[1], *sides[2], *sides[3], *lanes)
    )
    pairs = jnp.broadcast_to(a, whole) * jnp.broadcast_to(b, whole)
    if not summed:
        return Padded(pairs, shape)
    axes = tuple(range(len(shape), len(shape) + num_summed))
    terms = masked(Padded(pairs, (*batch, *rows, *cols, *summed)), 0, axes)
    return Padded(jnp.sum(terms, axis=axes, dtype=left.dtype), shape)
