"""Tasks that are made from a key, without end."""

import equinox as eqx
import jax

from .._types import DTypeLike
from ._options import check_count, check_dtype, resolve_dtype
from ._task import AbstractTask, Batch, split_key


class AbstractGenerated(AbstractTask):
    """A task whose sequences are drawn afresh; the fixed ones come of its own seed.

    A new one has the fields below and says the rest of `AbstractTask`; that validation,
    test and training share no sequence is then a matter of probability, as good as
    certain where sequences are many.

    - `held_out_size`: sequences of each fixed batch.
    - `seed`: what they are drawn from.
    - `dtype`: floating dtype of all it makes; JAX's default if `None`.
    """

    held_out_size: eqx.AbstractVar[int]
    seed: eqx.AbstractVar[int]
    dtype: eqx.AbstractVar[DTypeLike | None]

    def __check_init__(self) -> None:
        """Refuse what no batch can be made of."""
        check_count("held_out_size", self.held_out_size)
        check_count("seed", self.seed, 0)
        check_dtype(self.dtype)

    def held_out(self, split: str = "validation") -> Batch:
        """Return the fixed batch of `"validation"` or `"test"`."""
        key = split_key(jax.random.key(self.seed), split)
        return self.sample(self.held_out_size, key=key)

    @property
    def _dtype(self) -> DTypeLike:
        return resolve_dtype(self.dtype)
