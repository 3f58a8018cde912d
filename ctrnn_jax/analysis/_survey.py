"""One pass along an orbit, gathering what its classification needs."""

import math

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
    escape_radius: float = eqx.field(static=True)

    @property
    def spacing(self) -> float:
        """Time between samples."""
        return self.stride * self.dt

    @property
    def duration(self) -> float:
        """Length of the record."""
        return 2 * WINDOWS * self.samples * self.spacing


def make_plan(
    duration: float, transient: float, dt0: float, stride: int, escape_radius: float
) -> Plan:
    """Divide a record so that every window has as many samples of as many steps."""
    unit = 2 * WINDOWS * stride
    samples = max(math.ceil(duration / (unit * dt0) * (1 - 1e-6)), 1)
    dt = duration / (unit * samples)
    before = math.ceil(transient / dt * (1 - 1e-6))
    return Plan(samples, stride, dt, before, escape_radius)


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


def survey(flow: Flow, y0: State, plan: Plan) -> Survey:
    """Follow an orbit, or lanes `(n, batch)` of them, over the whole plan."""
    mixing = jnp.asarray(projections(y0.shape[0]), y0.dtype)
    lanes = y0.shape[1:]
    # The same direction everywhere, generic enough to have a part along any other.
    direction = np.random.default_rng(1980).normal(size=y0.shape[0])
    direction = (direction / np.linalg.norm(direction)).reshape(-1, *[1] * len(lanes))
    first_vector = jnp.broadcast_to(jnp.asarray(direction, y0.dtype), y0.shape)

    def inside(y: State) -> Array:
        return jnp.sqrt(jnp.sum(y * y, axis=0)) < plan.escape_radius

    def kept(y: State) -> tuple[Array, State]:
        """Return where the orbit is followed on, and a state that is safe to step."""
        keep = jnp.broadcast_to(inside(y), y.shape)
        return keep, jnp.where(keep, y, jnp.zeros_like(y))

    def arrive(keep: Array, y: State, y1: State) -> State:
        """Return where a step led; one that is not finite leads out of the radius."""
        lost = jnp.broadcast_to(~jnp.all(jnp.isfinite(y1), axis=0), y.shape)
        return jnp.where(keep, jnp.where(lost, 2 * plan.escape_radius, y1), y)

    def drift(index: Array, carry: tuple) -> tuple:
        y, steps = carry
        keep, safe = kept(y)
        y1 = arrive(keep, y, flow.step(index, safe))
        return y1, steps + inside(y).astype(int)

    def move(index: Array, carry: tuple) -> tuple:
        y, vector, steps, watch = carry
        keep, safe = kept(y)
        y1, vector1 = jax.jvp(lambda y: flow.step(index, y), (safe,), (vector,))
        y1 = arrive(keep, y, y1)
        vector1 = jnp.where(keep, vector1, vector)
        watch = watch.look(flow, index, y, y1)
        return y1, vector1, steps + inside(y).astype(int), watch

    def sample(carry: tuple, index: Array) -> tuple:
        core, total, square = carry
        y, vector, steps, watch = jax.lax.fori_loop(
            index, index + plan.stride, move, core
        )
        length = jnp.sqrt(jnp.sum(vector * vector, axis=0))
        # A vector that vanished or overflowed between two samples starts anew.
        fine = jnp.isfinite(length) & (length > 0)
        length = jnp.where(fine, length, jnp.ones_like(length))
        vector = jnp.where(
            jnp.broadcast_to(fine, y.shape), vector / length[None], first_vector
        )
        slope = flow.slope(index + plan.stride, kept(y)[1])
        # From a point of the orbit, or the variance would cancel far from 0.
        away = y - y0
        out = (
            jnp.tensordot(mixing, y, axes=1),
            jnp.log(length),
            jnp.sum(slope * slope, axis=0),
            jnp.sum(y * y, axis=0),
        )
        square = square + jnp.sum(away * away, axis=0)
        return ((y, vector, steps, watch), total + away, square), out

    def window(carry: tuple, number: Array) -> tuple:
        core, total, square = carry
        y, vector, steps, watch = core
        index = plan.before + plan.samples * plan.stride * number
        mean_square = square / (WINDOWS * plan.samples)
        mean = total / (WINDOWS * plan.samples)
        variance = mean_square - jnp.sum(mean * mean, axis=0)
        size = jnp.sqrt(jnp.maximum(variance, jnp.zeros_like(variance)))
        slope = flow.slope(index, kept(y)[1])
        watch = watch.begin(number == WINDOWS, y, slope, size)
        starts = index + plan.stride * jnp.arange(plan.samples)
        carry, (signals, growth, speed, reach) = jax.lax.scan(
            sample, ((y, vector, steps, watch), total, square), starts
        )
        summary = (
            jnp.sqrt(jnp.mean(speed, axis=0)),
            jnp.sqrt(jnp.max(reach, axis=0)),
            carry[0][0],
        )
        return carry, (signals, growth, summary)

    y, steps = jax.lax.fori_loop(0, plan.before, drift, (y0, jnp.zeros(lanes, int)))
    core = (y, first_vector, steps, _Watch.idle(y0))
    zero = jnp.zeros_like(y0)
    (core, _, _), (signals, growth, (speed, reach, ends)) = jax.lax.scan(
        window, (core, zero, zero[0]), jnp.arange(2 * WINDOWS)
    )
    _, _, steps, watch = core
    flat = 2 * WINDOWS * plan.samples
    return Survey(
        signals=signals.reshape(flat, *signals.shape[2:]),
        growth=growth.reshape(flat, *lanes),
        speed=speed,
        reach=reach,
        states=jnp.concatenate([y[None], ends]),
        steps_inside=steps,
        size=watch.size,
        returns=watch.count,
        index=watch.index,
        before=watch.before,
        distance=watch.distance,
    )


