"""Many numbers of a lane, read and written by one instruction in a loop.

The compiler of kernels looks, for each read and write in a kernel, at all that it is
connected to: hundreds of them, one for each number, take it minutes. Reading them as a
tile is no way out: the numbers would inherit its layout, and several threads compute
each.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..._types import Array
from ._numbers import Numbers, numbers_of


def read_rows(ref: Any, size: int, *lead: Array) -> Numbers:
    """Return the rows of `ref[*lead]`, of shape `(size, lanes)`, as numbers."""

    def body(index: Array, found: tuple[Array, ...]) -> tuple[Array, ...]:
        row = ref[(*lead, index, slice(None))]
        return tuple(jnp.where(index == i, row, one) for i, one in enumerate(found))

    nothing = (jnp.zeros(ref.shape[-1:], ref.dtype),) * size
    return numbers_of(list(jax.lax.fori_loop(0, size, body, nothing)), (size,))


def write_rows(ref: Any, numbers: Numbers, *lead: Array) -> None:
    """Write numbers to the rows of `ref[*lead]`."""

    def write(index: Array, row: Array) -> None:
        ref[(*lead, index, slice(None))] = row

    for_each(numbers, ref, write)


def for_each(numbers: Numbers, ref: Any, do: Callable[[Array, Array], None]) -> None:
    """Call `do(index, number)` on vectors of the lanes and the dtype of `ref`."""
    rows = [
        jnp.broadcast_to(jnp.asarray(number, ref.dtype), ref.shape[-1:])
        for number in numbers
    ]

    def body(index: Array, carry: Array) -> Array:
        row = rows[0]
        for i, other in enumerate(rows[1:], start=1):
            row = jnp.where(index == i, other, row)
        do(index, row)
        return carry

    if rows:
        jax.lax.fori_loop(0, len(rows), body, jnp.zeros((), jnp.int32))
