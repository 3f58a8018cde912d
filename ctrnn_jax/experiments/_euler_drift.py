"""How fast forward Euler, or another method, makes the energy of a network grow."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array
from ..fields import AbstractField
from ..fields._energy import energy_of
from ..integrate import simulate_ensemble
from ..sweep._experiment import AbstractExperiment, BatchedRun, Output, Parameter
from ._outcome import blank, status_of
from ._random_fields import (
    ACTIVATION,
    ACTIVATION_SCALE,
    INITIAL_AMPLITUDE,
    NUM_NEURONS,
    SCALE,
    SOLVERS,
    draw_fields,
)

#: What the other networks may have and these have not: they would not conserve.
_ABSENT = {"form": "voltage", "leak": 0.0, "gain": 0.0, "bias": 0.0}


def _steps(fixed: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"step": _counts(fixed)}


def _counts(fixed: Mapping[str, Any]) -> np.ndarray:
    every = fixed["steps"] // fixed["num_samples"]
    return every * np.arange(fixed["num_samples"] + 1)


@dataclasses.dataclass(frozen=True)
class EulerDrift(AbstractExperiment):
    r"""The energy of a conservative network along a run, against the step.

    The network has no leak and no bias, so that all change of $H = \sum_i \Phi(x_i)$
    is the method's. Forward Euler multiplies the energy of a linear pair by
    $1 + h^2\omega^2$ a step; that of a saturated one grows like a square root,

    $$H(t) + \tfrac n2 \log 4 \approx \tfrac n2
      \sqrt{(\tfrac2n H(0) + \log 4)^2 + 2 h \omega^2 t},$$

    times α² for $\varphi = \alpha\tanh(x/\alpha)$, with H over α² inside: tamed, not
    bounded. `law` is this where it applies, and NaN elsewhere. It holds from large
    energies on, for two neurons; for more ω is the root mean square.

    Runs with different steps share a compiled call: a step h with W is a step 1 with
    hW.
    """

    name = "euler-drift"
    summary = "energy growth of forward Euler and other methods against the step"
    parameters = (
        NUM_NEURONS,
        ACTIVATION,
        ACTIVATION_SCALE,
        SCALE,
        INITIAL_AMPLITUDE,
        Parameter(
            "solver",
            "euler",
            "method of constant steps",
            static=True,
            choices=tuple(SOLVERS),
        ),
        Parameter("dt0", 0.1, "step h (units of tau)", low=0.0, open=("low",)),
        Parameter("steps", 10_000, "steps of a run", static=True, low=2),
        Parameter(
            "num_samples",
            50,
            "energies kept of a run, evenly spaced; divides steps",
            static=True,
            low=2,
        ),
    )
    outputs = (
        Output("energy", "H after so many steps (dimensionless)", ("step",), _steps),
        Output("law", "what the law of forward Euler says of H", ("step",), _steps),
        Output("energy_change", "(H - H(0)) / H(0) at the end"),
        Output("exponent", "p of H ~ t^p, over the second half of the steps"),
    )

    def build(self, fixed: Mapping[str, Any]) -> BatchedRun:
        """Return what runs a batch.

        **Raises:** `ValueError` unless `num_samples` divides `steps`.
        """
        fixed = {**fixed, **_ABSENT}
        if fixed["steps"] % fixed["num_samples"]:
            raise ValueError(
                f"num_samples = {fixed['num_samples']} must divide steps = "
                f"{fixed['steps']}; choose a divisor."
            )

        def run(settings: Mapping[str, Array], keys: Array) -> dict[str, Array]:
            zeros = jnp.zeros_like(settings["scale"])
            absent = {name: zeros for name in ("leak", "gain", "bias")}
            models, starts, impossible = draw_fields(
                fixed, {**settings, **absent}, keys
            )
            step = settings["dt0"]
            faster = eqx.tree_at(
                lambda model: model.weight,
                models,
                jax.tree.map(lambda leaf: step[:, None] * leaf, models.weight),
            )
            solution = simulate_ensemble(
                faster,
                starts,
                _counts(fixed).astype(float),
                dt0=1.0,
                solver=SOLVERS[fixed["solver"]],
                model_axes=0,
            )
            energy = eqx.filter_vmap(_energies)(models, solution.ys)
            status = status_of(solution.result, impossible)
            return {
                **blank(_measures(energy, settings, fixed), status),
                "status": status,
                "num_steps": jnp.full(status.shape, fixed["steps"], jnp.int32),
            }

        return run


def _energies(model: AbstractField, ys: Array) -> Array:
    return energy_of(model, None, ys.T)


def _measures(
    energy: Array, settings: Mapping[str, Array], fixed: Mapping[str, Any]
) -> dict[str, Array]:
    first, last = energy[:, 0], energy[:, -1]
    counts, half = _counts(fixed), fixed["num_samples"] // 2
    spread = math.log(counts[-1] / counts[half])
    return {
        "energy": energy,
        "law": _law(energy[:, :1], settings, fixed),
        "energy_change": (last - first) / jnp.where(first > 0, first, jnp.nan),
        "exponent": jnp.log(last / energy[:, half]) / spread,
    }


def _law(
    first: Array, settings: Mapping[str, Array], fixed: Mapping[str, Any]
) -> Array:
    """Return what forward Euler makes of the energy, shape `(batch, samples)`."""
    counts = jnp.asarray(_counts(fixed), first.dtype)[None]
    size, activation = fixed["num_neurons"], fixed["activation"]
    phase = (settings["dt0"] * settings["scale"])[:, None]
    if fixed["solver"] == "euler" and activation == "linear" and size == 2:
        return first * jnp.exp(counts * jnp.log1p(phase**2))
    if fixed["solver"] != "euler" or activation != "tanh":
        return jnp.full((first.shape[0], counts.shape[1]), jnp.nan, first.dtype)
    unit = settings["activation.scale"][:, None] ** 2
    pairs, shift = size / 2, math.log(4)
    start = first / (unit * pairs) + shift
    return unit * pairs * (jnp.sqrt(start**2 + 2 * phase**2 * counts) - shift)
