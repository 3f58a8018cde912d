"""The direct path D u from input to output of the state-space cells."""

import jax.random as jr

from ..._types import Array, Float, Key


def skip_weight(key: Key, n: int, m: int, dtype) -> Array:
    """Draw D: a diagonal `(n,)` where sizes agree, as in the papers, else `(n, m)`."""
    if m == n:
        return jr.normal(key, (n,), dtype)
    return jr.normal(key, (n, m), dtype) * m**-0.5


def skip(weight: Array, u: Float[Array, " m"]) -> Float[Array, " n"]:
    """Return D u."""
    return weight * u if weight.ndim == 1 else weight @ u
