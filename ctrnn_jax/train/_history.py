"""What a training leaves behind, as numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Why a training ended.
STOPS = ("finished", "patience", "stop_when", "nonfinite")


@dataclass(frozen=True)
class History:
    """How a training went.

    - `losses`: loss of each step's batch, before its update, shape `(steps,)`.
    - `seconds`: time spent training when each step's dispatch was done, that of
      earlier sessions included, shape `(steps,)`; compilation counts too.
    - `validation_steps`: steps done at each validation, shape `(v,)`.
    - `validation_scores`: what the task scores there, by name, each `(v,)`.
    - `best_step`: steps done when the returned model was reached, where it is the
      best at validation; else `None`.
    - `stop`: why it ended: `"finished"` all its steps, `"patience"` was lost,
      `"stop_when"` said so, or `"nonfinite"`.
    """

    losses: np.ndarray
    seconds: np.ndarray
    validation_steps: np.ndarray
    validation_scores: dict[str, np.ndarray]
    best_step: int | None = None
    stop: str = "finished"

    @property
    def steps(self) -> np.ndarray:
        """Number of each step, from 0, shape `(steps,)`."""
        return np.arange(len(self.losses))


@dataclass
class Record:
    """A history in the making."""

    losses: list[np.ndarray] = field(default_factory=list)
    seconds: list[np.ndarray] = field(default_factory=list)
    validation_steps: list[int] = field(default_factory=list)
    validation_scores: list[dict[str, float]] = field(default_factory=list)

    def add_losses(self, losses: np.ndarray, seconds: float) -> None:
        """Note the losses of one dispatch."""
        self.losses.append(losses)
        self.seconds.append(np.full(len(losses), seconds))

    def add_scores(self, step: int, scores: Mapping[str, float]) -> None:
        """Note one validation."""
        self.validation_steps.append(step)
        self.validation_scores.append(dict(scores))

    def history(self, *, best_step: int | None = None, stop: str) -> History:
        """Return what was noted."""
        scores = {
            name: np.array([s.get(name, np.nan) for s in self.validation_scores])
            for name in self.score_names
        }
        steps = np.array(self.validation_steps, int)
        return History(
            _join(self.losses), _join(self.seconds), steps, scores, best_step, stop
        )

    def as_arrays(self) -> dict[str, Any]:
        """Return what was noted as a pytree of arrays, for a checkpoint."""
        history = self.history(stop="finished")
        return {
            "losses": history.losses,
            "seconds": history.seconds,
            "validation_steps": history.validation_steps,
            "validation_scores": history.validation_scores,
        }

    @property
    def score_names(self) -> list[str]:
        """Names of all scores so far."""
        return list(dict.fromkeys(n for s in self.validation_scores for n in s))

    @staticmethod
    def blank(
        steps: int, dtype: Any, validations: int, names: Iterable[str]
    ) -> dict[str, Any]:
        """Return arrays of the shapes that `as_arrays` gave."""
        return {
            "losses": np.zeros(steps, dtype),
            "seconds": np.zeros(steps),
            "validation_steps": np.zeros(validations, int),
            "validation_scores": {name: np.zeros(validations) for name in names},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> "Record":
        """Return a record that goes on from a checkpoint's."""
        steps = [int(step) for step in arrays["validation_steps"]]
        scores = arrays["validation_scores"]
        rows = [
            {name: float(values[row]) for name, values in scores.items()}
            for row in range(len(steps))
        ]
        return cls([arrays["losses"]], [arrays["seconds"]], steps, rows)


def _join(parts: Iterable[np.ndarray]) -> np.ndarray:
    parts = list(parts)
    return np.concatenate(parts) if parts else np.zeros(0)
