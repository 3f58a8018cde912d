"""The error of a mean over one orbit, whose samples are not independent."""

import jax.numpy as jnp

from .._types import Array, Float

#: Blocks that an orbit is cut into: the error itself is then known to 16 %.
_BLOCKS = 20


def mean_and_error(
    samples: Float[Array, "time *shape"],
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Return the mean over the first axis and its standard error.

    The larger of two estimates: the scatter of the means of 20 blocks, which is right
    once a block is longer than the memory of the orbit; and half the difference of
    the means of the two halves, which sees what has not yet converged. Of stationary
    samples the result is too large by a fifth in the mean square. Fewer than 40
    samples make blocks of one or two, fewer than two no error: infinity.
    """
    count = samples.shape[0]
    mean = jnp.mean(samples, axis=0)
    if count < 2:
        return mean, jnp.full_like(mean, jnp.inf)
    blocks = min(_BLOCKS, count)
    length = count // blocks
    kept = samples[count - blocks * length :].reshape(blocks, length, *mean.shape)
    scatter = jnp.std(jnp.mean(kept, axis=1), axis=0, ddof=1) / blocks**0.5
    half = count // 2
    early, late = jnp.mean(samples[:half], axis=0), jnp.mean(samples[-half:], axis=0)
    return mean, jnp.maximum(scatter, 0.5 * jnp.abs(early - late))
