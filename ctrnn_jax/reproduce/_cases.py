"""The activations that C2 is tested on, and what theory says of each."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from ..fields import (
    AbstractActivation,
    CustomActivation,
    Linear,
    RectifiedTanh,
    Relu,
    Sine,
    Tanh,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """An activation φ under the name that the report gives it."""

    name: str
    activation: AbstractActivation

    @property
    def odd(self) -> bool:
        """Whether φ is odd."""
        return self.activation.is_odd

    @property
    def bounded(self) -> bool:
        """Whether φ is bounded."""
        return self.activation.is_bounded

    @property
    def coercive(self) -> bool:
        """Whether Φ grows to infinity both ways: level sets of H are bounded."""
        return self.activation.is_coercive


def _custom(
    function: Callable[[jax.Array], jax.Array],
    potential: Callable[[jax.Array], jax.Array],
    **known: bool,
) -> CustomActivation:
    return CustomActivation(function, potential, is_smooth=True, **known)


def _log_cosh(x: jax.Array) -> jax.Array:
    return Tanh().potential(x)


CASES = (
    Case("tanh", Tanh()),
    Case("linear", Linear()),
    Case(
        "tanh + 0.3 tanh²",
        _custom(
            lambda x: jnp.tanh(x) + 0.3 * jnp.tanh(x) ** 2,
            lambda x: _log_cosh(x) + 0.3 * (x - jnp.tanh(x)),
            is_bounded=True,
            is_coercive=True,
        ),
    ),
    Case(
        "eˣ − 1 (Lotka–Volterra)",
        _custom(jnp.expm1, lambda x: jnp.expm1(x) - x, is_coercive=True),
    ),
    Case(
        "leaky relu, slope 0.2",
        CustomActivation(
            lambda x: jnp.where(x > 0, x, 0.2 * x),
            lambda x: jnp.where(x > 0, 0.5, 0.1) * x**2,
            is_coercive=True,
        ),
    ),
    Case("sine", Sine()),
    Case(
        "x exp(−x²/2)",
        _custom(
            lambda x: x * jnp.exp(-0.5 * x**2),
            lambda x: -jnp.expm1(-0.5 * x**2),
            is_odd=True,
            is_bounded=True,
        ),
    ),
    Case("rectified tanh", RectifiedTanh()),
    Case("relu", Relu()),
    Case(
        "logistic",
        _custom(
            lambda x: 0.5 + 0.5 * jnp.tanh(0.5 * x),
            lambda x: jnp.logaddexp(x, 0.0) - jnp.log(2.0),
            is_bounded=True,
        ),
    ),
)
