"""Every skew-symmetric matrix, by its strictly triangular half."""

from typing import ClassVar

import equinox as eqx
import jax.random as jr
import numpy as np

from .._types import Array, ArrayLike, DTypeLike, Float, Key, Matrix, State
from ._base import AbstractWeight, contract, mirror
from ._checks import as_scalar, check_dtype, check_size, check_skew


class SkewSymmetric(AbstractWeight):
    r"""Dense skew-symmetric $W = A - A^\top$ with A strictly upper triangular.

    The n(n-1)/2 entries above the diagonal are the parameters, so every gradient
    step stays on the skew matrices and $W + W^\top$ is exactly zero.

    **Initialisation.** Entries are $\mathcal{N}(0, \text{scale}^2/n)$. The
    eigenvalues are $\pm i\omega_k$ with $\omega_k$ following Wigner's semicircle:
    for large n all lie in $[0, 2\,\text{scale}]$ radians per unit time and the
    largest converges to $2\,\text{scale}$.

    **Arguments:**

    - `size`: number of neurons n, at least 1.
    - `scale`: half the largest eigenfrequency at large n, in rad per unit time.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` if `size` is not a positive integer or `scale` not finite.
    """

    is_skew: ClassVar[bool] = True
    has_zero_diagonal: ClassVar[bool] = True

    upper: Float[Array, " pairs"]
    _size: int = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        *,
        scale: ArrayLike = 1.0,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        size, dtype = check_size(size), check_dtype(dtype)
        width = as_scalar("scale", scale, dtype) / np.sqrt(size).item()
        self.upper = width * jr.normal(key, (size * (size - 1) // 2,), dtype)
        self._size = size

    @classmethod
    def from_matrix(cls, matrix: object) -> "SkewSymmetric":
        """Build from a skew-symmetric array of shape `(n, n)`.

        **Raises:** `ValueError` if it is not square, floating, finite and skew to
        rounding.
        """
        array = check_skew(matrix)
        template = cls(array.shape[0], key=jr.key(0))
        rows, cols = np.triu_indices(array.shape[0], k=1)
        return eqx.tree_at(lambda weight: weight.upper, template, array[rows, cols])

    @property
    def size(self) -> int:
        return self._size

    def as_matrix(self) -> Matrix:
        return mirror(self.upper, self._size)

    def mv(self, x: State) -> State:
        self._check_operand(x)
        return contract(self.as_matrix(), x, zero_diagonal=True)
