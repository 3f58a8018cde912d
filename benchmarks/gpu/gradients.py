"""Gradients through many steps: agreement with back-propagation, seconds, memory."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..gradients import schemes
from ..gradients.problem import Problem, Weight
from ..gradients.reference import Gradient
from ..gradients.verify import distance
from ..gradients.ways import diffrax_ways, ours
from ..suites import WrongAnswer
from .clock import foretell, repeat, seconds_of
from .options import Options
from .store import DONE, SKIPPED, Store
from .tasks import Refused, Skip, Task

#: Way -> label.
LABELS = {
    "ours-pallas": "**ctrnn_jax, `ReversibleAdjoint`, `engine='pallas'`**",
    "ours-xla": "ctrnn_jax, `ReversibleAdjoint`, `engine='xla'`",
    "diffrax-vmap": "diffrax RK4, `RecursiveCheckpointAdjoint`, vmapped",
}
#: Largest relative error beside back-propagation in float64, over the few hundred steps
#: of the comparison: by the precision of the way.
ALLOWED = {32: 1e-4, 64: 1e-11}
#: Sizes that are differentiated.
SIZES = (2, 8, 32)
WEIGHTS: tuple[Weight, ...] = ("bipartite", "dense")


def tasks(options: Options, bits: int, store: Store) -> Iterator[Task]:
    """Yield comparisons, then in float32 what is timed."""
    sizes = [size for size in options.sizes if size in SIZES]
    for size in sizes:
        for weight in WEIGHTS:
            for way in LABELS:
                yield _agreement(way, size, weight, bits, options)
    if bits == 64:
        return
    for steps in options.spans:
        for size in sizes:
            for lanes in options.gradient_lanes(size):
                for weight in WEIGHTS:
                    for way in LABELS:
                        problem = Problem(
                            weight, bits=32, steps=steps, lanes=lanes, size=size
                        )
                        yield _timing(way, problem, options, store)


def _agreement(
    way: str, size: int, weight: Weight, bits: int, options: Options
) -> Task:
    steps = options.agreement_steps
    problem = Problem(weight, bits=bits, steps=steps, lanes=16, size=size)
    about = {**_about(way, problem), "kind": "agreement"}

    def measure() -> dict[str, Any]:
        error = distance(_gradient(way, problem), _reference(way, problem))
        allowed = ALLOWED[bits]
        if not error <= allowed:
            raise WrongAnswer(f"off by {error:.1e} where {allowed:.0e} is allowed")
        return {"error": error, "allowed": allowed}

    return Task(f"gradients/agreement/{size}/{weight}/{bits}/{way}", about, measure)


def _timing(way: str, problem: Problem, options: Options, store: Store) -> Task:
    about = {**_about(way, problem), "kind": "timing"}
    size, weight, lanes = problem.size, problem.weight, problem.lanes

    def measure() -> dict[str, Any]:
        _skip_if_wrong_or_long(way, problem, options, store)
        return _time(way, problem, options)

    key = f"gradients/{problem.steps}/{size}/{weight}/{lanes}/{way}"
    return Task(key, about, measure)


def _about(way: str, problem: Problem) -> dict[str, Any]:
    return {
        "part": "gradients",
        "way": way,
        "label": LABELS[way],
        "size": problem.size,
        "weight": problem.weight,
        "bits": problem.bits,
        "lanes": problem.lanes,
        "steps": problem.steps,
    }


def _skip_if_wrong_or_long(
    way: str, problem: Problem, options: Options, store: Store
) -> None:
    same = {"way": way, "size": problem.size, "weight": problem.weight}
    compared = next(store.of("gradients", kind="agreement", bits=32, **same), None)
    if compared is None or compared["status"] != DONE:
        why = compared["reason"] if compared else "nothing was compared"
        raise Refused(f"no right answer: {why}")
    known = []
    for row in store.of("gradients", kind="timing", lanes=problem.lanes, **same):
        if row["steps"] >= problem.steps:
            continue
        if row["status"] == SKIPPED:
            raise Skip(f"{row['reason']} with {row['steps']} steps")
        if row["status"] == DONE:
            known.append((row["steps"], row["seconds"]["median"]))
    # A run to warm up and two to time.
    seconds = 3 * foretell(known, problem.steps)
    if seconds > options.skip_seconds:
        raise Skip(f"a run would take {seconds / 3:.0f} s")


def _build(way: str, problem: Problem) -> Any:
    """Return the gradient of (parameter, y0, projection), states with lanes first."""
    if way == "diffrax-vmap":
        return diffrax_ways.build(problem, "RecursiveCheckpointAdjoint", vmapped=True)
    option = {"engine": way.removeprefix("ours-")}
    return ours.build(problem, adjoint={}, options=option)


def _arrays(problem: Problem) -> list[Any]:
    import jax.numpy as jnp

    arrays = problem.parameter, problem.y0.T, problem.projection.T
    return [jnp.asarray(np.ascontiguousarray(array)) for array in arrays]


def _compile(way: str, problem: Problem) -> tuple[Any, list[Any]]:
    import jax

    arrays = _arrays(problem)
    # Ours sets the precision of its products itself; diffrax would have TF32.
    precision = "highest" if way == "diffrax-vmap" else None
    with jax.default_matmul_precision(precision):
        return jax.jit(_build(way, problem)).lower(*arrays).compile(), arrays


def _gradient(way: str, problem: Problem) -> Gradient:
    compiled, arrays = _compile(way, problem)
    parameter, y0 = (np.asarray(part, np.float64) for part in compiled(*arrays))
    return Gradient(parameter, y0.T)


def _reference(way: str, problem: Problem) -> Gradient:
    """Back-propagate in float64 through every step of the same scheme."""
    import jax

    problem = dataclasses.replace(problem, bits=64)
    if way == "diffrax-vmap":
        scheme = schemes.rk4(problem)
    elif problem.weight == "bipartite":
        scheme = schemes.leapfrog(problem)
    else:
        scheme = schemes.splitting(problem, 2)
    run = schemes.gradient(problem, scheme, schemes.plainly)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        found = jax.jit(run)(problem.parameter, problem.y0, problem.projection)
        return Gradient(*(np.asarray(part) for part in found))


def _time(way: str, problem: Problem, options: Options) -> dict[str, Any]:
    import jax

    (compiled, arrays), compiling = seconds_of(lambda: _compile(way, problem))
    analysis: Any = compiled.memory_analysis()

    def run() -> Any:
        return jax.block_until_ready(compiled(*arrays))

    result, one = seconds_of(run)
    if not all(math.isfinite(float(abs(part).sum())) for part in result):
        raise WrongAnswer("not finite")
    if one < 0.5:
        one = seconds_of(run)[1]
    share = 0.1 if options.tiny else 0.6
    seconds = repeat(lambda: seconds_of(run)[1], one, share=share)
    return {
        "seconds": seconds,
        "rate": problem.lanes * problem.steps / seconds["median"],
        "compile_seconds": round(compiling, 3),
        "temporary_bytes": int(analysis.temp_size_in_bytes),
    }
