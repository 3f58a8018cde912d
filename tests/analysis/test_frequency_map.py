"""Frequencies over initial conditions."""

import jax.numpy as jnp
import numpy as np
import pytest

from ctrnn_jax import SkewSymmetric, VoltageCTRNN
from ctrnn_jax.analysis import OUTCOMES, frequency_map, is_okay
from tests.systems import elliptic_period, elliptic_start, rotation

ENERGIES = np.array([0.1, 0.5, 1.0, 2.0])


def test_the_map_of_two_neurons_is_the_exact_frequency_of_their_energy():
    model = VoltageCTRNN(SkewSymmetric.from_matrix(rotation()))
    starts = np.stack([elliptic_start(energy) for energy in ENERGIES])
    found = frequency_map(model, starts, dt0=0.05, duration=400.0)
    exact = 2 * np.pi / elliptic_period(ENERGIES)
    # The step of fourth order shifts the frequency by 1e-8; the method adds nothing.
    np.testing.assert_allclose(found.angular_frequency[:, 0], exact, rtol=1e-7)
    np.testing.assert_allclose(found.angular_frequency[:, 1], 3 * exact, rtol=1e-6)
    assert np.max(found.drift[:, 0]) < 1e-11
    assert bool(np.all(is_okay(found.result)))
    np.testing.assert_allclose(found.duration, 200.0)


def henon_heiles(t, y, args):
    x, v, px, pv = y
    return jnp.stack([px, pv, -x - 2 * x * v, -v - x**2 + v**2])


@pytest.fixture(scope="module")
def four_lanes():
    """A regular orbit, a chaotic one, one that escapes, and no numbers."""
    starts = np.array(
        [
            [0.0, 0.1, 0.3, 0.05],
            [0.0, 0.0, 0.5568, 0.1],
            [0.0, 1.5, 0.0, 0.5],
            [np.nan, 0.0, 0.0, 0.0],
        ]
    )
    return frequency_map(
        henon_heiles, starts, dt0=0.1, duration=1000.0, observable=lambda y: y[1]
    )


def test_frequencies_stay_on_a_torus_and_wander_in_chaos(four_lanes):
    regular, chaotic = four_lanes.drift[:2, 0]
    # What is left is the integrator's: its energy drifts.
    assert float(regular) < 1e-7
    assert float(chaotic) > 1e-3


def test_lanes_that_fail_say_why_and_hold_zeros(four_lanes):
    results = four_lanes.result
    escaped, bad = (results == OUTCOMES.escaped), (results == OUTCOMES.nonfinite)
    assert escaped.tolist() == [False, False, True, False]
    assert bad.tolist() == [False, False, False, True]
    assert np.all(np.asarray(four_lanes.angular_frequency[2:]) == 0)
    assert np.all(np.isfinite(four_lanes.drift))
