"""Implicit steps: one keeps the energy, the other the quadratic structure."""

from abc import abstractmethod
from typing import ClassVar, TypeAlias

import diffrax
import equinox as eqx
import jax.numpy as jnp
import optimistix as optx

from .._types import Array, Float, PyTree, State
from ..fields import AbstractField, RateCTRNN, VoltageCTRNN
from ..fields._inputs import Inputs
from ._base import AbstractFieldSolver

#: What `optimistix.root_find` takes; Dogleg is a least-squares solver by class.
RootFinder: TypeAlias = optx.AbstractRootFinder | optx.AbstractLeastSquaresSolver


class _AbstractImplicit(AbstractFieldSolver):
    """Solve y⁺ = y + h F(y, y⁺) to rounding."""

    steps_lanes: ClassVar[bool] = False

    root_finder: RootFinder | None
    max_iterations: int

    @abstractmethod
    def slope(
        self,
        field: AbstractField,
        t: Array,
        h: Array,
        y0: Float[Array, " n"],
        y1: Float[Array, " n"],
        inputs: Inputs,
    ) -> Float[Array, " n"]:
        """Return F(y, y⁺)."""

    def order(self, terms: PyTree) -> int:
        return 2

    def advance(
        self,
        field: AbstractField,
        t: Float[Array, ""],
        h: Float[Array, ""],
        y: State,
        inputs: Inputs,
        carry: None,
    ) -> tuple[State, None, diffrax.RESULTS]:
        def next_state(y1: Array, _: None) -> Array:
            return y + h * self.slope(field, t, h, y, y1, inputs)

        def residual(y1: Array, _: None) -> Array:
            return y1 - next_state(y1, None)

        root_finder = self.root_finder
        if root_finder is None:
            # The last iterations are Newton's, which square the error: below this
            # tolerance the next iterate is exact to rounding, and the evaluation
            # after the search makes that last step.
            tolerance = float(jnp.finfo(y.dtype).eps) ** 0.6
            root_finder = optx.Dogleg(rtol=tolerance, atol=tolerance)
        # Far from y the slope is flat for a bounded φ and the search is lost: at
        # large h an Euler step is a worse guess than none.
        found = optx.root_find(
            residual, root_finder, y, max_steps=self.max_iterations, throw=False
        )
        y1 = next_state(found.value, None)
        return y1, None, diffrax.RESULTS.promote(found.result)


class ImplicitMidpoint(_AbstractImplicit):
    r"""$x^+ = x + h f(t + h/2, (x + x^+)/2)$.

    Second order, symmetric, stable for every h on the imaginary axis; keeps linear
    and quadratic invariants (so the energy of a linear skew field) exactly.

    **Arguments:**

    - `root_finder`: an `optimistix` root finder. `None` searches by Powell's dogleg to
      rounding, which converges at every step size; `optimistix.Newton` with a
      tolerance near eps^0.6 is faster while h‖W‖ is below about 3.
    - `max_iterations`: iterations allowed a step; more is reported as a failed result.

    **Reference:** Hairer, Lubich and Wanner (2006), Geometric Numerical Integration,
    §II.1 and §IV.2.
    """

    root_finder: RootFinder | None = None
    max_iterations: int = eqx.field(static=True, default=200)

    def check(self, field: AbstractField) -> None:
        """Accept every field."""

    def slope(
        self,
        field: AbstractField,
        t: Array,
        h: Array,
        y0: Float[Array, " n"],
        y1: Float[Array, " n"],
        inputs: Inputs,
    ) -> Float[Array, " n"]:
        return field(t + 0.5 * h, 0.5 * (y0 + y1), inputs)


class DiscreteGradient(_AbstractImplicit):
    r"""$x^+ = x + hW\bar g(x, x^+)$ with $\bar g_i$ the mean of φ over the step.

    Since $\bar g \cdot (x^+ - x) = H(x^+) - H(x)$ and W is skew, the energy is kept
    for **every** step size, to the accuracy of the implicit solve (rounding). In the
    rate form the same holds with $\bar g_i$ the mean of φ between the old and the
    new argument $(Wr + d)_i$. Leak is taken at the midpoint, inputs at mid-step.

    **Arguments:** as [`ImplicitMidpoint`][ctrnn_jax.integrate.ImplicitMidpoint].

    **Raises:** `ValueError` if the activation has no potential.

    **Order:** 2, symmetric. **Cost:** a few n×n factorisations a step.

    **Reference:** Itoh and Abe (1988); Quispel and McLaren (2008).
    """

    root_finder: RootFinder | None = None
    max_iterations: int = eqx.field(static=True, default=200)

    def check(self, field: AbstractField) -> None:
        if not isinstance(field, VoltageCTRNN | RateCTRNN):
            raise ValueError(
                "DiscreteGradient knows VoltageCTRNN and RateCTRNN, got "
                f"{type(field).__name__}; use ImplicitMidpoint()."
            )
        eqx.filter_eval_shape(field.activation.potential, jnp.zeros(1))

    def slope(
        self,
        field: AbstractField,
        t: Array,
        h: Array,
        y0: Float[Array, " n"],
        y1: Float[Array, " n"],
        inputs: Inputs,
    ) -> Float[Array, " n"]:
        drive = field.drive(t + 0.5 * h, inputs)
        if isinstance(field, VoltageCTRNN):
            out = field.weight.mv(field.activation.average(y0, y1))
            out = out if drive is None else out + drive
        else:
            old, new = field.weight.mv(y0), field.weight.mv(y1)
            if drive is not None:
                old, new = old + drive, new + drive
            out = field.activation.average(old, new)
        if field.has_leak:
            out = out - field.leak * (0.5 * (y0 + y1))
        return out
