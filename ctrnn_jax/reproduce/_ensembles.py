"""Models with a W for each lane."""

import equinox as eqx
import jax

from .._types import PyTree
from ..fields import AbstractField
from ..matrices import AbstractWeight


def with_weights(
    model: AbstractField, weights: AbstractWeight
) -> tuple[AbstractField, PyTree]:
    """Return `model` with a weight for each lane, and the `model_axes` that say so.

    **Arguments:**

    - `model`: of one lane, whose weight is replaced.
    - `weights`: built with `eqx.filter_vmap`: every array leads with the lanes.
    """
    shared = jax.tree.map(lambda _: None, model)
    own = jax.tree.map(lambda _: 0, weights)

    def place(tree: PyTree) -> PyTree:
        return tree.weight

    axes = eqx.tree_at(place, shared, own, is_leaf=lambda leaf: leaf is None)
    return eqx.tree_at(place, model, weights), axes
