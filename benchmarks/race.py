"""Time candidates in turn, so that a disturbance of the machine meets them all."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence

from .workbench import Sample


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


def race(
    entrants: Sequence[Entrant], *, seconds: float, fewest: int, most: int
) -> dict[str, list[Sample]]:
    """Run the entrants in rounds and return the samples of each.

    All run in the first round. Each then has a share of `seconds` by its weight; one
    too slow to run `most` times in its share sits out rounds, evenly, but runs at
    least `fewest` times.
    """
    samples = {entrant.key: [entrant.run()] for entrant in entrants}
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
