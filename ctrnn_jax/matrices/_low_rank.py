"""Skew-symmetric W of low rank: many neurons, few modes."""

from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, DTypeLike, Float, Key, Matrix, State
from ._base import AbstractWeight, contract, mirror
from ._checks import (
    check_concrete,
    check_dtype,
    check_frequency_range,
    check_integer,
    check_size,
    check_skew,
)


class LowRankSkew(AbstractWeight):
    r"""$W = U V^\top - V U^\top$ with U, V of shape `(n, rank)`.

    W has rank at most 2·rank; `mv` costs O(n·rank). Each pair of columns is one
    oscillating mode; the other n − 2·rank directions are Casimirs.

    **Initialisation.** The 2·rank columns are orthogonal, U scaled by frequencies
    evenly spaced in `angular_frequency_range`, both ends included: these are
    exactly the non-zero eigenfrequencies.

    **Arguments:**

    - `size`: number of neurons n.
    - `rank`: number of modes, with 2·rank ≤ n.
    - `angular_frequency_range`: `(low, high)` in rad per unit time.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` if `rank` is below 1 or 2·rank exceeds n.
    """

    is_skew: ClassVar[bool] = True
    has_zero_diagonal: ClassVar[bool] = True

    left: Float[Array, "n rank"]
    right: Float[Array, "n rank"]

    def __init__(
        self,
        size: int,
        rank: int,
        *,
        angular_frequency_range: Sequence[float | int] = (0.1, 1.0),
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        size, dtype = check_size(size, minimum=2), check_dtype(dtype)
        rank = check_integer("rank", rank, minimum=1, maximum=size // 2)
        low, high = check_frequency_range(angular_frequency_range)
        columns, _ = jnp.linalg.qr(jr.normal(key, (size, 2 * rank), dtype))
        omega = jnp.linspace(low, high, rank, dtype=columns.dtype)
        self.left = columns[:, :rank] * omega[None]
        self.right = columns[:, rank:]

    @classmethod
    def from_matrix(cls, matrix: object, rank: int) -> "LowRankSkew":
        """Build the best rank-2·`rank` approximation of a concrete skew array.

        Keeps the `rank` largest eigenfrequencies; exact if W has no more.
        """
        check_concrete(matrix, "LowRankSkew.from_matrix")
        dense = np.asarray(check_skew(matrix))
        template = cls(dense.shape[0], rank, key=jr.key(0))
        # 1j*W is Hermitian; a unit eigenvector p + iq of eigenvalue omega spans the
        # plane in which W = 2 omega (q p^T - p q^T).
        values, vectors = np.linalg.eigh(1j * dense)
        order = np.argsort(values)[::-1][:rank]
        p, q = np.real(vectors[:, order]), np.imag(vectors[:, order])
        left, right = 2 * values[order] * q, p
        return eqx.tree_at(
            lambda weight: (weight.left, weight.right),
            template,
            (jnp.asarray(left, dense.dtype), jnp.asarray(right, dense.dtype)),
        )

    @property
    def size(self) -> int:
        return self.left.shape[0]

    @property
    def rank(self) -> int:
        """Number of modes; W has rank at most twice this."""
        return self.left.shape[1]

    def as_matrix(self) -> Matrix:
        product = contract(self.left, self.right.T)
        # A compiler may fuse u_i v_j - u_j v_i so that the order of i and j changes
        # the rounding: product - product.T is then not skew, one triangle mirrored is.
        rows, cols = np.triu_indices(self.size, k=1)
        return mirror(product[rows, cols] - product[cols, rows], self.size)

    def mv(self, x: State) -> State:
        self._check_operand(x)
        return contract(self.left, contract(self.right.T, x)) - contract(
            self.right, contract(self.left.T, x)
        )

    def materialise(self) -> AbstractWeight:
        # The factored product costs 4·n·rank multiply-adds against n² for the dense.
        return self if 4 * self.rank < self.size else super().materialise()
