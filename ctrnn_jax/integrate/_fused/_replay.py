"""Run the equations of a traced function by rules of one's own."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ..._types import PyTree
from ._refusal import NotFused

#: Where primitives that only call another function keep it.
_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


#: What adds products up, or keeps them from what is around: a product is rounded before
#: it, where a compiler might or might not fuse it with a sum.
FENCED = frozenset(("optimization_barrier", "reduce_sum", "round", "scatter-add"))


class Replay(NamedTuple):
    """What a kernel has in place of arrays, and what primitives do to it.

    - `dtype_of`: the dtype of one of them.
    - `literal`: makes one of a constant in an equation and its dtype.
    - `constant`: makes one of a constant of the whole function.
    - `apply`: does an equation to its operands, given the replay itself, or returns
      `None` if it has no rule; functions that are only called are then entered.
    - `is_exact`: whether the same numbers must give the same bits in another kernel.
    """

    dtype_of: Callable[[Any], Any]
    literal: Callable[[Any, Any], Any]
    constant: Callable[[Any], Any]
    apply: Callable[[Any, Any, list[Any]], Sequence[Any] | None]
    is_exact: bool = False

    def call(self, function: Callable[..., PyTree], *arguments: PyTree) -> PyTree:
        """Call `function`, written for arrays, on pytrees of what a kernel has.

        **Raises:** `NotFused` if it does what there is no rule for.
        """
        leaves, treedef = jax.tree.flatten(arguments)
        shapes = [
            jax.ShapeDtypeStruct(leaf.shape, self.dtype_of(leaf)) for leaf in leaves
        ]
        traced, out = jax.make_jaxpr(
            lambda *arrays: function(*jax.tree.unflatten(treedef, arrays)),
            return_shape=True,
        )(*shapes)
        return jax.tree.unflatten(jax.tree.structure(out), self.run(traced, leaves))

    def run(self, traced: ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
        """Return the results of a traced function."""
        constants = [self.constant(constant) for constant in traced.consts]
        return self.run_open(traced.jaxpr, constants, arguments)

    def run_open(
        self, jaxpr: Jaxpr, constants: Sequence[Any], arguments: Sequence[Any]
    ) -> list[Any]:
        """Return the results of a traced function, given its constants too."""
        values: dict[Any, Any] = {}
        values.update(zip(jaxpr.constvars, constants, strict=True))
        values.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> Any:
            if isinstance(atom, Literal):
                aval: Any = atom.aval
                return self.literal(atom.val, aval.dtype)
            return values[atom]

        for equation in jaxpr.eqns:
            operands = [read(atom) for atom in equation.invars]
            results = self.apply(self, equation, operands)
            if results is None:
                results = self._enter(equation, operands)
            values.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _enter(self, equation: Any, operands: list[Any]) -> list[Any]:
        name, params = equation.primitive.name, equation.params
        inner = next((params[key] for key in _CALLS if key in params), None)
        if inner is None or name in ("while", "scan"):
            raise NotFused(f"a kernel cannot do `{name}` to a lane of this size")
        if isinstance(inner, ClosedJaxpr):
            return self.run(inner, operands)
        return self.run_open(inner, [], operands)
