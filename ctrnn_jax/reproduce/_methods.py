"""The methods that C3 compares, and what a step of each costs."""

import dataclasses

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx

from ..fields import AbstractField
from ..integrate import (
    RK4,
    CoordinateSplitting,
    DiscreteGradient,
    ImplicitMidpoint,
)

# What the implicit solvers search with unless told otherwise, to count its iterations.
_FINDER = optx.Dogleg(rtol=4e-10, atol=4e-10)


@dataclasses.dataclass(frozen=True)
class Method:
    """A solver under the name that the report gives it.

    `products` is the number of products with W in a step, each with one evaluation of
    φ for all neurons; of an implicit method those besides its iterations.
    """

    name: str
    solver: diffrax.AbstractSolver
    order: int
    products: int
    implicit: bool = False


EULER = Method("Euler", diffrax.Euler(), 1, 1)
METHODS = (
    EULER,
    Method("Heun", diffrax.Heun(), 2, 2),
    Method("RK4", RK4(), 4, 4),
    # Two sweeps with all of W a substep, of which orders 4 and 6 take 5 and 9.
    Method("splitting 2", CoordinateSplitting(2), 2, 2),
    Method("splitting 4", CoordinateSplitting(4), 4, 10),
    Method("splitting 6", CoordinateSplitting(6), 6, 18),
    # The evaluation that ends the iteration.
    Method("implicit midpoint", ImplicitMidpoint(), 2, 1, implicit=True),
    Method("discrete gradient", DiscreteGradient(), 2, 1, implicit=True),
)


def method_named(name: str) -> Method:
    """Return the method of this name."""
    return next(method for method in METHODS if method.name == name)


def products_a_step(
    method: Method, field: AbstractField, states: np.ndarray, step: float
) -> float:
    """Return the mean number of products with W in a step from `states` (batch, n).

    An iteration of an implicit method costs one evaluation and n products for its
    Jacobian, which is built column by column.
    """
    if not method.implicit:
        return float(method.products)
    assert isinstance(method.solver, ImplicitMidpoint | DiscreteGradient)
    found = _iterations(method.solver, field, jnp.asarray(states), jnp.asarray(step))
    return method.products + (1 + states.shape[1]) * float(jnp.mean(found))


@eqx.filter_jit
def _iterations(
    solver: ImplicitMidpoint | DiscreteGradient,
    field: AbstractField,
    states: jax.Array,
    step: jax.Array,
) -> jax.Array:
    """Count the iterations of one step of the solver, from each state."""

    def one(y: jax.Array) -> jax.Array:
        def residual(y1: jax.Array, _: None) -> jax.Array:
            return y1 - y - step * solver.slope(field, step, step, y, y1, None)

        found = optx.root_find(residual, _FINDER, y, throw=False)
        return found.stats["num_steps"]

    return jax.vmap(one)(states)
