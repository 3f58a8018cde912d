"""The two forms of the equation."""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp

from .._types import Array, ArrayLike, DTypeLike, Float, ScalarLike, State
from ..matrices._base import AbstractWeight, contract
from ..matrices._checks import as_floating, as_scalar, is_concrete
from ._activations import Tanh
from ._activations_base import AbstractActivation, as_activation
from ._inputs import Inputs, evaluate_inputs


class AbstractField(eqx.Module):
    """A CTRNN's vector field `f(t, y, inputs)`.

    The third argument is the external drive u(t) (see `Inputs`), so that a field is
    what a `diffrax.ODETerm` wants and its drive travels as `args`.
    """

    weight: AbstractWeight
    activation: AbstractActivation
    leak: Float[Array, "*batch"] | float
    bias: Float[Array, "n *batch"] | None
    input_weight: Float[Array, "n m *batch"] | None

    def __init__(
        self,
        weight: AbstractWeight,
        *,
        activation: object = None,
        leak: ArrayLike = 0.0,
        bias: object = None,
        input_weight: object = None,
    ):
        if not isinstance(weight, AbstractWeight):
            raise ValueError(
                "weight must be a parametrised matrix such as SkewSymmetric(...) or "
                f"Unconstrained.from_matrix(W), got {type(weight).__name__}."
            )
        self.weight = weight
        self.activation = Tanh() if activation is None else as_activation(activation)
        self.leak = _check_leak(leak, weight.dtype)
        self.bias = _check_vector("bias", bias, weight)
        self.input_weight = _check_input_weight(input_weight, weight)

    @abstractmethod
    def __call__(self, t: ScalarLike, y: State, inputs: Inputs = None) -> State:
        """Return dy/dt for one state `(n,)`, or for lanes `(n, batch)`."""

    @property
    def size(self) -> int:
        """Number of neurons n."""
        return self.weight.size

    @property
    def has_leak(self) -> bool:
        """Whether a leak term is present; `False` only for the literal 0."""
        return not (isinstance(self.leak, float) and self.leak == 0.0)

    def drive(self, t: ScalarLike, inputs: Inputs) -> Float[Array, "n *batch"] | None:
        """Return $B u(t) + b$, or `None` where neither is present."""
        if inputs is None:
            return self.bias
        if self.input_weight is None:
            raise ValueError(
                "inputs were given but the model has no input_weight; build it with "
                "input_weight=B of shape (n, m)."
            )
        u = evaluate_inputs(inputs, t, self.input_weight.dtype)
        if u.shape[0] != self.input_weight.shape[1]:
            raise ValueError(
                f"inputs return {u.shape[0]} channels but input_weight has shape "
                f"{self.input_weight.shape} (n, m)."
            )
        if u.ndim == 1 and self.input_weight.ndim == 3:
            # One drive for lanes that weigh it each in their own way.
            lanes = self.input_weight.shape[2]
            u = jnp.broadcast_to(u[:, None], (u.shape[0], lanes))
        total = contract(self.input_weight, u)
        return add_bias(total, self.bias)


class VoltageCTRNN(AbstractField):
    r"""Voltage form: $x' = -\gamma x + W\varphi(x) + B u(t) + b$.

    With W skew-symmetric and γ = 0 it conserves $H = \sum_i \Phi(x_i)$. Time is in
    units of the neurons' time constant `tau`, states are dimensionless.

    **Arguments:**

    - `weight`: W, any of `ctrnn_jax.matrices`.
    - `activation`: φ, elementwise; `Tanh()` by default. Any callable works; one with
      a potential gives the model an energy.
    - `leak`: γ ≥ 0, a number or scalar array, in units of 1/`tau`. The literal 0
      tells integrators that there is none.
    - `bias`: b of shape `(n,)`, or `None`.
    - `input_weight`: B of shape `(n, m)`, or `None`.

    **Raises:** `ValueError` for a shape, dtype or sign that does not fit.

    **Reference:** Beer (1995); Casoni et al. (2025), arXiv 2504.13951.
    """

    # Spelt out in each form: type checkers give a dataclass its own constructor.
    def __init__(
        self,
        weight: AbstractWeight,
        *,
        activation: object = None,
        leak: ArrayLike = 0.0,
        bias: object = None,
        input_weight: object = None,
    ):
        super().__init__(
            weight,
            activation=activation,
            leak=leak,
            bias=bias,
            input_weight=input_weight,
        )

    def __call__(self, t: ScalarLike, y: State, inputs: Inputs = None) -> State:
        out = self.weight.mv(self.activation(y))
        if self.has_leak:
            out = out - as_row(self.leak, y) * y
        drive = self.drive(t, inputs)
        return out if drive is None else out + as_column(drive, y)


