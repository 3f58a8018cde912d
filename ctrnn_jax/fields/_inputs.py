"""External drive u(t): callables, samples, diffrax paths."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, DTypeLike, Float, ScalarLike
from ..matrices._checks import as_floating, is_concrete

Inputs: TypeAlias = Callable[[ScalarLike], Array] | diffrax.AbstractPath | None
"""u(t) as a callable `t -> (m,)`, a diffrax path, or `None` for no drive."""


class SampledInputs(eqx.Module):
    """A drive known at samples.

    **Arguments:**

    - `ts`: sample times, shape `(time,)`, strictly increasing, in units of `tau`.
    - `values`: samples, shape `(time, m)`.
    - `method`: `"hold"` keeps the latest sample until the next, `"linear"`
      interpolates. Outside `ts` the first or last sample holds.

    **Raises:** `ValueError` for shapes that do not match, times that do not increase,
    or values that are not finite.
    """

    ts: Float[Array, " time"]
    values: Float[Array, "time m"]
    method: Literal["hold", "linear"] = eqx.field(static=True)

    def __init__(
        self,
        ts: object,
        values: object,
        *,
        method: Literal["hold", "linear"] = "hold",
    ):
        self.values = as_floating("values", values)
        # Rounded to the samples' precision on purpose: times are only compared.
        times = np.asarray(ts, np.float64).tolist() if is_concrete(ts) else ts
        self.ts = as_floating("ts", times, self.values.dtype)
        self.method = method
        if method not in ("hold", "linear"):
            raise ValueError(f"method must be 'hold' or 'linear', got {method!r}.")
        if (
            self.values.ndim != 2
            or 0 in self.values.shape
            or self.ts.shape != self.values.shape[:1]
        ):
            raise ValueError(
                "ts and values must have shapes (time,) and (time, m), got "
                f"{self.ts.shape} and {self.values.shape}."
            )
        if is_concrete(self.ts) and not np.all(np.diff(self.ts) > 0):
            raise ValueError(
                f"ts must be strictly increasing in the dtype of values, "
                f"{self.values.dtype}."
            )

    def __call__(self, t: ScalarLike) -> Float[Array, " m"]:
        if self.method == "hold":
            latest = jnp.searchsorted(self.ts, t, side="right") - 1
            return self.values[jnp.maximum(latest, 0)]
        interpolate = jax.vmap(jnp.interp, in_axes=(None, None, 1))
        return interpolate(t, self.ts, self.values)


def evaluate_inputs(
    inputs: Inputs, t: ScalarLike, dtype: DTypeLike
) -> Float[Array, "m *batch"]:
    """Return u(t) in `dtype`, shape `(m,)` or, one column a lane, `(m, batch)`."""
    if inputs is None:
        raise ValueError("No inputs were given.")
    u = inputs.evaluate(t) if isinstance(inputs, diffrax.AbstractPath) else inputs(t)
    u = as_floating("u(t)", u, dtype, finite=False)
    if u.ndim == 0 or u.ndim > 2:
        raise ValueError(f"inputs must return u(t) of shape (m,), got shape {u.shape}.")
    return u
