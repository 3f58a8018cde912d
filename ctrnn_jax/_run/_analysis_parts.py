"""The parts of an analysis: each a function from the problem to named arrays."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import analysis
from .._types import Array, Float
from ..integrate import simulate
from ._build import Problem
from ._checkpoint import Arrays
from ._config import Config

#: The stretch of the orbit that is kept and drawn: this many samples, over as many
#: turns of the strongest line as the second says, or all of the record.
_SAMPLES, _TURNS = 2001, 20
_DELAYS, _STARTS = 50, 10
#: An outcome is its place in this list.
STATUS_NAMES = list(analysis.OUTCOMES._name_to_item)  # pyright: ignore[reportAttributeAccessIssue]


def compute_part(
    name: str, config: Config, problem: Problem, orbit: Arrays | None
) -> Arrays:
    """Return the arrays of one part; `orbit` holds those of the first one.

    Each has `status`, `"successful"` or the reason why there is no answer.
    """
    return COMPUTED[name](config.values, problem, orbit or {})


def _orbit(values: dict[str, Any], problem: Problem, _: Arrays) -> Arrays:
    orbit = analysis.classify_orbit(
        problem.model,
        problem.y0[0],
        dt0=values["time.dt0"],
        duration=values["time.duration"],
        transient=values["time.transient"],
        solver=problem.solver,
    )
    found = _arrays(orbit)
    found["kind"], found["why"] = np.array(orbit.kind), np.array(orbit.why)
    lines = found["angular_frequency"]
    span = values["time.duration"]
    if lines[0] > 0:
        span = min(span, _TURNS * 2 * np.pi / float(lines[0]))
    return found | _stretch(values, problem, span)


def _stretch(values: dict[str, Any], problem: Problem, span: float) -> Arrays:
    """Return samples of the orbit after the transient, NaN where there are none."""
    ts = np.linspace(0.0, span, _SAMPLES)
    return {
        "ts": values["time.transient"] + ts,
        "ys": np.asarray(_samples(values, problem, ts)),
    }


def _samples(
    values: dict[str, Any], problem: Problem, ts: np.ndarray
) -> Float[Array, "time n"]:
    """Return the orbit at evenly spaced times, counted from the transient's end.

    Two solves, so that each of its samples falls on a step.
    """
    y0, wait = problem.y0[0], values["time.transient"]
    options: dict[str, Any] = {
        "dt0": values["time.dt0"], "solver": problem.solver, "throw": False
    }  # fmt: skip
    if wait > 0:
        settled = simulate(problem.model, y0, [0.0, wait], **options).ys
        assert settled is not None
        y0 = settled[-1]
    ys = simulate(problem.model, y0, ts, **options).ys
    assert ys is not None
    return ys


def _lyapunov(values: dict[str, Any], problem: Problem, _: Arrays) -> Arrays:
    spectrum = analysis.lyapunov_spectrum(
        problem.model,
        problem.y0[0],
        dt0=values["time.dt0"],
        duration=values["time.duration"],
        transient=values["time.transient"],
        num_exponents=values["analysis.num_exponents"],
        solver=problem.solver,
    )
    found = _arrays(spectrum)
    # The history is for the figure, which shows time on a logarithmic axis.
    count = len(found["times"])
    kept = np.unique(np.geomspace(1, count, _SAMPLES).astype(int)) - 1
    found["times"], found["history"] = found["times"][kept], found["history"][kept]
    return found


def _section(values: dict[str, Any], problem: Problem, _: Arrays) -> Arrays:
    normal = jnp.zeros_like(problem.y0[0]).at[values["analysis.section_neuron"]].set(1)
    section = analysis.poincare_section(
        problem.model,
        problem.y0[0],
        section=(normal, values["analysis.section_level"]),
        dt0=values["time.dt0"],
        duration=values["time.duration"],
        transient=values["time.transient"],
        max_crossings=100_000,
        solver=problem.solver,
    )
    found = _arrays(section)
    count = int(section.count)
    return found | {"ts": found["ts"][:count], "ys": found["ys"][:count]}


def _frequencies(values: dict[str, Any], problem: Problem, _: Arrays) -> Arrays:
    # Two steps a sample resolve what the integration does, and no more.
    spacing = 2 * values["time.dt0"]
    ts = spacing * np.arange(int(values["time.duration"] / spacing) + 1)
    ys = _samples(values, problem, ts)
    lines = analysis.main_frequencies(
        ys, spacing, num_frequencies=values["analysis.num_frequencies"]
    )
    return _arrays(lines)


def _periodic_orbit(values: dict[str, Any], problem: Problem, orbit: Arrays) -> Arrays:
    there = np.isfinite(orbit["ys"]).all(axis=1)
    start = jnp.asarray(orbit["ys"][there][-1])
    closed = analysis.find_periodic_orbit(problem.model, start)
    found = _arrays(closed)
    if not analysis.is_okay(closed.result):
        return found
    multipliers = analysis.floquet_multipliers(problem.model, closed)
    floquet = _arrays(multipliers)
    return found | {name: floquet[name] for name in ("multipliers", "trivial_error")}


def _fixed_points(values: dict[str, Any], problem: Problem, orbit: Arrays) -> Arrays:
    candidates = analysis.sample_candidates(
        orbit["ys"],
        values["analysis.num_candidates"],
        noise=values["analysis.candidate_noise"],
        key=jax.random.key(values["analysis.candidate_seed"]),
    )
    points = analysis.find_fixed_points(problem.model, candidates)
    found = {
        name: np.asarray(getattr(points, name))
        for name in ("points", "speeds", "eigenvalues", "counts")
    }
    lost = int(np.sum(np.asarray(points.labels) < 0))
    return found | {
        "kinds": np.array(points.kinds, str),
        "lost": np.array(lost),
        "status": np.array("successful"),
    }


def _gradient_norms(values: dict[str, Any], problem: Problem, _: Arrays) -> Arrays:
    norms = analysis.gradient_norms(
        problem.model,
        problem.y0[0],
        dt0=values["time.dt0"],
        duration=values["analysis.max_delay"],
        transient=values["time.transient"],
        num_delays=_DELAYS,
        num_starts=_STARTS,
        solver=problem.solver,
    )
    found = _arrays(norms)
    if analysis.is_okay(norms.result):
        found["trend"] = np.array(norms.trend)
    return found


COMPUTED: dict[str, Callable[[dict[str, Any], Problem, Arrays], Arrays]] = {
    "orbit": _orbit,
    "lyapunov": _lyapunov,
    "section": _section,
    "frequencies": _frequencies,
    "periodic_orbit": _periodic_orbit,
    "fixed_points": _fixed_points,
    "gradient_norms": _gradient_norms,
}


def _arrays(result: eqx.Module) -> Arrays:
    """Return the fields of a result as arrays, its outcome in words."""
    found = {
        name: np.asarray(value)
        for name, value in vars(result).items()
        if name != "result" and value is not None
    }
    outcome = result.result  # pyright: ignore[reportAttributeAccessIssue]
    (index,) = jax.tree.leaves(outcome)
    found["status"] = np.array(STATUS_NAMES[int(index)])
    if found["status"] != "successful":
        found["reason"] = np.array(str(analysis.OUTCOMES[outcome]))
    return found
