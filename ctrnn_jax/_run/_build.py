"""From a specification to the objects that are solved."""

from dataclasses import dataclass

import diffrax
import jax
import jax.numpy as jnp

from .. import fields, integrate, matrices
from .._types import Array, Float
from ._config import Config
from ._errors import UsageError

FORMS = {"voltage": fields.VoltageCTRNN, "rate": fields.RateCTRNN}
ACTIVATIONS = {
    "tanh": fields.Tanh,
    "hard_tanh": fields.HardTanh,
    "arctan": fields.Arctan,
    "erf": fields.Erf,
    "softsign": fields.Softsign,
    "sine": fields.Sine,
    "rectified_tanh": fields.RectifiedTanh,
    "linear": fields.Linear,
    "relu": fields.Relu,
}
WEIGHTS = {
    "skew_symmetric": matrices.SkewSymmetric,
    "bipartite_skew": matrices.BipartiteSkew,
    "block_rotation": matrices.BlockRotation,
    "low_rank_skew": matrices.LowRankSkew,
    "sparse_skew": matrices.SparseSkew,
    "gain_plus_skew": matrices.GainPlusSkew,
    "unconstrained": matrices.Unconstrained,
}
SOLVERS = {
    "coordinate_splitting": integrate.CoordinateSplitting,
    "leapfrog": integrate.Leapfrog,
    "discrete_gradient": integrate.DiscreteGradient,
    "implicit_midpoint": integrate.ImplicitMidpoint,
    "cayley_step": integrate.CayleyStep,
    "exponential_step": integrate.ExponentialStep,
    "euler": diffrax.Euler,
    "rk4": integrate.RK4,
    "heun": diffrax.Heun,
    "tsit5": diffrax.Tsit5,
    "dopri5": diffrax.Dopri5,
    "dopri8": diffrax.Dopri8,
}


@dataclass(frozen=True)
class Problem:
    """What is solved: `y0` has shape `(batch, n)`, and `controller` may be `None`."""

    model: fields.AbstractField
    y0: Float[Array, "batch n"]
    solver: diffrax.AbstractSolver
    controller: diffrax.AbstractStepSizeController | None


def build_problem(config: Config) -> Problem:
    """Build the model, the initial states and the solver that `config` describes.

    **Raises:** `UsageError` if the parts do not fit each other.
    """
    values = config.values
    dtype = jnp.dtype(values["run.dtype"])
    kind, name = values["weight.kind"], values["solver.name"]
    try:
        weight = _build_weight(config, dtype)
    except ValueError as error:
        raise UsageError(f"weight.kind = {kind}: {error}") from error
    scale = {}
    if "model.activation_scale" in values:
        scale["scale"] = values["model.activation_scale"]
    model = FORMS[values["model.form"]](
        weight,
        activation=ACTIVATIONS[values["model.activation"]](**scale),
        leak=values["model.leak"],
        bias=config.arrays.get("model.bias"),
    )
    options = {"order": values["solver.order"]} if "solver.order" in values else {}
    solver = SOLVERS[name](**options)
    if hasattr(solver, "check"):
        try:
            solver.check(model)
        except ValueError as error:
            raise UsageError(f"solver.name = {name}: {error}") from error
    controller = None
    if "solver.rtol" in values:
        controller = diffrax.PIDController(
            rtol=values["solver.rtol"], atol=values["solver.atol"]
        )
    return Problem(model, _build_y0(config, dtype), solver, controller)


def _build_weight(config: Config, dtype: jnp.dtype) -> matrices.AbstractWeight:
    values = config.values
    kind = values["weight.kind"]
    if "weight.matrix" in config.arrays:
        matrix = jnp.asarray(config.arrays["weight.matrix"], dtype)
        rank = (values["weight.rank"],) if kind == "low_rank_skew" else ()
        return WEIGHTS[kind].from_matrix(matrix, *rank)
    key = jax.random.key(values["weight.seed"])
    size, options = values["weight.size"], {"key": key, "dtype": dtype}
    if "weight.scale" in values:
        options["scale"] = values["weight.scale"]
    if "weight.angular_frequency_range" in config.arrays:
        low, high = config.arrays["weight.angular_frequency_range"].tolist()
        options["angular_frequency_range"] = (low, high)
    if kind == "gain_plus_skew":
        skew = matrices.SkewSymmetric(size, **options)
        return matrices.GainPlusSkew(skew, values["weight.gain"])
    for path in ("weight.rank", "weight.num_edges"):
        if path in values:
            return WEIGHTS[kind](size, values[path], **options)
    return WEIGHTS[kind](size, **options)


def _build_y0(config: Config, dtype: jnp.dtype) -> Float[Array, "batch n"]:
    values = config.values
    if "initial.y0" in config.arrays:
        return jnp.asarray(config.arrays["initial.y0"], dtype)
    # Another stream than the weight's, so that equal seeds are not one draw.
    key = jax.random.fold_in(jax.random.key(values["initial.seed"]), 1)
    shape = (values.get("initial.batch", 1), values["weight.size"])
    return values["initial.scale"] * jax.random.normal(key, shape, dtype)
