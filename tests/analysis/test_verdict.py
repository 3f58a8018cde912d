"""The rules of the verdict, each case reached once."""

import jax.numpy as jnp
import numpy as np
import pytest

from ctrnn_jax.analysis import ORBIT_KINDS
from ctrnn_jax.analysis._verdict import (
    REASONS,
    Findings,
    decay_rate,
    judge,
    mean_megno,
    mean_rate,
)

WINDOWS = 32
T = np.arange(WINDOWS)


def torus(**changes):
    """Findings along a quasi-periodic orbit, but for `changes`."""
    wobble = 1 + 0.01 * np.sin(1.7 * T)
    values = {
        "speed": wobble,
        "reach": 2 * wobble,
        "rest_speed": 1e-10,
        "escaped": False,
        "finite": True,
        "megno": 2.0,
        "exponent": 1e-3,
        "exponent_error": 1e-3,
        "oscillations": 200.0,
        "closes": False,
        "rank": 2,
    }
    return Findings(**{k: jnp.asarray(v) for k, v in {**values, **changes}.items()})


CASES = {
    "torus": ({}, "quasi-periodic", ""),
    "closed": ({"closes": True, "rank": 1}, "periodic", ""),
    "closed, though its lines look independent": ({"closes": True}, "periodic", ""),
    "growth": ({"megno": 40.0, "exponent": 0.1}, "chaotic", ""),
    "growth within its error": (
        {"megno": 40.0, "exponent": 0.1, "exponent_error": 0.05},
        "undecided",
        "tangent vectors",
    ),
    "little growth": ({"megno": 4.5, "exponent": 0.1}, "undecided", "tangent vectors"),
    "at rest": ({"speed": np.full(WINDOWS, 1e-12)}, "fixed point", ""),
    "decay": ({"speed": np.exp(-0.05 * T)}, "dying", ""),
    "decay to rest": ({"speed": np.exp(-2.0 * T)}, "dying", ""),
    "decay that ends on a cycle": (
        {"speed": 1 + np.exp(-1.0 * T) + 1e-3 * np.sin(1.7 * T), "closes": True},
        "periodic",
        "",
    ),
    "decay that has not ended": (
        {"speed": 1 + np.exp(-0.1 * T), "closes": True},
        "undecided",
        "settling",
    ),
    "linear growth": ({"reach": 1.0 + T}, "diverging", ""),
    "growth like a square root": ({"reach": np.sqrt(1.0 + T)}, "diverging", ""),
    "growth that ends": (
        {"reach": 2 - np.exp(-0.3 * T), "closes": True},
        "periodic",
        "",
    ),
    "escape": ({"escaped": True, "megno": 40.0, "exponent": 0.1}, "diverging", ""),
    "few turns": ({"oscillations": 12.0}, "undecided", "fewer than 20"),
    "no return": ({"rank": 1}, "undecided", "not seen to close"),
    "bad numbers": ({"finite": False, "escaped": True}, "undecided", "not finite"),
}


@pytest.mark.parametrize("case", CASES)
def test_rule(case):
    changes, kind, why = CASES[case]
    code, reason = judge(torus(**changes))
    assert ORBIT_KINDS[int(code)] == kind
    assert why in REASONS[int(reason)]
    # A reason is given exactly when there is no answer.
    assert (kind == "undecided") == (int(reason) > 0)


def test_every_kind_and_every_reason_has_its_case():
    assert {kind for _, kind, _ in CASES.values()} == set(ORBIT_KINDS)
    reached = {int(judge(torus(**changes))[1]) for changes, _, _ in CASES.values()}
    assert reached == set(range(len(REASONS)))


def test_megno_has_its_theoretical_values():
    # |v| = t: ln growth over a step is ln((k + 1)/k), and Y tends to 2.
    steps = 1 + np.arange(20_000)
    linear = jnp.asarray(np.log((steps + 1) / steps))
    np.testing.assert_allclose(mean_megno(linear), 2.0, atol=5e-3)
    # |v| = e^{λt} with λ = 0.01 a step: Y = λt, whose mean is half its end.
    np.testing.assert_allclose(mean_megno(jnp.full(20_000, 0.01)), 100.0, rtol=1e-3)
    assert float(mean_megno(jnp.zeros(100))) == 0.0


def test_the_mean_rate_comes_with_its_standard_error():
    rng = np.random.default_rng(0)
    growth = jnp.asarray(0.02 + 0.3 * rng.normal(size=48_000))
    rate, error = mean_rate(growth, 0.1)
    exact = 3.0 / np.sqrt(36_000)
    np.testing.assert_allclose(error, exact, rtol=0.5)
    assert abs(float(rate) - 0.2) < 4 * exact


def test_the_decay_rate_is_that_of_the_second_half():
    speed = jnp.asarray(np.where(T < 16, 1.0, np.exp(-0.3 * (T - 16) * 2.0)))
    np.testing.assert_allclose(decay_rate(speed, 2.0), -0.3, rtol=1e-12)
