"""A dense matrix with no structure: the control in every comparison."""

from typing import ClassVar

import equinox as eqx
import jax.random as jr

from .._types import Array, ArrayLike, DTypeLike, Float, Key, Matrix, State
from ._base import AbstractWeight, contract
from ._checks import as_scalar, check_dtype, check_matrix, check_size


class Unconstrained(AbstractWeight):
    r"""Dense W with all n² entries free.

    **Initialisation.** Entries are $\mathcal{N}(0, \text{scale}^2/n)$: for large n
    the eigenvalues fill the disc of radius `scale` (circular law), so the
    eigenfrequencies (imaginary parts) lie in $[0, \text{scale}]$ rad per unit time
    and about half of the modes grow.

    **Arguments:** as [`SkewSymmetric`][ctrnn_jax.matrices.SkewSymmetric].

    **Raises:** `ValueError` if `size` is not a positive integer or `scale` not finite.
    """

    is_skew: ClassVar[bool] = False
    has_zero_diagonal: ClassVar[bool] = False

    matrix: Float[Array, "n n"]

    def __init__(
        self,
        size: int,
        *,
        scale: ArrayLike = 1.0,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        size, dtype = check_size(size), check_dtype(dtype)
        width = as_scalar("scale", scale, dtype) / float(size) ** 0.5
        self.matrix = width * jr.normal(key, (size, size), dtype)

    @classmethod
    def from_matrix(cls, matrix: object) -> "Unconstrained":
        """Build from any square, floating and finite array of shape `(n, n)`.

        **Raises:** `ValueError` for another shape, an integer dtype, NaN or infinity.
        """
        array = check_matrix(matrix)
        self = cls(1, key=jr.key(0))
        return eqx.tree_at(lambda weight: weight.matrix, self, array)

    @property
    def size(self) -> int:
        return self.matrix.shape[0]

    def as_matrix(self) -> Matrix:
        return self.matrix

    def mv(self, x: State) -> State:
        self._check_operand(x)
        return contract(self.matrix, x)
