"""How good a model is on sequences it was not trained on."""

from functools import partial

import equinox as eqx
import jax

from .._precision import in_chosen_precision
from .._types import Array, PyTree
from ..tasks import AbstractTask, Batch


@in_chosen_precision
def evaluate(
    model: PyTree,
    task: AbstractTask,
    *,
    split: str = "test",
    batch_size: int | None = None,
) -> dict[str, float]:
    """Return what a task scores of a model on its fixed sequences.

    **Arguments:**

    - `model`: from one sequence to its answers; of a task that generates, also called
      with `num_samples`.
    - `task`: an `AbstractTask`.
    - `split`: `"test"` or `"validation"`.
    - `batch_size`: sequences run at once, which bounds the memory; all if `None`.

    **Returns:** `task.scores` as Python numbers, by name.
    """
    return as_numbers(scores(model, task, task.held_out(split), batch_size))


@eqx.filter_jit
def scores(
    model: PyTree, task: AbstractTask, batch: Batch, batch_size: int | None
) -> dict[str, Array]:
    """Return the scores of one batch, run in parts of `batch_size`."""
    count = batch.inputs.shape[0]
    if task.reads == "generate":
        # Held-out stretches may be longer than those trained on.
        model = partial(model, num_samples=batch.targets.shape[1])
    if batch_size is None or batch_size >= count:
        return task.scores(jax.vmap(model)(batch.inputs), batch)
    return task.scores(jax.lax.map(model, batch.inputs, batch_size=batch_size), batch)


def as_numbers(scores: dict[str, Array]) -> dict[str, float]:
    """Return scores as Python numbers."""
    return {name: float(value) for name, value in scores.items()}
