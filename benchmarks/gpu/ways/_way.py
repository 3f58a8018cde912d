"""What a way of solving an ensemble on a device hands in."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ...problem import checked_lanes
from ..problem import Ensemble


@dataclasses.dataclass(frozen=True)
class Solver:
    """One way, ready for one problem.

    - `run`: from a number of steps to the final states, on the device, done.
    - `states`: from those and lanes to `(lanes, n)` on the host.
    - `details`: what else a row should say.
    """

    run: Callable[[int], Any]
    states: Callable[[Any, np.ndarray], np.ndarray]
    details: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class DeviceWay:
    """One row of a table.

    - `setting`: "ours"; "floor", the kernels by hand; "default", as a peer's own
      documentation shows; "tuned", its fastest fair setting found.
    - `other_method`: whether it is another method of order four than the reference.
    - `one_count`: whether one number of lanes is enough to see.
    """

    key: str
    label: str
    setting: Literal["ours", "floor", "default", "tuned"]
    prepare: Callable[[Ensemble], Solver]
    scheme: str = "rk4"
    most_size: int = 128
    bits: tuple[int, ...] = (32, 64)
    other_method: bool = False
    one_count: bool = False

    def takes(self, problem: Ensemble) -> bool:
        """Whether this way can do `problem`."""
        return (
            problem.scheme == self.scheme
            and problem.size <= self.most_size
            and problem.bits in self.bits
        )


def lanes_first(result: Any, lanes: np.ndarray) -> np.ndarray:
    """Return the checked lanes of an array `(lanes, n)` of any library."""
    return np.asarray(result[lanes]).astype(np.float64)


def lanes_last(result: Any, lanes: np.ndarray) -> np.ndarray:
    """Return the checked lanes of an array `(n, lanes)`."""
    return np.asarray(result[:, lanes]).astype(np.float64).T


def checked(solver: Solver, result: Any, problem: Ensemble) -> np.ndarray:
    """Return the states that are compared with the reference."""
    return solver.states(result, checked_lanes(problem.lanes))
