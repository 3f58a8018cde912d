"""What simulate and simulate_ensemble refuse before any work is done."""

import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float
from ..fields import AbstractField


def is_concrete(x: object) -> bool:
    """Whether the numbers in `x` can be looked at now (not under a JAX transform)."""
    return not isinstance(x, jax.core.Tracer)


def as_floating(name: str, value: object) -> Float[Array, "*shape"]:
    """Return `value` as a floating JAX array, refusing silent casts.

    **Raises:** `ValueError` for an integer or complex array, and for a float64 one
    that JAX would round to float32 because x64 is off.
    """
    dtype = getattr(value, "dtype", None)
    if dtype == np.float64 and not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise ValueError(
            f"{name} is float64 but JAX would round it to float32. Either turn on "
            'double precision, jax.config.update("jax_enable_x64", True), or pass '
            f"{name}.astype(numpy.float32) on purpose."
        )
    array = jnp.asarray(value)
    if dtype is None and jnp.issubdtype(array.dtype, jnp.integer):
        # A Python list of whole numbers states no dtype; an integer array does.
        array = array.astype(float)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            f"{name} must be floating, got dtype {array.dtype}; use "
            f"{name}.astype(float)."
        )
    return array


def check_state(y0: object, model: object, *, ndim: int) -> Float[Array, "*shape"]:
    """Return `y0` checked against the model's size and dtype; neurons on the last axis.

    **Raises:** `ValueError` saying which shape or dtype was expected.
    """
    array = as_floating("y0", y0)
    expected = "(n,)" if ndim == 1 else "(batch, n)"
    if array.ndim != ndim:
        hint = (
            " Use simulate_ensemble for a batch of states."
            if ndim == 1 and array.ndim == 2
            else ""
        )
        raise ValueError(
            f"y0 must have shape {expected}, got shape {array.shape}.{hint}"
        )
    if 0 in array.shape:
        raise ValueError(f"y0 must not be empty, got shape {array.shape}.")
    if isinstance(model, AbstractField):
        if array.shape[-1] != model.size:
            raise ValueError(
                f"y0 has {array.shape[-1]} neurons on its last axis but the weight "
                f"has {model.size}."
            )
        if array.dtype != model.weight.dtype:
            raise ValueError(
                f"y0 is {array.dtype} but the weight is {model.weight.dtype}; cast "
                "one of them so that no precision is lost unseen."
            )
    return array


def check_times(ts: object, dtype: object) -> Float[Array, " time"] | np.ndarray:
    """Return the save times, shape `(time,)` with time ≥ 2, strictly increasing.

    Concrete times stay NumPy float64 so that step counts are exact.

    **Raises:** `ValueError` for anything else; traced times are checked at run time.
    """
    if is_concrete(ts):
        times = np.asarray(ts, np.float64)
        if times.ndim != 1 or times.shape[0] < 2:
            raise ValueError(
                "ts must hold at least the start and end time, shape (time,) with "
                f"time >= 2; got shape {times.shape}."
            )
        if not np.all(np.isfinite(times)):
            raise ValueError(f"ts must be finite, got {times}.")
        if not np.all(np.diff(times) > 0):
            raise ValueError(
                "ts must be strictly increasing; to integrate backwards in time "
                "negate the field (weight, leak and drive) instead."
            )
        return times
    traced = jnp.asarray(ts, dtype)  # pyright: ignore[reportArgumentType]
    if traced.ndim != 1 or traced.shape[0] < 2:
        raise ValueError(
            f"ts must have shape (time,) with time >= 2, got {traced.shape}."
        )
    return traced


def check_step(dt0: object) -> None:
    """Refuse a concrete step that is not a positive finite number."""
    if not is_concrete(dt0):
        return
    value = np.asarray(dt0)
    if value.ndim != 0 or not 0 < float(value) < np.inf:
        raise ValueError(f"dt0 must be a positive finite number, got {dt0}.")