class _Watch(eqx.Module):
    """Watches the plane through a reference state, normal to the orbit there."""

    active: Array
    reference: State
    slope: State
    size: Array
    side: Array
    count: Array
    index: Array
    before: State
    distance: Array

    @classmethod
    def idle(cls, y: State) -> "_Watch":
        """Return one that watches nothing yet."""
        zero, none = jnp.zeros_like(y[0]), jnp.zeros(y.shape[1:], int)
        return cls(
            active=jnp.asarray(False),
            reference=y,
            slope=jnp.zeros_like(y),
            size=zero,
            side=zero,
            count=none,
            index=none,
            before=y,
            distance=jnp.full_like(zero, jnp.inf),
        )

    def begin(self, now: Array, y: State, slope: State, size: Array) -> "_Watch":
        """Watch from here on, if `now`."""
        reference, slope, size = (
            jnp.where(now, new, old)
            for new, old in zip(
                (y, slope, size), (self.reference, self.slope, self.size), strict=True
            )
        )
        values = (self.active | now, reference, slope, size)
        return eqx.tree_at(
            lambda w: (w.active, w.reference, w.slope, w.size), self, values
        )

    def look(self, flow: Flow, index: Array, y: State, y1: State) -> "_Watch":
        """Note whether the step from `y` to `y1` crossed the plane, and how near."""
        side1 = jnp.sum((y1 - self.reference) * self.slope, axis=0)
        crossed = self.active & (self.side < 0) & (side1 >= 0)
        distance = self._distance(flow, index, y, y1, side1)
        equal = _EQUAL * self.size
        # Half as far, so that of returns equally close the first is kept.
        nearer = crossed & (
            jnp.maximum(distance, equal) < 0.5 * jnp.maximum(self.distance, equal)
        )
        values = (
            side1,
            self.count + crossed.astype(int),
            jnp.where(nearer, index, self.index),
            jnp.where(jnp.broadcast_to(nearer, y.shape), y, self.before),
            jnp.where(nearer, distance, self.distance),
        )
        return eqx.tree_at(
            lambda w: (w.side, w.count, w.index, w.before, w.distance), self, values
        )

    def _distance(
        self, flow: Flow, index: Array, y: State, y1: State, side1: Array
    ) -> Array:
        """Return the distance from the reference where a cubic crosses the plane."""
        slope = flow.dt * flow.slope(index, y)
        slope1 = flow.dt * flow.slope(index + 1, y1)
        rate = jnp.sum(slope * self.slope, axis=0)
        rate1 = jnp.sum(slope1 * self.slope, axis=0)
        gap = side1 - self.side
        s = -self.side / jnp.where(gap != 0, gap, jnp.ones_like(gap))
        for _ in range(3):
            value = _hermite(self.side, side1, rate, rate1, s)
            change = _hermite_slope(self.side, side1, rate, rate1, s)
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
