"""Delayed recall: two cues, one to be kept until it is asked for."""

import math

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from .._types import Array, DTypeLike, Float, Key
from ._generated import AbstractGenerated
from ._options import check_count
from ._task import Batch, accuracy, masked_mean


class DelayedRecall(AbstractGenerated):
    r"""Two cues are shown, one to be kept and one to be ignored, then one is asked for.

    Each cue is one of S symbols. The one to be kept comes at sample 0; after a delay
    from U{2, …, T} the last channel asks for it, and that answer alone counts. In
    between, at a random sample, comes the other, on channels of its own. Guessing
    leaves a cross-entropy of $\ln S$.

    **Arguments:**

    - `delay`: T, the longest delay.
    - `num_symbols`: S. Channels: S for the cue to keep, S for the other, one to ask.
    - `held_out_size`, `seed`, `dtype`: see `AbstractGenerated`.
    """

    delay: int = eqx.field(static=True)
    num_symbols: int = eqx.field(static=True, default=2)
    held_out_size: int = eqx.field(static=True, default=512, kw_only=True)
    seed: int = eqx.field(static=True, default=0, kw_only=True)
    dtype: DTypeLike | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self) -> None:
        """Refuse a delay without room for the second cue."""
        check_count("delay", self.delay, 2)
        check_count("num_symbols", self.num_symbols, 2)

    @property
    def name(self) -> str:
        """`"delayed recall T=..."`."""
        return f"delayed recall T={self.delay}"

    @property
    def input_size(self) -> int:
        """Symbols to keep, symbols to ignore, the question."""
        return 2 * self.num_symbols + 1

    @property
    def output_size(self) -> int:
        """Symbols."""
        return self.num_symbols

    @property
    def num_samples(self) -> int:
        """T + 1."""
        return self.delay + 1

    @property
    def reads(self) -> str:
        """`"every"`; the mask says where it is asked."""
        return "every"

    @property
    def trivial_loss(self) -> float:
        """Cross-entropy of guessing."""
        return math.log(self.num_symbols)

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return inputs `(batch, time, m)`, classes and mask `(batch, time)`."""
        symbol_key, delay_key, place_key = jr.split(key, 3)
        shape = (batch_size,)
        symbols = jr.randint(
            symbol_key, (batch_size, 2), 0, self.num_symbols, jnp.int32
        )
        delays = jr.randint(delay_key, shape, 2, self.num_samples, jnp.int32)
        places = jr.randint(place_key, shape, 1, delays, jnp.int32)
        rows = jnp.arange(batch_size, dtype=jnp.int32)
        inputs = jnp.zeros((batch_size, self.num_samples, self.input_size), self._dtype)
        inputs = inputs.at[rows, 0, symbols[:, 0]].set(1)
        inputs = inputs.at[rows, places, self.num_symbols + symbols[:, 1]].set(1)
        inputs = inputs.at[rows, delays, -1].set(1)
        targets = jnp.broadcast_to(symbols[:, :1], (batch_size, self.num_samples))
        return Batch(inputs, targets, inputs[:, :, -1])

    def scores(
        self, outputs: Float[Array, "batch time o"], batch: Batch
    ) -> dict[str, Array]:
        """Return `loss`; `recall`; `recall_late`, where the delay is above T/2."""
        mask = batch.inputs[:, :, -1] if batch.mask is None else batch.mask
        recall = accuracy(outputs, batch.targets, mask)
        late = mask.at[:, : self.delay // 2 + 1].set(0)
        right = jnp.argmax(outputs, axis=-1).astype(jnp.int32) == batch.targets
        return {
            "loss": self.loss(outputs, batch),
            "recall": recall,
            "recall_late": masked_mean(right.astype(outputs.dtype), late),
        }
