"""Recordings with a number each, such as a heart rate."""

from typing import Self

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, DTypeLike, Float, Key
from ._options import check_dtype, resolve_dtype
from ._task import AbstractTask, Batch, check_split

_NAMES = ("train", "validation", "test")


class MeasuredSequences(AbstractTask):
    """What number belongs to a recording? Asked after its last sample.

    Channels and numbers are scaled to mean 0 and variance 1 over training, so that the
    trivial loss is 1; `rmse` of the scores is in the numbers' own unit.

    **Arguments:**

    - `label`: a short name, for tables and files.
    - `train`, `validation`, `test`: pairs of inputs `(recordings, time, m)` and numbers
      `(recordings,)`.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` for shapes that do not match, values that are not finite,
    and a channel or number that is constant over training.
    """

    label: str = eqx.field(static=True)
    parts: dict[str, Batch]
    deviation: float = eqx.field(static=True)

    def __init__(
        self,
        label: str,
        train: tuple[np.ndarray, np.ndarray],
        validation: tuple[np.ndarray, np.ndarray],
        test: tuple[np.ndarray, np.ndarray],
        *,
        dtype: DTypeLike | None = None,
    ):
        check_dtype(dtype)
        given = dict(zip(_NAMES, (train, validation, test), strict=True))
        for name, (inputs, targets) in given.items():
            _check(name, inputs, targets, train[0].shape[1:])
        inputs, targets = train
        mean, scale = inputs.mean(axis=(0, 1)), inputs.std(axis=(0, 1))
        if not np.all(scale > 0) or not targets.std() > 0:
            raise ValueError("a channel, or the number, is constant over training.")
        self.label, self.deviation = label, float(targets.std())
        middle = targets.mean()
        as_array = lambda values: jnp.asarray(values, resolve_dtype(dtype))  # noqa: E731
        self.parts = {
            name: Batch(
                as_array((values - mean) / scale),
                as_array((numbers[:, None] - middle) / self.deviation),
            )
            for name, (values, numbers) in given.items()
        }

    @classmethod
    def by_groups(
        cls,
        label: str,
        inputs: np.ndarray,
        targets: np.ndarray,
        groups: np.ndarray,
        *,
        seed: int = 0,
        dtype: DTypeLike | None = None,
    ) -> Self:
        """Divide by groups, such as people: 70 % train, 15 % validation, 15 % test.

        **Raises:** `ValueError` for fewer than three groups, or shapes that differ.
        """
        _check("all", inputs, targets, inputs.shape[1:])
        if groups.shape != targets.shape:
            raise ValueError(
                f"groups must have shape {targets.shape}, one for each recording, got "
                f"{groups.shape}."
            )
        names = np.random.default_rng(seed).permutation(np.unique(groups))
        if len(names) < 3:
            raise ValueError(
                f"{len(names)} groups cannot be divided into train, validation and "
                "test; need three."
            )
        count = max(1, round(0.15 * len(names)))
        chosen = (names[2 * count :], names[:count], names[count : 2 * count])
        parts = [np.isin(groups, part) for part in chosen]
        return cls(
            label, *((inputs[part], targets[part]) for part in parts), dtype=dtype
        )

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    @property
    def input_size(self) -> int:
        """Channels of a recording."""
        return self.parts["train"].inputs.shape[2]

    @property
    def output_size(self) -> int:
        """The number."""
        return 1

    @property
    def num_samples(self) -> int:
        """Length of a recording."""
        return self.parts["train"].inputs.shape[1]

    @property
    def reads(self) -> str:
        """`"last"`."""
        return "last"

    @property
    def trivial_loss(self) -> float:
        """Variance of the scaled numbers."""
        return 1.0

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return recordings `(batch, time, m)` and numbers `(batch, 1)`."""
        train = self.parts["train"]
        count = train.targets.shape[0]
        places = jr.randint(key, (batch_size,), 0, count, jnp.int32)
        return Batch(train.inputs[places], train.targets[places])

    def held_out(self, split: str = "validation") -> Batch:
        """Return all recordings of `"validation"` or `"test"`."""
        return self.parts["test" if check_split(split) else "validation"]

    def scores(
        self, outputs: Float[Array, "batch 1"], batch: Batch
    ) -> dict[str, Array]:
        """Return `loss`, and `rmse` in the unit of the numbers."""
        loss = self.loss(outputs, batch)
        return {"loss": loss, "rmse": self.deviation * jnp.sqrt(loss)}


def _check(
    name: str, inputs: np.ndarray, targets: np.ndarray, shape: tuple[int, ...]
) -> None:
    if inputs.ndim != 3 or 0 in inputs.shape or inputs.shape[1:] != shape:
        raise ValueError(
            f"{name} inputs must have shape (recordings, time, m), the last two the "
            f"same in all parts, got {inputs.shape}."
        )
    if targets.shape != inputs.shape[:1]:
        raise ValueError(
            f"{name} targets must have shape ({len(inputs)},), one for each "
            f"recording, got {targets.shape}."
        )
    for what, values in (("inputs", inputs), ("targets", targets)):
        if not np.issubdtype(values.dtype, np.number) or not np.all(
            np.isfinite(values)
        ):
            raise ValueError(f"{name} {what} must be finite numbers.")
