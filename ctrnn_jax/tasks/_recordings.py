"""Recordings with classes: how they are divided, checked and drawn from."""

import math

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, DTypeLike, Float, Int, Key
from ._options import check_count, check_dtype, resolve_dtype
from ._task import AbstractTask, Batch, accuracy, check_split, split_key


class Labelled(eqx.Module):
    """Recordings of equal length, each of one class.

    - `inputs`: shape `(recordings, time, m)`.
    - `labels`: class numbers from 0, shape `(recordings,)`.
    """

    inputs: Float[Array, "recordings time m"]
    labels: Int[Array, " recordings"]


class Recordings(eqx.Module):
    """Recordings divided into training, validation and test.

    **Arguments:**

    - `train`, `validation`, `test`: pairs of inputs `(recordings, time, m)` and class
      numbers `(recordings,)`.
    - `num_classes`: number of classes o; labels are 0, …, o - 1.
    - `padded_to`: length to which each recording is lengthened by Gaussian noise of
      variance 1 after its end; `None` for no noise.
    - `seed`: what the noise of the fixed batches is drawn from.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` for shapes that do not match, values that are not finite,
    labels that are no class, and a class that training never shows.
    """

    train: Labelled
    validation: Labelled
    test: Labelled
    num_classes: int = eqx.field(static=True)
    padded_to: int | None = eqx.field(static=True)
    seed: int = eqx.field(static=True)

    def __init__(
        self,
        train: tuple[np.ndarray, np.ndarray],
        validation: tuple[np.ndarray, np.ndarray],
        test: tuple[np.ndarray, np.ndarray],
        *,
        num_classes: int,
        padded_to: int | None = None,
        seed: int = 0,
        dtype: DTypeLike | None = None,
    ):
        check_count("num_classes", num_classes, 2)
        check_count("seed", seed, 0)
        check_dtype(dtype)
        parts = {"train": train, "validation": validation, "test": test}
        for name, (inputs, labels) in parts.items():
            check_labelled(name, inputs, labels, num_classes)
            if inputs.shape[1:] != train[0].shape[1:]:
                raise ValueError(
                    f"{name} inputs have shape (recordings, {inputs.shape[1]}, "
                    f"{inputs.shape[2]}), but train (recordings, "
                    f"{train[0].shape[1]}, {train[0].shape[2]}); make them equal."
                )
        missing = sorted({*range(num_classes)} - {*np.unique(train[1]).tolist()})
        if missing:
            raise ValueError(f"train shows no recording of class {missing[0]}.")
        if padded_to is not None:
            check_count("padded_to", padded_to, train[0].shape[1])
        self.train, self.validation, self.test = (
            Labelled(
                jnp.asarray(inputs, resolve_dtype(dtype)),
                jnp.asarray(labels, jnp.int32),
            )
            for inputs, labels in parts.values()
        )
        self.num_classes, self.padded_to, self.seed = num_classes, padded_to, seed

    def draw(self, batch_size: int, key: Key) -> Batch:
        """Return training recordings drawn with replacement, with fresh noise."""
        place_key, noise_key = jr.split(key)
        count = self.train.labels.shape[0]
        places = jr.randint(place_key, (batch_size,), 0, count, jnp.int32)
        inputs = self.train.inputs[places]
        return Batch(self._padded(inputs, noise_key), self.train.labels[places])

    def fixed(self, split: str) -> Batch:
        """Return all recordings of a split, with noise that stays the same."""
        part = self.test if check_split(split) else self.validation
        key = split_key(jr.key(self.seed), split)
        return Batch(self._padded(part.inputs, key), part.labels)

    def _padded(
        self, inputs: Float[Array, "batch time m"], key: Key
    ) -> Float[Array, "batch longer m"]:
        if self.padded_to is None:
            return inputs
        batch, time, channels = inputs.shape
        shape = (batch, self.padded_to - time, channels)
        noise = jr.normal(key, shape, inputs.dtype)
        return jnp.concatenate([inputs, noise], axis=1)


