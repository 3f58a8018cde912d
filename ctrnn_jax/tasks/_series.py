"""Free-run generation: one recording, to be gone on with from memory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, DTypeLike, Float, Key
from ._options import check_count, check_dtype, check_share, resolve_dtype
from ._task import AbstractTask, Batch, check_split


class Series(AbstractTask):
    r"""One recording: trained on its beginning, generated to its end without input.

    The first 80 % are for fitting, the last eighth of them for validation, the other
    20 % for test. The only input is the number 1, which sets a network going; it then
    generates all from the first sample on, and the mask counts those of the split. What
    is trained on is scaled to mean 0 and variance 1, so that its trivial loss is 1.

    **Arguments:**

    - `label`: a short name, for tables and files.
    - `values`: the recording, shape `(time,)`, without gaps.
    - `season`: samples after which it about repeats, for the seasonal forecast.
    - `fit_share`, `validation_share`: shares of the whole recording: of what may be
      fitted, and of its end that is for validation.
    - `trend`: degree of a polynomial in time that is fitted to what is trained on and
      taken off throughout; `None` for none.
    - `refitted`: train on the validation stretch too, for a last training, when all
      has been chosen; there is no validation batch then.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` for values that are not finite or constant, and stretches
    too short to fit or to judge.
    """

    label: str = eqx.field(static=True)
    values: Float[Array, " time"]
    season: int = eqx.field(static=True)
    num_train: int = eqx.field(static=True)
    num_fit: int = eqx.field(static=True)
    refitted: bool = eqx.field(static=True)

    def __init__(
        self,
        label: str,
        values: np.ndarray,
        *,
        season: int,
        fit_share: float = 0.8,
        validation_share: float = 0.1,
        trend: int | None = None,
        refitted: bool = False,
        dtype: DTypeLike | None = None,
    ):
        values = np.asarray(values, float)
        if values.ndim != 1 or not np.all(np.isfinite(values)):
            raise ValueError(
                "values must have shape (time,) and be finite; fill the gaps first."
            )
        check_share("fit_share", fit_share)
        check_share("validation_share", validation_share)
        check_dtype(dtype)
        self.num_fit = round(fit_share * len(values))
        self.num_train = self.num_fit - round(validation_share * len(values))
        check_count("season", season)
        if not season <= self.num_train < self.num_fit < len(values):
            raise ValueError(
                f"{len(values)} samples with fit_share={fit_share:g} and "
                f"validation_share={validation_share:g} leave {self.num_train} to "
                f"train on; need a season ({season}) at least, and samples after it "
                "for validation and test."
            )
        if trend is not None:
            check_count("trend", trend, 0)
            times = np.arange(len(values)) / len(values)
            seen = slice(self.num_fit if refitted else self.num_train)
            fitted = np.polynomial.Polynomial.fit(times[seen], values[seen], trend)
            values = values - fitted(times)
        trained = values[: self.num_fit if refitted else self.num_train]
        if not trained.std() > 1e-12 * np.abs(trained).max():
            raise ValueError("what is trained on is constant; nothing can be learnt.")
        scaled = (values - trained.mean()) / trained.std()
        self.label, self.season, self.refitted = label, season, refitted
        self.values = jnp.asarray(scaled, resolve_dtype(dtype))

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    @property
    def input_size(self) -> int:
        """The number 1."""
        return 1

    @property
    def output_size(self) -> int:
        """The value."""
        return 1

    @property
    def num_samples(self) -> int:
        """Samples trained on."""
        return self.num_fit if self.refitted else self.num_train

    @property
    def reads(self) -> str:
        """`"generate"`."""
        return "generate"

    @property
    def trivial_loss(self) -> float:
        """Variance of what is trained on."""
        return 1.0

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return ones `(batch, 1)` and the one recording, `(batch, time, 1)`."""
        del key  # There is one recording.
        targets = self.values[None, : self.num_samples, None]
        targets = jnp.broadcast_to(targets, (batch_size, *targets.shape[1:]))
        return Batch(jnp.ones((batch_size, 1), self.values.dtype), targets)

    def held_out(self, split: str = "validation") -> Batch:
        """Return the recording to the end of a split, and a mask of the split."""
        start, stop = self.num_fit, self.values.shape[0]
        if not check_split(split):
            if self.refitted:
                raise ValueError(
                    "refitted trains on the validation stretch too; judge by 'test'."
                )
            start, stop = self.num_train, self.num_fit
        mask = (jnp.arange(stop) >= start).astype(self.values.dtype)
        return Batch(
            jnp.ones((1, 1), self.values.dtype),
            self.values[None, :stop, None],
            mask[None],
        )

    def scores(
        self, outputs: Float[Array, "batch time 1"], batch: Batch
    ) -> dict[str, Array]:
        """Return `loss`; `nrmse`, where 1 is the mean of the samples before."""
        loss = self.loss(outputs, batch)
        mask = jnp.ones(outputs.shape[:2], outputs.dtype)
        before = mask
        if batch.mask is not None:
            mask, before = batch.mask, 1 - jax.lax.cummax(batch.mask, axis=1)
        values = batch.targets[..., 0]
        mean = jnp.sum(values * before) / jnp.sum(before)
        power = jnp.sum((values - mean) ** 2 * mask) / jnp.sum(mask)
        return {"loss": loss, "nrmse": jnp.sqrt(loss / power)}
