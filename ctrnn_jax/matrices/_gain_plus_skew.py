"""Symmetric gain on top of a skew coupling: the field with a limit cycle."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._types import Array, ArrayLike, Float, Matrix, State
from ._base import AbstractWeight
from ._checks import as_scalar, check_concrete, check_matrix
from ._skew_symmetric import SkewSymmetric


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

    def __init__(self, skew: AbstractWeight, gain: ArrayLike):
        if not (isinstance(skew, AbstractWeight) and skew.is_skew):
            raise ValueError(
                "GainPlusSkew needs a weight that is skew-symmetric by construction, "
                f"such as SkewSymmetric.from_matrix(W), got {type(skew).__name__}."
            )
        self.skew = skew
        self.gain = as_scalar("gain", gain, skew.dtype)

    @classmethod
    def from_matrix(cls, matrix: object) -> "GainPlusSkew":
        """Split a concrete array `(n, n)` into its constant diagonal and a skew part.

        **Raises:** `ValueError` if the diagonal is not constant to rounding, or what
        is off it not skew.
        """
        check_concrete(matrix, "GainPlusSkew.from_matrix")
        array = np.asarray(check_matrix(matrix))
        diagonal = np.diagonal(array)
        tolerance = 8 * np.finfo(array.dtype).eps * np.max(np.abs(array))
        if np.ptp(diagonal) > tolerance:
            raise ValueError(
                "W has no single gain: its diagonal runs from "
                f"{diagonal.min():.3g} to {diagonal.max():.3g}. Use "
                "Unconstrained.from_matrix."
            )
        skew = array - np.diag(diagonal)
        return cls(SkewSymmetric.from_matrix(skew), diagonal[0])

    @property
    def size(self) -> int:
        return self.skew.size

    def as_matrix(self) -> Matrix:
        dense = self.skew.as_matrix()
        return dense + self.gain * jnp.eye(self.size, dtype=dense.dtype)

    def mv(self, x: State) -> State:
        return self.gain * x + self.skew.mv(x)

    def materialise(self) -> "GainPlusSkew":
        return eqx.tree_at(lambda weight: weight.skew, self, self.skew.materialise())
