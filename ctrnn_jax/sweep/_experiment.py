"""What a sweep runs: the contract between experiments and the sweep."""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from .._types import Array, Key

BatchedRun = Callable[[Mapping[str, Array], Key], Mapping[str, Array]]
"""A batch of runs: settings `(batch,)` by name and keys `(batch,)` in, arrays that lead
with the batch out."""

STATUS = ("done", "not finite", "failed", "out of memory", "not run")
"""What became of a run, by the code in its `status`."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One thing that an experiment lets a sweep set.

    - `name`: its name, dotted if it is a field of something (`"activation.scale"`).
    - `default`: its value where a specification names none; its type is the type of all
      its values (`bool`, `int`, `float` or `str`).
    - `help`: one line, with its unit.
    - `static`: whether another value needs another compilation, as a size does. Texts
      always are.
    - `low`, `high`: bounds that values must keep, included unless `open` names them.
    - `choices`: the values of a text.
    """

    name: str
    default: float | int | bool | str
    help: str
    static: bool = False
    low: float | int | None = None
    high: float | int | None = None
    open: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Output:
    """One thing that an experiment measures.

    - `name`; `help`: one line, with its unit.
    - `dims`: names of its dimensions beyond the runs.
    - `coords`: the coordinates of those of them that have any; or a function of the
      static parameters that returns them.
    """

    name: str
    help: str
    dims: tuple[str, ...] = ()
    coords: Mapping[str, Any] | Callable | None = None


class AbstractExperiment(abc.ABC):
    """Something that can be run for many settings at once."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]

    @abc.abstractmethod
    def build(self, fixed: Mapping[str, Any]) -> BatchedRun:
        """Return what runs a batch, for one choice of the static parameters.

        It is traced by JAX, once for each size of a batch. `fixed` holds every static
        parameter; every other is in the settings. Those of them that have one value in
        the whole sweep may be in `fixed` as well: a program that knows that there is
        no leak need not compute with one. No lane may change another's numbers.
        """

    def cost(self, settings: Mapping[str, Any]) -> Any:
        """Return what a run costs relative to others, from numpy settings `(runs,)`.

        Runs of like cost share a chunk; by default all cost the same.
        """
        del settings
        return None
