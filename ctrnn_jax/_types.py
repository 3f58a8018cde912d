"""Shape aliases shared by every room.

A leading `n` counts neurons, `batch` counts ensemble lanes (always the last axis
inside the library), `time` counts samples. See `CONVENTIONS.md`.
"""

from typing import TypeAlias

import numpy as np
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Bool, Complex, Float, Int, PRNGKeyArray, PyTree, UInt32

Scalar: TypeAlias = Float[Array, ""]
ScalarLike: TypeAlias = Float[Array, ""] | np.ndarray | float | int
"""A scalar array or a Python number, such as a time."""
Vector: TypeAlias = Float[Array, " n"]
Matrix: TypeAlias = Float[Array, "n n"]
State: TypeAlias = Float[Array, "n *batch"]
"""One state `(n,)`, or an ensemble with its lanes last `(n, batch)`."""
Key: TypeAlias = PRNGKeyArray | UInt32[Array, "2"]
"""A new-style typed key or a legacy `jax.random.PRNGKey`."""

__all__ = [
    "Array",
    "ArrayLike",
    "Bool",
    "Complex",
    "DTypeLike",
    "Float",
    "Int",
    "Key",
    "Matrix",
    "PyTree",
    "Scalar",
    "ScalarLike",
    "State",
    "Vector",
]
