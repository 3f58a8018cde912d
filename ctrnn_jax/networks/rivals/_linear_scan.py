"""Linear recurrences over a whole sequence, in parallel."""

import jax
import jax.numpy as jnp

from ..._types import Array, Float

Pair = tuple[Array, Array]
"""Two numbers for each unit: a complex one's parts, or a velocity and a position."""
Block = tuple[tuple[Array, Array], tuple[Array, Array]]
"""The rows of a 2x2 matrix for each unit."""


def runs_parallel(parallel: bool | None) -> bool:
    """Whether to scan in parallel: as asked, or where the device is made for it.

    On a CPU one step after another takes about half the time of the parallel form,
    whose O(log T) passes each go over all states.
    """
    return jax.default_backend() != "cpu" if parallel is None else parallel


def add(x: Pair, y: Pair) -> Pair:
    """Return the sum of two pairs."""
    return x[0] + y[0], x[1] + y[1]


def apply_block(block: Block, x: Pair) -> Pair:
    """Return the product of a 2x2 matrix and a pair, for each unit."""
    (a, b), (c, d) = block
    return a * x[0] + b * x[1], c * x[0] + d * x[1]


def block_scan(
    block: Block, state: Pair, drives: Pair
) -> tuple[Float[Array, "time n"], Float[Array, "time n"]]:
    """Return x_1, ..., x_T of x_k = M x_{k-1} + d_k, M the same at every step.

    `block` holds M as four arrays `(n,)`, `state` is x_0, and `drives` are d_k, two
    arrays `(time, n)`; so are the results. O(log T) rounds.
    """
    first = add(apply_block(block, state), (drives[0][0], drives[1][0]))
    drives = (drives[0].at[0].set(first[0]), drives[1].at[0].set(first[1]))
    powers = jax.tree.map(lambda x: jnp.broadcast_to(x, drives[0].shape), block)
    return jax.lax.associative_scan(_compose, (powers, drives))[1]


def _compose(first: tuple[Block, Pair], second: tuple[Block, Pair]) -> tuple:
    """Compose affine maps, `first` then `second`."""
    (a, b), (c, d) = first[0]
    left, right = apply_block(second[0], (a, c)), apply_block(second[0], (b, d))
    product = ((left[0], right[0]), (left[1], right[1]))
    return product, add(apply_block(second[0], first[1]), second[1])
