"""Our recurrent cells by name: how each is parametrised, stepped and started."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence

import diffrax
import jax.numpy as jnp
import jax.random as jr

from .._precision import full_matmul
from .._types import Array, DTypeLike, Float, Key
from ..fields import AbstractActivation, Linear, RateCTRNN, Tanh, VoltageCTRNN
from ..integrate import CayleyStep, CoordinateSplitting, ExponentialStep, Leapfrog
from ..matrices import GainPlusSkew, Unconstrained
from ..matrices._base import AbstractWeight
from ..matrices._checks import check_dtype
from ._field_cell import FieldCell
from ._phases import FULL_CIRCLE, bipartite_weight, rotation_weight, skew_weight

#: Of nonlinear states: clear of the phase π, near which kicks make chaos first.
SAFE = (0.05, 2.5)
#: α of φ(x) = α tanh(x/α), and the standard deviation of the entries of B: states of
#: a tenth of α start nearly linear.
SCALE, SMALL = 10.0, 0.3


@dataclasses.dataclass(frozen=True)
class Oscillator:
    """One of our cells, told apart by four choices.

    - `form`: `VoltageCTRNN` or `RateCTRNN`.
    - `weight`: how W is parametrised and its phases placed.
    - `solver`: the step between inputs.
    - `nonlinear`: whether φ(x) = α tanh(x/α), rather than x.
    - `leak`: γ; conservative if 0.
    - `phases`: range of the phases a step at the start, in rad.
    - `scale`: α.
    """

    form: type[VoltageCTRNN] | type[RateCTRNN]
    weight: Callable[..., AbstractWeight]
    solver: diffrax.AbstractSolver
    nonlinear: bool = False
    leak: float = 0.0
    phases: tuple[float, float] = FULL_CIRCLE
    scale: float = SCALE

    def __call__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        key: Key,
        dtype: DTypeLike | None = None,
        phases: Sequence[float] | None = None,
        step_size: float = 1.0,
        substeps: int = 1,
        scale: float | None = None,
        leak: float | None = None,
        input_scale: float | None = None,
        mean_input: Float[Array, " m"] | None = None,
        gradient: str = "stored",
        learn_start: bool = False,
    ) -> FieldCell:
        """Return a new cell; see `oscillator`."""
        dtype = check_dtype(dtype)
        weight_key, input_key, start_key = jr.split(key, 3)
        span = self.phases if phases is None else phases
        weight = self.weight(
            hidden_size,
            span,
            self.solver,
            step_size / substeps,
            key=weight_key,
            dtype=dtype,
        )
        if input_scale is None:
            input_scale = SMALL if self.nonlinear else 1.0
        input_weight, bias = None, None
        if input_size:
            shape = (hidden_size, input_size)
            input_weight = input_scale * jr.normal(input_key, shape, dtype)
            bias = jnp.zeros(hidden_size, dtype)
            if mean_input is not None:
                mean = jnp.asarray(mean_input, dtype)
                if mean.shape != (input_size,):
                    raise ValueError(
                        f"mean_input must have shape ({input_size},), one value a "
                        f"channel, got {mean.shape}."
                    )
                bias = -full_matmul(input_weight, mean)
        activation: AbstractActivation = Linear()
        if self.nonlinear:
            activation = Tanh(self.scale if scale is None else scale)
        field = self.form(
            weight,
            activation=activation,
            leak=self.leak if leak is None else leak,
            bias=bias,
            input_weight=input_weight,
        )
        start = None
        if learn_start:
            start = 0.1 * jr.normal(start_key, (hidden_size,), dtype)
        return FieldCell(
            field,
            solver=self.solver,
            step_size=step_size,
            substeps=substeps,
            start=start,
            gradient=gradient,
        )


def _free_weight(
    size: int,
    phases: Sequence[float],
    solver: diffrax.AbstractSolver,
    step_size: float,
    *,
    key: Key,
    dtype: DTypeLike | None = None,
) -> Unconstrained:
    """Return the matrix of `bipartite_weight`, all its entries free."""
    skew = bipartite_weight(size, phases, solver, step_size, key=key, dtype=dtype)
    return Unconstrained.from_matrix(skew.as_matrix())


def _gain_and_skew(
    size: int,
    phases: Sequence[float],
    solver: diffrax.AbstractSolver,
    step_size: float,
    *,
    key: Key,
    dtype: DTypeLike | None = None,
) -> GainPlusSkew:
    """Return gI + W, with a gain that outweighs a leak of 1."""
    skew = skew_weight(size, phases, solver, step_size, key=key, dtype=dtype)
    return GainPlusSkew(skew, 1.5)


OSCILLATORS: dict[str, Oscillator] = {
    "linear-rotation": Oscillator(VoltageCTRNN, rotation_weight, ExponentialStep()),
    "linear-skew": Oscillator(VoltageCTRNN, skew_weight, CayleyStep()),
    "linear-leapfrog": Oscillator(VoltageCTRNN, bipartite_weight, Leapfrog()),
    "tanh-skew": Oscillator(
        VoltageCTRNN, bipartite_weight, Leapfrog(), nonlinear=True, phases=SAFE
    ),
    "tanh-rate": Oscillator(
        RateCTRNN, bipartite_weight, Leapfrog(), nonlinear=True, phases=SAFE
    ),
    "tanh-dense": Oscillator(
        VoltageCTRNN, skew_weight, CoordinateSplitting(), nonlinear=True, phases=SAFE
    ),
    "tanh-skew-leak": Oscillator(
        VoltageCTRNN,
        bipartite_weight,
        Leapfrog(),
        nonlinear=True,
        leak=0.05,
        phases=SAFE,
    ),
    "gain-skew": Oscillator(
        VoltageCTRNN,
        _gain_and_skew,
        diffrax.Heun(),
        nonlinear=True,
        leak=1.0,
        phases=(0.0, 0.1),
        scale=1.0,
    ),
    "tanh-unconstrained": Oscillator(
        VoltageCTRNN, _free_weight, diffrax.Heun(), nonlinear=True, phases=SAFE
    ),
}
"""Our cells by name.

