"""Eigenvalues of a product of matrices whose size they span many orders of."""

from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, Float

#: Rounds of orthogonal iteration: eigenvalues whose moduli differ by more than a
#: factor 0.4 are separated to rounding, the others stay together in a block.
_SWEEPS = 40


def product_eigenvalues(factors: Float[Array, "m n n"]) -> Array:
    r"""Return the complex logarithms of the eigenvalues of $M_m \cdots M_1$, `(n,)`.

    The product is never formed. Orthogonal iteration through the factors gives
    $M_i Q_i = Q_{i+1} R_i$ with $R_i$ triangular, up to blocks of eigenvalues of
    similar modulus; the eigenvalues are those of the products of the diagonal blocks,
    each scaled as it is formed. So small eigenvalues have small *relative* errors, as
    long as one factor alone does not spread by 1/eps, and none overflows.

    **Cost:** 40 decompositions of each factor, O(m n³).

    **Reference:** Bojanczyk, Golub and Van Dooren (1992), The periodic Schur
    decomposition; Lust (2001), Int. J. Bifurcation and Chaos 11, on multipliers.
    """
    size = factors.shape[-1]
    if size == 0:
        return jnp.zeros((0,), np.result_type(factors.dtype, np.complex64))

    def segment(q: Array, factor: Array) -> tuple[Array, Array]:
        return jnp.linalg.qr(factor @ q)

    def sweep(_: Array, carry: tuple) -> tuple:
        start = carry[0]
        after, r = jax.lax.scan(segment, start, factors)
        return after, start, r

    # No direction is special to a random start.
    start, _ = jnp.linalg.qr(jr.normal(jr.key(0), (size, size), factors.dtype))
    after, before, r = jax.lax.fori_loop(
        jnp.asarray(0), _SWEEPS, sweep, (start, start, jnp.zeros_like(factors))
    )
    turn = before.T @ after
    shape = jax.ShapeDtypeStruct((size,), np.result_type(factors.dtype, np.complex64))
    return jax.pure_callback(
        partial(_block_logarithms, dtype=shape.dtype),
        shape,
        turn,
        r,
        vmap_method="sequential",
    )


def _block_logarithms(q: Array, factors: Array, *, dtype: np.dtype) -> np.ndarray:
    """Return log eigenvalues of q·(r_m ⋯ r_1), a diagonal block at a time."""
    turn, r = np.asarray(q), np.asarray(factors)
    size = turn.shape[0]
    if not (np.all(np.isfinite(turn)) and np.all(np.isfinite(r))):
        return np.full(size, np.nan, dtype)
    small = np.finfo(turn.dtype).eps ** 0.75
    ends = [i for i in range(1, size) if np.max(np.abs(turn[i:, :i])) < small]
    logs = []
    for low, high in zip([0, *ends], [*ends, size], strict=True):
        product, scale = turn[low:high, low:high].astype(np.float64), 0.0
        # q·r_m first: the order of the factors is that of the product.
        for factor in r[::-1, low:high, low:high]:
            product = product @ factor
            largest = np.max(np.abs(product))
            if largest > 0:
                product, scale = product / largest, scale + np.log(largest)
        with np.errstate(divide="ignore"):
            logs.append(np.log(np.linalg.eigvals(product).astype(complex)) + scale)
    return np.concatenate(logs).astype(dtype)
