"""The error of a mean over one orbit, whose samples are not independent."""

import jax
import jax.numpy as jnp

from .._types import Array, Float

#: Slow cosines that the samples are compared with: the error is then known to 20 %.
_COSINES = 12


def mean_and_error(
    samples: Float[Array, "time *shape"],
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    r"""Return the mean over the first axis and its standard error.

    The variance of a mean of N correlated samples is S/N with S their spectral
    density at frequency zero. It is estimated by the 12 slowest cosines,
    $\hat S = \tfrac{1}{12}\sum_j c_j^2$ with $c_j = \sqrt{2/N}\sum_t x_t
    \cos(\pi j (t + 1/2)/N)$, none of which sees the mean itself. So

    - samples may remember each other over a tenth of the orbit;
    - a difference of a bounded quantity, such as the logarithm of a vector's length,
      enters with its ends only, where block means would count each block's;
    - a drift that has not died out yet, such as 1/t, is in the error.

    Fewer than two samples have an infinite error.

    **Reference:** Müller (2007), J. Econometrics 141; Sun (2013), Econometrics
    Journal 16.
    """
    count = samples.shape[0]
    mean = jnp.mean(samples, axis=0)
    terms = min(_COSINES, count - 1)
    if terms < 1:
        return mean, jnp.full_like(mean, jnp.inf)
    orders = jnp.arange(1, terms + 1).astype(samples.dtype)
    places = (jnp.arange(count).astype(samples.dtype) + 0.5) / count
    cosines = jnp.cos(jnp.pi * orders[:, None] * places[None])
    sums = jnp.tensordot(
        cosines, samples - mean[None], axes=1, precision=jax.lax.Precision.HIGHEST
    )
    # S = (2/N) mean of the squares, and the variance of the mean S/N.
    return mean, jnp.sqrt(2 * jnp.mean(sums**2, axis=0)) / count
