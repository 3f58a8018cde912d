"""Signal School as a task: codes in, signals out."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, Bool, DTypeLike, Float, Key
from ._options import check_choice, check_dtype, resolve_dtype
from ._task import AbstractTask, Batch, check_split
from .signal_school import DESCRIPTORS, NUM_SAMPLES, Descriptor, SignalSchool

_PROPERTIES = (("sines", "square"), ("high", "low"), ("high", "low"))


class SignalSchoolTask(AbstractTask):
    r"""Generate eight signals, each of its code alone, and go on with them.

    Training sees 1 000 samples of a signal; validation is the next 1 000, test the
    8 000 after those, up to ten horizons. The loss is MSE/power, each signal counting
    alike; silence scores 1.

    **Arguments:**

    - `hold_out`: keep the low-frequency low-amplitude square from training and
      validation; test then asks for it too.
    - `code`: `"signal"`, one channel a signal, or `"properties"`, one-hot pairs for
      shape, frequency and amplitude, shape `(6,)`. A signal that is held out can be
      told by its properties alone; a *linear* map of them cannot set off eight
      independent signals.
    - `dtype`: floating dtype; JAX's default if `None`.
    """

    hold_out: bool = eqx.field(static=True, default=False)
    code: str = eqx.field(static=True, default="signal", kw_only=True)
    dtype: DTypeLike | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self) -> None:
        """Refuse a code that says nothing of what is held out."""
        check_choice("code", self.code, ("signal", "properties"))
        check_dtype(self.dtype)
        if self.hold_out and self.code == "signal":
            raise ValueError(
                "with hold_out the channel of the eighth signal is never trained; set "
                "code='properties'."
            )

    @property
    def name(self) -> str:
        """`"signal school"`, with what is held out."""
        return "signal school 7 of 8" if self.hold_out else "signal school"

    @property
    def input_size(self) -> int:
        """Length of a code."""
        return self._codes(DESCRIPTORS).shape[1]

    @property
    def output_size(self) -> int:
        """The signal."""
        return 1

    @property
    def num_samples(self) -> int:
        """Samples of the training horizon."""
        return NUM_SAMPLES

    @property
    def reads(self) -> str:
        """`"generate"`."""
        return "generate"

    @property
    def trivial_loss(self) -> float:
        """MSE/power of silence."""
        return 1.0

    @property
    def trained(self) -> tuple[Descriptor, ...]:
        """The signals of training."""
        return DESCRIPTORS[:-1] if self.hold_out else DESCRIPTORS

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return codes `(batch, d)` and signals `(batch, 1000, 1)`.

        All signals as often, in random order.
        """
        batch = self._batch(self.trained, NUM_SAMPLES)
        count = len(self.trained)
        turns = jnp.arange(batch_size, dtype=jnp.int32) % count
        places = jr.permutation(key, count)[turns]
        return Batch(batch.inputs[places], batch.targets[places])

    def held_out(self, split: str = "validation") -> Batch:
        """Return signals from their start, and a mask of what lies past training."""
        test = check_split(split)
        start, stop = (2, 10) if test else (1, 2)
        batch = self._batch(DESCRIPTORS if test else self.trained, stop * NUM_SAMPLES)
        mask = jnp.arange(stop * NUM_SAMPLES) >= start * NUM_SAMPLES
        weights = jnp.broadcast_to(mask, batch.targets.shape[:2])
        return Batch(batch.inputs, batch.targets, weights.astype(batch.inputs.dtype))

    def loss(self, outputs: Float[Array, "batch time 1"], batch: Batch) -> Array:
        """Return the mean over signals of MSE/power where it counts."""
        return jnp.mean(_relative(outputs, batch))

    def scores(
        self, outputs: Float[Array, "batch time 1"], batch: Batch
    ) -> dict[str, Array]:
        """Return MSE/power: the mean as `loss`, and of the worst signal by kind.

        `memorized`: of those trained on, in the horizon; `generated`: of the one held
        out, in the horizon; `continued_sines`, `continued_squares`: of those trained
        on, where the mask counts.
        """
        inside = Batch(batch.inputs, batch.targets[:, :NUM_SAMPLES])
        memorized = _relative(outputs[:, :NUM_SAMPLES], inside)
        continued = _relative(outputs, batch)
        trained = self._among(batch, self.trained)
        sines = self._among(batch, tuple(d for d in self.trained if d.shape == "sines"))
        found = {
            "loss": jnp.mean(continued),
            "memorized": _worst(memorized, trained),
            "continued_sines": _worst(continued, sines),
            "continued_squares": _worst(continued, trained & ~sines),
        }
        if self.hold_out:
            found["generated"] = _worst(memorized, ~trained)
        return found

    def _codes(self, descriptors: tuple[Descriptor, ...]) -> np.ndarray:
        if self.code == "signal":
            return SignalSchool(descriptors).codes()
        rows = []
        for d in descriptors:
            values = zip((d.shape, d.frequency, d.amplitude), _PROPERTIES, strict=True)
            rows.append([value == one for value, pair in values for one in pair])
        return np.array(rows, float)

    def _batch(self, descriptors: tuple[Descriptor, ...], num_samples: int) -> Batch:
        dtype = resolve_dtype(self.dtype)
        signals = SignalSchool(descriptors).signals(num_samples)
        return Batch(
            jnp.asarray(self._codes(descriptors), dtype),
            jnp.asarray(signals[..., None], dtype),
        )

    def _among(
        self, batch: Batch, descriptors: tuple[Descriptor, ...]
    ) -> Bool[Array, " batch"]:
        """Return which rows of a batch are one of `descriptors`, by their code."""
        codes = jnp.asarray(self._codes(descriptors), batch.inputs.dtype)
        equal = jnp.all(batch.inputs[:, None] == codes[None], axis=-1)
        return jnp.any(equal, axis=1)


def _relative(
    outputs: Float[Array, "batch time 1"], batch: Batch
) -> Float[Array, " batch"]:
    """Return MSE/power of each row where the mask counts."""
    mask = jnp.ones(()) if batch.mask is None else batch.mask
    weights = jnp.broadcast_to(mask, batch.targets.shape[:2]).astype(outputs.dtype)
    error = jnp.sum((outputs - batch.targets)[..., 0] ** 2 * weights, axis=1)
    return error / jnp.sum(batch.targets[..., 0] ** 2 * weights, axis=1)


def _worst(
    errors: Float[Array, " batch"], chosen: Bool[Array, " batch"]
) -> Float[Array, ""]:
    """Return the largest of the chosen errors, infinite if one is no number.

    NaN if none is chosen: there is nothing to report.
    """
    errors = jnp.where(jnp.isnan(errors), jnp.inf, errors)
    worst = jnp.max(jnp.where(chosen, errors, -jnp.inf))
    return jnp.where(jnp.any(chosen), worst, jnp.nan)
