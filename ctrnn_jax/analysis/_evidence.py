"""What one pass along an orbit tells about it, as numbers with their uncertainty."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Float, Int, Vector
from ._crossings import locate_crossing
from ._flow import Flow
from ._frequencies import MainFrequencies
from ._frequency_map import line_drift, strength, two_ends
from ._relations import frequency_basis
from ._survey import WINDOWS, Plan, Survey
from ._verdict import Findings, decay_rate, judge, mean_megno, mean_rate


class Options(eqx.Module):
    """Thresholds and sizes of the classification (see `classify_orbit`)."""

    num_frequencies: int = eqx.field(static=True)
    max_frequency_samples: int = eqx.field(static=True)
    return_tolerance: float = eqx.field(static=True)
    relation_tolerance: float = eqx.field(static=True)
    rest_tolerance: float = eqx.field(static=True)


class Evidence(eqx.Module):
    """See `OrbitClass`, whose fields these are."""

    code: Int[Array, ""]
    reason: Int[Array, ""]
    exponent: Float[Array, ""]
    exponent_error: Float[Array, ""]
    megno: Float[Array, ""]
    angular_frequency: Float[Array, " k"]
    amplitude: Float[Array, " k"]
    frequency_drift: Float[Array, ""]
    unexplained: Float[Array, ""]
    num_independent: Int[Array, ""]
    relation_residual: Float[Array, ""]
    period: Float[Array, ""]
    closest_return: Float[Array, ""]
    oscillations: Float[Array, ""]
    decay_rate: Float[Array, ""]
    escape_time: Float[Array, ""]
    size: Float[Array, ""]


def weigh_evidence(
    flow: Flow, y0: Vector, found: Survey, plan: Plan, options: Options
) -> Evidence:
    """Turn one orbit's survey into evidence and a verdict."""
    dtype = y0.dtype
    total = 2 * WINDOWS * plan.samples * plan.stride + plan.before
    escaped = found.steps_inside < total
    # Where the orbit stopped to be followed there are no frequencies to look for.
    signals = jnp.where(escaped, jnp.zeros_like(found.signals), found.signals)
    lines, drift = _lines(signals, plan, options)
    amplitude = strength(lines)
    omega = lines.angular_frequency
    # What is weaker than a ten-thousandth may be noise of the integration.
    strong = amplitude > 1e-4 * amplitude[0]
    basis = frequency_basis(
        omega, tolerance=options.relation_tolerance * omega[0], used=strong
    )
    period, closest, relation = _closing(flow, found, plan, omega, strong)
    exponent, error = mean_rate(found.growth, plan.spacing)
    megno = mean_megno(found.growth)
    # Turns of a circle of the orbit's size at its speed: the strongest line of a
    # chaotic orbit may be a slow one.
    path = jnp.sqrt(jnp.mean(found.speed**2)) * plan.duration
    oscillations = path / (2 * math.pi * jnp.where(found.size > 0, found.size, 1.0))
    finite = jnp.all(jnp.isfinite(y0)) & jnp.all(jnp.isfinite(flow.slope(0, y0)))
    scale = 1 + jnp.sqrt(jnp.sum(found.states[-1] ** 2))
    code, reason = judge(
        Findings(
            speed=found.speed,
            reach=found.reach,
            rest_speed=options.rest_tolerance * scale,
            escaped=escaped,
            finite=finite,
            megno=megno,
            exponent=exponent,
            exponent_error=error,
            oscillations=oscillations,
            # Two orbits do not cross: one that is back to within rounding is closed,
            # however few of its periods the frequencies were measured on.
            closes=(closest < options.return_tolerance)
            & (
                (relation < options.relation_tolerance)
                | (closest < options.return_tolerance**2)
            ),
            rank=basis.rank,
        )
    )
    window = plan.samples * plan.spacing
    inside = found.steps_inside.astype(dtype) * plan.dt
    return Evidence(
        code=code,
        reason=reason,
        exponent=exponent,
        exponent_error=error,
        megno=megno,
        angular_frequency=omega,
        amplitude=amplitude,
        frequency_drift=drift,
        unexplained=lines.residual,
        num_independent=basis.rank,
        relation_residual=relation,
        period=period,
        closest_return=closest,
        oscillations=oscillations,
        decay_rate=decay_rate(found.speed, window),
        escape_time=jnp.where(escaped, inside, jnp.inf),
        size=found.size,
    )


def _lines(
    signals: Float[Array, "samples channels"], plan: Plan, options: Options
) -> tuple[MainFrequencies, Float[Array, ""]]:
    """Return the lines of the last stretch, and how far those of the first are off.

    The difference is relative, and weighted by amplitude.
    """
    count = min(signals.shape[0] // 2, options.max_frequency_samples)
    both = jnp.stack([signals[:count], signals[-count:]])
    first, last = two_ends(both, plan.spacing, num_frequencies=options.num_frequencies)
    weight = strength(last)
    whole = jnp.sum(weight * last.angular_frequency)
    drift = jnp.sum(weight * line_drift(first, last))
    return last, drift / jnp.where(whole > 0, whole, 1.0)


def _closing(
    flow: Flow,
    found: Survey,
    plan: Plan,
    omega: Float[Array, " k"],
    strong: Array,
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Return the period, the closest return, and how far the lines are from multiples.

    The distance is in sizes of the orbit, the last in units of 2π/period.
    """
    reference = found.states[WINDOWS]
    middle = plan.before + WINDOWS * plan.samples * plan.stride
    normal = flow.slope(middle, reference)
    span, state = locate_crossing(
        flow,
        found.index,
        found.before,
        lambda y: jnp.sum((y - reference) * normal),
    )
    seen = (found.returns > 0) & jnp.isfinite(found.distance)
    distance = jnp.sqrt(jnp.sum((state - reference) ** 2))
    size = jnp.where(found.size > 0, found.size, jnp.ones_like(found.size))
    closest = jnp.where(seen, distance / size, jnp.inf)
    time = (found.index - middle).astype(omega.dtype) * plan.dt + span
    time = jnp.where(seen, time, jnp.inf)
    turns = jnp.where(strong & seen, omega * time / (2 * math.pi), 0.0)
    orders = jnp.round(turns)
    # A return after several periods has orders with a common divisor.
    divisor = jnp.maximum(_greatest_divisor(orders), 1.0)
    period = time / divisor
    orders = orders / divisor
    weight = jnp.sum(orders**2)
    base = jnp.sum(orders * omega) / jnp.where(weight > 0, weight, 1.0)
    off = jnp.abs(jnp.where(strong, omega - orders * base, 0.0))
    known = seen & (base > 0)
    relation = jnp.where(known, jnp.max(off) / jnp.where(known, base, 1.0), jnp.inf)
    return period, closest, relation


def _greatest_divisor(numbers: Float[Array, " k"]) -> Float[Array, ""]:
    """Return the greatest common divisor of whole numbers, 0 if all are 0."""

    def pair(a: Array, b: Array) -> Array:
        a, _ = jax.lax.while_loop(
            lambda ab: ab[1] > 0, lambda ab: (ab[1], jnp.mod(ab[0], ab[1])), (a, b)
        )
        return a

    return jax.lax.scan(
        lambda a, b: (pair(a, b), None), jnp.zeros_like(numbers[0]), numbers
    )[0]
