"""Random networks, one a run: what can be set of them, and how they are drawn."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import diffrax
import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from .._types import Array, Float, Key, State
from ..fields import (
    AbstractActivation,
    AbstractField,
    Arctan,
    Erf,
    HardTanh,
    Linear,
    RateCTRNN,
    RectifiedTanh,
    Relu,
    Sine,
    Softsign,
    Tanh,
    VoltageCTRNN,
)
from ..integrate import RK4, CoordinateSplitting, DiscreteGradient, ImplicitMidpoint
from ..integrate._base import AbstractFieldSolver
from ..matrices import GainPlusSkew, SkewSymmetric
from ..matrices._base import AbstractWeight
from ..sweep._experiment import Parameter

#: Activations by name; the last two have no scale.
ACTIVATIONS: dict[str, Callable[..., AbstractActivation]] = {
    "tanh": Tanh,
    "hardtanh": HardTanh,
    "arctan": Arctan,
    "erf": Erf,
    "softsign": Softsign,
    "sine": Sine,
    "rectified tanh": RectifiedTanh,
    "linear": lambda scale: Linear(),
    "relu": lambda scale: Relu(),
}

#: Methods by name; those of `WITHOUT_DIAGONAL` need a W whose diagonal is zero.
SOLVERS: dict[str, diffrax.AbstractSolver] = {
    "rk4": RK4(),
    "tsit5": diffrax.Tsit5(),
    "dopri8": diffrax.Dopri8(),
    "heun": diffrax.Heun(),
    "euler": diffrax.Euler(),
    "splitting": CoordinateSplitting(2),
    "splitting 4": CoordinateSplitting(4),
    "splitting 6": CoordinateSplitting(6),
    "implicit midpoint": ImplicitMidpoint(),
    "discrete gradient": DiscreteGradient(),
}
#: Of these one can follow tangent vectors, lanes side by side.
EXPLICIT = tuple(
    name
    for name, solver in SOLVERS.items()
    if not isinstance(solver, AbstractFieldSolver) or solver.steps_lanes
)
WITHOUT_DIAGONAL = tuple(name for name in SOLVERS if name.startswith("splitting"))

NUM_NEURONS = Parameter(
    "num_neurons", 2, "number of neurons n", static=True, low=2, high=1024
)
FORM = Parameter(
    "form",
    "voltage",
    "x' = -γx + Wφ(x) + b (voltage) or r' = -γr + φ(Wr + b) (rate)",
    static=True,
    choices=("voltage", "rate"),
)
ACTIVATION = Parameter(
    "activation", "tanh", "the function φ", static=True, choices=tuple(ACTIVATIONS)
)
ACTIVATION_SCALE = Parameter(
    "activation.scale",
    1.0,
    "α of αf(x/α), where φ saturates (dimensionless); none for linear and relu",
    low=0.0,
    open=("low",),
)
SCALE = Parameter(
    "scale",
    1.0,
    "root mean square of the eigenfrequencies of W (rad per unit of tau)",
    low=0.0,
    open=("low",),
)
LEAK = Parameter("leak", 0.0, "γ (per unit of tau)", low=0.0)
GAIN = Parameter(
    "gain",
    0.0,
    "g of gI + W (per unit of tau); a run with one fails where the solver splits W",
)
BIAS = Parameter(
    "bias",
    0.0,
    "standard deviation of the entries of c in b = Wc, or of b itself in the rate form",
    low=0.0,
)
INITIAL_AMPLITUDE = Parameter(
    "initial_amplitude",
    1.0,
    "root mean square of the initial state's entries (dimensionless)",
    low=0.0,
)
DT0 = Parameter("dt0", 0.1, "step (units of tau)", static=True, low=0.0, open=("low",))

#: What every random network takes.
NETWORK = (
    NUM_NEURONS,
    FORM,
    ACTIVATION,
    ACTIVATION_SCALE,
    SCALE,
    LEAK,
    GAIN,
    BIAS,
    INITIAL_AMPLITUDE,
)


def solver_parameter(names: tuple[str, ...] = tuple(SOLVERS)) -> Parameter:
    """Return the choice of a method among `names`."""
    return Parameter(
        "solver",
        "rk4",
        "method of constant steps",
        static=True,
        choices=names,
    )


class OffsetVoltage(VoltageCTRNN):
    """A voltage form with b = W c, which remembers c: its energy has a term c·x."""

    offset: Float[Array, "n *batch"]

    def __init__(self, weight: AbstractWeight, *, offset: Array, **options: Any):
        super().__init__(weight, **options)
        self.offset = offset


def offset_of(model: AbstractField) -> Float[Array, " n"] | None:
    """Return c of a voltage form with b = W c, as `energy_of` takes it."""
    return getattr(model, "offset", None)


def draw_fields(
    fixed: Mapping[str, Any],
    settings: Mapping[str, Array],
    keys: Array,
    *,
    input_channels: int = 0,
) -> tuple[AbstractField, State, Array]:
    r"""Return a network and an initial state a run, and which runs cannot be.

    W is skew-symmetric and Gaussian, then scaled so that $\|W\|_F^2 = n\,s^2$: its
    eigenfrequencies have root mean square s. Of two neurons it is ±s[[0, 1], [-1, 0]].
    The initial state is a Gaussian direction. A key is split, in this order, for W, the
    bias, the initial state and the weights of inputs.

    What `fixed` says is absent in all runs is left out of the program, which is faster
    and may change last bits.

    **Returns:** models whose arrays lead with the runs, states `(batch, n)`, and
    `(batch,)`: true where a gain meets a solver that needs a zero diagonal.
    """
    size, is_voltage = fixed["num_neurons"], fixed["form"] == "voltage"
    make_activation = ACTIVATIONS[fixed["activation"]]
    zero_diagonal = fixed.get("solver") in WITHOUT_DIAGONAL or fixed.get("gain") == 0
    dtype = settings["scale"].dtype
    template = SkewSymmetric(size, key=jr.key(0), dtype=dtype)

    def one(values: Mapping[str, Array], key: Key) -> tuple[AbstractField, State]:
        weight_key, bias_key, start_key, input_key = jr.split(key, 4)
        upper = jr.normal(weight_key, template.upper.shape, dtype)
        width = math.sqrt(size / 2) / jnp.sqrt(jnp.sum(upper**2))
        upper = (values["scale"] * width) * upper
        skew = eqx.tree_at(lambda weight: weight.upper, template, upper)
        weight = skew if zero_diagonal else GainPlusSkew(skew, values["gain"])
        width = (
            1.0 if fixed.get("activation.scale") == 1 else values["activation.scale"]
        )
        options: dict[str, Any] = {
            "activation": make_activation(scale=width),
            "leak": 0.0 if fixed.get("leak") == 0 else values["leak"],
        }
        if input_channels:
            draws = jr.normal(input_key, (size, input_channels), dtype)
            options["input_weight"] = values["input_scale"] * draws
        make_field = VoltageCTRNN if is_voltage else RateCTRNN
        if fixed.get("bias") != 0:
            vector = values["bias"] * jr.normal(bias_key, (size,), dtype)
            options["bias"] = skew.mv(vector) if is_voltage else vector
            if is_voltage:
                make_field, options["offset"] = OffsetVoltage, vector
        start = jr.normal(start_key, (size,), dtype)
        length = values["initial_amplitude"] * math.sqrt(size)
        start = (length / jnp.sqrt(jnp.sum(start**2))) * start
        return make_field(weight, **options), start

    used = {name: settings[name] for name in settings if name in _DRAWN}
    models, starts = eqx.filter_vmap(one)(used, keys)
    impossible = (settings["gain"] != 0) & (fixed.get("solver") in WITHOUT_DIAGONAL)
    return models, starts, impossible


_DRAWN = {parameter.name for parameter in NETWORK if not parameter.static} | {
    "input_scale"
}
