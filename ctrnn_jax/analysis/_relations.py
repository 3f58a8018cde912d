"""Integer relations between frequencies: how many of them are independent."""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, ArrayLike, Bool, Float, Int, ScalarLike

#: Independent frequencies told apart; more count as this many.
MAX_BASIS = 4
#: Largest order Σ|m| of a relation with one base frequency, and with more.
_ORDER_ONE, _ORDER_MORE = 64, 12


class FrequencyBasis(eqx.Module):
    r"""What [`frequency_basis`][ctrnn_jax.analysis.frequency_basis] returns.

    - `basis`: which of the frequencies are independent of those before them, shape
      `(k,)`.
    - `rank`: how many, at most 4: the dimension of the torus that the orbit fills, as
      far as these lines and orders tell; 1 is periodic.
    - `residual`: of each frequency's best relation, the least
      $|m_0\omega - \sum_i m_i\beta_i|$ over those of allowed order, shape `(k,)`, in
      radians per unit time; 0 for a member of the basis.
    """

    basis: Bool[Array, " k"]
    rank: Int[Array, ""]
    residual: Float[Array, " k"]


@full_precision
def frequency_basis(
    angular_frequency: ArrayLike,
    *,
    tolerance: ScalarLike,
    used: Bool[Array, " k"] | None = None,
) -> FrequencyBasis:
    r"""Find which frequencies are integer combinations of stronger ones.

    A frequency ω belongs to the torus spanned by $\beta_1, \ldots, \beta_d$ if
    $m_0\omega = \sum_i m_i\beta_i$ for integers $m_0 \ge 1$ of small order
    $\sum|m|$, at most 64 for one base frequency and 12 for more: then they all repeat
    after a common time, or wind around the same d-dimensional torus. Otherwise it
    joins the basis.

    **Arguments:**

    - `angular_frequency`: shape `(k,)`, strongest first, such as those of
      [`main_frequencies`][ctrnn_jax.analysis.main_frequencies].
    - `tolerance`: the largest $|m_0\omega - \sum_i m_i\beta_i|$ that counts as
      zero, in radians per unit time. Take the accuracy of the frequencies: chance
      relations are about $10^{-3}$ of a frequency apart at these orders.
    - `used`: which entries to look at, shape `(k,)`; the others are skipped.

    **Returns:** a [`FrequencyBasis`][ctrnn_jax.analysis.FrequencyBasis].

    **Raises:** `ValueError` unless the frequencies are a vector of floats.

    **Reference:** Laskar (1993), Physica D 67, 257, §3.
    """
    omega = jnp.asarray(angular_frequency)
    if omega.ndim != 1 or not jnp.issubdtype(omega.dtype, jnp.floating):
        raise ValueError(
            f"angular_frequency must be floats of shape (k,), got {omega.dtype} of "
            f"shape {omega.shape}."
        )
    table = jnp.asarray(_orders(), omega.dtype)
    limit = jnp.asarray(tolerance, omega.dtype)
    use = jnp.ones(omega.shape, bool) if used is None else used

    def look(state: tuple, item: tuple) -> tuple:
        basis, rank = state
        value, counts = item
        size = jnp.arange(MAX_BASIS)
        # A relation may not ask for a base frequency that is not there.
        allowed = jnp.all((table[:, 1:] == 0) | (size < rank)[None], axis=1)
        error = jnp.abs(table[:, 0] * value - table[:, 1:] @ basis)
        least = jnp.min(jnp.where(allowed, error, jnp.inf))
        new = counts & (least > limit) & (rank < MAX_BASIS)
        basis = jnp.where((size == rank) & new, value, basis)
        residual = jnp.where(new | ~counts, jnp.zeros_like(least), least)
        return (basis, rank + new.astype(int)), (new, residual)

    start = (jnp.zeros(MAX_BASIS, omega.dtype), jnp.asarray(0))
    (_, rank), (basis, residual) = jax.lax.scan(look, start, (omega, use))
    return FrequencyBasis(basis, rank, residual)


@functools.cache
def _orders() -> np.ndarray:
    """Return the integer vectors (m0 ≥ 1, m1 … m4) of allowed order."""
    rows: set[tuple[int, ...]] = {
        (first, second, 0, 0, 0)
        for first in range(1, _ORDER_ONE)
        for second in range(first - _ORDER_ONE, _ORDER_ONE - first + 1)
    }
    reach = range(-_ORDER_MORE, _ORDER_MORE + 1)
    # Three base frequencies to the full order, a fourth to a quarter of it: the table
    # grows as its fourth power.
    for first in range(1, 4):
        for rest in itertools.product(reach, repeat=3):
            if sum(map(abs, rest)) + first <= _ORDER_MORE:
                rows.add((first, *rest, 0))
    few = range(-2, 3)
    rows |= {(1, *rest) for rest in itertools.product(few, repeat=4)}
    return np.array(sorted(rows))
