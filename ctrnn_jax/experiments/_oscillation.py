"""Does a random network oscillate: how fast, how wide, and for how long?"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import diffrax
import equinox as eqx
import jax.numpy as jnp

from .._types import Array, PyTree
from ..analysis import ORBIT_KINDS, chaos_ensemble, classify_orbits
from ..fields import AbstractField
from ..integrate import Every, simulate_ensemble
from ..sweep._experiment import AbstractExperiment, BatchedRun, Output, Parameter
from ._groups import in_groups
from ._orbit_measures import HalfRanges, Maxima, RelativeEnergyChange
from ._outcome import blank, status_of
from ._random_fields import (
    DT0,
    EXPLICIT,
    NETWORK,
    SOLVERS,
    draw_fields,
    solver_parameter,
)

MOTIONS = ("undecided", "at rest", "dying", "sustained", "growing")
"""What the amplitude does, strings; `motion` of `"oscillation"` is an index."""

#: |ln| of the amplitudes' ratio below which an oscillation counts as sustained; and
#: the ratio below which one is dying, whether it was seen to turn or not.
_SUSTAINED, _DEAD = 0.1, 0.1
#: Amplitude over that of the start, below which a network is at rest.
_REST = 1e-6


def _codes(names: tuple[str, ...]) -> str:
    """Return what codes mean as figures read it."""
    return ", ".join(f"{code} = {name}" for code, name in enumerate(names))


_CHAOS = ("megno", "exponent", "log_gali")


@dataclasses.dataclass(frozen=True)
class Oscillation(AbstractExperiment):
    """A random network left to itself: its period, amplitude, drift and fate.

    Every run draws W, b and the initial state from its key (see the parameters), and
    takes `steps` constant steps in one compiled call for all runs. Nothing is kept
    along the way but what the measures need.

    With `classify="chaos"` a tangent pass adds MEGNO, the largest exponent and the
    smaller alignment index of [`chaos_ensemble`][ctrnn_jax.analysis.chaos_ensemble];
    with `"orbit"` [`classify_orbits`][ctrnn_jax.analysis.classify_orbits] adds its
    verdict. Both take several times as long, and want some hundred periods.
    """

    name = "oscillation"
    summary = "period, amplitude, energy drift and fate of random networks"
    parameters = (
        *NETWORK,
        solver_parameter(),
        DT0,
        Parameter("steps", 1000, "steps of a run", static=True, low=8),
        Parameter("transient", 0, "steps before the record begins", static=True, low=0),
        Parameter(
            "energy_every",
            10,
            "steps between two looks at the energy",
            static=True,
            low=1,
        ),
        Parameter(
            "classify",
            "amplitude",
            "how motion is told: by amplitude, by tangent vectors, by the whole orbit",
            static=True,
            choices=("amplitude", "chaos", "orbit"),
        ),
    )
    outputs = (
        Output("period", "mean time between maxima of neuron 0 (units of tau)"),
        Output("maxima", "number of maxima of neuron 0 in the record"),
        Output(
            "amplitude",
            "root mean square over neurons of half the range, in the second half of "
            "the record (dimensionless)",
        ),
        Output("growth", "rate at which the amplitude grows or dies (per unit of tau)"),
        Output(
            "energy_drift",
            "largest change of the energy over its first value; an error of the "
            "method where leak and gain are 0",
        ),
        Output("motion", f"what the amplitude does: {_codes(MOTIONS)}"),
        Output("megno", "MEGNO: 2 if regular (NaN unless classify = chaos or orbit)"),
        Output(
            "exponent",
            "largest Lyapunov exponent (per unit of tau; NaN as megno is)",
        ),
        Output(
            "log_gali",
            "logarithm of the smaller alignment index (NaN unless classify = chaos)",
        ),
        Output("orbit", f"-1 = not asked for, {_codes(ORBIT_KINDS)}"),
    )

    def build(self, fixed: Mapping[str, Any]) -> BatchedRun:
        """Return what runs a batch.

        **Raises:** `ValueError` if `transient` leaves no record, or `classify` needs a
        solver that can follow tangent vectors.
        """
        fixed = dict(fixed)
        steps, transient = fixed["steps"], fixed["transient"]
        if transient > steps - 8:
            raise ValueError(
                f"transient = {transient} leaves less than 8 of steps = {steps} "
                "steps; reduce it."
            )
        if fixed["classify"] != "amplitude" and fixed["solver"] not in EXPLICIT:
            raise ValueError(
                f"classify = {fixed['classify']!r} follows tangent vectors, which "
                f"solver = {fixed['solver']!r} cannot; choose one of {EXPLICIT}."
            )

        def run(settings: Mapping[str, Array], keys: Array) -> dict[str, Array]:
            models, starts, impossible = draw_fields(fixed, settings, keys)
            return measure(models, starts, fixed, impossible)

        return run


def measure(
    models: AbstractField, starts: Array, fixed: Mapping[str, Any], impossible: Array
) -> dict[str, Array]:
    """Return the outputs for models and states that lead with the runs."""
    steps, transient, dt = fixed["steps"], fixed["transient"], fixed["dt0"]
    solver = SOLVERS[fixed["solver"]]
    solution = simulate_ensemble(
        models,
        starts,
        [0.0, steps * dt],
        dt0=dt,
        solver=solver,
        model_axes=0,
        saveat=diffrax.SaveAt(t1=True),
        reductions=reductions(fixed),
    )
    reduced = solution.stats["reductions"]
    first, last, count = reduced["maxima"]
    early, late = (jnp.sqrt(jnp.mean(half**2, axis=-1)) for half in reduced["ranges"])
    several = count > 1
    period = dt * (last - first) / jnp.where(several, count - 1, 1.0)
    moving = (early > 0) & (late > 0)
    ratio = jnp.where(moving, late, 1.0) / jnp.where(moving, early, 1.0)
    growth = jnp.log(ratio) / (0.5 * (steps - transient) * dt)
    found = {
        "period": jnp.where(several, period, jnp.nan),
        "maxima": jnp.where(jnp.isfinite(count), count, 0.0).astype(jnp.int32),
        "amplitude": late,
        "growth": growth,
        "motion": _motion(starts, early, late, ratio, several),
    }
    found["energy_drift"] = reduced["energy"]
    found |= _told_by_tangents(models, starts, fixed)
    status = status_of(solution.result, impossible)
    return {
        **blank(found, status),
        "status": status,
        "num_steps": jnp.full(status.shape, steps, jnp.int32),
    }


def reductions(fixed: Mapping[str, Any]) -> dict[str, PyTree]:
    """Return what is measured along the way."""
    steps, transient = fixed["steps"], fixed["transient"]
    found: dict[str, PyTree] = {
        "maxima": Maxima(transient),
        "ranges": HalfRanges(transient, (transient + steps) // 2),
    }
    found["energy"] = Every(fixed["energy_every"], RelativeEnergyChange())
    return found


def _motion(
    starts: Array, early: Array, late: Array, ratio: Array, several: Array
) -> Array:
    """Return the index into `MOTIONS` of each run."""
    size = jnp.sqrt(jnp.mean(starts**2, axis=-1))
    change = jnp.log(jnp.where(jnp.isfinite(ratio), ratio, 1.0))
    code = jnp.select(
        [
            (late <= _REST * size) & (early <= _REST * size),
            ((change < -_SUSTAINED) & several) | (late < _DEAD * early),
            (jnp.abs(change) <= _SUSTAINED) & several,
            (change > _SUSTAINED) & several,
        ],
        [jnp.asarray(index, jnp.int8) for index in (1, 2, 3, 4)],
        jnp.asarray(0, jnp.int8),
    )
    return jnp.where(jnp.isfinite(late), code, jnp.zeros_like(code))


def _told_by_tangents(
    models: AbstractField, starts: Array, fixed: Mapping[str, Any]
) -> dict[str, Array]:
    steps, transient, dt = fixed["steps"], fixed["transient"], fixed["dt0"]
    options: dict[str, Any] = {
        "dt0": dt,
        "duration": (steps - transient) * dt,
        "transient": transient * dt,
        "model_axes": 0,
        "solver": SOLVERS[fixed["solver"]],
    }
    # A sweep stores what is declared, so that what was not asked for is there too.
    runs = starts.shape[0]
    missing = {name: jnp.full(runs, jnp.nan, starts.dtype) for name in _CHAOS}
    missing["orbit"] = jnp.full(runs, -1, jnp.int8)
    if fixed["classify"] == "amplitude":
        return missing
    arrays, static = eqx.partition(models, eqx.is_array)

    def tell(arrays: PyTree, starts: Array) -> dict[str, Array]:
        group = eqx.combine(arrays, static)
        if fixed["classify"] == "chaos":
            found = chaos_ensemble(group, starts, **options)
            return {name: getattr(found, name) for name in _CHAOS}
        orbits = classify_orbits(group, starts, **options)
        return {
            "orbit": orbits.code.astype(jnp.int8),
            "megno": orbits.megno,
            "exponent": orbits.exponent,
        }

    return missing | in_groups(tell, arrays, starts, on_cpu=16, elsewhere=256)
