"""How far a solution has moved off its invariants."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Float
from ..fields import AbstractField
from ._casimirs import casimirs
from ._energy import energy


class Drift(eqx.Module):
    """Change of each invariant since the first sample.

    - `ts`: times, shape `(time,)`.
    - `initial_energy`: H at the first sample, shape `(*batch)`.
    - `energy`: H(t) − H(0), shape `(*batch, time)`.
    - `casimirs`: c·x(t) − c·x(0), shape `(*batch, time, k)`.
    """

    ts: Float[Array, " time"]
    initial_energy: Float[Array, "*batch"]
    energy: Float[Array, "*batch time"]
    casimirs: Float[Array, "*batch time k"]

    @property
    def max_energy(self) -> Float[Array, "*batch"]:
        """Largest |H(t) − H(0)|."""
        return jnp.max(jnp.abs(self.energy), axis=-1)

    @property
    def max_relative_energy(self) -> Float[Array, "*batch"]:
        """Largest |H(t) − H(0)| over |H(0)|; not finite where H(0) = 0."""
        return self.max_energy / jnp.abs(self.initial_energy)

    @property
    def max_casimir(self) -> Float[Array, "*batch"]:
        """Largest |c·x(t) − c·x(0)| over all Casimirs; 0 if there are none."""
        return jnp.max(jnp.abs(self.casimirs), axis=(-2, -1), initial=0.0)


def drift(model: AbstractField, solution: diffrax.Solution) -> Drift:
    """Measure the invariants of `model` along a solution or an ensemble's solution.

    **Arguments:**

    - `model`: the model that was solved, with concrete parameters, shared by lanes.
    - `solution`: with `ys` of shape `(time, n)` or `(batch, time, n)`.

    **Returns:** a `Drift`.

    **Raises:** `ValueError` if the solution holds no states, or as `energy`.
    """
    ys = solution.ys
    if ys is None or solution.ts is None:
        raise ValueError(
            "The solution holds no samples; solve with the default saveat, or "
            "diffrax.SaveAt(ts=...)."
        )
    values = energy(model, ys)
    linear = jnp.einsum(
        "...tn,kn->...tk", ys, casimirs(model), precision=jax.lax.Precision.HIGHEST
    )
    return Drift(
        ts=solution.ts,
        initial_energy=values[..., 0],
        energy=values - values[..., :1],
        casimirs=linear - linear[..., :1, :],
    )
