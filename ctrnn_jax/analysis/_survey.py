"""One pass along an orbit, gathering what its classification needs."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float, Int, State
from ._flow import Flow

#: Windows of each half of the record.
WINDOWS = 16
#: Signals kept for the frequency analysis.
CHANNELS = 4
#: Returns are ranked on a cubic between steps, and those nearer than this, in sizes
#: of the orbit, are taken for equal: their true distance is found afterwards.
_EQUAL = 3e-4


class Plan(eqx.Module):
    """How a record is cut: 2·16 windows of `samples` samples of `stride` steps."""

    samples: int = eqx.field(static=True)
    stride: int = eqx.field(static=True)
    dt: float = eqx.field(static=True)
    before: int = eqx.field(static=True)

    @property
    def spacing(self) -> float:
        """Time between samples."""
        return self.stride * self.dt

    @property
    def duration(self) -> float:
        """Length of the record."""
        return 2 * WINDOWS * self.samples * self.spacing


def make_plan(duration: float, transient: float, dt0: float, stride: int) -> Plan:
    """Divide a record so that every window has as many samples of as many steps."""
    unit = 2 * WINDOWS * stride
    samples = max(math.ceil(duration / (unit * dt0) * (1 - 1e-6)), 1)
    dt = duration / (unit * samples)
    return Plan(samples, stride, dt, math.ceil(transient / dt * (1 - 1e-6)))


class Survey(eqx.Module):
    """What one pass gathers; w windows, s samples in all, c channels, lanes last.

    - `signals`: `(s, c, *batch)`, projections of the state.
    - `growth`: `(s, *batch)`, growth of ln |tangent vector| over each sample.
    - `speed`: `(w, *batch)`, root mean square of |dy/dt|.
    - `reach`: `(w, *batch)`, largest |y|.
    - `states`: `(w + 1, n, *batch)`, at the windows' ends.
    - `steps_inside`: steps taken before the orbit left `escape_radius`, `(*batch,)`.
    - `size`: root mean square distance from the mean state, `(*batch,)`.
    - `returns`: crossings of the plane through the reference, normal to the orbit.
    - `index`, `before`: step and state before the closest of them.
    - `distance`: how close that was, by the cubic; infinite if there was none.
    """

    signals: Float[Array, "samples channels *batch"]
    growth: Float[Array, "samples *batch"]
    speed: Float[Array, "windows *batch"]
    reach: Float[Array, "windows *batch"]
    states: Float[Array, "ends n *batch"]
    steps_inside: Int[Array, "*batch"]
    size: Float[Array, "*batch"]
    returns: Int[Array, "*batch"]
    index: Int[Array, "*batch"]
    before: Float[Array, "n *batch"]
    distance: Float[Array, "*batch"]


def projections(size: int) -> np.ndarray:
    """Return the fixed linear observables, shape `(channels, n)`.

    The neurons themselves while they are few; else mixtures of all, in which every
    frequency of a generic orbit shows.
    """
    if size <= CHANNELS:
        return np.eye(size)
    mixture = np.random.default_rng(1993).normal(size=(CHANNELS, size))
    return mixture / np.linalg.norm(mixture, axis=1, keepdims=True)


def survey(flow: Flow, y0: State, plan: Plan, escape_radius: Array) -> Survey:
    """Follow an orbit, or lanes `(n, batch)` of them, over the whole plan."""
    mixing = jnp.asarray(projections(y0.shape[0]), y0.dtype)
    lanes = y0.shape[1:]
    # The same direction everywhere, generic enough to have a part along any other.
    direction = np.random.default_rng(1980).normal(size=y0.shape[0])
    direction = jnp.asarray(direction / np.linalg.norm(direction), y0.dtype)
    vector = jnp.broadcast_to(direction.reshape(-1, *(1 for _ in lanes)), y0.shape)

    def inside(y: State) -> Array:
        return jnp.sqrt(jnp.sum(y * y, axis=0)) < escape_radius

    def move(index: Array, state: tuple) -> tuple:
        y, vector, steps = state
        ok = inside(y)
        keep = jnp.broadcast_to(ok, y.shape)
        safe = jnp.where(keep, y, jnp.zeros_like(y))
        y1, vector1 = jax.jvp(lambda y: flow.step(index, y), (safe,), (vector,))
        y = jnp.where(keep, y1, y)
        vector = jnp.where(keep, vector1, vector)
        return y, vector, steps + ok.astype(int)

    def sample(state: tuple, index: Array, each: Callable) -> tuple:
        core, extra = state
        core, extra = jax.lax.fori_loop(
            0,
            plan.stride,
            lambda i, carry: each(index + i, carry),
            (core, extra),
        )
        y, vector, steps = core
        length = jnp.sqrt(jnp.sum(vector * vector, axis=0))
        # A vector that vanished or overflowed between two samples starts anew.
        fine = jnp.isfinite(length) & (length > 0)
        growth = jnp.log(jnp.where(fine, length, jnp.ones_like(length)))
        unit = vector / jnp.where(fine, length, jnp.ones_like(length))
        again = jnp.broadcast_to(direction.reshape(-1, *(1 for _ in lanes)), y.shape)
        unit = jnp.where(jnp.broadcast_to(fine, y.shape), unit, again)
        slope = flow.slope(index + plan.stride, jnp.where(inside(y), y, 0.0))
        out = (
            jnp.tensordot(mixing, y, axes=1),
            growth,
            jnp.sum(slope * slope, axis=0),
            jnp.sum(y * y, axis=0),
        )
        return ((y, unit, steps), extra), (out, y)

    def window(state: tuple, first: Array, each: Callable) -> tuple:
        def one(carry: tuple, index: Array) -> tuple:
            pair, total, square = carry
            pair, (out, y) = sample(pair, index, each)
            # From a point of the orbit, or the variance would cancel far from 0.
            away = y - y0
            return (pair, total + away, square + jnp.sum(away * away, axis=0)), out

        zero = jnp.zeros_like(y0)
        starts = first + plan.stride * jnp.arange(plan.samples)
        (state, total, square), (signals, growth, speed, reach) = jax.lax.scan(
            one, (state, zero, zero[0]), starts
        )
        end = state[0][0]
        summary = (
            jnp.sqrt(jnp.mean(speed, axis=0)),
            jnp.sqrt(jnp.max(reach, axis=0)),
            end,
            total / plan.samples,
            square / plan.samples,
        )
        return state, (signals, growth, summary)

    def half(state: tuple, first: Array, each: Callable) -> tuple:
        length = plan.samples * plan.stride
        return jax.lax.scan(
            lambda carry, first: window(carry, first, each),
            state,
            first + length * jnp.arange(WINDOWS),
        )

    zeros = jnp.zeros(lanes, int)
    y = jax.lax.fori_loop(
        0, plan.before, lambda i, state: _drift(flow, i, state, inside), (y0, zeros)
    )
    y, lost = y
    state, first = half(
        ((y, vector, zeros), ()),
        jnp.asarray(plan.before),
        lambda i, carry: (move(i, carry[0]), carry[1]),
    )
    *_, means, squares = first[2]
    size = _spread(jnp.mean(means, axis=0), jnp.mean(squares, axis=0))
    middle = plan.before + WINDOWS * plan.samples * plan.stride
    reference = state[0][0]
    follow = _Returns(flow, reference, flow.slope(middle, reference), size)

    def each(index: Array, carry: tuple) -> tuple:
        (y, vector, steps), seen = carry
        y1, vector, steps = move(index, (y, vector, steps))
        return (y1, vector, steps), follow.look(index, y, y1, seen)

    state, second = half((state[0], follow.start()), jnp.asarray(middle), each)
    (signals, growth, (speed, reach, ends, *_)) = jax.tree.map(
        lambda a, b: jnp.concatenate([a, b]), first, second
    )
    (_, _, steps), (_, returns, index, before, distance) = state
    flat = 2 * WINDOWS * plan.samples
    return Survey(
        signals=signals.reshape(flat, *signals.shape[2:]),
        growth=growth.reshape(flat, *lanes),
        speed=speed,
        reach=reach,
        states=jnp.concatenate([y[None], ends]),
        steps_inside=steps + lost,
        size=size,
        returns=returns,
        index=index,
        before=before,
        distance=distance,
    )


def _drift(flow: Flow, index: Array, state: tuple, inside: Callable) -> tuple:
    """Take one step of the transient."""
    y, steps = state
    ok = inside(y)
    keep = jnp.broadcast_to(ok, y.shape)
    stepped = flow.step(index, jnp.where(keep, y, jnp.zeros_like(y)))
    return jnp.where(keep, stepped, y), steps + ok.astype(int)


def _spread(mean: State, square: Array) -> Array:
    """Return the root mean square distance from the mean."""
    variance = square - jnp.sum(mean * mean, axis=0)
    return jnp.sqrt(jnp.maximum(variance, jnp.zeros_like(variance)))


class _Returns:
    """Watches the plane through a reference state, normal to the orbit there."""

    def __init__(self, flow: Flow, reference: State, slope: State, size: Array):
        self.flow, self.reference, self.slope, self.size = flow, reference, slope, size

    def start(self) -> tuple:
        """Return what is carried: plane's side, count, and the closest return."""
        lanes = self.reference.shape[1:]
        return (
            jnp.zeros(lanes, self.reference.dtype),
            jnp.zeros(lanes, int),
            jnp.zeros(lanes, int),
            self.reference,
            jnp.full(lanes, jnp.inf, self.reference.dtype),
        )

    def look(self, index: Array, y: State, y1: State, seen: tuple) -> tuple:
        """Note whether the step from `y` to `y1` crossed the plane, and how near."""
        side, count, best, before, nearest = seen
        side1 = jnp.sum((y1 - self.reference) * self.slope, axis=0)
        crossed = (side < 0) & (side1 >= 0)
        distance = self._distance(index, y, y1, side, side1)
        equal = _EQUAL * self.size
        # Half as far, so that of returns equally close the first is kept.
        nearer = crossed & (
            jnp.maximum(distance, equal) < 0.5 * jnp.maximum(nearest, equal)
        )
        return (
            side1,
            count + crossed.astype(int),
            jnp.where(nearer, index, best),
            jnp.where(jnp.broadcast_to(nearer, y.shape), y, before),
            jnp.where(nearer, distance, nearest),
        )

    def _distance(
        self, index: Array, y: State, y1: State, side: Array, side1: Array
    ) -> Array:
        """Return the distance from the reference where a cubic crosses the plane."""
        dt = self.flow.dt
        slope = dt * self.flow.slope(index, y)
        slope1 = dt * self.flow.slope(index + 1, y1)
        rate = jnp.sum(slope * self.slope, axis=0)
        rate1 = jnp.sum(slope1 * self.slope, axis=0)
        gap = side1 - side
        s = -side / jnp.where(gap != 0, gap, jnp.ones_like(gap))
        for _ in range(3):
            value = _hermite(side, side1, rate, rate1, s)
            change = _hermite_slope(side, side1, rate, rate1, s)
            s = s - value / jnp.where(change != 0, change, jnp.ones_like(change))
        s = jnp.clip(s, 0.0, 1.0)
        offset = _hermite(y, y1, slope, slope1, s[None]) - self.reference
        return jnp.sqrt(jnp.sum(offset * offset, axis=0))


def _hermite(a: Array, b: Array, da: Array, db: Array, s: Array) -> Array:
    """Return the cubic through a and b with slopes da and db, at s in [0, 1]."""
    r = 1 - s
    return r * r * ((1 + 2 * s) * a + s * da) + s * s * ((1 + 2 * r) * b - r * db)


def _hermite_slope(a: Array, b: Array, da: Array, db: Array, s: Array) -> Array:
    r = 1 - s
    return 6 * s * r * (b - a) + r * (1 - 3 * s) * da + s * (3 * s - 2) * db
