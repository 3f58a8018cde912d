"""Skew-symmetric coupling between two groups: the structure leapfrog steps."""

from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, DTypeLike, Float, Key, Matrix, State
from ._base import AbstractWeight, contract
from ._checks import (
    as_floating,
    check_dtype,
    check_frequency_range,
    check_size,
    check_skew,
    is_concrete,
)


class BipartiteSkew(AbstractWeight):
    r"""$W = \begin{pmatrix} 0 & C \\ -C^\top & 0 \end{pmatrix}$, C of shape `(p, q)`.

    The first p neurons drive only the last q and the reverse, as positions and
    momenta do, so each group can be advanced at once (`Leapfrog`). The
    eigenfrequencies are the singular values of C, and |p − q| zeros.

    **Initialisation.** $C = Q_1\,\mathrm{diag}(\omega)\,Q_2^\top$ with random
    orthonormal $Q_1, Q_2$ and ω evenly spaced in `angular_frequency_range`, both
    ends included: the range holds exactly.

    **Arguments:**

    - `size`: number of neurons n ≥ 2; p = n − n//2.
    - `angular_frequency_range`: `(low, high)` in rad per unit time.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 2 or a range that is not 0 ≤ low ≤ high.
    """

    is_skew: ClassVar[bool] = True
    has_zero_diagonal: ClassVar[bool] = True

    coupling: Float[Array, "p q"]

    def __init__(
        self,
        size: int,
        *,
        angular_frequency_range: Sequence[float | int] = (0.1, 1.0),
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        size, dtype = check_size(size, minimum=2), check_dtype(dtype)
        low, high = check_frequency_range(angular_frequency_range)
        q = size // 2
        left_key, right_key = jr.split(key)
        left = jr.orthogonal(left_key, size - q, dtype=dtype)[:, :q]
        right = jr.orthogonal(right_key, q, dtype=dtype)
        omega = jnp.linspace(low, high, q, dtype=left.dtype)
        self.coupling = contract(left * omega[None], right.T)

    @classmethod
    def from_matrix(cls, matrix: object) -> "BipartiteSkew":
        """Build from a skew array `(n, n)` whose diagonal blocks are zero.

        The groups are the first n − n//2 neurons and the last n//2; permute the
        neurons first if yours are interleaved.

        **Raises:** `ValueError` if a diagonal block is not zero or W is not skew.
        """
        array = check_skew(matrix)
        size = array.shape[0]
        check_size(size, minimum=2)
        p = size - size // 2
        if is_concrete(array) and (np.any(array[:p, :p]) or np.any(array[p:, p:])):
            raise ValueError(
                f"W is not bipartite: the blocks [:{p}, :{p}] and [{p}:, {p}:] must "
                "be zero. Permute the neurons into two uncoupled groups, or use "
                "SkewSymmetric.from_matrix."
            )
        return cls.from_coupling(array[:p, p:])

    @classmethod
    def from_coupling(cls, coupling: object) -> "BipartiteSkew":
        """Build from C, any finite floating array of shape `(p, q)`."""
        array = as_floating("C", coupling)
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"C must have shape (p, q), got shape {array.shape}.")
        template = cls(2, key=jr.key(0))
        return eqx.tree_at(lambda weight: weight.coupling, template, array)

    @property
    def size(self) -> int:
        return sum(self.coupling.shape)

    @property
    def independent_sets(self) -> tuple[slice, slice]:
        p = self.coupling.shape[0]
        return slice(0, p), slice(p, self.size)

    def as_matrix(self) -> Matrix:
        c = self.coupling
        p, q = c.shape
        top = jnp.concatenate([jnp.zeros((p, p), c.dtype), c], axis=1)
        bottom = jnp.concatenate([-c.T, jnp.zeros((q, q), c.dtype)], axis=1)
        return jnp.concatenate([top, bottom])

    def mv(self, x: State) -> State:
        self._check_operand(x)
        p = self.coupling.shape[0]
        return jnp.concatenate(
            [contract(self.coupling, x[p:]), -contract(self.coupling.T, x[:p])]
        )

    def mv_from(self, index: int, x: Float[Array, "k *batch"]) -> State:
        silent = jnp.zeros_like(x)
        if index == 0:
            return jnp.concatenate([silent, -contract(self.coupling.T, x)])
        return jnp.concatenate([contract(self.coupling, x), silent])

    def mv_to(self, index: int, x: State) -> Float[Array, "k *batch"]:
        p = self.coupling.shape[0]
        if index == 0:
            return contract(self.coupling, x[p:])
        return -contract(self.coupling.T, x[:p])

    def materialise(self) -> "BipartiteSkew":
        return self
