"""How runs on a device are timed."""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

from ..race import Spread


def seconds_of(run: Callable[[], Any]) -> tuple[Any, float]:
    """Return what `run` returns, and its seconds by the clock; `run` must block."""
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def how_often(
    one: float, *, share: float = 1.0, fewest: int = 5, most: int = 25
) -> int:
    """Return how many runs of `one` second(s) to make: as many as fit the share.

    At least `fewest`, but two where so many would take more than ten shares.
    """
    if one * fewest > 10 * share:
        return 2
    return int(min(most, max(fewest, share / max(one, 1e-9))))


def repeat(
    run: Callable[[], float], one: float, *, share: float = 1.0
) -> dict[str, float]:
    """Return the spread of several runs, each of which returns its own seconds."""
    times = [run() for _ in range(how_often(one, share=share))]
    return dataclasses.asdict(Spread.of(times))


def choose_steps(seconds: float, steps: tuple[int, int], longest: float) -> int:
    """Return how many steps to time, from the time of the fewer ones.

    - `steps`: the fewer, and the full number.
    - `longest`: seconds that a run in full may take.
    """
    few, full = steps
    return full if seconds * full / few <= longest else few


def foretell(known: list[tuple[float, float]], size: float) -> float:
    """Return the seconds of work of a size, from smaller ones `(size, seconds)`.

    In proportion to the largest known: an upper bound while launches dominate. Nothing
    known foretells nothing, which is 0.
    """
    smaller = [pair for pair in known if pair[0] <= size]
    if not smaller:
        return 0.0
    at, seconds = max(smaller)
    return seconds * size / at if math.isfinite(seconds) else math.inf
