"""Run a traced function on numbers one by one, as a thread of a kernel does.

A kernel's thread has registers and no arrays: what is written for a state `(n,)` must
be written out for n numbers. Here that is done to the traced function itself, so that
a kernel computes what the package computes elsewhere, from the same lines.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr

from ..._types import Array
from .._storage import rounded
from ._formulas import ELEMENTWISE, FORMULAS
from ._moves import ADDED, MOVES, PLACED, place, scatter, slice_anywhere
from ._numbers import (
    Numbers,
    add,
    alike,
    at_build_time,
    is_known,
    known,
    multiply,
    numbers_of,
)
from ._refusal import NotFused
from ._replay import FENCED, Replay

#: A loop inside a step is written out up to this length.
_LONGEST_LOOP = 16


def _apply(
    replay: Replay, equation: Any, operands: list[Numbers]
) -> list[Numbers] | None:
    name, params = equation.primitive.name, equation.params
    if replay.is_exact and name in FENCED:
        operands = [_fence(operand) for operand in operands]
    if name in ELEMENTWISE or name in FORMULAS:
        result = _elementwise(equation, operands)
        # Such as times, which are the same in all lanes.
        alike = replay.is_exact and name == "mul" and not _lanes_of([result])
        return [_fence(result) if alike else result]
    if name in MOVES:
        return [MOVES[name](operands[0], params)]
    if name in PLACED:
        return place(equation, operands)
    if name == "dynamic_slice":
        return slice_anywhere(equation, operands)
    if name in ADDED:
        return scatter(equation, operands)
    if name in _REDUCTIONS:
        return [_reduce(_REDUCTIONS[name], operands[0], params["axes"])]
    rule = _RULES.get(name)
    return None if rule is None else rule(replay, equation, operands)


def _fence(numbers: Numbers) -> Numbers:
    out = numbers.copy()
    for index in np.ndindex(out.shape):
        number: Any = out[index]
        if not is_known(number) and jnp.issubdtype(number.dtype, jnp.floating):
            out[index] = rounded(number)
    return out


# --- each number alone ----------------------------------------------------------------


def _elementwise(equation: Any, operands: list[Numbers]) -> Numbers:
    shape = equation.outvars[0].aval.shape
    out = np.empty(shape, object)
    # `select_n` and `clamp` take scalars beside arrays.
    spread = [np.broadcast_to(operand, shape) for operand in operands]
    dtypes = [atom.aval.dtype for atom in equation.invars]
    for index in np.ndindex(shape):
        out[index] = _bind(equation, [part[index] for part in spread], dtypes)
    return out


def _bind(equation: Any, numbers: list[Any], dtypes: list[Any]) -> Any:
    """Apply a primitive to numbers, in the kernel unless all are known."""
    name, params = equation.primitive.name, equation.params
    if all(map(is_known, numbers)):
        return at_build_time(equation.primitive.bind, *numbers, **params)[()]
    if name in ("add", "add_any"):
        return add(*numbers)
    if name == "mul":
        return multiply(*numbers)
    if name == "select_n" and is_known(numbers[0]):
        return numbers[1 + int(numbers[0])]
    arrays = alike([jnp.asarray(x, d) for x, d in zip(numbers, dtypes, strict=True)])
    formula = FORMULAS.get(name)
    if formula is not None:
        return formula(*arrays, **params)
    return equation.primitive.bind(*arrays, **params)


# --- several numbers into one ---------------------------------------------------------


def _pairwise(name: str) -> Callable[[Any, Any], Any]:
    operation = getattr(jnp, name)

    def both(a: Any, b: Any) -> Any:
        if is_known(a) and is_known(b):
            return getattr(np, name)(a, b)
        dtype = b.dtype if is_known(a) else a.dtype
        return operation(*alike([jnp.asarray(a, dtype), jnp.asarray(b, dtype)]))

    return both


_REDUCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "reduce_sum": add,
    "reduce_prod": multiply,
    "reduce_max": _pairwise("maximum"),
    "reduce_min": _pairwise("minimum"),
    "reduce_and": _pairwise("logical_and"),
    "reduce_or": _pairwise("logical_or"),
}


def _reduce(
    operation: Callable[[Any, Any], Any], operand: Numbers, axes: tuple[int, ...]
) -> Numbers:
    kept = [axis for axis in range(operand.ndim) if axis not in axes]
    shape = tuple(operand.shape[axis] for axis in kept)
    ordered = operand.transpose(*kept, *axes).reshape(*shape, -1)
    if not ordered.shape[-1]:
        raise NotFused("a kernel cannot reduce an empty array")
    out = np.empty(shape, object)
    for index in np.ndindex(shape):
        total, *rest = ordered[index]
        for number in rest:
            total = operation(total, number)
        out[index] = total
    return out


def _dot_general(
    replay: Replay, equation: Any, operands: list[Numbers]
) -> list[Numbers]:
    left, right = operands
    (left_axes, right_axes), (left_batch, right_batch) = equation.params[
        "dimension_numbers"
    ]
    left, rows = _sort_axes(left, left_batch, left_axes)
    right, cols = _sort_axes(right, right_batch, right_axes)
    batch = tuple(operands[0].shape[axis] for axis in left_batch)
    out = np.empty((left.shape[0], left.shape[1], right.shape[1]), object)
    dtype = equation.outvars[0].aval.dtype
    for index in np.ndindex(out.shape):
        b, i, j = index
        pairs = zip(left[b, i], right[b, j], strict=True)
        terms = numbers_of([multiply(x, y) for x, y in pairs], (-1,))
        if replay.is_exact and len(terms) > 1:
            terms = _fence(terms)
        total: Any = dtype.type(0)
        for term in terms:
            total = add(total, term)
        out[index] = total
    return [out.reshape(*batch, *rows, *cols)]


def _sort_axes(
    operand: Numbers, batch: Sequence[int], summed: Sequence[int]
) -> tuple[Numbers, tuple[int, ...]]:
    """Return `(batch, free, summed)` numbers, and the shape of the free axes."""
    free = [axis for axis in range(operand.ndim) if axis not in (*batch, *summed)]
    shape = tuple(operand.shape[axis] for axis in free)
    sizes = [
        int(np.prod([operand.shape[axis] for axis in axes], dtype=int))
        for axes in (batch, free, summed)
    ]
    return operand.transpose(*batch, *free, *summed).reshape(sizes), shape


# --- functions inside functions -------------------------------------------------------


def _scan(replay: Replay, equation: Any, operands: list[Numbers]) -> list[Numbers]:
    params = equation.params
    length, num_consts = params["length"], params["num_consts"]
    num_carry = params["num_carry"]
    if length > _LONGEST_LOOP:
        raise NotFused(f"a step loops {length} times inside")
    shared, carry = operands[:num_consts], operands[num_consts:][:num_carry]
    sequences = operands[num_consts + num_carry :]
    kept: list[list[Numbers]] = []
    order = range(length)[::-1] if params["reverse"] else range(length)
    for index in order:
        # An element of a vector of objects is the number itself.
        parts = [_element(sequence, index) for sequence in sequences]
        results = replay.run(params["jaxpr"], [*shared, *carry, *parts])
        carry = results[:num_carry]
        kept.append(results[num_carry:])
    if params["reverse"]:
        kept.reverse()
    stacked = [np.stack([row[k] for row in kept]) for k in range(len(kept[0]))]
    return [*carry, *stacked]


def _element(sequence: Numbers, index: int) -> Numbers:
    out = np.empty(sequence.shape[1:], object)
    out[...] = sequence[index]
    return out


def _cond(replay: Replay, equation: Any, operands: list[Numbers]) -> list[Numbers]:
    """Branch where all lanes go the same way; else take both and choose."""
    branches = equation.params["branches"]
    choice, arguments = operands[0][()], operands[1:]
    if is_known(choice):
        return replay.run(
            branches[int(np.clip(choice, 0, len(branches) - 1))], arguments
        )
    if len(branches) != 2:
        raise NotFused("a kernel branches two ways at most")
    shapes = [aval.shape for aval in branches[0].out_avals]
    dtypes = [aval.dtype for aval in branches[0].out_avals]
    lanes = _lanes_of(operands)

    def flat(branch: ClosedJaxpr) -> list[Array]:
        results = replay.run(branch, arguments)
        return [
            jnp.broadcast_to(jnp.asarray(number, dtype), lanes)
            for result, dtype in zip(results, dtypes, strict=True)
            for number in result.reshape(-1)
        ]

    truth = choice != 0
    if choice.ndim:
        pairs = zip(flat(branches[1]), flat(branches[0]), strict=True)
        chosen = [jnp.where(truth, yes, no) for yes, no in pairs]
    else:
        chosen = list(
            jax.lax.cond(truth, lambda: flat(branches[1]), lambda: flat(branches[0]))
        )
    results = []
    for shape in shapes:
        size = int(np.prod(shape, dtype=int))
        results.append(numbers_of(chosen[:size], shape))
        chosen = chosen[size:]
    return results


def _lanes_of(operands: Sequence[Numbers]) -> tuple[int, ...]:
    shapes = [
        number.shape
        for operand in operands
        for number in operand.reshape(-1)
        if not is_known(number)
    ]
    return max(shapes, key=len, default=())


def _iota(replay: Replay, equation: Any, operands: list[Numbers]) -> list[Numbers]:
    shape, axis = equation.params["shape"], equation.params["dimension"]
    along = np.arange(shape[axis]).reshape(
        [-1 if k == axis else 1 for k in range(len(shape))]
    )
    return [known(np.broadcast_to(along, shape), equation.params["dtype"])]


def _concatenate(
    replay: Replay, equation: Any, operands: list[Numbers]
) -> list[Numbers]:
    return [np.concatenate(operands, axis=equation.params["dimension"])]


def _stack(replay: Replay, equation: Any, operands: list[Numbers]) -> list[Numbers]:
    return [np.stack(operands, axis=equation.params["axis"])]


def _unstack(replay: Replay, equation: Any, operands: list[Numbers]) -> list[Numbers]:
    moved = np.moveaxis(operands[0], equation.params["axis"], 0)
    return [_element(moved, index) for index in range(len(moved))]


def _split(replay: Replay, equation: Any, operands: list[Numbers]) -> list[Numbers]:
    ends = np.cumsum(equation.params["sizes"])[:-1]
    return np.split(operands[0], ends, axis=equation.params["axis"])


_RULES: dict[str, Callable[[Replay, Any, list[Numbers]], list[Numbers]]] = {
    "concatenate": _concatenate,
    "split": _split,
    "stack": _stack,
    "unstack": _unstack,
    "dot_general": _dot_general,
    "scan": _scan,
    "cond": _cond,
    "iota": _iota,
    "optimization_barrier": lambda replay, equation, operands: operands,
    "copy": lambda replay, equation, operands: operands,
}


def _dtype_of(numbers: Numbers) -> Any:
    return numbers.reshape(-1)[0].dtype


def _constant(value: Any) -> Numbers:
    if isinstance(value, Tracer):
        raise NotFused("it uses an array that JAX traces, other than the model's")
    array = np.asarray(value)
    if array.size > 4096:
        raise NotFused(f"it holds an array of {array.size} constants")
    return known(array)


#: Call a function, written for arrays, on pytrees of numbers.
call = Replay(_dtype_of, known, _constant, _apply).call
#: The same, for what must give the same bits in one kernel as in another.
call_exactly = Replay(_dtype_of, known, _constant, _apply, is_exact=True).call
