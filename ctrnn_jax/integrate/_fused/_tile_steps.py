"""One step of a method on tiles, a block of lanes of many neurons each."""

from collections.abc import Callable, Sequence
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array
from ...fields import AbstractField, VoltageCTRNN
from .._base import relax
from .._fixed_steps import alive, fixed_step, guarded
from .._splitting import CoordinateSplitting, Leapfrog, outer_force
from ._on_tiles import call_on_tiles
from ._refusal import NotFused
from ._tile_model import TileModel, TileWeight, column, row_of

#: (model, t, h, y, None, carry) -> (y, carry, result)
Step = Callable[[TileModel, Array, Array, Array, None, Any], tuple[Array, Any, Any]]


def step_on_tiles(solver: diffrax.AbstractSolver, may_overflow: bool) -> Step:
    """Return a step of a solver.

    **Raises:** `NotFused` for one that tiles do not cover.
    """
    # A subclass of ours may step otherwise.
    if type(solver) is Leapfrog:
        step = _leapfrog
    elif type(solver) is CoordinateSplitting:
        step = _Splitting(solver.fractions)
    elif isinstance(solver, diffrax.Euler | diffrax.AbstractERK):
        step = fixed_step(solver)
    else:
        raise NotFused(
            f"{type(solver).__name__} is a solver of your own, of many neurons"
        )
    if may_overflow:
        step = guarded(step, lambda y: call_on_tiles(alive, y)[None])
    return step


def first_carry(
    solver: diffrax.AbstractSolver, model: TileModel, t: Array, y: Array, moves: bool
) -> Array | None:
    """Return what the first step takes over; `moves`: whether the drive does."""
    if not isinstance(solver, Leapfrog):
        return None
    field = model.at(t)
    if moves and not isinstance(field, VoltageCTRNN):
        return None
    return _kick_rate(field, model.members(0), y)


class _Splitting:
    """A symmetric composition of flows, each of them exact."""

    def __init__(self, fractions: tuple[float, ...]):
        self._fractions = fractions
        self._starts = np.concatenate([[0.0], np.cumsum(fractions)[:-1]]).tolist()

    def __call__(
        self, model: TileModel, t: Array, h: Array, y: Array, inputs: None, carry: None
    ) -> tuple[Array, None, Any]:
        def substep(index: Array | int, y: Array) -> Array:
            start = choose(self._starts, index, h.dtype)
            fraction = choose(self._fractions, index, h.dtype)
            return _substep(model, t + start * h, fraction * h, y)

        y = _repeat(len(self._fractions), substep, y)
        return y, None, diffrax.RESULTS.successful


def _substep(model: TileModel, t: Array, h: Array, y: Array) -> Array:
    field = model.at(t + 0.5 * h)
    force = outer_force(field, field.bias)
    if not model.num_sets:
        y = _sweep(model, field, 0.5 * h, y, reverse=False)
        y = relax(field, h, y, force)
        return _sweep(model, field, 0.5 * h, y, reverse=True)
    last = model.num_sets - 1

    def kick(index: Array | int, y: Array) -> Array:
        return y + 0.5 * h * _kick_rate(field, model.members(index), y)

    y = _repeat(last, kick, y)
    y = relax(field, 0.5 * h, y, force)
    y = y + h * _kick_rate(field, model.members(last), y)
    y = relax(field, 0.5 * h, y, force)
    return _repeat(last, lambda count, y: kick(last - 1 - count, y), y)


def _repeat(count: int, body: Callable[[Array | int, Array], Array], y: Array) -> Array:
    """Apply `body` for every index, in a loop: written out, many compile for long."""
    return body(0, y) if count == 1 else jax.lax.fori_loop(0, count, body, y)


def choose(values: Sequence[float], index: Array | int, dtype: Any) -> Array:
    """Return one of a few numbers: kernels have no arrays of constants."""
    chosen = jnp.asarray(values[0], dtype)
    for place, value in enumerate(values[1:], start=1):
        chosen = jnp.where(index == place, jnp.asarray(value, dtype), chosen)
    return chosen


def _leapfrog(
    model: TileModel, t: Array, h: Array, y: Array, inputs: None, carry: Array | None
) -> tuple[Array, Array | None, Any]:
    field = model.at(t + 0.5 * h)
    force = outer_force(field, field.bias)
    first, second = model.members(0), model.members(1)
    rate = _kick_rate(field, first, y) if carry is None else carry
    y = y + 0.5 * h * rate
    y = relax(field, 0.5 * h, y, force)
    y = y + h * _kick_rate(field, second, y)
    y = relax(field, 0.5 * h, y, force)
    rate = _kick_rate(field, first, y)
    y = y + 0.5 * h * rate
    return y, None if carry is None else rate, diffrax.RESULTS.successful


def _kick_rate(field: AbstractField, members: Array, y: Array) -> Array:
    """Return dy/dt due to the neurons of an independent set, marked by 1, not 0."""
    if isinstance(field, VoltageCTRNN):
        return field.weight.mv(members * field.activation(y))
    current = field.weight.mv(y)
    if field.bias is not None:
        current = current + column(field.bias)
    return members * field.activation(current)


def _sweep(
    model: TileModel, field: AbstractField, h: Array, y: Array, *, reverse: bool
) -> Array:
    """Flow along the term of every neuron in turn."""
    weight: Any = field.weight
    assert isinstance(weight, TileWeight)
    index = jax.lax.broadcasted_iota(np.int32, y.shape, 0)
    size = model.num_neurons

    def kick(count: Array, y: Array) -> Array:
        i = size - 1 - count if reverse else count
        if isinstance(field, VoltageCTRNN):
            return y + h * weight.wire(i) * field.activation(row_of(y, i))
        current = jnp.sum(weight.wire(i) * y, axis=0, keepdims=True)
        if field.bias is not None:
            current = current + row_of(column(field.bias), i)
        active = jnp.broadcast_to(h * field.activation(current), y.shape)
        return jnp.where(index == i, y + active, y)

    return jax.lax.fori_loop(0, size, kick, y)
