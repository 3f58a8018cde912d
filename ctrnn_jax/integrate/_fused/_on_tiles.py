"""Run a traced function on the tiles of a kernel, in the operations that those have.

A tile is an array `(n, lanes)` of a block of lanes. What is written for lanes last runs
on it as it is, but for functions that the compiler of kernels lacks.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..._types import Array
from ._formulas import ELEMENTWISE, FORMULAS
from ._refusal import NotFused
from ._replay import Replay

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
    if name == "reduce_and":
        # Kernels reduce no truth values.
        whole = jnp.min(operands[0].astype(jnp.int32), axis=params["axes"])
        return [whole > 0]
    if name in FORMULAS:
        return [FORMULAS[name](*operands, **params)]
    if name in _ALLOWED:
        return [equation.primitive.bind(*operands, **params)]
    if name == "cond":
        branches = [
            lambda *arrays, branch=branch: tuple(replay.run(branch, arrays))
            for branch in params["branches"]
        ]
        return jax.lax.switch(operands[0], branches, *operands[1:])
    return None


def _constant(value: Any) -> Array:
    if jnp.ndim(value):
        raise NotFused("it holds an array of constants")
    return jnp.asarray(value)


#: Call a function, written for lanes last, on tiles.
call_on_tiles = Replay(lambda tile: tile.dtype, jnp.asarray, _constant, _apply).call
