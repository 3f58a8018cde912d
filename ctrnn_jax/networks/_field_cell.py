"""A CTRNN as a recurrent cell: inputs are held while a solver takes its steps."""

import diffrax
import equinox as eqx
import jax.numpy as jnp

from .._types import Array, Float, PyTree
from ..fields import AbstractField, materialise
from ..integrate import CayleyStep, CoordinateSplitting, ExponentialStep, Leapfrog
from ..integrate._base import AbstractFieldSolver
from ..integrate._fixed_steps import fixed_step, has_fixed_step
from ..integrate._reversible_scan import HeldInputs, scan_reversibly
from ..integrate._storage import FixedPoint
from ..matrices import BlockRotation
from ..matrices._checks import as_floating
from ._cell import AbstractCell
from ._linear_cells import (
    PropagatorCell,
    RotationCell,
    input_size_of,
    rotation_multipliers,
)

#: How the gradient of a whole sequence is taken.
GRADIENTS = ("stored", "reversible")


class FieldCell(AbstractCell):
    r"""A CTRNN advanced by `step_size` for each input, which is held meanwhile.

    Its output is the state itself. Without input the state goes on by itself, so that
    a network can keep what it was told for as long as its motion keeps it.

    **Arguments:**

    - `field`: a `VoltageCTRNN` or `RateCTRNN`, with an `input_weight` (n, m) unless it
      is only to run by itself.
    - `solver`: any structure-preserving step of ours or any solver of diffrax, one
      step at a time. `CayleyStep` and `ExponentialStep`, for linear fields, are built
      once for a whole sequence; with a `BlockRotation` they cost O(n) a step.
    - `step_size`: time h between inputs, in units of `tau`.
    - `substeps`: solver steps that it is divided into.
    - `start`: initial state `(n,)`, which is then learned; zero, and not learned, if
      `None`.
    - `gradient`: `"stored"` keeps what the steps computed, memory that grows with
      their number; `"reversible"` undoes the steps exactly instead (`Leapfrog` and
      `CoordinateSplitting`), see `ReversibleAdjoint`. A free run, as a `Generator`
      makes, stores its steps either way.
    - `associative`: for a linear field with a `BlockRotation`, whether a sequence is
      scanned in parallel over time (O(log T) deep) and not step by step; by default on
      any device but a CPU.

    **Raises:** `ValueError` for a field that the solver cannot step, with what to
    change.
    """

    field: AbstractField
    start: Float[Array, " n"] | None
    solver: diffrax.AbstractSolver
    step_size: float = eqx.field(static=True)
    substeps: int = eqx.field(static=True)
    gradient: str = eqx.field(static=True)
    associative: bool | None = eqx.field(static=True)

    def __init__(
        self,
        field: AbstractField,
        *,
        solver: diffrax.AbstractSolver,
        step_size: float = 1.0,
        substeps: int = 1,
        start: object = None,
        gradient: str = "stored",
        associative: bool | None = None,
    ):
        self.field = field
        self.solver = solver
        self.step_size = float(step_size)
        self.substeps = substeps
        self.gradient = gradient
        self.associative = associative
        self.start = None
        if start is not None:
            self.start = as_floating("start", start, field.weight.dtype)
            if self.start.shape != (field.size,):
                raise ValueError(
                    f"start must have shape ({field.size},), got {self.start.shape}."
                )
        if not self.step_size > 0:
            raise ValueError(f"step_size must be positive, got {step_size}.")
        if isinstance(substeps, bool) or substeps < 1:
            raise ValueError(f"substeps must be at least 1, got {substeps}.")
        if gradient not in GRADIENTS:
            raise ValueError(f"gradient must be one of {GRADIENTS}, got {gradient!r}.")
        if gradient == "reversible" and not isinstance(
            solver, Leapfrog | CoordinateSplitting
        ):
            raise ValueError(
                "gradient='reversible' undoes Leapfrog and CoordinateSplitting, got "
                f"{type(solver).__name__}; use one of them, or gradient='stored'."
            )
        finder = getattr(solver, "root_finder", None)
        if not isinstance(getattr(finder, "rtol", 0.0), float | Array):
            raise ValueError(
                f"{type(solver).__name__} takes its tolerances from an adaptive step; "
                "give its root_finder tolerances of its own, such as "
                "diffrax.VeryChord(rtol=1e-6, atol=1e-6)."
            )
        if isinstance(solver, AbstractFieldSolver):
            solver.check(field)

    @property
    def input_size(self) -> int:
        """Number m of input channels, 0 for a field that only runs by itself."""
        return input_size_of(self.field)

    @property
    def output_size(self) -> int:
        """Number n of neurons."""
        return self.field.size

    def initial_state(self) -> PyTree:
        """Return the learned start, or zero."""
        if self.start is not None:
            return self.state_from(self.start)
        return self.state_from(jnp.zeros(self.field.size, self.field.weight.dtype))

    def state_from(self, y: Float[Array, " n"]) -> PyTree:
        """Return the state of a cell whose neurons are at `y`."""
        if self._is_linear:
            return y
        # Leapfrog's last kick of a step is the first of the next: it is handed on.
        if isinstance(self.solver, Leapfrog):
            start, h = jnp.zeros((), y.dtype), self._step(y)
            return y, self.solver.start(self.field, start, h, y, self._held())
        return y, None

    def step(self, state: PyTree, u: Float[Array, " m"]) -> PyTree:
        """Return the state after `step_size` with the input `u` held."""
        if self._is_linear:
            return self.prepare().step(state, u)
        y, carry = state
        t, h = jnp.zeros((), y.dtype), self._step(y)
        for _ in range(self.substeps):
            y, carry = _advance(self.solver, self.field, t, h, y, self._held(u), carry)
        return y, carry

    def output(self, state: PyTree) -> Float[Array, " n"]:
        """Return the state of the neurons."""
        return state if self._is_linear else state[0]

    def recurrent_weights(self) -> PyTree:
        """Return W."""
        return self.field.weight

    def prepare(self) -> AbstractCell:
        """Return the cell with its weight, or its propagator, built once."""
        if not self._is_linear:
            return eqx.tree_at(lambda cell: cell.field, self, materialise(self.field))
        assert isinstance(self.solver, CayleyStep | ExponentialStep)
        field, h = self.field, self.step_size / self.substeps
        if isinstance(field.weight, BlockRotation):
            return RotationCell.of(
                field,
                rotation_multipliers(field, self.solver, h, self.substeps),
                associative=self.associative,
            )
        return PropagatorCell.of(field, self.solver, h, self.substeps)

    def scan(
        self, state: PyTree, inputs: Float[Array, "time m"]
    ) -> tuple[PyTree, Float[Array, "time n"]]:
        """Return the last state, and the neurons' after each input."""
        if self._is_linear:
            return self.prepare().scan(state, inputs)
        if self.gradient == "reversible":
            return self._undoable(state, inputs, keep=True)
        return super().scan(state, inputs)

    def last(
        self, state: PyTree, inputs: Float[Array, "time m"]
    ) -> tuple[PyTree, Float[Array, " n"]]:
        """Return the last state, and that of the neurons alone."""
        if self._is_linear:
            return self.prepare().last(state, inputs)
        if self.gradient == "reversible":
            return self._undoable(state, inputs, keep=False)
        return super().last(state, inputs)

    def _undoable(
        self, state: PyTree, inputs: Float[Array, "time m"], *, keep: bool
    ) -> tuple[PyTree, Array]:
        y = state[0]
        assert isinstance(self.solver, Leapfrog | CoordinateSplitting)
        storage = FixedPoint.of(y.dtype, None)
        ys, spilt = scan_reversibly(
            self.field,
            y,
            inputs,
            self._step(y),
            self.substeps,
            self.solver,
            storage,
            keep=keep,
        )
        ys = jnp.where(spilt, jnp.nan, ys)
        return self.state_from(ys[-1]), ys if keep else ys[-1]

    @property
    def _is_linear(self) -> bool:
        return isinstance(self.solver, CayleyStep | ExponentialStep)

    def _held(self, u: Float[Array, " m"] | None = None) -> HeldInputs | None:
        if self.field.input_weight is None:
            return None
        if u is None:
            u = jnp.zeros(self.input_size, self.field.input_weight.dtype)
        return HeldInputs(u)

    def _step(self, y: Array) -> Float[Array, ""]:
        return jnp.asarray(self.step_size / self.substeps, y.dtype)


def _advance(
    solver: diffrax.AbstractSolver,
    field: AbstractField,
    t: Array,
    h: Array,
    y: Array,
    inputs: HeldInputs | None,
    carry: PyTree,
) -> tuple[Array, PyTree]:
    """Take one step; a state that a failed one leaves is NaN, and so is its loss."""
    if has_fixed_step(solver):
        y, carry, result = fixed_step(solver)(field, t, h, y, inputs, carry)
    else:
        term = diffrax.ODETerm(field)
        memory = solver.init(term, t, t + h, y, inputs)
        y, _, _, _, result = solver.step(term, t, t + h, y, inputs, memory, True)
    failed = result != diffrax.RESULTS.successful
    return jnp.where(failed, jnp.full_like(y, jnp.nan), y), carry
