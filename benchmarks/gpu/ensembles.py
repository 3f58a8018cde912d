"""x' = W tanh(x) by fixed steps, every way: checked, then timed."""

import math
from collections.abc import Iterator
from typing import Any

from ..problem import checked_lanes
from ..suites import WrongAnswer
from .clock import choose_steps, foretell, repeat, seconds_of
from .options import Options
from .problem import ALLOWED, ALLOWED_OTHER, Ensemble, expected, relative_error
from .store import DONE, FAILED, SKIPPED, Store
from .tasks import Refused, Skip, Task
from .ways import WAYS, DeviceWay, checked


def tasks(options: Options, bits: int, store: Store) -> Iterator[Task]:
    """Yield the rows of one precision, size by size."""
    for size in options.sizes:
        for scheme in ("rk4", "splitting"):
            for lanes in options.lanes(size, bits, scheme):
                problem = Ensemble(
                    size, bits, lanes, 0, scheme=scheme, seed=options.seed
                )
                for way in WAYS:
                    if way.takes(problem) and (
                        not way.one_count
                        or lanes == options.lanes(size, bits, scheme)[0]
                    ):
                        yield _task(way, problem, options, store)


def _task(way: DeviceWay, problem: Ensemble, options: Options, store: Store) -> Task:
    about = {
        "part": "ensembles",
        "way": way.key,
        "label": way.label,
        "setting": way.setting,
        "scheme": problem.scheme,
        "size": problem.size,
        "bits": problem.bits,
        "lanes": problem.lanes,
        "seed": problem.seed,
    }
    key = f"ensembles/{problem.size}/{problem.bits}/{problem.lanes}/{way.key}"

    def measure() -> dict[str, Any]:
        _skip_if_long(way, problem, options, store)
        return measure_way(way, problem, options)

    return Task(key, about, measure)


def _skip_if_long(
    way: DeviceWay, problem: Ensemble, options: Options, store: Store
) -> None:
    """Skip what fewer lanes say is too long, or was wrong with fewer lanes."""
    known = []
    for row in store.of("ensembles", way=way.key, size=problem.size, bits=problem.bits):
        if row["lanes"] >= problem.lanes:
            continue
        if row["status"] == SKIPPED:
            raise Skip(f"{row['reason']} with {row['lanes']} lanes")
        if row["status"] == FAILED and "wrong answer" in row.get("reason", ""):
            raise Refused(f"wrong with {row['lanes']} lanes")
        if row["status"] == DONE:
            known.append((row["lanes"], row["seconds"]["median"] / row["steps"]))
    # A check, a run to warm up and five to time, of the fewer steps.
    seconds = 7 * options.steps[0] * foretell(known, problem.lanes)
    if seconds > options.skip_seconds:
        raise Skip(f"would take more than {seconds:.0f} s")


def measure_way(way: DeviceWay, problem: Ensemble, options: Options) -> dict[str, Any]:
    """Check a way on a short span, then time it.

    **Raises:** `WrongAnswer`.
    """
    few, _ = options.steps
    solver, preparing = seconds_of(lambda: way.prepare(problem))
    result, first = seconds_of(lambda: solver.run(few))
    error = relative_error(checked(solver, result, problem), expected(problem, few))
    limits = ALLOWED_OTHER if way.other_method else ALLOWED
    allowed = limits[problem.bits]
    if not error <= allowed:
        raise WrongAnswer(
            f"off by {error:.1e} where {allowed:.0e} is allowed, after {few} steps"
        )
    del result
    one = seconds_of(lambda: solver.run(few))[1]
    steps = choose_steps(one, options.steps, options.run_seconds)
    if steps != few:
        solver.run(steps)
        one = seconds_of(lambda: solver.run(steps))[1]
    result = solver.run(steps)
    states = checked(solver, result, problem)
    if not math.isfinite(float(states.sum())):
        raise WrongAnswer(f"not finite after {steps} steps")
    del result
    share = 0.1 if options.tiny else 1.0
    seconds = repeat(lambda: seconds_of(lambda: solver.run(steps))[1], one, share=share)
    return {
        "steps": steps,
        "seconds": seconds,
        "rate": problem.lanes * steps / seconds["median"],
        "error": error,
        "allowed": allowed,
        "checked_steps": few,
        "checked_lanes": len(checked_lanes(problem.lanes)),
        "first_seconds": round(preparing + first, 3),
        **solver.details,
    }
