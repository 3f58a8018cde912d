"""Flip-flop: bits that pulses set and that hold in between."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from .._types import Array, DTypeLike, Float, Int, Key
from ._options import check_count, check_dtype, check_share, resolve_dtype
from ._task import AbstractTask, Batch, split_key


class FlipFlop(AbstractTask):
    """On each channel, the sign of its latest pulse.

    At each sample each channel shows, with probability `pulse_rate`, +1 or -1, else 0;
    the first sample shows a pulse on all, so that every answer is +1 or -1. Zero
    throughout leaves a mean squared error of 1. The trials are fixed, and training
    draws from its own with replacement.

    **Arguments:**

    - `length`: samples of a trial.
    - `pulse_rate`: probability of a pulse at a sample after the first.
    - `num_bits`: channels.
    - `num_trials`: trials to train on.
    - `held_out_size`: trials of each fixed batch.
    - `seed`: what all trials are drawn from.
    - `dtype`: floating dtype of all it makes; JAX's default if `None`.

    **Reference:** Sussillo and Barak (2013), Neural Computation 25(3); trials as in
    Golub and Sussillo's FixedPointFinder (2018).
    """

    length: int = eqx.field(static=True, default=64)
    pulse_rate: float = eqx.field(static=True, default=0.5)
    num_bits: int = eqx.field(static=True, default=3)
    num_trials: int = eqx.field(static=True, default=512, kw_only=True)
    held_out_size: int = eqx.field(static=True, default=128, kw_only=True)
    seed: int = eqx.field(static=True, default=0, kw_only=True)
    dtype: DTypeLike | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self) -> None:
        """Refuse an empty task."""
        for name in ("length", "num_bits", "num_trials", "held_out_size"):
            check_count(name, getattr(self, name))
        check_count("seed", self.seed, 0)
        check_share("pulse_rate", self.pulse_rate)
        check_dtype(self.dtype)

    @property
    def name(self) -> str:
        """`"flip-flop T=..."`."""
        return f"flip-flop T={self.length}"

    @property
    def input_size(self) -> int:
        """One channel a bit."""
        return self.num_bits

    @property
    def output_size(self) -> int:
        """One value a bit."""
        return self.num_bits

    @property
    def num_samples(self) -> int:
        """Samples of a trial."""
        return self.length

    @property
    def reads(self) -> str:
        """`"every"`."""
        return "every"

    @property
    def trivial_loss(self) -> float:
        """Mean square of +1 and -1."""
        return 1.0

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return pulses and bits, both `(batch, time, num_bits)`."""
        trials = jr.randint(key, (batch_size,), 0, self.num_trials, jnp.int32)
        return self._trials(trials, jr.key(self.seed))

    def held_out(self, split: str = "validation") -> Batch:
        """Return the fixed trials of `"validation"` or `"test"`."""
        trials = jnp.arange(self.held_out_size, dtype=jnp.int32)
        return self._trials(trials, split_key(jr.key(self.seed), split))

    def scores(
        self, outputs: Float[Array, "batch time o"], batch: Batch
    ) -> dict[str, Array]:
        """Return `loss` and `mse`, the same; `bits`, the share with the right sign."""
        mse = self.loss(outputs, batch)
        right = (outputs * batch.targets > 0).astype(outputs.dtype)
        return {"loss": mse, "mse": mse, "bits": jnp.mean(right)}

    def _trials(self, trials: Int[Array, " batch"], key: Key) -> Batch:
        """Return the trials with these numbers."""
        # A trial is drawn where it is used: nothing is stored, nothing transferred.
        inputs = jax.vmap(lambda trial: self._pulses(jr.fold_in(key, trial)))(trials)
        places = jnp.arange(self.length, dtype=jnp.int32)[None, :, None]
        latest = jax.lax.cummax(jnp.where(inputs != 0, places, 0), axis=1)
        return Batch(inputs, jnp.take_along_axis(inputs, latest, axis=1))

    def _pulses(self, key: Key) -> Float[Array, "time m"]:
        shape = (self.length, self.num_bits)
        pulse_key, sign_key = jr.split(key)
        shown = jr.bernoulli(pulse_key, self.pulse_rate, shape).at[0].set(True)
        signs = jr.rademacher(sign_key, shape, resolve_dtype(self.dtype))
        return jnp.where(shown, signs, 0)
