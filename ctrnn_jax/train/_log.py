"""The log of a training: one JSON object a line."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .._storage import write_atomically
from ._errors import as_write_error


class Log:
    """Appends lines to a file; `None` for a path writes nothing.

    A dispatch is `{"step": steps done, "losses": [one a step], "seconds": ...}`, a
    validation `{"step": ..., "scores": {...}, "seconds": ...}`. What is not finite is
    `null`.
    """

    def __init__(self, path: Path | None):
        self.path = path

    def losses(self, step: int, losses: np.ndarray, seconds: float) -> None:
        """Append the losses of one dispatch."""
        values = [_shortest(value) for value in losses]
        self._append({"step": step, "losses": values, "seconds": round(seconds, 3)})

    def scores(self, step: int, scores: Mapping[str, float], seconds: float) -> None:
        """Append one validation."""
        values = {name: _shortest(value) for name, value in scores.items()}
        self._append({"step": step, "scores": values, "seconds": round(seconds, 3)})

    def go_on(self, losses: np.ndarray, seconds: float) -> None:
        """Make the log agree with a checkpoint that holds these losses.

        Drops what was written later, and a line that was cut short; adds losses that
        a power cut took from the file.
        """
        if self.path is None:
            return
        step, logged, kept = len(losses), 0, []
        for line in self._lines():
            try:
                read = json.loads(line)
                if not line.endswith(b"\n") or read["step"] > step:
                    break
                logged += len(read.get("losses", ()))
            except (ValueError, KeyError, TypeError, AttributeError):
                break
            kept.append(line)
        try:
            write_atomically(self.path, lambda file: file.writelines(kept))
        except OSError as error:
            raise as_write_error(error, self.path) from error
        if logged < step:
            self.losses(step, losses[logged:], seconds)

    def _lines(self) -> list[bytes]:
        if self.path is None or not self.path.exists():
            return []
        return self.path.read_bytes().splitlines(keepends=True)

    def _append(self, line: Mapping[str, object]) -> None:
        if self.path is None:
            return
        try:
            with self.path.open("ab") as file:
                file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
        except OSError as error:
            raise as_write_error(error, self.path) from error


def _shortest(value: np.floating | float) -> float | None:
    """Return the shortest number that stands for `value` in its own precision."""
    if not np.isfinite(value):
        return None
    return float(str(value)) if isinstance(value, np.floating) else float(value)
