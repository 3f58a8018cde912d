"""Networks of equal size: the hidden size that meets a parameter budget."""

import functools
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import PyTree

LARGEST_HIDDEN_SIZE = 1 << 16


def matched_size(
    build: Callable[[int], PyTree], target_parameters: int, tolerance: float = 0.1
) -> int:
    """Return the hidden size whose parameter count is nearest to a target.

    Counted as `count_parameters` does.

    **Arguments:**

    - `build`: from a hidden size to a network. It is traced, not run, so it allocates
      nothing; its count must not fall as the size grows.
    - `target_parameters`: the count to meet, at least 1.
    - `tolerance`: how far the count may be off, as a share of the target.

    **Raises:** `ValueError` if no size up to 65 536 comes as near as that, with the
    nearest counts.
    """
    if target_parameters < 1 or not 0 <= tolerance < 1:
        raise ValueError(
            "target_parameters must be at least 1 and tolerance in [0, 1), got "
            f"{target_parameters} and {tolerance}."
        )

    @functools.cache
    def count(size: int) -> int:
        network = eqx.filter_eval_shape(build, size)
        return sum(
            math.prod(leaf.shape)
            for leaf in jax.tree.leaves(network)
            if isinstance(leaf, jax.ShapeDtypeStruct)
            and jnp.issubdtype(leaf.dtype, jnp.inexact)
        )

    low, high = 0, 1
    while count(high) < target_parameters and high < LARGEST_HIDDEN_SIZE:
        low, high = high, 2 * high
    # count(low) < target <= count(high), unless the end was reached.
    while high - low > 1:
        middle = (low + high) // 2
        if count(middle) < target_parameters:
            low = middle
        else:
            high = middle
    counts = {size: count(size) for size in (low, high) if size > 0}
    best = min(counts, key=lambda size: abs(counts[size] - target_parameters))
    if abs(counts[best] - target_parameters) > tolerance * target_parameters:
        found = ", ".join(f"{counts[size]} at {size}" for size in counts)
        raise ValueError(
            f"no hidden size has {target_parameters} parameters to within "
            f"{tolerance:.0%}; the nearest have {found}. Raise the target or the "
            "tolerance, or shrink what does not depend on the hidden size."
        )
    return best
