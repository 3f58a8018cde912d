"""Runs side by side in groups of one size, so that no batch changes their bits."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from .._types import PyTree


def in_groups(
    run: Callable[..., PyTree], *arguments: PyTree, on_cpu: int, elsewhere: int
) -> PyTree:
    """Return `run(*arguments)`, called with one group of runs after another.

    Some sums and products are rounded differently in batches of different sizes. Here
    all groups have one size, the last filled up with copies.

    **Arguments:**

    - `run`: takes and returns pytrees of arrays that lead with the runs.
    - `arguments`: such pytrees, of any number of runs.
    - `on_cpu`, `elsewhere`: runs of a group on a CPU, where batches may be small, and
      on other devices.
    """
    size = on_cpu if jax.default_backend() == "cpu" else elsewhere
    batch = jax.tree.leaves(arguments)[0].shape[0]
    lanes = jnp.minimum(jnp.arange(-(-batch // size) * size), batch - 1)
    grouped = jax.tree.map(
        lambda leaf: leaf[lanes].reshape(-1, size, *leaf.shape[1:]), arguments
    )
    found = jax.lax.map(lambda group: run(*group), grouped)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:batch], found)
