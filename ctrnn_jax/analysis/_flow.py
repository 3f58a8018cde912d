"""The flow map of a field at constant steps, and its derivative along an orbit."""

import math
from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float, PyTree, ScalarLike, State
from ..fields import AbstractField, RateCTRNN, VoltageCTRNN, materialise
from ..integrate import CoordinateSplitting, Leapfrog
from ..integrate._base import AbstractFieldSolver
from ..integrate._checks import check_state, check_step
from ..integrate._fixed_steps import fixed_step, has_fixed_step, repeat
from ..matrices._checks import is_concrete

Tangents = Float[Array, "n k *batch"]


class Flow(eqx.Module):
    """One-step maps of a field on an integer clock: step i starts at t0 + i·dt.

    Made by [`make_flow`][]. States have shape `(n,)`, or `(n, batch)` with the lanes
    last; tangent vectors are the columns of an array `(n, k)` or `(n, k, batch)`.
    A step that an implicit solver could not take is NaN.
    """

    field: PyTree
    solver: diffrax.AbstractSolver
    t0: Float[Array, ""]
    dt: Float[Array, ""]
    inputs: PyTree
    carry: PyTree

    def time(self, index: Array | int) -> Float[Array, "*shape"]:
        """Return the time before step `index`."""
        return self.t0 + jnp.asarray(index).astype(self.dt.dtype) * self.dt

    def slope(self, index: Array | int, y: State) -> Array:
        """Return dy/dt before step `index`."""
        return self._vector_field(y)(self.time(index), y, self.inputs)

    def step(self, index: Array | int, y: State) -> State:
        """Take step `index` from the state `y` at its start."""
        if y.ndim == 2 and not self._steps_lanes:
            return jax.vmap(self._step, in_axes=(None, -1), out_axes=-1)(index, y)
        return self._step(index, y)

    def advance(self, first: Array | int, count: int, y: State) -> State:
        """Take `count` steps from step `first` on."""
        return repeat(lambda i, y: self.step(i, y), jnp.asarray(first), count, y)

    def push(
        self, index: Array | int, y: State, tangents: Tangents
    ) -> tuple[State, Tangents]:
        """Take one step, and carry tangent vectors by the derivative of that step.

        The vectors are carried by the map that moves the state, in forward mode: so
        where the map keeps volume or a Poisson structure, they feel no other.
        """

        def one(vector: State) -> tuple[State, State]:
            return jax.jvp(lambda y: self.step(index, y), (y,), (vector,))

        # The state does not depend on the vector: it is stepped once for all.
        return jax.vmap(one, in_axes=1, out_axes=(None, 1))(tangents)

    def advance_tangents(
        self, first: Array | int, count: int, y: State, tangents: Tangents
    ) -> tuple[State, Tangents]:
        """Take `count` steps with tangent vectors, from step `first` on."""
        return repeat(
            lambda i, pair: self.push(i, *pair),
            jnp.asarray(first),
            count,
            (y, tangents),
        )

    @property
    def _steps_lanes(self) -> bool:
        return not isinstance(self.solver, AbstractFieldSolver) or (
            self.solver.steps_lanes
        )

    def _vector_field(self, y: State) -> Callable:
        if isinstance(self.field, AbstractField) or y.ndim == 1:
            return self.field
        # A plain function knows one state; mapped here, the lanes stay last.
        return jax.vmap(self.field, in_axes=(None, -1, None), out_axes=-1)

    def _step(self, index: Array | int, y: State) -> State:
        take = fixed_step(self.solver)
        y1, _, result = take(
            self._vector_field(y), self.time(index), self.dt, y, self.inputs, self.carry
        )
        if result.is_traced():
            y1 = jnp.where(diffrax.is_okay(result), y1, jnp.nan)
        return y1


