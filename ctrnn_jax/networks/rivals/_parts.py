"""What the rival cells share: checks of what they are given, initial weights."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from ..._types import Array, DTypeLike, Float, Key, PyTree
from ...matrices._checks import check_dtype, check_integer

LARGEST_SIZE = 1_000_000


def check_sizes(
    input_size: int, hidden_size: int, dtype: DTypeLike | None
) -> tuple[int, int, jnp.dtype]:
    """Return sizes m and n and a floating dtype, or say which is wrong."""
    return (
        check_integer("input_size", input_size, minimum=1, maximum=LARGEST_SIZE),
        check_integer("hidden_size", hidden_size, minimum=1, maximum=LARGEST_SIZE),
        check_dtype(dtype),
    )


def check_positive(name: str, value: float, *, zero: bool = False) -> float:
    """Return a finite number above zero, or also zero itself."""
    number = float(value)
    if not (0 < number < float("inf") or (zero and number == 0)):
        least = "at least 0" if zero else "above 0"
        raise ValueError(f"{name} must be finite and {least}, got {value!r}.")
    return number


def dtype_of(cell: PyTree) -> jnp.dtype:
    """Return the dtype of a cell's parameters."""
    return jax.tree.leaves(eqx.filter(cell, eqx.is_inexact_array))[0].dtype


def check_input(u: Array, input_size: int, dtype: jnp.dtype) -> None:
    """Refuse an input of another shape, or of another dtype than the parameters."""
    if u.shape != (input_size,):
        raise ValueError(
            f"an input must have shape ({input_size},), got {u.shape}; map over a "
            "batch with jax.vmap."
        )
    _check_input_dtype(u, dtype)


def check_sequence(inputs: Array, input_size: int, dtype: jnp.dtype) -> None:
    """Refuse a sequence of another shape, or of another dtype than the parameters."""
    if inputs.ndim != 2 or inputs.shape[1] != input_size:
        raise ValueError(
            f"inputs must have shape (time, {input_size}) for one sequence, got "
            f"{inputs.shape}; map over a batch with jax.vmap."
        )
    _check_input_dtype(inputs, dtype)


def _check_input_dtype(u: Array, dtype: jnp.dtype) -> None:
    if u.dtype != dtype:
        raise ValueError(
            f"inputs are {u.dtype} but the cell is {dtype}; use "
            f"inputs.astype({str(dtype)!r}), or build the cell with "
            f"dtype={str(u.dtype)!r}."
        )


def uniform(
    key: Key, shape: tuple[int, ...], bound: float, dtype: jnp.dtype
) -> Float[Array, "*shape"]:
    """Draw from U(-bound, bound)."""
    return jr.uniform(key, shape, dtype, -bound, bound)


def normal(
    key: Key, shape: tuple[int, ...], deviation: float, dtype: jnp.dtype
) -> Float[Array, "*shape"]:
    """Draw from N(0, deviation^2)."""
    return deviation * jr.normal(key, shape, dtype)


def glorot(key: Key, rows: int, columns: int, dtype: jnp.dtype) -> Float[Array, "n m"]:
    """Draw a matrix from U(-b, b) with b = sqrt(6 / (rows + columns))."""
    return uniform(key, (rows, columns), (6.0 / (rows + columns)) ** 0.5, dtype)
