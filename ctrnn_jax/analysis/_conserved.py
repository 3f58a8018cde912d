"""Which functions of the state an orbit keeps, and their gradients."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, Float, PyTree, Vector
from ..fields import AbstractField, VoltageCTRNN
from ..invariants import casimirs, energy, is_conservative

#: y -> scalar, one for each conserved quantity; `None` to look them up.
Conserved: TypeAlias = Sequence[Callable] | None


class ModelEnergy(eqx.Module):
    """The energy H of a model, as a function of one state."""

    model: AbstractField

    def __call__(self, y: Vector) -> Float[Array, ""]:
        """Return H(y)."""
        return energy(self.model, y)


class LinearInvariant(eqx.Module):
    r"""$c \cdot y$ with a constant c of shape `(n,)`."""

    direction: Vector

    def __call__(self, y: Vector) -> Float[Array, ""]:
        """Return c · y."""
        return jnp.vdot(self.direction, y)


@full_precision
def conserved_quantities(
    field: Callable, *, inputs: PyTree = None
) -> tuple[Callable, ...]:
    """Return what a model conserves, as functions of one state.

    The energy first, where the model has one, then its Casimirs. Found outside `jit`;
    pass them on as `conserved=` to what is jitted.

    **Arguments:** `field`: a model with concrete parameters, or any function, for
    which nothing is known; `inputs`: a driven model is taken to conserve nothing.

    **Returns:** a tuple of callables `(n,) -> ()`, empty if nothing is conserved.

    **Raises:** `ValueError` for a model whose parameters are traced.
    """
    if not isinstance(field, AbstractField) or inputs is not None:
        return ()
    if not is_conservative(field):
        return ()
    linear = tuple(LinearInvariant(c) for c in casimirs(field))
    return (ModelEnergy(field), *linear) if _has_energy(field) else linear


def resolve(
    conserved: Conserved, field: Callable, inputs: PyTree
) -> tuple[Callable, ...]:
    """Return the conserved quantities given, or those looked up for `None`."""
    if conserved is None:
        return conserved_quantities(field, inputs=inputs)
    if callable(conserved):
        raise ValueError(
            "conserved must be a sequence of functions of one state, such as [H]."
        )
    return tuple(conserved)


def levels_and_gradients(
    conserved: tuple[Callable, ...], y: Vector
) -> tuple[Float[Array, " k"], Float[Array, "k n"]]:
    """Return the conserved values at a state, and their gradients, a row each."""
    if not conserved:
        return jnp.zeros((0,), y.dtype), jnp.zeros((0, y.shape[0]), y.dtype)
    pairs = [jax.value_and_grad(function)(y) for function in conserved]
    values, gradients = zip(*pairs, strict=True)
    return jnp.stack(values), jnp.stack(gradients)


def _has_energy(field: AbstractField) -> bool:
    """Whether `energy` is defined: a potential is known, and the bias is in range W."""
    try:
        eqx.filter_eval_shape(field.activation.potential, jnp.zeros(1))
    except ValueError:
        return False
    if field.bias is None or not isinstance(field, VoltageCTRNN):
        return True
    matrix, bias = np.asarray(field.weight.as_matrix()), np.asarray(field.bias)
    shift = np.linalg.lstsq(matrix, bias, rcond=None)[0]
    slack = np.sqrt(np.finfo(bias.dtype).eps) * np.linalg.norm(bias)
    return bool(np.linalg.norm(matrix @ shift - bias) <= slack)
