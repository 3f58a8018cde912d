"""The energy of a field, in the two parts that a loop over states wants apart."""

import equinox as eqx
import jax.numpy as jnp

from .._types import Array, Float, State
from ..matrices._base import AbstractWeight, contract
from ._fields import AbstractField, RateCTRNN, VoltageCTRNN, as_column


def energy_shift(model: AbstractField) -> Float[Array, " n"] | None:
    """Return c with W c = b, on which a biased voltage form's energy depends.

    **Raises:** at run time if there is none; see `ctrnn_jax.invariants.energy`.
    """
    if not isinstance(model, VoltageCTRNN) or model.bias is None:
        return None
    return _preimage(model.weight, model.bias)


def energy_of(
    model: AbstractField, shift: Float[Array, " n"] | None, y: State
) -> Float[Array, "*batch"]:
    """Return the energy of states `(n,)` or `(n, batch)`; `shift` by `energy_shift`.

    **Raises:** `ValueError` if the activation has no potential.
    """
    potential = model.activation.potential
    if isinstance(model, VoltageCTRNN):
        total = jnp.sum(potential(y), axis=0)
        return total if shift is None else total + contract(shift[None], y)[0]
    if isinstance(model, RateCTRNN):
        current = model.weight.mv(y)
        if model.bias is not None:
            current = current + as_column(model.bias, y)
        return jnp.sum(potential(current), axis=0)
    raise ValueError(f"No energy is known for a {type(model).__name__}.")


def _preimage(weight: AbstractWeight, bias: Float[Array, " n"]) -> Float[Array, " n"]:
    """Return the smallest c with W c = b, refusing a b outside the range of W."""
    matrix = weight.as_matrix()
    c, *_ = jnp.linalg.lstsq(matrix, bias)
    residual = jnp.linalg.norm(contract(matrix, c) - bias)
    tolerance = jnp.sqrt(jnp.finfo(bias.dtype).eps) * jnp.linalg.norm(bias)
    return eqx.error_if(
        c,
        ~(residual <= tolerance),
        "The bias is not in the range of W, so this voltage-form field has no "
        "conserved energy: states drift along the kernel of W. Remove the bias's "
        "component in the kernel, or use RateCTRNN, where any bias is allowed.",
    )
