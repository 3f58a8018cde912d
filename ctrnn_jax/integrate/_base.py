"""What the structure-preserving integrators share: one map, two ways to run it."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float, PyTree, ScalarLike, State
from ..fields import AbstractField, materialise
from ..fields._fields import as_column, as_row
from ..fields._inputs import Inputs
from ._clock import ClockTerm


class AbstractFieldSolver(diffrax.AbstractSolver):
    """A one-step map that uses the structure of a field, as a diffrax solver.

    Subclasses say what one step does (`advance`) on a state `(n,)` or, where
    `steps_lanes` holds, on lanes `(n, batch)`. Constant step sizes only: structure
    is lost when the step follows the solution, and no error estimate is made.
    """

    term_structure: ClassVar = diffrax.AbstractTerm
    interpolation_cls: ClassVar[Callable[..., diffrax.AbstractLocalInterpolation]] = (
        diffrax.ThirdOrderHermitePolynomialInterpolation
    )
    steps_lanes: ClassVar[bool] = True

    @abstractmethod
    def check(self, field: AbstractField) -> None:
        """Raise `ValueError`, with the mend, if the field lacks the structure."""

    def start(
        self,
        field: AbstractField,
        t: Float[Array, ""],
        h: Float[Array, ""],
        y: State,
        inputs: Inputs,
    ) -> PyTree:
        """Return what one step hands to the next; `None` by default."""
        return None

    @abstractmethod
    def advance(
        self,
        field: AbstractField,
        t: Float[Array, ""],
        h: Float[Array, ""],
        y: State,
        inputs: Inputs,
        carry: PyTree,
    ) -> tuple[State, PyTree, diffrax.RESULTS]:
        """Step from `t` to `t + h`; return the state, the carry and the outcome."""

    def init(
        self,
        terms: diffrax.AbstractTerm,
        t0: ScalarLike,
        t1: ScalarLike,
        y0: Array,
        args: Inputs,
    ) -> PyTree:
        field, t, h = unwrap(terms, t0, t1)
        self.check(field)
        return self.start(field, t, h, y0, args), field(t, y0, args)

    def step(
        self,
        terms: diffrax.AbstractTerm,
        t0: ScalarLike,
        t1: ScalarLike,
        y0: Array,
        args: Inputs,
        solver_state: PyTree,
        made_jump: Array | np.ndarray | bool,
    ) -> tuple[Array, None, dict[str, Array], PyTree, diffrax.RESULTS]:
        field, t, h = unwrap(terms, t0, t1)
        carry, slope0 = jax.lax.cond(
            made_jump, lambda: self.init(terms, t0, t1, y0, args), lambda: solver_state
        )
        y1, carry, result = self.advance(field, t, h, y0, args, carry)
        slope1 = field(t + h, y1, args)
        dense_info = {"y0": y0, "y1": y1, "k0": h * slope0, "k1": h * slope1}
        return y1, None, dense_info, (carry, slope1), result

    def func(
        self, terms: diffrax.AbstractTerm, t0: ScalarLike, y0: Array, args: Inputs
    ) -> Array:
        return terms.vf(t0, y0, args)


def unwrap(
    terms: diffrax.AbstractTerm, t0: ScalarLike, t1: ScalarLike
) -> tuple[AbstractField, Array, Array]:
    """Return the field inside `terms`, the physical time of `t0`, and the step."""
    term = terms
    # diffrax wraps the term it was given, to run backwards in time.
    while (inner := getattr(term, "term", None)) is not None:
        term = inner
    field = getattr(term, "vector_field", None)
    if not isinstance(field, AbstractField):
        raise ValueError(
            "This solver needs the structure of a VoltageCTRNN or RateCTRNN, got "
            f"{type(field if field is not None else term).__name__}. Pass the model "
            "itself to simulate (or as ODETerm(model)), or use a general solver such "
            "as diffrax.Tsit5()."
        )
    h = terms.contr(t0, t1)
    t = term.time(t0) if isinstance(term, ClockTerm) else t0
    return materialise(field), jnp.asarray(t, h.dtype), h


def relax(
    field: AbstractField,
    h: Float[Array, ""] | Float[Array, "1 lanes"],
    y: State,
    force: Array | None,
) -> State:
    r"""Flow exactly along $y' = -\gamma y + \text{force}$ for a time h, or a row."""
    if not field.has_leak:
        return y if force is None else y + h * as_column(force, y)
    z = -as_row(field.leak, y) * h
    y = jnp.exp(z) * y
    if force is None:
        return y
    # (e^z - 1)/z, whose limit at z = 0 is 1; the denominator is kept away from 0 so
    # that the gradient is finite there too.
    tiny = jnp.abs(z) < jnp.finfo(y.dtype).eps
    ratio = jnp.where(tiny, 1.0, jnp.expm1(z) / jnp.where(tiny, 1.0, z))
    return y + h * ratio * as_column(force, y)