class AbstractClassification(AbstractTask):
    """To which class does a recording belong? Asked after its last sample.

    A new one has `data` and a `name`. Naming the shares of the classes in training
    whatever the recording leaves their entropy, the trivial loss.
    """

    data: eqx.AbstractVar[Recordings]

    @property
    def input_size(self) -> int:
        """Channels of a recording."""
        return self.data.train.inputs.shape[2]

    @property
    def output_size(self) -> int:
        """Classes."""
        return self.data.num_classes

    @property
    def num_samples(self) -> int:
        """Length of a recording, noise included."""
        return self.data.padded_to or self.data.train.inputs.shape[1]

    @property
    def reads(self) -> str:
        """`"last"`."""
        return "last"

    @property
    def class_shares(self) -> np.ndarray:
        """Share of each class in training, shape `(o,)`."""
        labels = np.asarray(self.data.train.labels)
        return np.bincount(labels, minlength=self.output_size) / len(labels)

    @property
    def trivial_loss(self) -> float:
        """Entropy of the classes in training."""
        return -math.fsum(share * math.log(share) for share in self.class_shares)

    @property
    def trivial_accuracy(self) -> float:
        """Share of the commonest class in training."""
        return float(self.class_shares.max())

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return recordings `(batch, time, m)` and classes `(batch,)`."""
        return self.data.draw(batch_size, key)

    def held_out(self, split: str = "validation") -> Batch:
        """Return all recordings of `"validation"` or `"test"`."""
        return self.data.fixed(split)

    def scores(
        self, outputs: Float[Array, "batch o"], batch: Batch
    ) -> dict[str, Array]:
        """Return `loss` and `accuracy`."""
        return {
            "loss": self.loss(outputs, batch),
            "accuracy": accuracy(outputs, batch.targets, batch.mask),
        }


class LabelledSequences(AbstractClassification):
    """Recordings of your own, such as from the `load_*` functions.

    **Arguments:**

    - `label`: a short name, for tables and files.
    - `data`: `Recordings`.
    """

    label: str = eqx.field(static=True)
    data: Recordings

    @property
    def name(self) -> str:
        """The label."""
        return self.label


def check_labelled(
    name: str, inputs: np.ndarray, labels: np.ndarray, num_classes: int
) -> None:
    """Refuse recordings or labels that do not hold what they should."""
    if inputs.ndim != 3 or 0 in inputs.shape:
        raise ValueError(
            f"{name} inputs must have shape (recordings, time, m), none of them 0, "
            f"got {inputs.shape}."
        )
    if labels.shape != inputs.shape[:1]:
        raise ValueError(
            f"{name} labels must have shape ({inputs.shape[0]},), one for each "
            f"recording, got {labels.shape}."
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{name} labels must be whole numbers, got {labels.dtype}.")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"{name} labels must lie in 0, ..., {num_classes - 1}, got "
            f"{labels.min()} to {labels.max()}."
        )
    bad = ~np.isfinite(inputs).all(axis=(1, 2))
    if bad.any():
        raise ValueError(
            f"{name} inputs: recording {int(np.argmax(bad))} holds a value that is "
            f"not finite ({int(bad.sum())} such recordings); repair or drop them."
        )


def stratified(
    labels: np.ndarray, shares: tuple[float, ...], seed: int
) -> list[np.ndarray]:
    """Divide recordings so that each part has all classes in proportion.

    **Arguments:**

    - `labels`: class numbers, shape `(recordings,)`.
    - `shares`: share of each part but the first, which has what is left.
    - `seed`: what the order is drawn from.

    **Returns:** for each part the increasing places of its recordings.

    **Raises:** `ValueError` if a class is too small to be in every part.
    """
    rng = np.random.default_rng(seed)
    parts: list[list[np.ndarray]] = [[] for _ in range(len(shares) + 1)]
    for value in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == value))
        counts = [max(1, round(share * len(places))) for share in shares]
        if sum(counts) >= len(places):
            raise ValueError(
                f"class {value} has {len(places)} recordings, too few for "
                f"{len(parts)} parts."
            )
        starts = np.cumsum([0, *counts])
        for part, start, stop in zip(parts[1:], starts, starts[1:], strict=False):
            part.append(places[start:stop])
        parts[0].append(places[starts[-1] :])
    return [np.sort(np.concatenate(part)) for part in parts]
