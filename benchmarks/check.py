"""What must never get worse, cheap enough for every push.

Counts are exact. The one timing is a ratio on the same core in the same minute,
against a bound that the package beats several times over.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .peers import BY_KEY
from .problem import Problem
from .race import Entrant, race
from .remote import Remote, allowed_cpus
from .suites import Entry

#: How many times faster than vmapped diffrax RK4 ours must be, by size: less than
#: half of what benchmarks/results/ensembles.md shows, so that only a lost layout or
#: a lost fusion fails here, not a noisy machine or another processor.
LEAST_ADVANTAGE = {2: 2.0, 8: 1.5}

#: How many times as long a solve may take that also keeps the smallest and largest
#: state of every step: half of it more, where the work is less than a tenth more, so
#: that only a lost fusion or a saved trajectory fails here.
MOST_FOR_REDUCTIONS = 1.5

ATTEMPTS = 3

_TRACED = "/jax/core/compile/jaxpr_trace_duration"
_COMPILED = "/jax/core/compile/backend_compile_duration"


@dataclasses.dataclass
class Counts:
    """What JAX did while it was watched: names of functions, each with its count."""

    traced: collections.Counter[str]
    compiled: collections.Counter[str]


@contextlib.contextmanager
def watch() -> Iterator[Counts]:
    """Count what JAX traces and compiles in this block, by function."""
    import jax

    counts = Counts(collections.Counter(), collections.Counter())

    def listen(event: str, duration_secs: float, **details: Any) -> None:
        name = str(details.get("fun_name", "unnamed"))
        if event == _TRACED:
            counts.traced[name] += 1
        elif event == _COMPILED:
            counts.compiled[name] += 1

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield counts
    finally:
        # Public since JAX 0.7.
        jax.monitoring.unregister_event_duration_listener(listen)


def count_compilations(
    *, lanes: int = 24, size: int = 4, steps: int = 96
) -> dict[str, Counts]:
    """Return the counts of a first call, the same again, and other values and steps.

    Call it with lanes that no call before had in this process, or nothing compiles.
    """
    import jax.numpy as jnp
    import numpy as np

    import ctrnn_jax

    def solve(lanes: int, seed: int, step: float, steps: int) -> None:
        random = np.random.default_rng(seed)
        lower = np.tril(random.normal(size=(size, size)), -1)
        weight = jnp.asarray(lower - lower.T, jnp.float32)
        y0 = jnp.asarray(random.normal(size=(lanes, size)), jnp.float32)
        model = ctrnn_jax.VoltageCTRNN(ctrnn_jax.SkewSymmetric.from_matrix(weight))
        solution = ctrnn_jax.simulate_ensemble(
            model,
            y0,
            np.array([0.0, steps * step]),
            dt0=step,
            solver=ctrnn_jax.RK4(),
        )
        assert solution.ys is not None
        solution.ys.block_until_ready()

    calls = {
        "first call": (1, 2.0**-6, steps),
        "same again": (1, 2.0**-6, steps),
        "other values": (2, 2.0**-7, steps),
        "other steps": (2, 2.0**-7, 3 * steps),
    }
    return count_calls(solve, lanes, calls)


def count_calls(
    solve: Callable[..., None], lanes: int, calls: Mapping[str, tuple]
) -> dict[str, Counts]:
    """Return the counts of each of `calls`, arguments of `solve` after the lanes."""
    # Conversions that JAX compiles once a process, whatever comes after.
    solve(lanes + 1, *calls["first call"])
    counts = {}
    for name, arguments in calls.items():
        with watch() as counts[name]:
            solve(lanes, *arguments)
    return counts


def complaints_of_counts(counts: dict[str, Counts]) -> list[str]:
    """Return one line for each count that is not as it must be."""
    found = []
    first = counts["first call"]
    if not first.compiled:
        found.append("first call: nothing was compiled, so nothing was measured")
    for name, count in first.compiled.items():
        if count != 1:
            found.append(f"first call: {name} was compiled {count} times, not once")
    for call, again in counts.items():
        if call == "first call":
            continue
        for what, names in (("traced", again.traced), ("compiled", again.compiled)):
            for name, count in names.items():
                found.append(f"{call}: {name} was {what} {count} times, not 0")
    return found


def ratio(size: int, first: str, second: str) -> float:
    """Return how many times as long as the first way the second runs here and now."""
    problem = Problem(size, bits=32, lanes=4096, steps=200)
    with Remote(bits=32, cpus=allowed_cpus()[-1:] or None) as remote:
        return compare(remote, problem, BY_KEY[first], BY_KEY[second])


def compare(remote: Remote, problem: Any, first: Entry, second: Entry) -> float:
    """Return how many times as long as the first way the second runs in a worker.

    Of processor time, and of the least of several runs: what disturbs a run can only
    make it longer.
    """
    ways = (first, second)
    for way in ways:
        remote.prepare(way, problem)
    samples = race(
        [Entrant(way.key, lambda key=way.key: remote.time(key)) for way in ways],
        seconds=4.0,
        fewest=3,
        most=7,
    )
    one, other = (min(sample.cpu for sample in samples[way.key]) for way in ways)
    return other / one


def most_of(measure: Callable[[], float], wanted: float) -> float:
    """Return the most of `ATTEMPTS` measurements, or the first that is enough."""
    best = 0.0
    for _ in range(ATTEMPTS):
        best = max(best, measure())
        if best >= wanted:
            break
    return best


def report(okay: bool, text: str) -> bool:
    """Print one finding; return whether it is a failure."""
    print(f"{'ok    ' if okay else 'FAILED'}  {text}")
    return not okay


def report_counts(counts: dict[str, Counts], what: str) -> bool:
    """Print what is wrong with the counts of `what`, or that nothing is."""
    complaints = complaints_of_counts(counts)
    for line in complaints:
        report(False, f"{what}: {line}")
    if complaints:
        return True
    others = ", ".join(call for call in counts if call != "first call")
    return report(True, f"{what}: one compilation for a shape; none for {others}")


def run() -> int:
    """Check counts and ratios, print what was found, return the exit code."""
    from .gradients import checks

    failed = report_counts(count_compilations(), "ensembles")
    for size, least in LEAST_ADVANTAGE.items():
        best = most_of(lambda size=size: ratio(size, "ours", "diffrax-rk4"), least)
        failed |= report(
            best >= least,
            f"n = {size}: {best:.1f} times faster than vmapped diffrax, "
            f"at least {least:.1f} wanted",
        )
    wanted = 1 / MOST_FOR_REDUCTIONS
    speed = most_of(lambda: ratio(8, "ours-reduced", "ours"), wanted)
    failed |= report(
        speed >= wanted,
        f"n = 8: {1 / speed:.2f} times as long with two reductions, "
        f"at most {MOST_FOR_REDUCTIONS:.1f} wanted",
    )
    failed |= checks.run()
    return int(failed)
