"""A first guess of a period: when an orbit comes back near where it started."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .._types import Array, Bool, Int, Scalar, Vector
from ._crossings import crosses
from ._segments import Rhs, sample_segments

#: Samples between which crossings are looked for.
_SAMPLES = 2048
#: A return is close if it misses by less than this part of the orbit's size.
_CLOSE = 0.2


class Return(NamedTuple):
    """A return to the plane through `y0` across the flow.

    - `time`: when, `()`; 0 if there was none.
    - `miss`: distance from `y0` then, over the largest distance until then, `()`.
    - `crossings`: crossings seen, `()`.
    - `okay`: whether the orbit was solved and is finite, `()`.
    """

    time: Scalar
    miss: Scalar
    crossings: Int[Array, ""]
    okay: Bool[Array, ""]

    @property
    def is_close(self) -> Bool[Array, ""]:
        """Whether the return is near enough to be one of a closed orbit."""
        return (self.crossings > 0) & (self.miss < _CLOSE)


def turning_time(rhs: Rhs, y: Vector) -> Scalar:
    r"""Return $\|f\| / \|Df\,f\|$: 1/ω on a circle; what the horizon is scaled by."""
    none = jnp.zeros((0,), y.dtype)
    value, bend = jax.jvp(lambda y: rhs(y, none), (y,), (rhs(y, none),))
    size = jnp.linalg.norm(bend)
    return jnp.linalg.norm(value) / jnp.where(size > 0, size, 1.0)


def first_return(rhs: Rhs, y: Vector, horizon: Scalar, tolerance: Scalar) -> Return:
    """Follow the orbit from `y` for a time and find its first close return.

    Crossings of the plane normal to the flow at `y`, in the flow's direction, are
    looked for between samples; that of the first close return, else of the closest,
    is then refined by Newton's iteration on the cubic between its samples.
    """
    none = jnp.zeros((0,), y.dtype)
    normal = rhs(y, none)
    interval = horizon / _SAMPLES
    ys, okay = sample_segments(rhs, y[None], horizon, tolerance, _SAMPLES)
    away = ys - y[None]
    # At the start the height is zero and about to rise: no crossing.
    heights = away @ normal
    heights = heights.at[0].set(jnp.abs(heights[1]))
    found = crosses(heights[:-1], heights[1:], 1)
    size = jax.lax.cummax(jnp.linalg.norm(away, axis=1))[1:]
    # Where the chord between two samples passes the plane.
    gap = heights[1:] - heights[:-1]
    part = jnp.where(found, -heights[:-1] / jnp.where(found, gap, 1.0), 0.0)
    chord = away[:-1] + part[:, None] * (away[1:] - away[:-1])
    miss = jnp.linalg.norm(chord, axis=1) / jnp.where(size > 0, size, 1.0)
    miss = jnp.where(found, miss, jnp.inf)
    close = miss < _CLOSE
    best = jnp.where(jnp.any(close), jnp.argmax(close), jnp.argmin(miss))

    # On the cubic through both samples with their slopes: its error is that of a
    # first guess, and no second integration is compiled.
    ends = ys[best], ys[best + 1]
    slopes = [interval * rhs(end, none) for end in ends]

    def height(s: Scalar) -> Scalar:
        blend = s * s * (3 - 2 * s)
        bulge = s * (1 - s) * ((1 - s) * slopes[0] - s * slopes[1])
        state = (1 - blend) * ends[0] + blend * ends[1] + bulge
        return jnp.vdot(normal, state - y)

    def improve(_: Array, s: Scalar) -> Scalar:
        value, rate = jax.value_and_grad(height)(s)
        return jnp.clip(s - value / jnp.where(rate > 0, rate, jnp.inf), 0.0, 1.0)

    span = interval * jax.lax.fori_loop(jnp.asarray(0), 4, improve, part[best])
    count = jnp.sum(found)
    okay = okay & jnp.all(jnp.isfinite(ys))
    time = best.astype(y.dtype) * interval + span
    time = jnp.where(okay & (count > 0), time, 0.0)
    return Return(time, miss[best], jnp.where(okay, count, 0), okay)
