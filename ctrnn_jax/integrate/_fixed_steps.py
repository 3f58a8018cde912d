"""One fixed step of any explicit or structure-preserving method, on lanes."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import diffrax
import jax
import jax.numpy as jnp

from .._types import Array, Float, PyTree, State
from ..fields import AbstractField
from ._base import AbstractFieldSolver

#: (field, t, h, y, inputs, carry) -> (y, carry, result)
Step: TypeAlias = Callable[
    [Any, Array, Array, State, PyTree, PyTree],
    tuple[State, PyTree, diffrax.RESULTS],
]


def has_fixed_step(solver: diffrax.AbstractSolver) -> bool:
    """Whether `fixed_step` knows the method."""
    if isinstance(solver, diffrax.AbstractERK):
        return isinstance(solver.tableau, diffrax.ButcherTableau)
    return isinstance(solver, AbstractFieldSolver | diffrax.Euler)


def fixed_step(solver: diffrax.AbstractSolver) -> Step:
    """Return one step of `solver` as a function of lanes `(n, batch)`.

    An explicit Runge–Kutta method steps any `f(t, y, args)` that takes such states.
    """
    if isinstance(solver, AbstractFieldSolver):
        return solver.advance
    if isinstance(solver, diffrax.Euler):
        return _euler_step
    assert isinstance(solver, diffrax.AbstractERK)
    assert isinstance(solver.tableau, diffrax.ButcherTableau)
    return _explicit_step(solver.tableau)


def _euler_step(
    field: Callable, t: Array, h: Array, y: State, inputs: PyTree, carry: None
) -> tuple[State, None, diffrax.RESULTS]:
    return y + h * field(t, y, inputs), None, diffrax.RESULTS.successful


def _explicit_step(tableau: diffrax.ButcherTableau) -> Step:
    nodes = [0.0, *(float(c) for c in tableau.c)]
    rows = [(), *(tuple(float(a) for a in row) for row in tableau.a_lower)]
    weights = [float(b) for b in tableau.b_sol]

    def step(
        field: Callable, t: Array, h: Array, y: State, inputs: PyTree, carry: None
    ) -> tuple[State, None, diffrax.RESULTS]:
        slopes: list[Array] = []
        for node, row in zip(nodes, rows, strict=True):
            stage = _combine(y, h, row, slopes)
            slopes.append(field(t + node * h, stage, inputs))
        return _combine(y, h, weights, slopes), None, diffrax.RESULTS.successful

    return step


def _combine(
    y: State, h: Array, weights: tuple[float, ...] | list[float], slopes: list[Array]
) -> State:
    """Return y + h Σ w k, skipping the zeros of a sparse tableau."""
    for weight, slope in zip(weights, slopes, strict=True):
        if weight != 0.0:
            y = y + (weight * h) * slope
    return y


def repeat(
    body: Callable[[Array, PyTree], PyTree],
    start: Array,
    count: int | Array,
    state: PyTree,
) -> PyTree:
    """Apply `body(index, state)` for `count` indices from `start` on.

    Differentiated in reverse it keeps about 2·√count states: long runs are cut in
    √count checkpointed stretches. A traced `count` cannot be differentiated so.
    """

    def stretch(first: Array, length: int, state: PyTree) -> PyTree:
        return jax.lax.fori_loop(
            0, length, lambda i, carry: body(first + i, carry), state
        )

    if isinstance(count, int) and count == 0:
        return state  # an empty loop would still be compiled
    if not isinstance(count, int):
        return jax.lax.fori_loop(start, start + count, body, state)
    length = math.isqrt(count)
    if count < 64:
        return stretch(start, count, state)
    saved = jax.checkpoint(  # pyright: ignore[reportPrivateImportUsage]
        lambda first, state: stretch(first, length, state), prevent_cse=False
    )
    whole = count // length
    state = jax.lax.fori_loop(
        0, whole, lambda i, carry: saved(start + i * length, carry), state
    )
    return stretch(start + whole * length, count - whole * length, state)


def alive(y: Float[Array, "n *batch"]) -> Array:
    """Return whether each lane is still far from overflow."""
    bound = jnp.sqrt(jnp.finfo(y.dtype).max)
    return jnp.all(jnp.abs(y) < bound, axis=0)


def overflow_is_possible(field: AbstractField) -> bool:
    """Whether the state may leave the floating range in a bounded number of steps.

    A bounded φ without leak gives a bounded slope; anything else may run away.
    """
    return field.has_leak or not field.activation.is_bounded


def guarded(step: Step, is_alive: Callable[[State], Array] = alive) -> Step:
    """Freeze a lane once it is near overflow, so that no NaN is ever computed.

    The step of a frozen lane is taken from zero instead: its value is discarded, and
    its derivative, being finite, adds nothing to a gradient shared with other lanes.
    """

    def frozen(
        field: Callable,
        t: Array,
        h: Array,
        y: State,
        inputs: PyTree,
        carry: PyTree,
    ) -> tuple[State, PyTree, diffrax.RESULTS]:
        ok = is_alive(y)
        stepped, carry, result = step(field, t, h, jnp.where(ok, y, 0.0), inputs, carry)
        return jnp.where(ok, stepped, y), carry, result

    return frozen
