"""The largest Lyapunov exponents of random networks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._types import Array
from ..analysis import is_okay, lyapunov_ensemble
from ..sweep._experiment import AbstractExperiment, BatchedRun, Output, Parameter
from ._outcome import DONE, FAILED, NOT_FINITE, blank
from ._random_fields import (
    DT0,
    EXPLICIT,
    NETWORK,
    SOLVERS,
    draw_fields,
    solver_parameter,
)


def _order(fixed: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"rank": np.arange(1, fixed["num_exponents"] + 1)}


@dataclasses.dataclass(frozen=True)
class Lyapunov(AbstractExperiment):
    """The k largest exponents of a random network's orbit, and how sure they are.

    [`lyapunov_ensemble`][ctrnn_jax.analysis.lyapunov_ensemble] of one network a run,
    drawn from its key. All runs start from the same tangent vectors.
    """

    name = "lyapunov"
    summary = "largest Lyapunov exponents of random networks, with standard errors"
    parameters = (
        *NETWORK,
        solver_parameter(EXPLICIT),
        DT0,
        Parameter(
            "duration",
            200.0,
            "how long the orbit is followed (units of tau)",
            static=True,
            low=0.0,
            open=("low",),
        ),
        Parameter(
            "transient",
            50.0,
            "time before that is discarded (units of tau)",
            static=True,
            low=0.0,
        ),
        Parameter("num_exponents", 1, "k, at most num_neurons", static=True, low=1),
    )
    outputs = (
        Output(
            "exponents",
            "the largest, in descending order (per unit of tau)",
            ("rank",),
            _order,
        ),
        Output(
            "standard_error", "of each exponent (per unit of tau)", ("rank",), _order
        ),
    )

    def build(self, fixed: Mapping[str, Any]) -> BatchedRun:
        """Return what runs a batch.

        **Raises:** `ValueError` for more exponents than neurons.
        """
        fixed = dict(fixed)
        if fixed["num_exponents"] > fixed["num_neurons"]:
            raise ValueError(
                f"num_exponents = {fixed['num_exponents']} must be at most "
                f"num_neurons = {fixed['num_neurons']}."
            )

        def run(settings: Mapping[str, Array], keys: Array) -> dict[str, Array]:
            models, starts, impossible = draw_fields(fixed, settings, keys)
            found = lyapunov_ensemble(
                models,
                starts,
                dt0=fixed["dt0"],
                duration=fixed["duration"],
                transient=fixed["transient"],
                num_exponents=fixed["num_exponents"],
                solver=SOLVERS[fixed["solver"]],
                model_axes=0,
            )
            okay = is_okay(found.result) & jnp.all(jnp.isfinite(found.exponents), -1)
            status = jnp.where(okay, DONE, NOT_FINITE)
            status = jnp.where(impossible, FAILED, status).astype(jnp.int8)
            measures = {
                "exponents": found.exponents,
                "standard_error": found.standard_error,
            }
            return {**blank(measures, status), "status": status}

        return run
