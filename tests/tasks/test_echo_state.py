"""The echo-state baseline: its random network, and what its readout can go on with."""

import numpy as np
import pytest

from ctrnn_jax.tasks import EchoState, autoregression, seasonal_naive

SINE = np.sin(2 * np.pi * np.arange(400) / 23.7)


def test_the_weights_are_as_asked_for():
    weight, entry, bias = EchoState(100, radius=0.8, input_scale=0.3).weights(0)
    assert np.abs(np.linalg.eigvals(weight)).max() == pytest.approx(0.8)
    assert np.mean(weight != 0) == pytest.approx(0.1, abs=0.02)
    assert max(np.abs(entry).max(), np.abs(bias).max()) <= 0.3
    assert not np.array_equal(weight, EchoState(100, radius=0.8).weights(1)[0])


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_an_echo_state_network_goes_on_with_a_sine(rate):
    network = EchoState(100, rate=rate, ridge=1e-10)
    found = network.forecast(SINE[:300], 100, seed=0)
    np.testing.assert_allclose(found, SINE[300:], atol=0.02)
    np.testing.assert_array_equal(found, network.forecast(SINE[:300], 100, seed=0))


def test_what_follows_depends_on_nothing_after_it():
    # The first forecast sample is the readout of a state that has seen all values.
    network = EchoState(50)
    short = network.forecast(SINE[:300], 5, seed=1)
    np.testing.assert_array_equal(short, network.forecast(SINE[:300], 9, seed=1)[:5])


def test_a_growing_autoregression_is_infinite_where_it_overflows():
    found = autoregression(2.0 ** np.arange(20), 1000, order=1)
    np.testing.assert_allclose(found[:5], 2.0 ** np.arange(20, 25), rtol=1e-6)
    assert np.isinf(found[-1]) and not np.any(np.isnan(found))


def test_forecasts_from_too_little_are_refused():
    with pytest.raises(ValueError, match="order 3 needs more than 6 values"):
        autoregression(SINE[:6], 2, order=3)
    with pytest.raises(ValueError, match="season is 7, but there are 6 values"):
        seasonal_naive(SINE[:6], 2, season=7)
