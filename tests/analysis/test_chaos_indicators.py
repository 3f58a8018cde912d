"""MEGNO, SALI/GALI and the 0–1 test on motion whose kind is known."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import systems

import ctrnn_jax as cj
from ctrnn_jax.analysis import (
    OUTCOMES,
    chaos_ensemble,
    chaos_indicators,
    lyapunov_spectrum,
    zero_one_test,
)

HENON_HEILES = {"dt0": 0.05, "duration": 1000.0, "interval": 1.0}


@pytest.fixture(scope="module")
def orbits():
    """Regular and chaotic orbits of Hénon and Heiles, at two energies."""
    starts = {
        "regular, E = 1/12": (1 / 12, 0.1, 0.0),
        "regular, E = 1/8": (1 / 8, 0.1, 0.0),
        "chaotic, E = 1/8": (1 / 8, -0.25, 0.0),
    }
    y0 = np.stack([systems.henon_heiles_start(*start) for start in starts.values()])
    found = chaos_ensemble(systems.henon_heiles, y0, **HENON_HEILES)
    return found


def test_megno_is_two_for_tori_and_grows_with_the_exponent_in_chaos(orbits):
    np.testing.assert_allclose(orbits.megno[:2], 2.0, atol=0.15)
    # λt/2 with the published exponent, which over t = 1000 varies by half.
    assert 0.5 < orbits.megno[2] / (systems.HENON_HEILES_EXPONENT * 500) < 1.6
    np.testing.assert_allclose(
        orbits.exponent[2], systems.HENON_HEILES_EXPONENT, rtol=0.5
    )
    assert np.all(np.abs(orbits.exponent[:2]) < 2e-3)


def test_sali_stays_on_a_torus_and_vanishes_in_chaos(orbits):
    # On a two-dimensional torus GALI_2 oscillates about a constant; in chaos it falls
    # as e^{-λt}, here to rounding.
    assert np.all(orbits.log_gali[:2] > np.log(0.1))
    assert orbits.log_gali[2] < np.log(1e-8)


def test_gali_of_more_vectors_than_the_torus_has_dimensions_falls_as_a_power():
    found = chaos_indicators(
        systems.henon_heiles,
        systems.henon_heiles_start(1 / 12, 0.1, 0.0),
        order=3,
        **HENON_HEILES,
    )
    # Skokos et al. (2007): GALI_3 ~ t^-2 for N = 2 degrees of freedom.
    late = np.asarray(found.times) > 20
    slope, _ = np.polyfit(
        np.log(found.times)[late], np.asarray(found.log_gali_history)[late], 1
    )
    assert slope == pytest.approx(-2, abs=0.3)


@pytest.mark.slow
def test_integrable_and_chaotic_networks_are_told_apart():
    def indicators(size, seed):
        model = cj.VoltageCTRNN(cj.SkewSymmetric(size, key=jr.key(seed)))
        y0 = 3 * jr.normal(jr.key(1), (4, size))
        return chaos_ensemble(model, y0, dt0=0.1, duration=1000.0, order=2)

    regular, chaotic = indicators(2, 3), indicators(5, 3)
    # 2 where the period depends on the energy, less where it hardly does.
    assert np.all(np.asarray(regular.megno) < 2.1)
    assert np.sum(np.asarray(regular.megno) > 1.8) >= 3
    assert np.all(np.asarray(chaotic.megno) > 5)
    # One degree of freedom: both vectors turn along the orbit, SALI ~ 1/t.
    assert np.all(np.asarray(regular.log_gali) > -2 * np.log(1000))
    assert np.all(np.asarray(chaotic.log_gali) < -2 * np.log(1000))


def test_the_exponent_is_that_of_the_spectrum():
    options = {"dt0": 0.02, "duration": 200.0, "transient": 10.0}
    y0 = jnp.array([1.0, 2.0, 20.0])
    found = chaos_indicators(systems.lorenz, y0, order=1, interval=0.2, **options)
    spectrum = lyapunov_spectrum(
        systems.lorenz, y0, num_exponents=1, qr_interval=0.2, **options
    )
    # One vector needs no orthogonalising: the growth is the same, interval by interval.
    growth = np.diff(np.asarray(spectrum.history[:, 0] * spectrum.times), prepend=0.0)
    second_half = growth[500:].mean() / 0.2
    np.testing.assert_allclose(found.exponent, second_half, rtol=1e-10)
    np.testing.assert_array_equal(found.log_gali_history, 0.0)


@pytest.mark.slow
def test_indicators_of_lanes_are_those_of_each_orbit():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(3, key=jr.key(3)))
    y0 = jnp.concatenate([jr.normal(jr.key(1), (2, 3)), jnp.full((1, 3), jnp.nan)])
    options = {"dt0": 0.1, "duration": 20.0, "transient": 3.0, "order": 3}
    together = chaos_ensemble(model, y0, **options)
    mapped = jax.vmap(lambda y: chaos_indicators(model, y, **options))(y0)
    for name in ("megno", "exponent", "log_gali"):
        np.testing.assert_allclose(
            getattr(together, name), getattr(mapped, name), atol=1e-12
        )
    assert together.megno_history is None
    assert mapped.megno_history.shape == (3, 20)
    for result in (together.result, mapped.result):
        last = jax.tree.map(lambda leaf: leaf[-1], result)
        assert last == OUTCOMES.nonfinite
    assert np.isnan(together.megno).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": 4}, "order must be in 1..3"),
        ({"interval": -1.0}, "interval must be a positive"),
        ({"duration": 0.0}, "duration must be a positive"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    options = {"dt0": 0.1, "duration": 10.0} | change
    with pytest.raises(ValueError, match=message):
        chaos_indicators(systems.lorenz, jnp.ones(3), **options)


def logistic(rate, count=2000):
    x, values = 0.3, []
    for _ in range(count + 200):
        x = rate * x * (1 - x)
        values.append(x)
    return np.array(values[200:])


def test_the_zero_one_test_knows_the_logistic_map():
    # Gottwald and Melbourne (2009): period windows give 0, chaos 1.
    rates = (3.5, 3.55, 3.83, 3.97, 4.0 - 1e-9)
    values = [float(zero_one_test(logistic(rate))) for rate in rates]
    np.testing.assert_allclose(values, [0, 0, 0, 1, 1], atol=0.05)


def test_the_zero_one_test_knows_a_torus_and_takes_any_scale():
    t = np.arange(2000.0)
    torus = np.cos(t) + 0.5 * np.cos(np.sqrt(2) * t)
    assert abs(zero_one_test(torus)) < 0.1
    series = logistic(3.97)
    np.testing.assert_allclose(
        zero_one_test(100 * series + 1e3), zero_one_test(series), atol=1e-6
    )
    assert zero_one_test(np.ones(500)) == 0
    assert np.isnan(zero_one_test(np.full(500, np.nan)))
    with pytest.raises(ValueError, match="time >= 100"):
        zero_one_test(np.ones(50))
