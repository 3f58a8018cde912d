"""How matrix products are rounded: in full, unless someone asks for less.

JAX lets a GPU round the operands of a float32 product to 10 bits (TensorFloat-32). A
frequency off by 2⁻¹¹ has lost its phase after a thousand periods, so nothing here
leaves that to chance. On a CPU products are in full whatever is asked for.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp

_P = ParamSpec("_P")
_R = TypeVar("_R")

_FULL = "highest"

#: For products that must be in full in every context: those of our own dynamics.
full_matmul = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


def full_precision(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return `function` with all products that it makes or traces in full.

    For what is measured of a motion, such as an exponent or an orbit.
    """

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with jax.default_matmul_precision(_FULL):
            return function(*args, **kwargs)

    return call


def in_chosen_precision(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return `function` with its products in full unless the context says otherwise.

    For what its user may want rounded, such as an encoder or a readout.
    """

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with jax.default_matmul_precision(precision_in_force(None)):
            return function(*args, **kwargs)

    return call


def precision_in_force(asked: str | None) -> str:
    """Return the precision asked for, else that of the context, else full."""
    ambient = jax.config.jax_default_matmul_precision  # pyright: ignore
    return asked or ambient or _FULL
