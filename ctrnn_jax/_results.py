"""Numerical failures as values, and as errors for those who want them."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from diffrax import RESULTS

from ._types import Array, Bool, PyTree

_NONFINITE = (
    "The solution is not finite (NaN or infinity). Either the initial state, the "
    "weight, the bias or the inputs hold a non-finite value, or the step is unstable: "
    "reduce dt0, or use an integrator that is stable for this field "
    "(CoordinateSplitting, ImplicitMidpoint, DiscreteGradient)."
)


def throw_unless_okay(value: PyTree, result: RESULTS) -> PyTree:
    """Return `value`, raising at run time if any entry of `result` is a failure.

    `result` is a scalar, or one entry a lane, of which the first failure is raised.
    """
    okay = diffrax.is_okay(result)
    if okay.ndim:
        first = jnp.argmin(okay)
        result, okay = jax.tree.map(lambda leaf: leaf[first], (result, okay))
    value = eqx.error_if(value, result == RESULTS.nonfinite, _NONFINITE)
    return result.error_if(value, ~okay)


def mark_nonfinite(failed: Bool[Array, "*batch"], result: RESULTS) -> RESULTS:
    """Return `result` with `RESULTS.nonfinite` where `failed` and okay before."""

    def one(failed: Bool[Array, ""], result: RESULTS) -> RESULTS:
        worse = failed & diffrax.is_okay(result)
        # The checker sees an enum's literal, not the type its members have.
        return RESULTS.where(worse, RESULTS.nonfinite, result)  # pyright: ignore[reportArgumentType]

    return jax.vmap(one)(failed, result) if failed.ndim else one(failed, result)


__all__ = ["RESULTS", "mark_nonfinite", "throw_unless_okay"]
