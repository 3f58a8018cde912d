"""How a sweep gets on: counted chunk by chunk, told to whoever asked."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ._experiment import STATUS


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    - `done`, `total`: runs; those of earlier sessions count as done.
    - `failures`: number of runs that did not succeed, by kind.
    - `rate`: runs a second in this session, over the last minute or so.
    - `seconds`: since this session began.
    - `seconds_left`: at this rate; `None` before there is one.
    - `notes`: what has happened since the last report, such as less memory than hoped.
    """

    done: int
    total: int
    failures: Mapping[str, int]
    rate: float
    seconds: float
    seconds_left: float | None
    notes: tuple[str, ...] = ()


@dataclass
class Meter:
    """Counts runs as they are finished.

    - `total`, `done`: runs of the whole sweep, and those of earlier sessions.
    - `tell`: called with a `Progress` after each chunk.
    """

    total: int
    done: int
    tell: Callable[[Progress], object] | None
    failures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._start = time.monotonic()
        # (time, runs done) of the last chunks, for the rate.
        self._recent = [(self._start, self.done)]

    def report(
        self,
        count: int = 0,
        failures: Mapping[str, int] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Count the runs of a chunk and its failures, and tell how far it is."""
        now = time.monotonic()
        if count:
            self.done += count
            self.failures.update(failures or {})
            self._recent.append((now, self.done))
            while len(self._recent) > 8 and now - self._recent[1][0] > 60:
                self._recent.pop(0)
        if self.tell is None:
            return
        since, before = self._recent[0]
        rate = (self.done - before) / max(now - since, 1e-9)
        left = (self.total - self.done) / rate if rate > 0 else None
        self.tell(
            Progress(
                done=self.done,
                total=self.total,
                failures=dict(self.failures),
                rate=rate,
                seconds=now - self._start,
                seconds_left=left,
                notes=notes,
            )
        )


def count_failures(status: np.ndarray) -> dict[str, int]:
    """Return how many runs have each status but `done`."""
    codes, counts = np.unique(status, return_counts=True)
    return {
        STATUS[code] if code < len(STATUS) else f"status {code}": count
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
        if code
    }
