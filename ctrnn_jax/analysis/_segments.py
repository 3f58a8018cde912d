"""Segments of an orbit, with their derivatives, to a tolerance."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp

from .._types import Array, Bool, Float, PyTree, Scalar, Vector
from ..fields import AbstractField, materialise
from ._adaptive import solve_unit

#: (y, parameters) -> dy/dt, of shapes (n,), (q,) -> (n,)
Rhs: TypeAlias = Callable[[Float[Array, " n"], Float[Array, " q"]], Float[Array, " n"]]


def default_tolerance(dtype: jnp.dtype) -> float:
    """Return the local error that segments are solved to: 2e-12, 1e-5 in float32."""
    return float(jnp.finfo(dtype).eps) ** 0.75


def autonomous(field: Callable, inputs: PyTree) -> Rhs:
    """Return the field at time 0, as a function of the state and no parameters."""
    field = materialise(field) if isinstance(field, AbstractField) else field
    return lambda y, _: field(jnp.zeros((), y.dtype), y, inputs)


def flow_segments(
    rhs: Rhs,
    nodes: Float[Array, "m n"],
    parameters: Float[Array, " q"],
    period: Scalar,
    tolerance: Scalar,
) -> tuple[Float[Array, "m n"], Float[Array, "m n k"], Bool[Array, ""]]:
    """Carry each node for a time period/m, with its derivatives.

    The tangent flow is solved beside the state and counts in the choice of step:
    both are accurate to the tolerance. Dormand and Prince's method of order 8.

    **Returns:** the ends; their derivatives by the start (first n columns) and by the
    parameters (q more); and whether all of it is finite and was solved.
    """
    size, count = nodes.shape[1], parameters.shape[0]
    duration = period / nodes.shape[0]

    def slope(state: Array, args: tuple[Array, Array]) -> Array:
        parameters, duration = args
        y, tangents = state[:, 0], state[:, 1:]
        value, push = jax.linearize(rhs, y, parameters)
        constant = jnp.concatenate(
            [jnp.zeros((count, size), y.dtype), jnp.eye(count, dtype=y.dtype)], axis=1
        )
        moved = jax.vmap(push, in_axes=(1, 1), out_axes=1)(tangents, constant)
        return duration * jnp.concatenate([value[:, None], moved], axis=1)

    def one(y: Vector) -> tuple[Array, Array]:
        start = jnp.concatenate(
            [
                y[:, None],
                jnp.eye(size, dtype=y.dtype),
                jnp.zeros((size, count), y.dtype),
            ],
            axis=1,
        )
        return solve_unit(slope, start, (parameters, duration), tolerance)

    final, okay = jax.vmap(one)(nodes)
    return final[:, :, 0], final[:, :, 1:], jnp.all(okay)


def sample_segments(
    rhs: Rhs,
    nodes: Float[Array, "m n"],
    period: Scalar,
    tolerance: Scalar,
    count: int,
) -> tuple[Float[Array, "s n"], Bool[Array, ""]]:
    """Return s = m·count + 1 states, evenly spaced over the period, ends included.

    Also whether all of them were reached.
    """
    none = jnp.zeros((0,), nodes.dtype)
    interval = period / (nodes.shape[0] * count)

    def follow(y: Vector, _: None) -> tuple[Vector, tuple[Vector, Array]]:
        end, okay = flow_time(rhs, y, none, interval, tolerance)
        return end, (end, okay)

    def one(y: Vector) -> tuple[Array, Array]:
        _, (ys, okay) = jax.lax.scan(follow, y, None, length=count)
        return jnp.concatenate([y[None], ys]), okay

    ys, okay = jax.vmap(one)(nodes)
    joined = ys[:, :-1].reshape(-1, nodes.shape[1])
    return jnp.concatenate([joined, ys[-1, -1:]]), jnp.all(okay)


def flow_time(
    rhs: Rhs,
    y: Vector,
    parameters: Float[Array, " q"],
    duration: Scalar,
    tolerance: Scalar,
) -> tuple[Vector, Bool[Array, ""]]:
    """Return the state after a time, and whether it was reached."""

    def slope(y: Array, args: tuple[Array, Array]) -> Array:
        return args[1] * rhs(y, args[0])

    return solve_unit(slope, y, (parameters, duration), tolerance)


def family_rhs(family: Callable, inputs: PyTree) -> Rhs:
    """Return the fields of a family of one parameter, as a function of both."""

    def rhs(y: Array, parameters: Array) -> Array:
        return autonomous(family(parameters[0]), inputs)(y, parameters)

    return rhs


def half_range(ys: Float[Array, "s n"]) -> Float[Array, " n"]:
    """Return half the range of each neuron over a closed orbit's samples.

    Peaks are those of parabolas through three samples.
    """
    around = ys[:-1]

    def peak(values: Array) -> Array:
        at = jnp.argmax(values)
        before, top, after = values[at - 1], values[at], values[(at + 1) % values.size]
        bend = before - 2 * top + after
        lift = (after - before) ** 2 / (8 * jnp.where(bend < 0, bend, -1.0))
        return top - jnp.where(bend < 0, lift, 0.0)

    peaks = jax.vmap(peak, in_axes=1)
    return 0.5 * (peaks(around) + peaks(-around))
