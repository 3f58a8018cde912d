"""Runs side by side in groups of one size, so that no batch changes their bits."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from .._types import Array, PyTree

#: Runs of a group: on a CPU few, as a batch may be; elsewhere as many as pay.
_ON_CPU, _ELSEWHERE = 8, 64


def in_groups(one: Callable[..., PyTree], *arguments: Array) -> PyTree:
    """Return `one(*arguments)` of each run, whose arguments lead with the batch.

    Products of small matrices are rounded differently in batches of different sizes.
    Here all are of one size, the last group filled up with copies, and groups follow
    each other.
    """
    size = _ON_CPU if jax.default_backend() == "cpu" else _ELSEWHERE
    batch = arguments[0].shape[0]
    lanes = jnp.minimum(jnp.arange(-(-batch // size) * size), batch - 1)
    grouped = [leaf[lanes].reshape(-1, size, *leaf.shape[1:]) for leaf in arguments]
    found = jax.lax.map(lambda group: jax.vmap(one)(*group), tuple(grouped))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:batch], found)
