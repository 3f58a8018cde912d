"""Adding: two marked numbers among many."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from .._types import Array, DTypeLike, Float, Key
from ._generated import AbstractGenerated
from ._options import check_count
from ._task import Batch


class Adding(AbstractGenerated):
    """The sum of two marked numbers, one in each half of the sequence.

    Channel 0 holds numbers from U(0, 1), channel 1 a one at two samples and zeros
    elsewhere. The answer, after the last sample, is the sum of the two marked numbers;
    1, its mean, leaves a mean squared error of 1/6.

    **Arguments:**

    - `length`: number of samples T; the first half has ⌊T/2⌋.
    - `held_out_size`, `seed`, `dtype`: see `AbstractGenerated`.

    **Reference:** Hochreiter and Schmidhuber (1997); in this form, Arjovsky, Shah and
    Bengio (2016), arXiv 1511.06464, section 5.2.
    """

    #: The mean squared error below which the task counts as solved.
    solved_at = 5e-2

    length: int = eqx.field(static=True)
    held_out_size: int = eqx.field(static=True, default=1000, kw_only=True)
    seed: int = eqx.field(static=True, default=0, kw_only=True)
    dtype: DTypeLike | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self) -> None:
        """Refuse a sequence without two halves."""
        check_count("length", self.length, 2)

    @property
    def name(self) -> str:
        """`"adding T=..."`."""
        return f"adding T={self.length}"

    @property
    def input_size(self) -> int:
        """Numbers and marks."""
        return 2

    @property
    def output_size(self) -> int:
        """The sum."""
        return 1

    @property
    def num_samples(self) -> int:
        """T."""
        return self.length

    @property
    def reads(self) -> str:
        """`"last"`."""
        return "last"

    @property
    def trivial_loss(self) -> float:
        """Variance of the sum of two numbers from U(0, 1)."""
        return 1 / 6

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """Return inputs `(batch, time, 2)`, sums `(batch, 1)`."""
        number_key, first_key, second_key = jr.split(key, 3)
        half = self.length // 2
        numbers = jr.uniform(number_key, (batch_size, self.length), self._dtype)
        places = jnp.stack(
            [
                jr.randint(first_key, (batch_size,), 0, half, jnp.int32),
                jr.randint(second_key, (batch_size,), half, self.length, jnp.int32),
            ],
            axis=1,
        )
        marks = jnp.sum(jax.nn.one_hot(places, self.length, dtype=self._dtype), axis=1)
        marked = jnp.take_along_axis(numbers, places, axis=1)
        inputs = jnp.stack([numbers, marks], axis=-1)
        return Batch(inputs, jnp.sum(marked, axis=1, keepdims=True))

    def scores(
        self, outputs: Float[Array, "batch 1"], batch: Batch
    ) -> dict[str, Array]:
        """Return `loss` and `mse`, the same; `solved`, 1 where it is small enough."""
        mse = self.loss(outputs, batch)
        solved = (mse <= self.solved_at).astype(outputs.dtype)
        return {"loss": mse, "mse": mse, "solved": solved}