Linear and conservative, nonlinear and conservative, one whose gain outweighs its leak
so that it has attractors, and two ablations: a leak alone, and a W that is free.
"""


def oscillator(
    name: str,
    input_size: int,
    hidden_size: int,
    *,
    key: Key,
    dtype: DTypeLike | None = None,
    **options: object,
) -> FieldCell:
    r"""Return one of our cells, started where it can learn to remember.

    What decides whether such a network trains is its spectrum at the start, and that
    a nonlinear state begins nearly linear, below the energies and step phases where
    its motion is chaotic: there a gradient over the horizon carries nothing.

    **Arguments:**

    - `name`: one of `OSCILLATORS`.
    - `input_size`, `hidden_size`: channels m, 0 for a cell that only runs by itself,
      and neurons n ≥ 2.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype; JAX's default if `None`.
    - `phases`: `(low, high)`, by how many rad a step turns the oscillators at first,
      within 0 to π. Default: all of it if linear, 0.05 to 2.5 if not.
    - `step_size`, `substeps`: time between inputs, and solver steps it is divided in.
    - `scale`: α of φ(x) = α tanh(x/α); larger is nearer to linear. Default: 10, and 1
      for `"gain-skew"`.
    - `leak`: γ.
    - `input_scale`: standard deviation of the entries of B. Default: 1 if linear, 0.3
      if not.
    - `mean_input`: u̅, shape `(m,)`: the bias starts at −Bu̅, so that an input that
      never changes does not push the state away.
    - `gradient`: `"stored"` or `"reversible"`, see `FieldCell`.
    - `learn_start`: whether the initial state is learned.

    **Raises:** `ValueError` for an unknown name or option.
    """
    if name not in OSCILLATORS:
        raise ValueError(f"no cell {name!r}; there are {', '.join(OSCILLATORS)}.")
    known = list(inspect.signature(Oscillator.__call__).parameters)[5:]
    for option in options:
        if option not in known:
            raise ValueError(
                f"{name} takes no {option}; it takes {', '.join(sorted(known))}."
            )
    return OSCILLATORS[name](input_size, hidden_size, key=key, dtype=dtype, **options)  # pyright: ignore[reportArgumentType]
