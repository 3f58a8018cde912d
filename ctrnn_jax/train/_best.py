"""The best model so far, and whether to wait for a better one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._types import PyTree


@dataclass
class Best:
    """What was best at validation.

    - `monitor`: the score that decides; lower is better unless `maximise`.
    - `params`: a copy of what was trained, or of the start before any validation.
    - `step`: steps done by then; `None` before any.
    - `waited`: validations since.
    """

    monitor: str
    maximise: bool
    params: PyTree
    score: float | None = None
    step: int | None = None
    waited: int = 0

    def see(self, scores: Mapping[str, float], params: PyTree, step: int) -> None:
        """Compare one validation with the best so far; NaN is never better.

        **Raises:** `ValueError` if the task has no score of the monitored name.
        """
        if self.monitor not in scores:
            raise ValueError(
                f"monitor={self.monitor!r} is none of the task's scores: "
                f"{', '.join(scores)}."
            )
        score = scores[self.monitor]
        worst = -np.inf if self.maximise else np.inf
        before = worst if self.score is None else self.score
        better = score > before if self.maximise else score < before
        if not better:
            self.waited += 1
            return
        self.params = copy(params)
        self.score, self.step, self.waited = score, step, 0

    def as_header(self) -> dict[str, Any]:
        """Return all but the arrays, as JSON can hold them."""
        return {"score": self.score, "step": self.step, "waited": self.waited}


def copy(tree: PyTree) -> PyTree:
    """Return arrays of their own, which survive when those of `tree` are given away."""
    return jax.tree.map(
        lambda leaf: jnp.copy(leaf) if isinstance(leaf, jax.Array) else leaf, tree
    )
