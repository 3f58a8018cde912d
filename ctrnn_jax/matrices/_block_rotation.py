"""Uncoupled planar rotations: a spectrum given outright."""

from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, DTypeLike, Float, Key, Matrix, State
from ._base import AbstractWeight
from ._checks import (
    check_dtype,
    check_frequency_range,
    check_size,
    check_skew,
    is_concrete,
)


class BlockRotation(AbstractWeight):
    r"""Block-diagonal W of $\omega_k \begin{pmatrix} 0 & 1 \\ -1 & 0 \end{pmatrix}$.

    The parameters are the n//2 angular frequencies themselves; neurons 2k and 2k+1
    rotate together. With odd n the last neuron is uncoupled.

    **Initialisation.** ω uniform at random in `angular_frequency_range`: the range
    holds exactly.

    **Arguments:**

    - `size`: number of neurons n ≥ 2.
    - `angular_frequency_range`: `(low, high)` in rad per unit time.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 2 or a range that is not 0 ≤ low ≤ high.
    """

    is_skew: ClassVar[bool] = True
    has_zero_diagonal: ClassVar[bool] = True

    angular_frequency: Float[Array, " blocks"]
    _size: int = eqx.field(static=True)

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
        uniform = jr.uniform(key, (size // 2,), dtype)
        self.angular_frequency = low + (high - low) * uniform
        self._size = size

    @classmethod
    def from_matrix(cls, matrix: object) -> "BlockRotation":
        """Build from a skew array `(n, n)` that is zero outside its 2×2 blocks.

        **Raises:** `ValueError` if an entry outside the blocks is not zero.
        """
        array = check_skew(matrix)
        size = array.shape[0]
        template = cls(size, key=jr.key(0))
        even = np.arange(0, size - 1, 2)
        weight = eqx.tree_at(
            lambda weight: weight.angular_frequency, template, array[even, even + 1]
        )
        if is_concrete(array) and np.any(
            np.asarray(weight.as_matrix()) != np.triu(array) - np.triu(array).T
        ):
            raise ValueError(
                "W is not block diagonal with 2×2 blocks. Bring it to real Schur form "
                "first, or use SkewSymmetric.from_matrix."
            )
        return weight

    @property
    def size(self) -> int:
        return self._size

    @property
    def independent_sets(self) -> tuple[slice, slice]:
        return slice(0, None, 2), slice(1, None, 2)

    def as_matrix(self) -> Matrix:
        even = np.arange(0, self._size - 1, 2)
        omega = self.angular_frequency
        half = jnp.zeros((self._size, self._size), omega.dtype)
        half = half.at[even, even + 1].set(omega)
        return half - half.T

    def mv(self, x: State) -> State:
        self._check_operand(x)
        pairs = 2 * (self._size // 2)
        omega = self._frequency_like(x)
        rotated = jnp.stack([omega * x[1::2], -omega * x[0:pairs:2]], axis=1)
        rotated = rotated.reshape(pairs, *x.shape[1:])
        return jnp.concatenate([rotated, jnp.zeros_like(x[pairs:])])

    def mv_from(self, index: int, x: Float[Array, "k *batch"]) -> State:
        zeros = jnp.zeros_like(x, shape=(self._size, *x.shape[1:]))
        pairs = 2 * (self._size // 2)
        omega = self._frequency_like(x)
        if index == 0:
            return zeros.at[1::2].set(-omega * x[: self._size // 2])
        return zeros.at[0:pairs:2].set(omega * x)

    def mv_to(self, index: int, x: State) -> Float[Array, "k *batch"]:
        self._check_operand(x)
        omega = self._frequency_like(x)
        if index == 0:
            idle = jnp.zeros_like(x, shape=(self._size % 2, *x.shape[1:]))
            return jnp.concatenate([omega * x[1::2], idle])
        return -omega * x[0 : 2 * (self._size // 2) : 2]

    def materialise(self) -> "BlockRotation":
        return self

    def _frequency_like(self, x: State) -> Float[Array, "blocks *ones"]:
        omega = self.angular_frequency
        return omega if x.ndim == 1 else omega[:, None]
