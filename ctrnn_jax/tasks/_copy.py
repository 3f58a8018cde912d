"""Copy memory: symbols to be given back after a delay."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from .._types import Array, DTypeLike, Float, Key
from ._generated import AbstractGenerated
from ._options import check_count
from ._task import Batch, accuracy


class CopyMemory(AbstractGenerated):
    r"""K symbols, a delay T, a marker, and then the same symbols in the same order.

    Of the T + 2K samples the first K show symbols, the last K after a marker ask for
    them; between lies silence. The class asked for is blank (0) at first, at the end
    the symbol (1 to S). Knowing the time alone, one says blank until the marker and
    then guesses, at a mean cross-entropy of $K \ln S / (T + 2K)$.

    **Arguments:**

    - `delay`: T.
    - `num_symbols`: S. Channels: one for blank, S for symbols, one for the marker.
    - `num_kept`: K.
    - `silent_blank`: whether a blank is the zero input rather than a one on its own
      channel, which then is a constant drive.
    - `held_out_size`, `seed`, `dtype`: see `AbstractGenerated`.

    **Reference:** Hochreiter and Schmidhuber (1997); in this form, Arjovsky, Shah and
    Bengio (2016), arXiv 1511.06464, section 5.1.
    """

    delay: int = eqx.field(static=True)
    num_symbols: int = eqx.field(static=True, default=8)
    num_kept: int = eqx.field(static=True, default=10)
    silent_blank: bool = eqx.field(static=True, default=False, kw_only=True)
    held_out_size: int = eqx.field(static=True, default=256, kw_only=True)
    seed: int = eqx.field(static=True, default=0, kw_only=True)
    dtype: DTypeLike | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self) -> None:
        """Refuse an empty task."""
        check_count("delay", self.delay)
        check_count("num_symbols", self.num_symbols, 2)
        check_count("num_kept", self.num_kept)

    @property
    def name(self) -> str:
        """`"copy T=..."`."""
        return f"copy T={self.delay}"

    @property
    def input_size(self) -> int:
        """Blank, symbols, marker."""
        return self.num_symbols + 2

    @property
    def output_size(self) -> int:
        """Blank and symbols."""
        return self.num_symbols + 1

    @property
    def num_samples(self) -> int:
        """T + 2K."""
        return self.delay + 2 * self.num_kept

    @property
    def reads(self) -> str:
        """`"every"`: the blanks count too."""
        return "every"

    @property
    def trivial_loss(self) -> float:
        """Mean cross-entropy of blanks, then guesses."""
        return self.num_kept * math.log(self.num_symbols) / self.num_samples

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return one-hot inputs `(batch, time, m)`, classes `(batch, time)`."""
        kept, delay = self.num_kept, self.delay
        shape = (batch_size, kept)
        symbols = jr.randint(key, shape, 1, self.num_symbols + 1, dtype=jnp.int32)
        shown = jnp.zeros((batch_size, self.num_samples), jnp.int32)
        shown = shown.at[:, :kept].set(symbols)
        shown = shown.at[:, kept + delay - 1].set(self.num_symbols + 1)
        inputs = jax.nn.one_hot(shown, self.input_size, dtype=self._dtype)
        if self.silent_blank:
            inputs = inputs.at[:, :, 0].set(0)
        targets = jnp.zeros((batch_size, self.num_samples), jnp.int32)
        return Batch(inputs, targets.at[:, kept + delay :].set(symbols))

    def scores(
        self, outputs: Float[Array, "batch time o"], batch: Batch
    ) -> dict[str, Array]:
        """Return `loss`; `recall`, of single symbols; `perfect`, of whole sequences."""
        right = jnp.argmax(outputs, axis=-1).astype(jnp.int32) == batch.targets
        asked = outputs[:, -self.num_kept :]
        return {
            "loss": self.loss(outputs, batch),
            "recall": accuracy(asked, batch.targets[:, -self.num_kept :]),
            "perfect": jnp.mean(jnp.all(right, axis=1).astype(outputs.dtype)),
        }
