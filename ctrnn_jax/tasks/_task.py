"""What a task is: batches from a key, and what an answer is worth."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from .._types import Array, Float, Int, Key

#: Where a network answers: at each sample, after the last, or from a code alone.
READS = ("every", "last", "generate")


class Batch(eqx.Module):
    """Sequences, what is to be answered, and where an answer counts.

    - `inputs`: shape `(batch, time, m)`; codes `(batch, m)` of a task that generates.
    - `targets`: class numbers `(batch, *where)`, or values `(batch, *where, o)`, with
      `where` being `time` if the task reads at every sample and nothing if at the last.
    - `mask`: shape `(batch, *where)`; how much each answer counts in the loss. `None`
      counts all alike.
    """

    inputs: Float[Array, "batch *shape"]
    targets: Float[Array, "batch *where o"] | Int[Array, "batch *where"]
    mask: Float[Array, "batch *where"] | None = None


class AbstractTask(eqx.Module):
    """A task: training batches without end, fixed ones to judge by.

    A new one says `input_size`, `output_size`, `reads`, `trivial_loss`, `sample` and
    `held_out`; integer targets then mean classes and cross-entropy, floating ones
    squared error. `scores` may be extended.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """A short name, for tables and files."""

    @property
    @abstractmethod
    def input_size(self) -> int:
        """Number m of input channels."""

    @property
    @abstractmethod
    def output_size(self) -> int:
        """Number o of outputs: classes, or values."""

    @property
    @abstractmethod
    def num_samples(self) -> int:
        """Length of a sequence."""

    @property
    @abstractmethod
    def reads(self) -> str:
        """Where a network answers: one of `READS`."""

    @property
    @abstractmethod
    def trivial_loss(self) -> float:
        """Expected loss of the best answer that ignores the inputs."""

    @abstractmethod
    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return a training batch; the same for the same key; may be traced."""

    @abstractmethod
    def held_out(self, split: str = "validation") -> Batch:
        """Return the fixed batch of `"validation"` or `"test"`.

        The two share no sequence with each other or with training.
        """

    def loss(self, outputs: Float[Array, "batch *where o"], batch: Batch) -> Array:
        """Return the mean over answers that count, shape `()`."""
        return masked_mean(answer_loss(outputs, batch.targets), batch.mask)

    def scores(
        self, outputs: Float[Array, "batch *where o"], batch: Batch
    ) -> dict[str, Array]:
        """Return what is reported of held-out answers, by name, each of shape `()`."""
        return {"loss": self.loss(outputs, batch)}


def answer_loss(
    outputs: Float[Array, "batch *where o"],
    targets: Float[Array, "batch *where o"] | Int[Array, "batch *where"],
) -> Float[Array, "batch *where"]:
    """Return cross-entropy for class numbers, mean squared error for values."""
    if jnp.issubdtype(targets.dtype, jnp.integer):
        return optax.softmax_cross_entropy_with_integer_labels(outputs, targets)
    return jnp.mean((outputs - targets) ** 2, axis=-1)


def masked_mean(
    values: Float[Array, "batch *where"], mask: Float[Array, "batch *where"] | None
) -> Float[Array, ""]:
    """Return the mean of what the mask counts."""
    if mask is None:
        return jnp.mean(values)
    return jnp.sum(values * mask) / jnp.sum(mask)


def accuracy(
    outputs: Float[Array, "batch *where o"],
    targets: Int[Array, "batch *where"],
    mask: Float[Array, "batch *where"] | None = None,
) -> Float[Array, ""]:
    """Return the share of answers whose largest output is the right class."""
    right = jnp.argmax(outputs, axis=-1).astype(targets.dtype) == targets
    return masked_mean(right.astype(outputs.dtype), mask)


def check_split(split: str) -> bool:
    """Return whether `split` is the test, not the validation.

    **Raises:** `ValueError` for another name.
    """
    if split not in ("validation", "test"):
        raise ValueError(f"split must be 'validation' or 'test', got {split!r}.")
    return split == "test"


def split_key(key: Key, split: str) -> Key:
    """Return the key that a generated task makes its fixed batch of."""
    # Folded twice, so that no step number that training folds into a key gives it.
    return jax.random.fold_in(jax.random.fold_in(key, 0x7E57), check_split(split))
