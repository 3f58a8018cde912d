"""Every parametrisation of W by name: what drives the tests that hold for all."""

import functools

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from ctrnn_jax import (
    BipartiteSkew,
    BlockRotation,
    GainPlusSkew,
    LowRankSkew,
    SkewSymmetric,
    SparseSkew,
    Unconstrained,
)


def _ring(size, key, dtype):
    """A cycle graph: bipartite for even sizes, three colours for odd ones."""
    nodes = np.arange(size)
    values = jr.normal(key, (size,), dtype)
    return SparseSkew.from_edges(size, nodes, (nodes + 1) % size, values)


def _unequal_groups(size, key, dtype):
    return BipartiteSkew.from_coupling(jr.normal(key, (size - 2, 2), dtype))


#: Name -> constructor (size, key, dtype).
WEIGHTS = {
    "SkewSymmetric": lambda n, k, d: SkewSymmetric(n, key=k, dtype=d),
    "BipartiteSkew": lambda n, k, d: BipartiteSkew(n, key=k, dtype=d),
    "BipartiteSkew, unequal groups": _unequal_groups,
    "LowRankSkew": lambda n, k, d: LowRankSkew(n, 2, key=k, dtype=d),
    "LowRankSkew, one mode": lambda n, k, d: LowRankSkew(n, 1, key=k, dtype=d),
    "BlockRotation": lambda n, k, d: BlockRotation(n, key=k, dtype=d),
    "SparseSkew": lambda n, k, d: SparseSkew(n, 2 * n - 2, key=k, dtype=d),
    "SparseSkew, ring": _ring,
    "SkewSymmetric, built": lambda n, k, d: SkewSymmetric(
        n, key=k, dtype=d
    ).materialise(),
    "GainPlusSkew": lambda n, k, d: GainPlusSkew(SkewSymmetric(n, key=k, dtype=d), 0.7),
    "GainPlusSkew over blocks": lambda n, k, d: GainPlusSkew(
        BlockRotation(n, key=k, dtype=d), -0.2
    ),
    "Unconstrained": lambda n, k, d: Unconstrained(n, key=k, dtype=d),
}

#: Those whose graph is drawn from the numbers of the key, which must be concrete.
UNTRACEABLE = {"SparseSkew"}

SKEW = [name for name in WEIGHTS if not name.startswith(("Gain", "Unconstrained"))]


@functools.cache
def make(name, size=6, seed=0, dtype=jnp.float64):
    """Build one by name."""
    return WEIGHTS[name](size, jr.key(seed), dtype)
