"""The conserved energy of a skew-symmetric field."""

import equinox as eqx
import jax.numpy as jnp

from .._types import Array, Float
from ..fields import AbstractField, RateCTRNN, VoltageCTRNN
from ..matrices._base import AbstractWeight, contract


def is_conservative(model: AbstractField) -> bool:
    """Whether `energy` is constant along every undriven trajectory, by construction.

    True for a weight that is skew-symmetric for all parameter values and no leak. A
    bias in the voltage form must also lie in the range of W, which `energy` checks.
    """
    return model.weight.is_skew and not model.has_leak


def energy(model: AbstractField, y: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    r"""Return the energy of states.

    Voltage form: $H(x) = \sum_i \Phi(x_i) + c \cdot x$ with $Wc = b$ (no second term
    without bias). Rate form: $H(r) = \sum_i \Phi((Wr + b)_i)$. Constant in time for a
    skew-symmetric W without leak and without inputs; with leak γ and an odd
    increasing φ it can only fall, $\dot H = -\gamma \sum_i x_i\varphi(x_i)$.

    **Arguments:**

    - `model`: a `VoltageCTRNN` or `RateCTRNN` whose activation has a potential.
    - `y`: states, shape `(..., n)`: one state, `solution.ys`, or an ensemble's.

    **Returns:** energies, shape `(...)`, dimensionless.

    **Cost:** one product with W a state in the rate form, none in the voltage form;
    a bias in the voltage form adds an O(n³) least-squares problem, dense for any W.

    **Raises:** `ValueError` if the activation has no potential or the shape does not
    match; at run time if a voltage-form bias is not in the range of W, since then no
    such energy exists.
    """
    y = jnp.asarray(y)
    if y.ndim == 0 or y.shape[-1] != model.size:
        raise ValueError(
            f"y must have the {model.size} neurons on its last axis, got shape "
            f"{y.shape}."
        )
    flat = y.reshape(-1, model.size).T
    potential = model.activation.potential
    if isinstance(model, VoltageCTRNN):
        total = jnp.sum(potential(flat), axis=0)
        if model.bias is not None:
            shift = _preimage(model.weight, model.bias)
            total = total + contract(shift[None], flat)[0]
    elif isinstance(model, RateCTRNN):
        current = model.weight.mv(flat)
        if model.bias is not None:
            current = current + model.bias[:, None]
        total = jnp.sum(potential(current), axis=0)
    else:
        raise ValueError(f"No energy is known for a {type(model).__name__}.")
    return total.reshape(y.shape[:-1])


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
