"""The 0–1 test: chaos seen in a time series alone."""

import equinox as eqx
import jax
import jax.numpy as jnp

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, Key
from ..matrices._checks import as_floating, check_integer


@full_precision
def zero_one_test(
    samples: ArrayLike,
    *,
    num_angles: int = 100,
    key: Key | None = None,
) -> Float[Array, ""]:
    r"""Return K of the 0–1 test for chaos: near 0 for regular, near 1 for chaotic.

    The samples φ drive a walk in the plane, $p_c(j) = \sum_{i \le j} \varphi_i
    \cos(ic)$ and $q_c$ with the sine, which stays bounded for regular and diffuses
    for chaotic motion. K is the median over angles c of the correlation between the
    lag and the mean square displacement, less its known oscillation.

    **Arguments:**

    - `samples`: one observable at even times, shape `(time,)` with time ≥ 100; some
      thousands are better.
    - `num_angles`: how many c are drawn from (π/5, 4π/5).
    - `key`: of the angles; a fixed one by default.

    **Returns:** K, shape `()`; NaN if the samples are not finite. A constant series
    has K = 0.

    **Raises:** `ValueError` for a series that is too short.

    **Warning:** of a flow take samples about a quarter of its period apart, or the
    crossings of a section: samples too close together look regular, whatever the
    orbit. K is evidence, not proof: weak chaos in a short series gives anything
    between.

    **Cost:** O(`num_angles` · time²/10).

    **Reference:** Gottwald and Melbourne (2009), SIAM J. Appl. Dyn. Syst. 8, §3.
    """
    series = as_floating("samples", samples, finite=False)
    if series.ndim != 1 or series.shape[0] < 100:
        raise ValueError(
            "samples must have shape (time,) with time >= 100, got "
            f"{series.shape}; use jax.vmap for a batch."
        )
    count = check_integer("num_angles", num_angles, minimum=1, maximum=10**6)
    return _test(series, jax.random.key(0) if key is None else key, count)


@eqx.filter_jit
def _test(series: Float[Array, " time"], key: Key, count: int) -> Float[Array, ""]:
    pi = jnp.asarray(jnp.pi, series.dtype)
    angles = jax.random.uniform(
        key, (count,), series.dtype, minval=pi / 5, maxval=4 * pi / 5
    )
    # The mean square displacement has a term V = E[φ]² (1 - cos nc)/(1 - cos c) that
    # only blurs the test; without the mean it is zero.
    centred = series - jnp.mean(series)
    # What rounding leaves of a constant is no walk.
    rounding = 8 * jnp.finfo(series.dtype).eps * jnp.max(jnp.abs(series))
    centred = jnp.where(jnp.abs(centred) > rounding, centred, 0.0)
    places = jnp.arange(1, series.shape[0] + 1).astype(series.dtype)
    lags = series.shape[0] // 10
    window = series.shape[0] - lags
    numbers = jnp.arange(1, lags + 1)

    def one(angle: Float[Array, ""]) -> Float[Array, ""]:
        walk = jnp.stack([jnp.cos(places * angle), jnp.sin(places * angle)])
        walk = jnp.cumsum(walk * centred[None], axis=1)

        def displacement(_: None, lag: Array) -> tuple[None, Array]:
            later = jax.lax.dynamic_slice_in_dim(walk, lag, window, axis=1)
            return None, jnp.sum((later - walk[:, :window]) ** 2) / window

        _, squares = jax.lax.scan(displacement, None, numbers)
        return _correlation(numbers.astype(series.dtype), squares)

    values = jax.vmap(one)(angles)
    return jnp.where(jnp.all(jnp.isfinite(series)), jnp.median(values), jnp.nan)


def _correlation(x: Float[Array, " m"], y: Float[Array, " m"]) -> Float[Array, ""]:
    x, y = x - jnp.mean(x), y - jnp.mean(y)
    scale = jnp.sqrt(jnp.sum(x**2) * jnp.sum(y**2))
    return jnp.where(scale > 0, jnp.sum(x * y) / jnp.where(scale > 0, scale, 1.0), 0.0)
