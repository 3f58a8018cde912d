"""Run a traced function on numbers one by one, as a thread of a kernel does.

A kernel's thread has registers and no arrays: what is written for a state `(n,)` must
be written out for n numbers. Here that is done to the traced function itself, so that
a kernel computes what the package computes elsewhere, from the same lines.

An array is held as a NumPy array of objects of its shape, called numbers. A number is
known while the kernel is built (a NumPy scalar), the same in all lanes (a traced
scalar), or one a lane (a traced vector over the lanes of a block).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ..._types import Array, PyTree
from ._formulas import ELEMENTWISE, FORMULAS
from ._refusal import NotFused

#: A NumPy array of objects.
Numbers: TypeAlias = np.ndarray

#: A loop inside a step is written out up to this length.
_LONGEST_LOOP = 16


def is_known(number: object) -> bool:
    """Whether a number's value is known while the kernel is built."""
    return isinstance(number, np.generic)


def known(values: Any, dtype: Any = None) -> Numbers:
    """Return numbers whose values are known."""
    values = np.asarray(values, dtype)
    out = np.empty(values.shape, object)
    for index in np.ndindex(values.shape):
        out[index] = values.dtype.type(values[index])
    return out


def numbers_of(values: Sequence, shape: tuple[int, ...]) -> Numbers:
    """Return a sequence of numbers as an array of them."""
    out = np.empty(len(values), object)
    for index, value in enumerate(values):
        out[index] = value
    return out.reshape(shape)


def call(function: Callable[..., PyTree], *arguments: PyTree) -> PyTree:
    """Call `function`, written for arrays, on pytrees of numbers.

    **Raises:** `NotFused` if it does what cannot be written out.
    """
    leaves, treedef = jax.tree.flatten(arguments)
    shapes = [jax.ShapeDtypeStruct(leaf.shape, _dtype_of(leaf)) for leaf in leaves]
    traced, out = jax.make_jaxpr(
        lambda *arrays: function(*jax.tree.unflatten(treedef, arrays)),
        return_shape=True,
    )(*shapes)
    return jax.tree.unflatten(jax.tree.structure(out), run(traced, leaves))


def run(traced: ClosedJaxpr, arguments: Sequence[Numbers]) -> list[Numbers]:
    """Return the results of a traced function on numbers."""
    constants = [_constant(constant) for constant in traced.consts]
    return _run(traced.jaxpr, constants, arguments)


