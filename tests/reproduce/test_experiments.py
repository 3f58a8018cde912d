"""What the experiments measure agrees with what is known exactly."""

import numpy as np
import pytest

from ctrnn_jax.fields import VoltageCTRNN
from ctrnn_jax.reproduce import (
    _chaos,
    _fates,
    _growth,
    _limit_cycle,
    _methods,
    _periods,
    reproduce,
)
from ctrnn_jax.reproduce._precision import experiment_settings
from ctrnn_jax.reproduce.invariants import return_gap


@pytest.fixture(autouse=True)
def _settings():
    with experiment_settings():
        yield


def test_measured_periods_are_the_elliptic_ones():
    found = _periods.measure_periods(
        np.array([0.05, 1.0]), angular_frequency=0.9, least_periods=2
    )
    assert found.relative_error.max() < 1e-10
    assert found.energy_drift.max() < 1e-10


def test_period_tends_to_the_linear_one_and_grows_as_the_energy():
    small, large = _periods.exact_period(np.array([1e-9, 40.0]), 2.0)
    np.testing.assert_allclose(small, np.pi, rtol=1e-8)
    np.testing.assert_allclose(large, 2 * (40 + np.log(4)), rtol=1e-12)


def test_starts_have_the_energies_asked_for():
    wanted = np.array([0.01, 2.0, 30.0])
    found = _growth.energies(_periods.start_at_energy(wanted))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_skew_oscillates_and_a_leak_stops_it():
    runs = _fates.run_fates(_fates.TANH, 3, seeds=2, seed=0, duration=400.0)
    fates = {run.kind.name: run.fates for run in runs}
    assert list(fates) == [kind.name for kind in _fates.KINDS]
    assert fates["skew"] == ["oscillates"] * 2
    assert fates["skew, leak 0.05"] == ["dies"] * 2


def test_each_kind_draws_what_its_name_says():
    rng = np.random.default_rng(0)
    drawn = {kind.shape: kind.draw(6, rng) for kind in _fates.KINDS}
    np.testing.assert_array_equal(drawn["skew"], -drawn["skew"].T)
    np.testing.assert_array_equal(drawn["symmetric"], drawn["symmetric"].T)
    np.testing.assert_allclose(np.linalg.eigvals(drawn["similar"]).real, 0, atol=1e-12)
    assert np.abs(drawn["similar"] + drawn["similar"].T).max() > 0.01


def test_limit_cycle_starts_at_the_hopf_point_with_the_frequency_of_w():
    gains = np.array([0.95, 1.004, 1.008])
    onset = _limit_cycle.measure_onset(gains, angular_frequency=0.7, duration=1500.0)
    assert onset.turns.tolist() == [False, True, True]
    assert onset.spread.max() < 1e-4
    power, factor, frequency = _limit_cycle.onset_law(onset, nearest=2)
    np.testing.assert_allclose([power, frequency], [0.5, 0.7], rtol=0.01)
    np.testing.assert_allclose(factor, 2, rtol=0.04)


def test_peak_between_samples_is_refined():
    ts = np.arange(0.0, 7.0, 0.05) + 0.013
    assert abs(_limit_cycle.refined_maximum(np.cos(ts - 3)) - 1) < 1e-6
    assert _limit_cycle.refined_maximum(np.arange(4.0)) == 3.0


def test_two_neurons_are_not_chaotic_and_eight_are():
    regular, chaotic = (
        _chaos.largest_exponents(n, 3.0, seeds=2, seed=0, duration=600.0)
        for n in (2, 8)
    )
    assert regular.value.max() < 0.01
    assert chaotic.value.min() > 0.02
    assert max(regular.energy_drift.max(), chaotic.energy_drift.max()) < 1e-2


def test_euler_grows_at_the_exact_rate_when_linear():
    found = _growth.linear_growth(np.array([0.05, 0.4]), angular_frequency=1.3)
    np.testing.assert_allclose(found.measured, found.exact, rtol=1e-10)


def test_euler_grows_as_a_square_root_with_tanh():
    found = _growth.tanh_growth(2, np.array([0.5]), seeds=2, seed=0, count=20_000)
    exponents = found.exponents(found.shifted)
    np.testing.assert_allclose(exponents, 0.5, atol=0.01)
    np.testing.assert_allclose(found.prefactors, 1.0, atol=0.01)


def test_work_of_a_step_counts_the_iterations_of_implicit_methods():
    field = VoltageCTRNN(_growth.SkewSymmetric.from_matrix(_periods.rotation(1.0)))
    states = np.array([[1.0, 0.0], [0.3, 2.0]])
    euler = _methods.method_named("Euler")
    midpoint = _methods.method_named("implicit midpoint")
    assert _methods.products_a_step(euler, field, states, 0.1) == 1
    small = _methods.products_a_step(midpoint, field, states, 1e-3)
    large = _methods.products_a_step(midpoint, field, states, 1.0)
    assert 4 <= small < large < 40


def test_return_gap_tells_a_closed_orbit_from_a_spiral():
    ts = np.arange(0.0, 8.0, 0.01)
    circle = np.stack([np.cos(ts), np.sin(ts)], axis=-1)
    slope = np.stack([-np.sin(ts), np.cos(ts)], axis=-1)
    assert return_gap(ts, circle, slope) < 1e-8
    shrink = np.exp(-0.01 * ts)[:, None]
    gap = return_gap(ts, shrink * circle, shrink * (slope - 0.01 * circle))
    np.testing.assert_allclose(gap, 1 - np.exp(-0.02 * np.pi), rtol=0.05)
    assert np.isnan(return_gap(ts, circle, np.zeros_like(circle)))
    away = np.stack([ts, ts], axis=-1)
    assert np.isnan(return_gap(ts, away, np.ones_like(away)))


@pytest.mark.slow
def test_claim_two_runs_from_end_to_end(tmp_path):
    path = reproduce(("C2",), out=tmp_path, quick=True, progress=False)
    page = path.read_text("utf-8")
    assert path == tmp_path / "report.html"
    assert "Lotka–Volterra" in page
    assert (tmp_path / "claims" / "C2-quick" / "portraits.png").stat().st_size > 10_000
