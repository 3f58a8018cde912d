"""Symmetric gain on top of a skew coupling: the field with a limit cycle."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from .._types import Array, Float, Matrix, State
from ._base import AbstractWeight, check_matrix


class GainPlusSkew(AbstractWeight):
    r"""$gI + W$ with W skew-symmetric and g a scalar gain.

    Against a leak γ the origin of $x' = -\gamma x + (gI + W)\tanh x$ loses
    stability in a Hopf bifurcation at g = γ: for g > γ isolated, attracting limit
    cycles exist, which a purely skew W never has.

    **Arguments:**

    - `skew`: any weight with `is_skew`.
    - `gain`: g, a Python number or a scalar array.

    **Raises:** `ValueError` if `skew` is not skew-symmetric or `gain` not a scalar.
    """

    is_skew: ClassVar[bool] = False
    has_zero_diagonal: ClassVar[bool] = False

    skew: AbstractWeight
    gain: Float[Array, "*batch"]

    def __init__(self, skew: AbstractWeight, gain: object):
        if not skew.is_skew:
            raise ValueError(
                f"GainPlusSkew needs a skew-symmetric weight, got "
                f"{type(skew).__name__}."
            )
        if jnp.ndim(gain) != 0:  # pyright: ignore[reportArgumentType]
            raise ValueError(f"gain must be a scalar, got shape {np.shape(gain)}.")
        self.skew = skew
        self.gain = jnp.asarray(gain, skew.dtype)

    @classmethod
    def from_matrix(cls, matrix: object) -> "GainPlusSkew":
        """Split a concrete array `(n, n)` into its mean diagonal and a skew part.

        **Raises:** `ValueError` if what remains off the gain is not skew.
        """
        from ._skew_symmetric import SkewSymmetric

        array = check_matrix(matrix)
        gain = jnp.trace(array) / array.shape[0]
        skew = array - gain * jnp.eye(array.shape[0], dtype=array.dtype)
        return cls(SkewSymmetric.from_matrix(skew), gain)

    @property
    def size(self) -> int:
        return self.skew.size

    def as_matrix(self) -> Matrix:
        dense = self.skew.as_matrix()
        return dense + self.gain * jnp.eye(self.size, dtype=dense.dtype)

    def mv(self, x: State) -> State:
        return self.gain * x + self.skew.mv(x)

    def materialise(self) -> "GainPlusSkew":
        return GainPlusSkew(self.skew.materialise(), self.gain)