def _run(
    jaxpr: Jaxpr, constants: Sequence[Numbers], arguments: Sequence[Numbers]
) -> list[Numbers]:
    values: dict[Any, Numbers] = {}
    values.update(zip(jaxpr.constvars, constants, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Numbers:
        if isinstance(atom, Literal):
            return known(atom.val, _aval_dtype(atom))
        return values[atom]

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        results = _apply(equation, operands)
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    name, params = equation.primitive.name, equation.params
    if name in ELEMENTWISE or name in FORMULAS:
        return [_elementwise(equation, operands)]
    if name in _MOVES:
        return [_MOVES[name](operands[0], params)]
    if name in _PLACED:
        return _place(equation, operands)
    if name in _ADDED:
        return _scatter(equation, operands)
    if name in _REDUCTIONS:
        return [_reduce(_REDUCTIONS[name], operands[0], params["axes"])]
    if name in _RULES:
        return _RULES[name](equation, operands)
    inner = next((params[key] for key in _CALLS if key in params), None)
    if inner is None or name in ("while", "scan"):
        raise NotFused(f"a kernel cannot do `{name}`")
    if isinstance(inner, ClosedJaxpr):
        return run(inner, operands)
    return _run(inner, [], operands)


#: Where primitives that only call another function keep it.
_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


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
        return _at_build_time(equation.primitive.bind, *numbers, **params)[()]
    if name == "add":
        return add(*numbers)
    if name == "mul":
        return multiply(*numbers)
    if name == "select_n" and is_known(numbers[0]):
        return numbers[1 + int(numbers[0])]
    arrays = _alike([as_traced(x, d) for x, d in zip(numbers, dtypes, strict=True)])
    formula = FORMULAS.get(name)
    if formula is not None:
        return formula(*arrays, **params)
    return equation.primitive.bind(*arrays, **params)


def as_traced(number: Any, dtype: Any = None) -> Array:
    """Return a number as JAX has it."""
    return jnp.asarray(number, dtype)


def _alike(arrays: list[Array]) -> list[Array]:
    """Return numbers that are the same in all lanes beside ones that are not."""
    lanes = max((array.shape for array in arrays), key=len)
    return [
        array if array.shape == lanes else jnp.broadcast_to(array, lanes)
        for array in arrays
    ]


def add(a: Any, b: Any) -> Any:
    """Return a + b; nothing is computed where one is known to be 0."""
    if is_known(a) and a == 0:
        return b
    if is_known(b) and b == 0:
        return a
    if is_known(a) and is_known(b):
        return a + b
    dtype = b.dtype if is_known(a) else a.dtype
    return jnp.add(*_alike([as_traced(a, dtype), as_traced(b, dtype)]))


def multiply(a: Any, b: Any) -> Any:
    """Return a · b; nothing is computed where one is known to be 0, 1 or −1."""
    if is_known(b):
        a, b = b, a
    if is_known(a):
        if a == 0 or is_known(b):
            return a * b if is_known(b) else a
        if a == 1:
            return b
        if a == -1:
            return -b
    dtype = b.dtype
    return jnp.multiply(*_alike([as_traced(a, dtype), b]))


# --- numbers that only change places --------------------------------------------------


def _broadcast_in_dim(operand: Numbers, params: dict[str, Any]) -> Numbers:
    shape = [1] * len(params["shape"])
    for axis, size in zip(params["broadcast_dimensions"], operand.shape, strict=True):
        shape[axis] = size
    return np.broadcast_to(operand.reshape(shape), params["shape"])


def _slice(operand: Numbers, params: dict[str, Any]) -> Numbers:
    bounds = params["start_indices"], params["limit_indices"]
    steps = params["strides"] or (1,) * operand.ndim
    return operand[tuple(map(slice, *bounds, steps))]


_MOVES: dict[str, Callable[[Numbers, dict[str, Any]], Numbers]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "expand_dims": lambda x, params: np.expand_dims(x, params["dimensions"]),
    "reshape": lambda x, params: x.reshape(params["new_sizes"]),
    "rev": lambda x, params: np.flip(x, params["dimensions"]),
    "slice": _slice,
    "squeeze": lambda x, params: np.squeeze(x, params["dimensions"]),
    "transpose": lambda x, params: x.transpose(params["permutation"]),
}

#: Moves that JAX is asked to make, on the places of the numbers: how many of the
#: operands, from the first on, are moved. The rest say where from or where to.
_PLACED = {"dynamic_slice": 1, "gather": 1, "dynamic_update_slice": 2, "pad": 2}
_ADDED = {"scatter": None, "scatter-add": add, "scatter-mul": multiply}


def _place(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    """Let JAX move the places of the numbers, and put the numbers there."""
    name, params = equation.primitive.name, dict(equation.params)
    moved = operands[: _PLACED[name]]
    places: list[Any] = []
    first = 0
    for operand in moved:
        count = first + np.arange(operand.size, dtype=np.int32)
        places.append(count.reshape(operand.shape))
        first += operand.size
    if name == "gather":
        params["fill_value"] = -1
    where = _indices(equation, operands, len(moved))
    index = _at_build_time(equation.primitive.bind, *places, *where, **params)
    if index.size and not 0 <= index.min() <= index.max() < first:
        raise NotFused(f"`{name}` reads outside its array")
    pool = [number for operand in moved for number in operand.reshape(-1)]
    return [numbers_of([pool[i] for i in index.reshape(-1)], index.shape)]


def _scatter(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    operand, _, updates = operands
    where = _indices(equation, operands[:2], 1)
    units = np.eye(updates.size, dtype=np.int32).reshape(-1, *updates.shape)
    empty = np.zeros(operand.shape, np.int32)

    def hit(unit: Array) -> Array:
        dimensions = equation.params["dimension_numbers"]
        return jax.lax.scatter_add(empty, where[0], unit, dimensions)

    hits = _at_build_time(jax.vmap(hit), units)
    out = operand.copy()
    join = _ADDED[equation.primitive.name]
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


def _at_build_time(function: Callable, *arguments: Any, **params: Any) -> np.ndarray:
    """Call a function of JAX on what is known, wherever a kernel is being built."""
    cpu = jax.local_devices(backend="cpu")[0]
    with jax.ensure_compile_time_eval(), jax.default_device(cpu):
        return np.asarray(function(*map(jnp.asarray, arguments), **params))


# --- several numbers into one ---------------------------------------------------------


def _pairwise(name: str) -> Callable[[Any, Any], Any]:
    operation = getattr(jnp, name)

    def both(a: Any, b: Any) -> Any:
        if is_known(a) and is_known(b):
            return getattr(np, name)(a, b)
        dtype = b.dtype if is_known(a) else a.dtype
        return operation(*_alike([as_traced(a, dtype), as_traced(b, dtype)]))

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


def _dot_general(equation: Any, operands: list[Numbers]) -> list[Numbers]:
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
        total: Any = dtype.type(0)
        for x, y in zip(left[b, i], right[b, j], strict=True):
            total = add(total, multiply(x, y))
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


def _scan(equation: Any, operands: list[Numbers]) -> list[Numbers]:
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
        results = run(params["jaxpr"], [*shared, *carry, *parts])
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


def _cond(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    """Branch where all lanes go the same way; else take both and choose."""
    branches = equation.params["branches"]
    choice, arguments = operands[0][()], operands[1:]
    if is_known(choice):
        return run(branches[int(np.clip(choice, 0, len(branches) - 1))], arguments)
    if len(branches) != 2:
        raise NotFused("a kernel branches two ways at most")
    shapes = [aval.shape for aval in branches[0].out_avals]
    dtypes = [aval.dtype for aval in branches[0].out_avals]
    lanes = _lanes_of(operands)

    def flat(branch: ClosedJaxpr) -> list[Array]:
        results = run(branch, arguments)
        return [
            jnp.broadcast_to(as_traced(number, dtype), lanes)
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


def _iota(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    shape, axis = equation.params["shape"], equation.params["dimension"]
    along = np.arange(shape[axis]).reshape(
        [-1 if k == axis else 1 for k in range(len(shape))]
    )
    return [known(np.broadcast_to(along, shape), equation.params["dtype"])]


def _custom_jvp(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    return run(equation.params["call_jaxpr"], operands)


def _concatenate(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    return [np.concatenate(operands, axis=equation.params["dimension"])]


def _split(equation: Any, operands: list[Numbers]) -> list[Numbers]:
    ends = np.cumsum(equation.params["sizes"])[:-1]
    return np.split(operands[0], ends, axis=equation.params["axis"])


_RULES: dict[str, Callable[[Any, list[Numbers]], list[Numbers]]] = {
    "concatenate": _concatenate,
    "split": _split,
    "dot_general": _dot_general,
    "scan": _scan,
    "cond": _cond,
    "iota": _iota,
    "custom_jvp_call": _custom_jvp,
    # Lanes do not see each other, so there is nothing to fence off.
    "optimization_barrier": lambda equation, operands: operands,
    "copy": lambda equation, operands: operands,
    "copy_p": lambda equation, operands: operands,
    "stop_gradient": lambda equation, operands: operands,
}


def _dtype_of(numbers: Numbers) -> Any:
    return numbers.reshape(-1)[0].dtype


def _aval_dtype(atom: Any) -> Any:
    return atom.aval.dtype


def _constant(value: Any) -> Numbers:
    if isinstance(value, Tracer):
        raise NotFused("it uses an array that JAX traces, other than the model's")
    array = np.asarray(value)
    if array.size > 4096:
        raise NotFused(f"it holds an array of {array.size} constants")
    return known(array)
