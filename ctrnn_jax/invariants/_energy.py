"""The conserved energy of a skew-symmetric field."""

import jax.numpy as jnp

from .._types import Array, Float
from ..fields import AbstractField
from ..fields._energy import energy_of, energy_shift


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
    total = energy_of(model, energy_shift(model), flat)
    return total.reshape(y.shape[:-1])
