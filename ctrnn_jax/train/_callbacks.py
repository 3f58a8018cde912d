"""What is told to those who watch a training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from .._types import PyTree


@dataclass(frozen=True)
class Progress:
    """What a callback is called with, on the host, after each dispatch.

    - `step`: steps done, those of earlier sessions included.
    - `num_steps`: steps to be done in all.
    - `losses`: losses of the dispatch's steps, shape `(k,)`; the last one belongs to
      step `step - 1`.
    - `scores`: the task's scores, by name, if this dispatch ended in a validation;
      else `None`.
    - `seconds`: time spent training so far, that of earlier sessions included.
    - `model`: a function that returns a copy of the model as it is now.
    """

    step: int
    num_steps: int
    losses: np.ndarray
    scores: Mapping[str, float] | None
    seconds: float
    model: Callable[[], PyTree]


Callback: TypeAlias = Callable[[Progress], object]
