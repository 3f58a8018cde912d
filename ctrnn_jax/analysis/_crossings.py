"""Where inside a step an orbit meets a section, to the accuracy of the integrator."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Bool, Float, Vector
from ..integrate import Leapfrog
from ..integrate._base import AbstractFieldSolver
from ._flow import Flow

#: g(y), whose zeros are the section.
Section = Callable[[Vector], Float[Array, ""]]

#: Bisection alone needs the bits of the mantissa; Newton's steps end it after three
#: or four unless the orbit is nearly tangent to the section.
_MAX_ROOT_STEPS = 64


class Plane(eqx.Module):
    """normal·y − offset, as data: another plane is not another program."""

    normal: Vector
    offset: Float[Array, ""]

    def __call__(self, y: Vector) -> Float[Array, ""]:
        return jnp.sum(self.normal * y) - self.offset


def as_section(section: Callable | tuple, y: Vector) -> Section:
    """Return g(y), from itself or from the plane `(normal, offset)`.

    **Raises:** `ValueError` unless g is a scalar of the state's dtype.
    """
    if isinstance(section, tuple):
        if len(section) != 2:
            raise ValueError(
                "section must be a function g(y) or a pair (normal, offset), got a "
                f"tuple of {len(section)}."
            )
        normal = jnp.asarray(section[0], y.dtype)
        offset = jnp.asarray(section[1], y.dtype)
        if normal.shape != y.shape or offset.ndim:
            raise ValueError(
                f"section must be (normal, offset) of shapes {y.shape} and (), got "
                f"{normal.shape} and {offset.shape}."
            )
        return Plane(normal, offset)
    value = jax.eval_shape(section, y)
    if getattr(value, "shape", None) != () or value.dtype != y.dtype:
        raise ValueError(
            f"section must return a scalar of dtype {y.dtype} for one state {y.shape}, "
            f"got {value}."
        )
    return section


def crosses(
    before: Float[Array, "*batch"], after: Float[Array, "*batch"], direction: int
) -> Bool[Array, "*batch"]:
    """Return whether g went through zero: upwards (1), downwards (−1) or either (0).

    An orbit that starts on the section has not crossed it.
    """
    up = (before < 0) & (after >= 0)
    down = (before > 0) & (after <= 0)
    return up if direction > 0 else down if direction < 0 else up | down


def check_direction(direction: int) -> None:
    """Refuse a direction that is not −1, 0 or 1."""
    if not isinstance(direction, int | np.integer) or direction not in (-1, 0, 1):
        raise ValueError(
            "direction must be 1 (g increases), -1 (g decreases) or 0 (both), got "
            f"{direction!r}."
        )


def fraction_of_step(
    flow: Flow, index: Array | int, y: Vector, span: Float[Array, ""]
) -> Vector:
    """Advance for a time `span`, at most a step, from the state before step `index`.

    One step of the flow's own method, so as accurate as the flow (Hénon 1982 asks for
    the same, with time as a dependent variable).
    """
    start = flow.time(index)
    carry = flow.carry
    solver = flow.solver
    if isinstance(solver, AbstractFieldSolver) and not isinstance(solver, Leapfrog):
        carry = solver.start(flow.field, start, span, y, flow.inputs)
    shorter = eqx.tree_at(
        lambda f: (f.t0, f.dt, f.carry),
        flow,
        (start, span, carry),
        is_leaf=lambda leaf: leaf is None,
    )
    return shorter.step(0, y)


def locate_crossing(
    flow: Flow, index: Array | int, y: Vector, section: Section
) -> tuple[Float[Array, ""], Vector]:
    r"""Return the time since the start of step `index` at which g = 0, and the state.

    g must change sign over the step that starts at `y`. Newton's iteration with
    $\dot g = \nabla g \cdot f$ inside a bracket that bisection keeps, each iterate one
    step of the flow's own method.
    """
    first = section(y)
    tiny = 2 * jnp.finfo(y.dtype).eps * flow.dt

    def look(span: Array) -> tuple[Array, Array, Vector]:
        state = fraction_of_step(flow, index, y, span)
        clock = jnp.asarray(index).astype(span.dtype) + span / flow.dt
        slope = flow.slope(clock, state)
        value, rate = jax.jvp(section, (state,), (slope,))
        return value, rate, state

    def unfinished(carry: tuple) -> Array:
        count, change, *_ = carry
        return (count < _MAX_ROOT_STEPS) & (jnp.abs(change) > tiny)

    def refine(carry: tuple) -> tuple:
        count, _, low, high, span, _ = carry
        value, rate, state = look(span)
        # g keeps the sign it had at the start until the root.
        early = value * first > 0
        low = jnp.where(early, span, low)
        high = jnp.where(early, high, span)
        steep = rate != 0
        newton = span - value / jnp.where(steep, rate, 1.0)
        inside = steep & (newton >= low) & (newton <= high)
        new = jnp.where(inside, newton, 0.5 * (low + high))
        new = jnp.where(value == 0, span, new)
        return count + 1, new - span, low, high, new, state

    last = section(flow.step(index, y))
    # Where g is linear in time.
    guess = flow.dt * jnp.clip(first / (first - last), 0.0, 1.0)
    zero = jnp.zeros_like(flow.dt)
    start = (jnp.asarray(0), flow.dt, zero, flow.dt, guess, y)
    *_, span, _ = jax.lax.while_loop(unfinished, refine, start)
    return span, fraction_of_step(flow, index, y, span)
