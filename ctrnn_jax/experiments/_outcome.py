"""What became of each run of a batch, in the codes of a sweep."""

import diffrax
import jax
import jax.numpy as jnp

from .._results import RESULTS
from .._types import Array, Bool
from ..sweep._experiment import STATUS

DONE, NOT_FINITE, FAILED = (
    STATUS.index(name) for name in ("done", "not finite", "failed")
)


def status_of(result: RESULTS, impossible: Bool[Array, " batch"]) -> Array:
    """Return the code of each run, int8, from what its solve says."""
    code = jnp.where(diffrax.is_okay(result), DONE, FAILED)
    code = jnp.where(result == RESULTS.nonfinite, NOT_FINITE, code)
    return jnp.where(impossible, FAILED, code).astype(jnp.int8)


def blank(found: dict[str, Array], status: Array) -> dict[str, Array]:
    """Return the measures, which lead with the runs, NaN where a run was not done."""

    def one(leaf: Array) -> Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        done = (status == DONE).reshape(-1, *(1,) * (leaf.ndim - 1))
        return jnp.where(done, leaf, jnp.nan)

    return jax.tree.map(one, found)
