"""How much of its past inputs a random network holds."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array
from ..analysis import is_okay, memory_capacity
from ..sweep._experiment import AbstractExperiment, BatchedRun, Output, Parameter
from ._outcome import DONE, FAILED, NOT_FINITE, blank
from ._random_fields import (
    DT0,
    EXPLICIT,
    INITIAL_AMPLITUDE,
    NETWORK,
    SOLVERS,
    draw_fields,
    solver_parameter,
)

_NAMES = ("capacities", "standard_error", "total", "total_standard_error", "control")


def _delays(fixed: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"delay": np.arange(fixed["num_delays"])}


@dataclasses.dataclass(frozen=True)
class RecallOfInputs(AbstractExperiment):
    """The linear memory capacity of a random network that random inputs drive.

    [`memory_capacity`][ctrnn_jax.analysis.memory_capacity] of one network and one set
    of sequences a run, both drawn from its key: the network from the first of two keys
    split off it, the inputs from the second. Runs follow each other; the sequences of
    each run are side by side.
    """

    name = "memory-capacity"
    summary = "how much of its past inputs a random network holds"
    parameters = (
        *(dataclasses.replace(p, default=16) if p.name == "num_neurons" else
          dataclasses.replace(p, default=0.0) if p is INITIAL_AMPLITUDE else p
          for p in NETWORK),
        solver_parameter(EXPLICIT),
        DT0,
        Parameter(
            "input_scale",
            1.0,
            "standard deviation of the input weights B (per unit of tau)",
            low=0.0,
        ),
        Parameter(
            "input_amplitude", 1.0, "standard deviation of the inputs", low=0.0
        ),
        Parameter(
            "noise", 0.0, "standard deviation of noise on the state that is read",
            low=0.0,
        ),
        Parameter(
            "interval",
            1.0,
            "how long each input is held (units of tau)",
            static=True,
            low=0.0,
            open=("low",),
        ),
        Parameter("num_delays", 50, "inputs asked for", static=True, low=1),
        Parameter(
            "num_sequences",
            512,
            "sequences of inputs; more than n + 2, better many times that",
            static=True,
            low=5,
        ),
    )  # fmt: skip
    outputs = (
        Output("capacities", "share recalled of each input", ("delay",), _delays),
        Output("standard_error", "of each share", ("delay",), _delays),
        Output("total", "sum of the shares, at most n (number of inputs)"),
        Output("total_standard_error", "of the total (number of inputs)"),
        Output("control", "the total for shuffled inputs: 0 within its error"),
        Output("rank", "independent directions among the states"),
    )

    def build(self, fixed: Mapping[str, Any]) -> BatchedRun:
        """Return what runs a batch.

        **Raises:** `ValueError` for too few sequences.
        """
        fixed = dict(fixed)
        if fixed["num_sequences"] < fixed["num_neurons"] + 3:
            raise ValueError(
                f"num_sequences = {fixed['num_sequences']} must be at least "
                f"num_neurons + 3 = {fixed['num_neurons'] + 3}."
            )
        options = {
            name: fixed[name]
            for name in ("dt0", "interval", "num_delays", "num_sequences")
        }

        def run(settings: Mapping[str, Array], keys: Array) -> dict[str, Array]:
            both = jax.vmap(jr.split)(keys)
            models, starts, impossible = draw_fields(
                fixed, settings, both[:, 0], input_channels=1
            )
            arrays, static = eqx.partition(models, eqx.is_array)

            def one(item: Any) -> Any:
                arrays, start, key, amplitude, noise = item
                return memory_capacity(
                    eqx.combine(arrays, static),
                    start,
                    key=key,
                    amplitude=amplitude,
                    noise=noise,
                    solver=SOLVERS[fixed["solver"]],
                    **options,
                )

            amplitude, noise = settings["input_amplitude"], settings["noise"]
            items = (arrays, starts, both[:, 1], amplitude, noise)
            found = jax.lax.map(one, items)
            okay = is_okay(found.result) & jnp.isfinite(found.total)
            status = jnp.where(okay, DONE, NOT_FINITE)
            status = jnp.where(impossible, FAILED, status).astype(jnp.int8)
            measures = {name: getattr(found, name) for name in _NAMES}
            rank = found.rank.astype(jnp.int32)
            return {**blank(measures, status), "rank": rank, "status": status}

        return run
