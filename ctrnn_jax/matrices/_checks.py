"""What constructors refuse, and what they say about it."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from .._types import Array, DTypeLike, Float, Scalar


def is_concrete(x: object) -> bool:
    """Whether the numbers in `x` can be looked at now (not under a JAX transform)."""
    return not isinstance(x, Tracer)


def check_dtype(dtype: DTypeLike | None) -> jnp.dtype:
    """Return a floating dtype that JAX can hold, its default for `None`."""
    widest = jnp.result_type(float)
    if dtype is None:
        return widest
    wanted = np.dtype(dtype)
    if not jnp.issubdtype(wanted, jnp.floating):
        raise ValueError(f"dtype must be floating, got {wanted}.")
    if jnp.finfo(wanted).bits > jnp.finfo(widest).bits:
        raise ValueError(
            f"dtype is {wanted} but JAX would round to {widest}. Turn on double "
            'precision, jax.config.update("jax_enable_x64", True), or ask for '
            f"{widest}."
        )
    return wanted


def as_floating(
    name: str,
    value: object,
    dtype: DTypeLike | None = None,
    *,
    finite: bool = True,
) -> Float[Array, "*shape"]:
    """Return `value` as a floating array, of `dtype` if one is given.

    Python and NumPy scalars and lists take the dtype asked for. An array states its
    own, so what would round it is refused: fewer bits, or JAX without x64.

    **Raises:** `ValueError` saying what to cast; unless `finite` is `False`, for a
    concrete NaN or infinity too.
    """
    own = getattr(value, "dtype", None)
    if isinstance(value, np.generic) or getattr(value, "weak_type", False):
        own = None
    if own is not None:
        if not jnp.issubdtype(own, jnp.floating):
            raise ValueError(
                f"{name} must be floating, got dtype {own}; use {name}.astype(float)."
            )
        widest = jnp.result_type(float)
        if jnp.finfo(own).bits > jnp.finfo(widest).bits:
            raise ValueError(
                f"{name} is {own} but JAX would round it to {widest}. Either turn on "
                'double precision, jax.config.update("jax_enable_x64", True), or cast '
                f"{name} on purpose."
            )
    target = check_dtype(own if dtype is None else dtype)
    if own is not None and jnp.finfo(own).bits > jnp.finfo(target).bits:
        raise ValueError(
            f"{name} is {own} but the weight is {target}; cast one of them so that no "
            "precision is lost unseen."
        )
    array = jnp.asarray(value)  # pyright: ignore[reportArgumentType]
    if jnp.iscomplexobj(array):
        raise ValueError(f"{name} must be real, got dtype {array.dtype}.")
    array = array.astype(target)
    if finite and is_concrete(array) and not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite, but it holds NaN or infinity.")
    return array


def as_scalar(name: str, value: object, dtype: DTypeLike | None = None) -> Scalar:
    """Return `value` as a finite floating scalar array."""
    array = as_floating(name, value, dtype)
    if array.ndim != 0:
        raise ValueError(f"{name} must be a scalar, got shape {array.shape}.")
    return array


def check_integer(name: str, value: object, *, minimum: int, maximum: int) -> int:
    """Return `value` as an int in `minimum`..`maximum`, else raise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be an int, got {value!r}.")
    if not minimum <= value <= maximum:
        raise ValueError(f"{name} must be in {minimum}..{maximum}, got {value}.")
    return int(value)


def check_size(size: object, *, minimum: int = 1) -> int:
    """Return a neuron count, refusing what is not an int of at least `minimum`."""
    if isinstance(size, bool) or not isinstance(size, int | np.integer):
        raise ValueError(f"size must be an int, got {size!r}.")
    if size < minimum:
        raise ValueError(f"size must be at least {minimum}, got {size}.")
    return int(size)


def check_matrix(matrix: object) -> Float[Array, "n n"]:
    """Return `matrix` as a square floating array, or say what is wrong with it."""
    array = as_floating("W", matrix)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] == 0:
        raise ValueError(
            f"W must be a square matrix of shape (n, n), got shape {array.shape}."
        )
    return array


def check_skew(matrix: object) -> Float[Array, "n n"]:
    """Return `matrix` if it is skew-symmetric to rounding, else raise."""
    array = check_matrix(matrix)
    if is_concrete(array):
        dense = np.asarray(array)
        tolerance = 8 * np.finfo(dense.dtype).eps * np.max(np.abs(dense))
        asymmetry = np.max(np.abs(dense + dense.T))
        if asymmetry > tolerance:
            raise ValueError(
                f"W is not skew-symmetric: max |W + W^T| = {asymmetry:.3g}. Pass its "
                "skew part (W - W.T) / 2, or use Unconstrained.from_matrix."
            )
    return array


def check_concrete(matrix: object, who: str) -> None:
    """Refuse a traced array where the structure follows from its numbers."""
    if not is_concrete(matrix):
        raise ValueError(
            f"{who} needs concrete numbers, since the structure follows from them. "
            "Call it outside jit, vmap and grad."
        )


def check_frequency_range(
    angular_frequency_range: Sequence[float | int],
) -> tuple[float, float]:
    """Return `(low, high)` if 0 <= low <= high and both are finite, else raise."""
    bounds = tuple(float(bound) for bound in angular_frequency_range)
    if len(bounds) != 2 or not 0 <= bounds[0] <= bounds[1] < float("inf"):
        raise ValueError(
            "angular_frequency_range must be (low, high) with 0 <= low <= high, both "
            f"finite and in radians per unit time; got {angular_frequency_range}."
        )
    return bounds
