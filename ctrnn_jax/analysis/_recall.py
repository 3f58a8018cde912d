"""How much of a target a linear readout of the state explains, without bias."""

from typing import NamedTuple

import jax.numpy as jnp

from .._types import Array, Float, Int


class Recall(NamedTuple):
    """Of `d` targets, from `s` samples.

    - `raw`: explained share of each target's variance, biased upwards, `(d,)`.
    - `unbiased`: the same without the share that chance explains, `(d,)`.
    - `leave_one_out`: `unbiased` without each of the samples, `(s, d)`.
    - `rank`: number of independent directions in the states, `()`.
    """

    raw: Float[Array, " d"]
    unbiased: Float[Array, " d"]
    leave_one_out: Float[Array, "s d"]
    rank: Int[Array, ""]


def measure_recall(states: Float[Array, "s n"], targets: Float[Array, "s d"]) -> Recall:
    r"""Regress targets on states, with an intercept.

    Of a target that has nothing to do with the states, p independent directions
    explain the share p/(s − 1) on average by chance. The unbiased share is

    $$1 - (1 - R^2)\frac{s - 1}{s - 1 - p},$$

    0 on average for such a target (exactly so for Gaussian samples). An orthonormal
    basis of the states, not their covariance, is used: that would square their
    condition, and fading directions would be lost to rounding.
    """
    count, size = states.shape
    states = states - jnp.mean(states, axis=0, keepdims=True)
    targets = targets - jnp.mean(targets, axis=0, keepdims=True)
    basis, spread, _ = jnp.linalg.svd(states, full_matrices=False)
    least = spread[0] * max(count, size) * jnp.finfo(states.dtype).eps
    kept = spread > least
    basis = jnp.where(kept[None], basis, 0.0)
    rank = jnp.sum(kept)
    total = jnp.sum(targets**2, axis=0)
    missed = targets - basis @ (basis.T @ targets)
    residual = jnp.sum(missed**2, axis=0)
    # Without sample i a regression misses e_i²/(1 − h_i) less, with the leverage h_i
    # of the sample: no second fit is needed (Cook and Weisberg 1982, section 2.2).
    leverage = 1 / count + jnp.sum(basis**2, axis=1)
    residuals = residual[None] - missed**2 / (1 - leverage)[:, None]
    totals = total[None] - targets**2 * (count / (count - 1))
    degrees = jnp.asarray(count - 1, states.dtype) - rank.astype(states.dtype)
    return Recall(
        1 - residual / total,
        1 - (residual / total) * ((count - 1) / degrees),
        1 - (residuals / totals) * ((count - 2) / (degrees - 1)),
        rank,
    )


def jackknife_variance(leave_one_out: Float[Array, "s *d"]) -> Float[Array, "*d"]:
    """Return the variance of a statistic from its values without each sample."""
    return (leave_one_out.shape[0] - 1) * jnp.var(leave_one_out, axis=0)
