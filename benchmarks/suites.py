"""What all benchmarks share: how a way hands in its work, and how it is judged."""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class NotInstalled(Exception):
    """The machine lacks what a way needs."""


class WrongAnswer(AssertionError):
    """A candidate's answer is further from the reference than it may be."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way, ready to run on one problem.

    - `run`: does all the work and returns when it is done.
    - `answer`: from what `run` returned to what is compared, untimed.
    - `details`: what is known before it runs: seconds of "compile", bytes of
      "temporary" memory.
    """

    run: Callable[[], Any]
    answer: Callable[[Any], Any]
    details: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How far an answer is off, how far it may be, and other distances by name."""

    error: float
    allowed: float
    details: dict[str, float] = dataclasses.field(default_factory=dict)


class Entry(Protocol):
    """A row of a table, as a race sees it."""

    @property
    def key(self) -> str: ...

    @property
    def label(self) -> str: ...

    def share(self, problem: Any, /) -> Any:
        """Return the part of the problem that this way does."""
        ...

    def prepare(self, problem: Any, /) -> Candidate:
        """Import what is needed, move the data, compile."""
        ...

    def check(self, problem: Any, answer: Callable[[], Any], /) -> Verdict:
        """Compare an answer with the reference, or raise `WrongAnswer`."""
        ...


@dataclasses.dataclass(frozen=True)
class Suite:
    """One benchmark: the type of its problems, and its ways by key."""

    problem: Callable[..., Any]
    ways: Mapping[str, Entry]


#: Where each benchmark's suite is: a module with `SUITE`.
_MODULES = {"ensembles": ".peers", "gradients": ".gradients.ways"}


def load(name: str) -> Suite:
    """Return a benchmark's suite."""
    return importlib.import_module(_MODULES[name], __package__).SUITE