def make_flow(
    field: PyTree,
    y0: State,
    *,
    dt: ScalarLike,
    t0: ScalarLike = 0.0,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
) -> Flow:
    """Return the flow of one of our models, or of any `f(t, y, args)`.

    **Arguments:** `y0` gives shape and dtype (check it with `check_state`); `dt` is
    the step itself (see `divide`); `solver` an explicit Runge–Kutta method of diffrax
    or any solver of `ctrnn_jax.integrate`, by default that of `default_solver`.

    **Raises:** `ValueError` for a solver that does not fit the field, and for a field
    that does not return an array of the shape and dtype of the state.
    """
    solver = default_solver(field) if solver is None else solver
    check_solver(field, solver)
    if isinstance(field, AbstractField):
        field = materialise(field)
    step, start = jnp.asarray(dt, y0.dtype), jnp.asarray(t0, y0.dtype)
    carry = None
    # Leapfrog hands on a product that depends on the state; without it the step is
    # the same map of the state alone, which is what has a derivative.
    if isinstance(solver, AbstractFieldSolver) and not isinstance(solver, Leapfrog):
        carry = solver.start(field, start, step, y0, inputs)
    flow = Flow(field, solver, start, step, inputs, carry)
    _check_field(flow, y0)
    return flow


def default_solver(field: object, *, order: int = 2) -> diffrax.AbstractSolver:
    """Return what keeps the field's structure, else `diffrax.Tsit5()`.

    A CTRNN whose W has a zero diagonal is split by coordinates, to the given order:
    explicit, reversible, volume- and Casimir-preserving.
    """
    if isinstance(field, VoltageCTRNN | RateCTRNN) and field.weight.has_zero_diagonal:
        return CoordinateSplitting(order)
    return diffrax.Tsit5()


def check_solver(field: object, solver: diffrax.AbstractSolver) -> None:
    """Raise `ValueError` unless `solver` can step `field` at a constant step."""
    if not callable(field):
        raise ValueError(
            "field must be a VoltageCTRNN, a RateCTRNN or a function f(t, y, args), "
            f"got {type(field).__name__}."
        )
    name = type(solver).__name__
    if not has_fixed_step(solver):
        raise ValueError(
            f"{name} is not known as a one-step map. Use an explicit Runge-Kutta "
            "method such as diffrax.Tsit5(), or a solver of ctrnn_jax.integrate."
        )
    if isinstance(solver, AbstractFieldSolver):
        if not isinstance(field, AbstractField):
            raise ValueError(
                f"{name} needs the structure of a VoltageCTRNN or RateCTRNN; use "
                "diffrax.Tsit5() for a plain function."
            )
        solver.check(field)


def check_start(y0: object, field: object, *, ndim: int = 1) -> State:
    """Return `y0` checked against the field: `(n,)`, or `(batch, n)` for `ndim=2`."""
    return check_state(y0, field, ndim=ndim)


def divide(name: str, span: ScalarLike, dt0: ScalarLike) -> tuple[int, float]:
    """Return how many equal steps no longer than `dt0` make up `span`, and their size.

    **Raises:** `ValueError` unless both are concrete, positive and finite: the number
    of steps is part of the program.
    """
    length = check_span(name, span, positive=True)
    if not is_concrete(dt0):
        raise ValueError("dt0 must be a number that is known before tracing.")
    check_step(dt0)
    count = max(math.ceil(length / float(dt0) * (1 - 1e-6)), 1)
    return count, length / count


def check_span(name: str, value: ScalarLike, *, positive: bool) -> float:
    """Return a length of time as a float, refusing what is none."""
    if not is_concrete(value):
        raise ValueError(
            f"{name} must be a number that is known before tracing: it fixes the "
            "number of steps. Mark it static, or close over it."
        )
    number = np.asarray(value)
    kind = "positive" if positive else "non-negative"
    if (
        number.ndim
        or not np.isfinite(number)
        or number < 0
        or (positive and number == 0)
    ):
        raise ValueError(f"{name} must be a {kind} finite number, got {value}.")
    return float(number)


def _check_field(flow: Flow, y0: State) -> None:
    slope = jax.eval_shape(lambda y: flow.slope(0, y), y0)
    if getattr(slope, "shape", None) != y0.shape:
        raise ValueError(
            f"field must return an array of the state's shape {y0.shape}, got "
            f"{getattr(slope, 'shape', type(slope).__name__)}."
        )
    if slope.dtype != y0.dtype:
        raise ValueError(
            f"field returns {slope.dtype} for a state of {y0.dtype}; cast one of them "
            "so that no precision is lost unseen."
        )
