"""What must never get worse, cheap enough for every push.

Counts are exact. The one timing is a ratio on the same core in the same minute,
against a bound that the package beats several times over.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from .peers import BY_KEY
from .problem import Problem
from .race import Entrant, race
from .remote import Remote, allowed_cpus

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
    """Return the counts of a first call, the same again, and others that differ.

    Call it with lanes that no call before had in this process, or nothing compiles.
    """
    import jax.numpy as jnp
    import numpy as np

    import ctrnn_jax

    def solve(lanes: int, seed: int, step: float, steps: int = steps) -> None:
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

    # Conversions that JAX compiles once a process, whatever comes after.
    solve(lanes + 1, seed=0, step=2.0**-6)
    counts = {}
    for name, seed, step, count in (
        ("first call", 1, 2.0**-6, steps),
        ("same again", 1, 2.0**-6, steps),
        ("other values", 2, 2.0**-7, steps),
        ("other steps", 2, 2.0**-7, 3 * steps),
    ):
        with watch() as counts[name]:
            solve(lanes, seed, step, count)
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
    """Return how many times as long as the first way the second runs here and now.

    Of processor time, and of the least of several runs: what disturbs a run can only
    make it longer.
    """
    problem = Problem(size, bits=32, lanes=4096, steps=200)
    keys = (first, second)
    with Remote(bits=32, cpus=allowed_cpus()[-1:] or None) as remote:
        for key in keys:
            remote.prepare(BY_KEY[key], problem)
        samples = race(
            [Entrant(key, lambda key=key: remote.time(key)) for key in keys],
            seconds=4.0,
            fewest=3,
            most=7,
        )
    one, other = (min(sample.cpu for sample in samples[key]) for key in keys)
    return other / one


def run() -> int:
    """Check counts and ratios, print what was found, return the exit code."""
    failed = False
    complaints = complaints_of_counts(count_compilations())
    for line in complaints:
        print(f"FAILED  {line}")
    if not complaints:
        print("ok      one compilation for a shape; none for other values or steps")
    failed |= bool(complaints)
    for size, least in LEAST_ADVANTAGE.items():
        best = 0.0
        for _ in range(ATTEMPTS):
            best = max(best, ratio(size, "ours", "diffrax-rk4"))
            if best >= least:
                break
        word = "ok    " if best >= least else "FAILED"
        failed |= best < least
        print(
            f"{word}  n = {size}: {best:.1f} times faster than vmapped diffrax, "
            f"at least {least:.1f} wanted"
        )
    least = float("inf")
    for _ in range(ATTEMPTS):
        least = min(least, ratio(8, "ours", "ours-reduced"))
        if least <= MOST_FOR_REDUCTIONS:
            break
    word = "ok    " if least <= MOST_FOR_REDUCTIONS else "FAILED"
    failed |= least > MOST_FOR_REDUCTIONS
    print(
        f"{word}  n = 8: {least:.2f} times as long with two reductions, "
        f"at most {MOST_FOR_REDUCTIONS:.1f} wanted"
    )
    return int(failed)
