"""Operations that only move numbers, or add them up where they land."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array
from ._numbers import Numbers, add, alike, at_build_time, is_known, multiply, numbers_of
from ._refusal import NotFused


def _broadcast_in_dim(operand: Numbers, params: dict[str, Any]) -> Numbers:
    shape = [1] * len(params["shape"])
    for axis, size in zip(params["broadcast_dimensions"], operand.shape, strict=True):
        shape[axis] = size
    return np.broadcast_to(operand.reshape(shape), params["shape"])


def _slice(operand: Numbers, params: dict[str, Any]) -> Numbers:
    bounds = params["start_indices"], params["limit_indices"]
    steps = params["strides"] or (1,) * operand.ndim
    return operand[tuple(map(slice, *bounds, steps))]


MOVES: dict[str, Callable[[Numbers, dict[str, Any]], Numbers]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "expand_dims": lambda x, params: np.expand_dims(x, params["dimensions"]),
    "reshape": lambda x, params: x.reshape(params["new_sizes"]),
    "rev": lambda x, params: np.flip(x, params["dimensions"]),
    "slice": _slice,
    "squeeze": lambda x, params: np.squeeze(x, params["dimensions"]),
    "transpose": lambda x, params: x.transpose(params["permutation"]),
}

#: A slice is looked for among so many places, if its start is not known.
_MOST_STARTS = 16

#: Moves that JAX is asked to make, on the places of the numbers: how many of the
#: operands, from the first on, are moved. The rest say where from or where to.
PLACED = {"gather": 1, "dynamic_update_slice": 2, "pad": 2}
ADDED = {"scatter": None, "scatter-add": add, "scatter-mul": multiply}


def place(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    """Let JAX move the places of the numbers, and put the numbers there."""
    name, params = equation.primitive.name, dict(equation.params)
    moved = operands[: PLACED[name]]
    places: list[Any] = []
    first = 0
    for operand in moved:
        count = first + np.arange(operand.size, dtype=np.int32)
        places.append(count.reshape(operand.shape))
        first += operand.size
    if name == "gather":
        params["fill_value"] = -1
    where = _indices(equation, operands, len(moved))
    index = at_build_time(equation.primitive.bind, *places, *where, **params)
    if index.size and not 0 <= index.min() <= index.max() < first:
        raise NotFused(f"`{name}` reads outside its array")
    pool = [number for operand in moved for number in operand.reshape(-1)]
    return [numbers_of([pool[i] for i in index.reshape(-1)], index.shape)]


def slice_anywhere(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    """Slice from starts that may be known only while the kernel runs."""
    operand, *starts = operands
    sizes = equation.params["slice_sizes"]
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        last = operand.shape[axis] - size
        index: Any = start[()]
        pieces = [
            operand.take(range(first, first + size), axis) for first in range(last + 1)
        ]
        if is_known(index):
            operand = pieces[min(max(int(index), 0), last)]
            continue
        if last > _MOST_STARTS:
            raise NotFused(
                "`dynamic_slice` depends on numbers known only while it runs"
            )
        operand = pieces[0]
        for first, piece in enumerate(pieces[1:], start=1):
            operand = _where(index >= first, piece, operand)
    return [operand]


def _where(truth: Array, yes: Numbers, no: Numbers) -> Numbers:
    out = np.empty(yes.shape, object)
    for place in np.ndindex(yes.shape):
        a, b = yes[place], no[place]
        dtype = a.dtype
        arrays = alike([truth, jnp.asarray(a, dtype), jnp.asarray(b, dtype)])
        out[place] = jnp.where(*arrays)
    return out


def scatter(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    operand, _, updates = operands
    where = _indices(equation, operands[:2], 1)
    units = np.eye(updates.size, dtype=np.int32).reshape(-1, *updates.shape)
    empty = np.zeros(operand.shape, np.int32)

    def hit(unit: Array) -> Array:
        dimensions = equation.params["dimension_numbers"]
        return jax.lax.scatter_add(empty, where[0], unit, dimensions)

    hits = at_build_time(jax.vmap(hit), units)
    out = operand.copy()
    join = ADDED[equation.primitive.name]
    for index in np.ndindex(operand.shape):
        for source in np.flatnonzero(hits[(slice(None), *index)]):
            number = updates.reshape(-1)[source]
            out[index] = number if join is None else join(out[index], number)
    return [out]


def _indices(equation: Any, operands: list[Numbers], first: int) -> list[np.ndarray]:
    """Return the operands from `first` on, which must be known."""
    found = []
    for atom, operand in zip(equation.invars[first:], operands[first:], strict=False):
        if not all(map(is_known, operand.reshape(-1))):
            name = equation.primitive.name
            raise NotFused(f"`{name}` depends on numbers known only while it runs")
        found.append(np.asarray(operand.tolist(), atom.aval.dtype))
    return found
