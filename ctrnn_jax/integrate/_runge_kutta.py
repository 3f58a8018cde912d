"""The classical Runge–Kutta method, which diffrax leaves out."""

from collections.abc import Callable
from typing import ClassVar

import diffrax
import numpy as np

from .._types import PyTree


class RK4(diffrax.AbstractERK):
    """The classical four-stage method of order 4, for constant steps.

    It has no embedded error estimate: with an adaptive controller use
    `diffrax.Tsit5()`. On the imaginary axis it is stable for h·ω ≤ 2√2.

    **Reference:** Hairer, Nørsett and Wanner (1993), table II.1.2.
    """

    tableau: ClassVar[diffrax.ButcherTableau] = diffrax.ButcherTableau(
        c=np.array([0.5, 0.5, 1.0]),
        b_sol=np.array([1 / 6, 1 / 3, 1 / 3, 1 / 6]),
        b_error=np.zeros(4),
        a_lower=(
            np.array([0.5]),
            np.array([0.0, 0.5]),
            np.array([0.0, 0.0, 1.0]),
        ),
    )
    interpolation_cls: ClassVar[Callable[..., diffrax.AbstractLocalInterpolation]] = (
        diffrax.ThirdOrderHermitePolynomialInterpolation.from_k
    )

    def order(self, terms: PyTree) -> int:
        return 4
