"""Run a traced function on the tiles of a kernel, in the operations that those have.

A tile is an array `(n, lanes)` of a block of lanes. What is written for lanes last runs
on it as it is, but for functions that the compiler of kernels lacks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ..._types import Array, PyTree
from ._formulas import ELEMENTWISE, FORMULAS
from ._refusal import NotFused

_ALLOWED = ELEMENTWISE | {
    "broadcast_in_dim",
    "dot_general",
    "reduce_max",
    "reduce_min",
    "reduce_sum",
    "reshape",
    "transpose",
}

#: Where primitives that only call another function keep it.
_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def call_on_tiles(function: Callable[..., PyTree], *arguments: PyTree) -> PyTree:
    """Call `function`, written for lanes last, on tiles.

    **Raises:** `NotFused` if it does what a kernel cannot do with tiles.
    """
    leaves, treedef = jax.tree.flatten(arguments)
    shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
    traced, out = jax.make_jaxpr(
        lambda *arrays: function(*jax.tree.unflatten(treedef, arrays)),
        return_shape=True,
    )(*shapes)
    return jax.tree.unflatten(jax.tree.structure(out), _run_closed(traced, leaves))


def _run_closed(traced: ClosedJaxpr, arguments: Sequence[Array]) -> list[Array]:
    if any(jnp.ndim(constant) for constant in traced.consts):
        raise NotFused("it holds an array of constants")
    return _run(traced.jaxpr, [jnp.asarray(c) for c in traced.consts], arguments)


def _run(
    jaxpr: Jaxpr, constants: Sequence[Array], arguments: Sequence[Array]
) -> list[Array]:
    values: dict[Any, Array] = {}
    values.update(zip(jaxpr.constvars, constants, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Array:
        if isinstance(atom, Literal):
            aval: Any = atom.aval
            return jnp.asarray(atom.val, aval.dtype)
        return values[atom]

    for equation in jaxpr.eqns:
        results = _apply(equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, operands: list[Array]) -> Sequence[Array]:
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
            lambda *arrays, branch=branch: tuple(_run_closed(branch, arrays))
            for branch in params["branches"]
        ]
        return jax.lax.switch(operands[0], branches, *operands[1:])
    inner = next((params[key] for key in _CALLS if key in params), None)
    if inner is None or name in ("while", "scan"):
        raise NotFused(f"a kernel cannot do `{name}` on tiles")
    if isinstance(inner, ClosedJaxpr):
        return _run_closed(inner, operands)
    return _run(inner, [], operands)
