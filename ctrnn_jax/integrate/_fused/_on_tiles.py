"""Run a traced function on the tiles of a kernel, in the operations that those have.

A tile is an array `(n, lanes)` of a block of lanes. What is written for lanes last runs
on it as it is, but for functions that the compiler of kernels lacks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..._types import Array, PyTree
from .._storage import rounded
from ._formulas import ELEMENTWISE, FORMULAS
from ._refusal import NotFused
from ._replay import FENCED, Replay

_ALLOWED = ELEMENTWISE | {
    "broadcast_in_dim",
    "dot_general",
    "reduce_max",
    "reduce_min",
    "reduce_sum",
    "reshape",
    "transpose",
}


def _apply(
    replay: Replay, equation: Any, operands: list[Array]
) -> Sequence[Array] | None:
    name, params = equation.primitive.name, equation.params
    if replay.is_exact and name in FENCED:
        operands = [_fence(operand) for operand in operands]
    if name == "optimization_barrier":
        return operands
    if name == "reduce_and":
        # Kernels reduce no truth values.
        whole = jnp.min(operands[0].astype(jnp.int32), axis=params["axes"])
        return [whole > 0]
    if name in FORMULAS:
        return [FORMULAS[name](*operands, **params)]
    if name in _ALLOWED:
        result = equation.primitive.bind(*operands, **params)
        # Such as times, which are the same in all lanes.
        alike = replay.is_exact and name == "mul" and not result.ndim
        return [_fence(result) if alike else result]
    if name == "cond":
        branches = [
            lambda *arrays, branch=branch: tuple(replay.run(branch, arrays))
            for branch in params["branches"]
        ]
        return jax.lax.switch(operands[0], branches, *operands[1:])
    return None


def _fence(tile: Array) -> Array:
    return rounded(tile) if jnp.issubdtype(tile.dtype, jnp.floating) else tile


def _constant(value: Any) -> Array:
    if jnp.ndim(value):
        raise NotFused("it holds an array of constants")
    return jnp.asarray(value)


def _dtype_of(tile: Array) -> Any:
    return tile.dtype


#: Call a function, written for lanes last, on tiles.
call_on_tiles = Replay(_dtype_of, jnp.asarray, _constant, _apply).call

_call_exactly = Replay(_dtype_of, jnp.asarray, _constant, _apply, is_exact=True).call


def call_exactly_on_tiles(function: Callable[..., PyTree], *arguments: PyTree) -> Any:
    """Call a function of what must give the same bits in one kernel as in another.

    Arguments may hold other things than arrays; all arrays of its are among them.
    """
    arrays, rest = eqx.partition(arguments, eqx.is_array)
    return _call_exactly(lambda arrays: function(*eqx.combine(arrays, rest)), arrays)
