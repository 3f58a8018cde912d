"""What can go wrong in training, in words that say what to do."""

import errno
from pathlib import Path

from .._types import PyTree
from ._history import History


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message says why and what to do."""


class CheckpointWriteError(OSError):
    """A checkpoint cannot be written; earlier ones are intact."""


class NonfiniteError(FloatingPointError):
    """The loss, or an update of the model, is NaN or infinite.

    - `step`: number of the step, from 0.
    - `model`: the model before that step, all finite.
    - `history`: up to that step, whose loss is the last of `history.losses`.
    - `checkpoint`: the last one, or `None` if none was saved.
    """

    def __init__(
        self,
        message: str,
        step: int,
        model: PyTree,
        history: History,
        checkpoint: Path | None = None,
    ):
        super().__init__(message)
        self.step = step
        self.model = model
        self.history = history
        self.checkpoint = checkpoint


def as_write_error(error: OSError, path: Path) -> CheckpointWriteError:
    """Say in one line what could not be written and what to do."""
    advice = "Check that the folder exists and may be written to, or choose another."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "Free some space, then train again to go on from the last checkpoint."
    reason = error.strerror or str(error)
    said = f"Cannot write {path}: {reason}. Earlier checkpoints are intact. {advice}"
    wrapped = CheckpointWriteError(said)
    wrapped.errno = error.errno
    return wrapped
