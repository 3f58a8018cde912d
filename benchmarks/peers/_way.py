"""What a peer hands in: ways to do the work, each prepared, then run."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ..problem import Problem
from ..verify import Method


class NotInstalled(Exception):
    """The machine lacks what this way needs."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way, ready to run on one problem.

    - `run`: does all the work and returns when it is done.
    - `states`: from what `run` returned to the final states `(lanes, n)`, untimed.
    """

    run: Callable[[], Any]
    states: Callable[[Any], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Way:
    """One row of a table.

    - `setting`: "default" is what the peer's own documentation shows; "tuned" is the
      fastest fair setting found; "floor" is the C kernel.
    - `prepare`: imports the peer, moves the data, compiles. W stays an argument at
      run time.
    - `bits`: precisions in which the peer computes.
    - `lanes`: run this many lanes only (`None`: all), for ways that go lane by lane,
      whose cost is proportional to the lanes.
    """

    key: str
    label: str
    setting: Literal["ours", "floor", "default", "tuned"]
    prepare: Callable[[Problem], Candidate]
    method: Method = "rk4"
    bits: tuple[int, ...] = (32, 64)
    sizes: tuple[int, ...] | None = None
    lanes: int | None = None
    own_weights: bool = False

    def takes(self, problem: Problem) -> bool:
        """Whether this way can do `problem`."""
        return (
            self.own_weights == problem.own_weights
            and problem.bits in self.bits
            and (self.sizes is None or problem.size in self.sizes)
        )
