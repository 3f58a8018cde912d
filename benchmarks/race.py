"""Time candidates in turn, so that a disturbance of the machine meets them all."""

import dataclasses
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from .suites import Entry
from .workbench import Prepared, Sample


@dataclasses.dataclass(frozen=True)
class Entrant:
    """One candidate: `run` times it once, `weight` is its part of the race's time."""

    key: str
    run: Callable[[], Sample]
    weight: float = 1.0


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median, quartiles and minimum of a list of numbers."""

    median: float
    low: float
    high: float
    minimum: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        if len(values) == 1:
            return cls(values[0], values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high, min(values), len(values))

    def scaled(self, factor: float) -> "Spread":
        """Return the spread of the same numbers in another unit."""
        return Spread(
            self.median * factor,
            self.low * factor,
            self.high * factor,
            self.minimum * factor,
            self.count,
        )


class Place(Protocol):
    """Where a way is prepared and timed: a `Remote`, or a `Workbench`."""

    def prepare(self, way: Entry, problem: Any, **limits: Any) -> Prepared: ...

    def time(self, key: str) -> Sample: ...


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a race: what to run and where, with the limits of `prepare`."""

    key: str
    label: str
    way: Entry
    place: Place
    weight: float = 1.0
    limits: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def hold(
    rows: Sequence[Row],
    problem: Any,
    *,
    seconds: float,
    fewest: int,
    most: int,
    count_first: bool = False,
) -> dict[str, tuple[Prepared, list[Sample]]]:
    """Prepare and check all rows, then race those that may be timed.

    With `count_first` the run that was checked is a sample too: of ways that compile
    before they run.
    """
    prepared: dict[str, Prepared] = {}
    for row in rows:
        done = row.place.prepare(row.way, problem, **row.limits)
        prepared[row.key] = done
        say(f"  {plain(row.label)}: {_outcome(done)} ({done.first:.1f} s)")
    fit = [
        row for row in rows if prepared[row.key].run and not prepared[row.key].skipped
    ]
    firsts: dict[str, Sample] = {}
    if count_first:
        for row in fit:
            first = prepared[row.key].run
            assert first is not None
            firsts[row.key] = first
    samples = race(
        [Entrant(row.key, _timer(row), row.weight) for row in fit],
        seconds=seconds,
        fewest=fewest,
        most=most,
        firsts=firsts if count_first else None,
    )
    return {row.key: (prepared[row.key], samples.get(row.key, [])) for row in rows}


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


def plain(label: str) -> str:
    """Return a label of a row without its Markdown."""
    return label.replace("*", "").replace("`", "")


def _outcome(done: Prepared) -> str:
    if done.missing:
        return f"not installed: {done.missing}"
    return f"not timed: {done.skipped}" if done.skipped else "checked"


def _timer(row: Row) -> Callable[[], Sample]:
    return lambda: row.place.time(row.way.key)


def race(
    entrants: Sequence[Entrant],
    *,
    seconds: float,
    fewest: int,
    most: int,
    firsts: Mapping[str, Sample] | None = None,
) -> dict[str, list[Sample]]:
    """Run the entrants in rounds and return the samples of each.

    All run in the first round, unless they come with a sample in `firsts`. Each then
    has a share of `seconds` by its weight; one too slow to run `most` times in its
    share sits out rounds, evenly, but runs at least `fewest` times.
    """
    firsts = {} if firsts is None else firsts
    samples = {
        entrant.key: [firsts[entrant.key] if entrant.key in firsts else entrant.run()]
        for entrant in entrants
    }
    whole = sum(entrant.weight for entrant in entrants)
    runs = {}
    for entrant in entrants:
        share = seconds * entrant.weight / whole
        fits = int(share / max(samples[entrant.key][0].wall, 1e-9))
        runs[entrant.key] = max(fewest, min(most, fits))
    for index in range(1, most):
        for entrant in entrants:
            count = runs[entrant.key]
            if index * (count - 1) // (most - 1) > (
                (index - 1) * (count - 1) // (most - 1)
            ):
                samples[entrant.key].append(entrant.run())
    return samples
