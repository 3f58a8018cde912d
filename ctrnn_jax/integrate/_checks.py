"""What simulate and simulate_ensemble refuse before any work is done."""

import types

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float, PyTree, ScalarLike
from ..fields import AbstractField
from ..matrices._checks import as_floating, is_concrete


def check_state(y0: object, model: object, *, ndim: int) -> Float[Array, "*shape"]:
    """Return `y0` checked against the model's size and dtype; neurons on the last axis.

    **Raises:** `ValueError` saying which shape or dtype was expected.
    """
    array = as_floating("y0", y0, finite=False)
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


def constant_step(dt0: ScalarLike | None) -> ScalarLike:
    """Return `dt0`, which constant steps cannot do without."""
    if dt0 is None:
        raise ValueError(
            "dt0 is needed with a constant step size; give dt0=..., or choose the "
            "step adaptively with stepsize_controller=diffrax.PIDController(...)."
        )
    return dt0


def check_increasing(ts: Float[Array, " time"]) -> Float[Array, " time"]:
    """Return times that are checked at run time, in the dtype they will be used in."""
    return eqx.error_if(
        ts,
        ~(jnp.all(jnp.isfinite(ts)) & jnp.all(jnp.diff(ts) > 0)),
        "ts must be finite and strictly increasing in the dtype of y0.",
    )


def is_settled(tree: PyTree) -> bool:
    """Whether no number in `tree` can be one that JAX differentiates or traces.

    Functions may have captured such numbers, unless they are plain and have captured
    nothing; so another callable counts as unsettled.
    """

    def settled(leaf: object) -> bool:
        if eqx.is_array(leaf):
            return is_concrete(leaf)
        if isinstance(leaf, types.FunctionType):
            return leaf.__closure__ is None and not leaf.__defaults__
        return leaf is None or isinstance(leaf, bool | int | float | complex | str)

    return all(map(settled, jax.tree.leaves(tree)))
