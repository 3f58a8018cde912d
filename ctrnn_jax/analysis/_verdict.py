"""From what was measured along an orbit to what kind of motion it is."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Bool, Float, Int

ORBIT_KINDS = (
    "undecided",
    "fixed point",
    "dying",
    "periodic",
    "quasi-periodic",
    "chaotic",
    "diverging",
)
"""Kinds of motion, strings; an `OrbitClass.code` is an index into this."""

UNDECIDED, FIXED_POINT, DYING, PERIODIC, QUASI_PERIODIC, CHAOTIC, DIVERGING = range(7)

#: Why no kind was named; an `OrbitClass.reason` is an index into this.
REASONS = (
    "",
    "the record holds fewer than 20 oscillations",
    "the motion is still settling: its speed changes from window to window",
    "tangent vectors grow more than on a regular orbit, but not clearly exponentially",
    "there is one independent frequency, but the orbit was not seen to close",
    "the initial state, or the field there, is not finite",
)
DECIDED, FEW, SETTLING, WEAK, OPEN, NONFINITE = range(6)

#: Oscillations needed before periodic, quasi-periodic or chaotic is said.
LEAST_OSCILLATIONS = 20
#: Mean MEGNO below which an orbit is regular, and above which it is chaotic.
REGULAR_MEGNO, CHAOTIC_MEGNO = 3.0, 6.0


class Findings(eqx.Module):
    """The numbers that decide, for one orbit."""

    speed: Float[Array, " windows"]
    reach: Float[Array, " windows"]
    rest_speed: Float[Array, ""]
    escaped: Bool[Array, ""]
    finite: Bool[Array, ""]
    megno: Float[Array, ""]
    exponent: Float[Array, ""]
    exponent_error: Float[Array, ""]
    oscillations: Float[Array, ""]
    closes: Bool[Array, ""]
    rank: Int[Array, ""]


def judge(f: Findings) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """Return the kind and, if undecided, the reason, as integers.

    In this order: not finite; escaped; at rest throughout; dying; growing without
    slowing; too short; chaotic; still settling; periodic; quasi-periodic.
    """
    half = f.speed.shape[0] // 2
    tiny = jnp.finfo(f.speed.dtype).tiny
    log_speed = jnp.log(jnp.maximum(f.speed, tiny))
    resting = f.speed <= f.rest_speed
    at_rest = jnp.all(resting)
    fall = log_speed[half] - log_speed[-1]
    steady = _share(jnp.diff(log_speed) < 0) >= 0.9
    # An approach to a cycle slows down and stops; a decay to a fixed point does not.
    dying = (steady & (log_speed[0] - log_speed[-1] > 0.5) & (fall > 0.25)) | (
        resting[-1] & ~resting[0]
    )
    rise_first = f.reach[half] - f.reach[0]
    rise_last = f.reach[-1] - f.reach[half]
    growing = (
        (_share(jnp.diff(f.reach) > 0) >= 0.9)
        & (rise_last > 0.35 * rise_first)
        & (rise_last > 0.2 * f.reach[half])
    )
    changes = jnp.diff(log_speed[half:])
    one_way = jnp.maximum(_share(changes > 0), _share(changes < 0)) >= 0.95
    settling = one_way & (jnp.abs(fall) > 1e-3)
    chaotic = (f.megno > CHAOTIC_MEGNO) & (f.exponent > 3 * f.exponent_error)
    regular = f.megno < REGULAR_MEGNO
    many = f.oscillations >= LEAST_OSCILLATIONS

    # Last case first: each `where` overrides those above it.
    code, reason = _pair(UNDECIDED, OPEN)
    code, reason = _unless(~(f.rank >= 2), QUASI_PERIODIC, DECIDED, code, reason)
    code, reason = _unless(~f.closes, PERIODIC, DECIDED, code, reason)
    code, reason = _unless(~settling, UNDECIDED, SETTLING, code, reason)
    code, reason = _unless(regular, UNDECIDED, WEAK, code, reason)
    code, reason = _unless(~chaotic, CHAOTIC, DECIDED, code, reason)
    code, reason = _unless(many, UNDECIDED, FEW, code, reason)
    code, reason = _unless(~growing, DIVERGING, DECIDED, code, reason)
    code, reason = _unless(~dying, DYING, DECIDED, code, reason)
    code, reason = _unless(~at_rest, FIXED_POINT, DECIDED, code, reason)
    code, reason = _unless(~f.escaped, DIVERGING, DECIDED, code, reason)
    return _unless(f.finite, UNDECIDED, NONFINITE, code, reason)


def mean_megno(growth: Float[Array, " samples"]) -> Float[Array, ""]:
    r"""Return the mean exponential growth factor of nearby orbits over the record.

    $Y(t) = (2/t)\int_0^t (\dot\delta/\delta) s\,\mathrm{d}s$, averaged over t: 2 on a
    quasi-periodic orbit whose frequencies depend on the orbit, 0 on one where they do
    not or on a limit cycle, λt/2 on a chaotic one (Cincotta and Simó 2000).
    """
    index = jnp.arange(1, growth.shape[0] + 1).astype(growth.dtype)
    # The middle of the interval stands for s inside it.
    y = 2 * jnp.cumsum((index - 0.5) * growth) / index
    return jnp.mean(y)


def mean_rate(
    growth: Float[Array, " samples"], spacing: float, blocks: int = 12
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return the mean growth rate after the first quarter, and its standard error.

    The error is that of the mean of `blocks` blocks, taken for independent.
    """
    length = (growth.shape[0] - growth.shape[0] // 4) // blocks
    tail = growth[growth.shape[0] - length * blocks :]
    rates = jnp.mean(tail.reshape(blocks, length), axis=1) / spacing
    return jnp.mean(rates), jnp.std(rates, ddof=1) / math.sqrt(blocks)


def decay_rate(speed: Float[Array, " windows"], window: float) -> Float[Array, ""]:
    """Return the slope of ln(speed) over the second half, per unit time."""
    half = speed.shape[0] // 2
    logs = jnp.log(jnp.maximum(speed[half:], jnp.finfo(speed.dtype).tiny))
    t = (jnp.arange(half).astype(speed.dtype) - (half - 1) / 2) * window
    return jnp.sum(t * logs) / jnp.sum(t * t)


def _share(flags: Bool[Array, " k"]) -> Float[Array, ""]:
    return jnp.mean(flags.astype(float))


def _pair(code: int, reason: int) -> tuple[Array, Array]:
    return jnp.asarray(code), jnp.asarray(reason)


def _unless(
    fine: Array, code: int, reason: int, old_code: Array, old_reason: Array
) -> tuple[Array, Array]:
    """Keep the old pair where `fine`."""
    return jax.tree.map(
        lambda old, new: jnp.where(fine, old, new),
        (old_code, old_reason),
        _pair(code, reason),
    )
