"""Forecasting: a recording is heard up to a moment, and gone on with in silence."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from .._types import Array, Float, Key
from ._options import check_count
from ._series import Series
from ._task import AbstractTask, Batch, check_split


class Forecast(AbstractTask):
    r"""A stretch of a recording is heard, and the network goes on by itself.

    A training sequence is a random stretch of what is trained on: `heard` samples, then
    `horizon` in silence. The two inputs are the value and a 1 while it is heard, and
    zeros after; the answer at a sample is the value of the next one, and counts from
    the first that was not heard. All values are taken from the mean of the last season
    heard, so that a recording whose level wanders can be gone on with.

    Validation and test hear everything from the first sample to the beginning of the
    split, and the whole split is to be foretold: what `series_baselines` does, and
    scored as there.

    **Arguments:**

    - `series`: the recording.
    - `heard`, `horizon`: samples of a training sequence. By default as many are
      foretold as the validation stretch has, and twice as many heard; at least one
      season is.
    - `refitted`: train on the validation stretch too, for a last training, when all
      has been chosen; the numbers stay as they are scaled. There is no validation
      batch then.

    **Raises:** `ValueError` if heard and horizon are longer than what is trained on.
    """

    series: Series
    heard: int = eqx.field(static=True)
    horizon: int = eqx.field(static=True)
    refitted: bool = eqx.field(static=True)

    def __init__(
        self,
        series: Series,
        *,
        heard: int | None = None,
        horizon: int | None = None,
        refitted: bool = False,
    ):
        stretch = series.num_fit - series.num_train
        self.series, self.refitted = series, refitted or series.refitted
        self.horizon = stretch if horizon is None else horizon
        self.heard = max(2 * stretch, series.season) if heard is None else heard
        check_count("horizon", self.horizon)
        check_count("heard", self.heard, series.season)
        if self._num_places < 1:
            raise ValueError(
                f"heard ({self.heard}) and horizon ({self.horizon}) together must be "
                f"at most the {self._num_trained} samples that are trained on."
            )

    @property
    def name(self) -> str:
        """`"forecast of ..."`."""
        return f"forecast of {self.series.label}"

    @property
    def input_size(self) -> int:
        """The value, and whether it is heard."""
        return 2

    @property
    def output_size(self) -> int:
        """The next value."""
        return 1

    @property
    def num_samples(self) -> int:
        """Samples of a training sequence: each is asked for the next."""
        return self.heard + self.horizon - 1

    @property
    def reads(self) -> str:
        """`"every"`; the mask says what counts."""
        return "every"

    @property
    def trivial_loss(self) -> float:
        """Mean squared distance from the last season's mean, over what is trained on.

        That of the forecast zero, averaged over every place and horizon.
        """
        stretches = jax.vmap(self._stretch)(
            jnp.arange(self._num_places, dtype=jnp.int32)
        )
        batch = self._batch(stretches, self.heard)
        return float(self.loss(jnp.zeros_like(batch.targets), batch))

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return inputs `(batch, time, 2)`, targets `(batch, time, 1)` and the mask."""
        places = jr.randint(key, (batch_size,), 0, self._num_places, jnp.int32)
        return self._batch(jax.vmap(self._stretch)(places), self.heard)

    def held_out(self, split: str = "validation") -> Batch:
        """Return the one sequence that hears all before the split and foretells it."""
        series = self.series
        start, stop = series.num_train, series.num_fit
        if check_split(split):
            start, stop = series.num_fit, series.values.shape[0]
        elif self.refitted:
            raise ValueError(
                "refitted trains on the validation stretch too; judge by 'test'."
            )
        return self._batch(series.values[None, :stop], start)

    def scores(
        self, outputs: Float[Array, "batch time 1"], batch: Batch
    ) -> dict[str, Array]:
        """Return `loss`; `nrmse`, where 1 is the mean of the samples before."""
        loss = self.loss(outputs, batch)
        heard = batch.inputs[..., 1]
        asked = jnp.ones_like(heard) if batch.mask is None else batch.mask
        values = batch.targets[..., 0]
        mean = jnp.sum(batch.inputs[..., 0]) / jnp.sum(heard)
        power = jnp.sum((values - mean) ** 2 * asked) / jnp.sum(asked)
        return {"loss": loss, "nrmse": jnp.sqrt(loss / power)}

    @property
    def _num_places(self) -> int:
        return self._num_trained - self.heard - self.horizon + 1

    @property
    def _num_trained(self) -> int:
        return self.series.num_fit if self.refitted else self.series.num_train

    def _stretch(self, place: Array) -> Float[Array, " time"]:
        length = self.heard + self.horizon
        return jax.lax.dynamic_slice(self.series.values, (place,), (length,))

    def _batch(self, values: Float[Array, "batch time"], heard: int) -> Batch:
        season = values[:, heard - self.series.season : heard]
        values = values - jnp.mean(season, axis=1, keepdims=True)
        place = jnp.arange(values.shape[1])
        is_heard = jnp.broadcast_to((place < heard).astype(values.dtype), values.shape)
        inputs = jnp.stack([values * is_heard, is_heard], axis=-1)
        return Batch(inputs[:, :-1], values[:, 1:, None], 1 - is_heard[:, 1:])
