"""The criteria give the right answer on signals whose answer is known."""

import numpy as np
import pytest

from ctrnn_jax.reproduce import _criteria as criteria

TS = np.linspace(0.0, 1000.0, 4001)


def _turning(amplitude):
    wave = np.stack([np.cos(TS), np.sin(TS)], axis=-1)
    return np.broadcast_to(amplitude, TS.shape)[:, None] * wave


@pytest.mark.parametrize(
    ("ys", "expected"),
    [
        (_turning(1.0), "oscillates"),
        (5.0 + _turning(1.0), "oscillates"),
        (_turning(1 + 0.1 * np.sin(0.01 * TS)), "oscillates"),
        (_turning(np.exp(-0.02 * TS)), "dies"),
        (3.0 + _turning(np.exp(-0.02 * TS)), "settles"),
        (_turning(np.exp(0.02 * TS)), "diverges"),
        (_turning(0.1 * np.sqrt(TS)), "diverges"),
        (np.stack([TS, -TS], axis=-1), "diverges"),
        (_turning(np.nan), "diverges"),
        (_turning(1e200), "diverges"),
        (0.01 + _turning(0.001 + np.exp(-0.01 * TS)), "unclear"),
    ],
    ids=[
        "steady",
        "steady about a point",
        "modulated",
        "decaying",
        "decaying to a point",
        "growing",
        "growing as a root",
        "running away",
        "not a number",
        "beyond squaring",
        "fading",
    ],
)
def test_fate_of_a_synthetic_signal(ys, expected):
    assert criteria.fate(ys) == expected


def test_windows_are_the_first_middle_and_last_tenth():
    ys = np.where(TS[:, None] < 100, 2.0, np.where(TS[:, None] > 900, 6.0, 4.0))
    size, swing = criteria.window_sizes(ys)
    np.testing.assert_allclose(size, [2.0, 4.0, 6.0])
    np.testing.assert_allclose(swing, 0.0, atol=1e-12)


def test_crossings_of_a_sine_are_found_to_fourth_order():
    errors = []
    for spacing in (0.1, 0.05):
        ts = np.arange(0.0, 20.0, spacing) + 0.03
        found = criteria.upward_crossings(ts, np.sin(3 * ts), 3 * np.cos(3 * ts))
        exact = 2 * np.pi / 3 * np.arange(1, len(found) + 1)
        errors.append(np.abs(found - exact).max())
    # At the crossing the fourth derivative of a sine vanishes: one order better.
    assert errors[0] < 1e-5
    assert errors[1] < errors[0] / 15


def test_mean_period_of_a_sine():
    ts = np.arange(0.0, 100.0, 0.02)
    period, count = criteria.mean_period(ts, np.sin(1.7 * ts), 1.7 * np.cos(1.7 * ts))
    assert count == 25 or count == 26
    np.testing.assert_allclose(period, 2 * np.pi / 1.7, rtol=1e-10)


def test_a_signal_that_never_turns_has_no_period():
    period, count = criteria.mean_period(TS, 1 + TS, np.ones_like(TS))
    assert np.isnan(period)
    assert count == 0


@pytest.mark.parametrize("power", [0.5, 1.0, -2.0])
def test_fitted_exponent_recovers_a_power_law(power):
    x = np.linspace(1.0, 1e4, 5001)
    found = criteria.fitted_exponent(x, 3.0 * x**power)
    np.testing.assert_allclose(found, power, rtol=1e-12)


def test_fitted_exponent_weighs_decades_alike():
    x = np.linspace(1.0, 1e4, 100_001)
    y = np.where(x < 100, x, 10 * np.sqrt(x))
    # Two decades of slope 1 and two of slope 1/2; a fit even in x would give 1/2.
    found = criteria.fitted_exponent(x, y)
    np.testing.assert_allclose(found, 0.75, atol=0.02)


def test_standard_error_of_the_mean():
    mean, error = criteria.mean_and_error(np.array([1.0, 2.0, 3.0, 4.0]))
    assert mean == 2.5
    np.testing.assert_allclose(error, np.sqrt(5 / 3) / 2)
    assert np.isnan(criteria.mean_and_error(np.array([1.0]))[1])