class RateCTRNN(AbstractField):
    r"""Rate form: $r' = -\gamma r + \varphi(W r + B u(t) + b)$.

    With W skew-symmetric and γ = 0 it conserves $H = \sum_i \Phi((Wr + b)_i)$.

    **Arguments:** as [`VoltageCTRNN`][ctrnn_jax.fields.VoltageCTRNN].

    **Reference:** Chang et al. (2019), AntisymmetricRNN; for the equivalence of the
    two forms, Miller and Fumarola (2012).
    """

    # Spelt out in each form: type checkers give a dataclass its own constructor.
    def __init__(
        self,
        weight: AbstractWeight,
        *,
        activation: object = None,
        leak: ArrayLike = 0.0,
        bias: object = None,
        input_weight: object = None,
    ):
        super().__init__(
            weight,
            activation=activation,
            leak=leak,
            bias=bias,
            input_weight=input_weight,
        )

    def __call__(self, t: ScalarLike, y: State, inputs: Inputs = None) -> State:
        drive = self.drive(t, inputs)
        current = self.weight.mv(y)
        if drive is not None:
            current = current + as_column(drive, y)
        out = self.activation(current)
        return out - as_row(self.leak, y) * y if self.has_leak else out


def add_bias(
    total: Float[Array, "n *batch"], bias: Float[Array, "n *lanes"] | None
) -> Float[Array, "n *both"]:
    """Return Bu + b, where either may differ between lanes, which are last."""
    if bias is None:
        return total
    if bias.ndim > total.ndim:
        return as_column(total, bias) + bias
    return total + as_column(bias, total)


def as_column(
    vector: Float[Array, "n *lanes"], y: Float[Array, "n *batch"]
) -> Float[Array, "n *ones"]:
    """Return `vector` so that it broadcasts against `y`, lanes last."""
    if vector.ndim < y.ndim:
        return vector[:, None]
    if vector.shape != y.shape:
        raise ValueError(
            f"Bu(t) + b has shape {vector.shape} but the state has {y.shape}: inputs "
            "must return (m,), or (m, batch) with the batch of the states."
        )
    return vector


def as_row(
    scalar: Float[Array, "*lanes"] | float, y: Float[Array, "n *batch"]
) -> Float[Array, "*ones"] | float:
    """Return a scalar, or one a lane, so that it broadcasts against `y`."""
    if isinstance(scalar, int | float) or scalar.ndim == 0:
        return scalar
    return scalar[None]


def materialise(model: AbstractField) -> AbstractField:
    """Return `model` with its weight built once, for use inside one solve."""
    return eqx.tree_at(lambda field: field.weight, model, model.weight.materialise())


def _check_leak(leak: object, dtype: DTypeLike) -> Float[Array, ""] | float:
    if isinstance(leak, int | float) and leak == 0:
        return 0.0
    array = as_scalar("leak", leak, dtype)
    if is_concrete(array) and array < 0:
        raise ValueError(f"leak must not be negative, got {leak}.")
    return array


def _check_vector(
    name: str, value: object, weight: AbstractWeight
) -> Float[Array, " n"] | None:
    if value is None:
        return None
    array = as_floating(name, value, weight.dtype)
    if array.shape != (weight.size,):
        raise ValueError(
            f"{name} must have shape ({weight.size},) to match the weight, got "
            f"{array.shape}."
        )
    return array


def _check_input_weight(
    value: object, weight: AbstractWeight
) -> Float[Array, "n m"] | None:
    if value is None:
        return None
    array = as_floating("input_weight", value, weight.dtype)
    if array.ndim != 2 or array.shape[0] != weight.size or array.shape[1] == 0:
        raise ValueError(
            f"input_weight must have shape ({weight.size}, m), got {array.shape}."
        )
    return array
