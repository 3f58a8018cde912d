"""What a peer hands in: ways to do the work, each prepared, then run."""

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np

from ..problem import Problem
from ..suites import Candidate, Verdict
from ..verify import Method, check_answer


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

    def share(self, problem: Problem) -> Problem:
        """Return the part of `problem` that this way does."""
        return problem if self.lanes is None else problem.part(self.lanes)

    def check(self, problem: Problem, states: Callable[[], np.ndarray]) -> Verdict:
        """Compare final states `(lanes, n)` with the reference."""
        return Verdict(*check_answer(problem, self.method, states))

    def takes(self, problem: Problem) -> bool:
        """Whether this way can do `problem`."""
        return (
            self.own_weights == problem.own_weights
            and problem.bits in self.bits
            and (self.sizes is None or problem.size in self.sizes)
        )
