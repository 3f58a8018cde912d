"""Real series, what simple forecasts reach on them, and Signal School as a task."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from ctrnn_jax.tasks import (
    Series,
    SignalSchoolTask,
    autoregression,
    make_task,
    seasonal_naive,
    series_baselines,
    sunspot_series,
)

SINE = 2.0 + np.sin(2 * np.pi * np.arange(200) / 20)


def test_an_autoregression_goes_on_with_a_sine_exactly():
    found = autoregression(SINE[:150], 50, order=4)
    np.testing.assert_allclose(found, SINE[150:], atol=1e-6)


def test_the_last_season_again_goes_on_with_a_period_exactly():
    found = seasonal_naive(SINE[:150], 50, season=20)
    np.testing.assert_allclose(found, SINE[150:], atol=1e-12)


def test_the_mean_of_the_samples_before_scores_one():
    found = series_baselines(sunspot_series(), seeds=1)
    assert found["mean"].nrmse == pytest.approx(1.0)
    assert found["autoregression"].nrmse < 0.8
    assert found["seasonal"].forecast.shape == found["echo_state"].forecast.shape


def test_stretches_follow_each_other_and_only_the_mask_counts():
    task = Series("sine", SINE, season=20)
    batch, test = task.sample(2, key=jr.key(0)), task.held_out("test")
    validation = task.held_out()
    assert batch.targets.shape == (2, 140, 1)
    assert (int(validation.mask.sum()), int(test.mask.sum())) == (20, 40)
    assert float(batch.targets.mean()) == pytest.approx(0.0, abs=1e-12)
    assert float(jnp.std(batch.targets)) == pytest.approx(1.0)
    wrong_before = test.targets.at[:, :160].add(7.0)
    assert float(task.scores(wrong_before, test)["nrmse"]) == 0.0
    with pytest.raises(ValueError, match="judge by 'test'"):
        Series("sine", SINE, season=20, refitted=True).held_out()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(100), "constant"),
        (np.full(100, np.nan), "fill the gaps"),
        (SINE[:10], "leave"),
    ],
)
def test_a_series_that_cannot_be_learnt_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Series("bad", values, season=20)


@pytest.mark.parametrize("name", ["co2", "laser"])
def test_series_of_other_packages_are_whole_or_say_what_to_install(name):
    try:
        task = make_task(name)
    except ImportError as missing:
        assert "ctrnn_jax[data]" in str(missing)
        pytest.skip(f"not installed: {missing}")
    assert np.all(np.isfinite(task.values))


def test_silence_scores_one_in_signal_school_and_the_signals_zero():
    task = SignalSchoolTask()
    batch, test = task.sample(8, key=jr.key(0)), task.held_out("test")
    assert float(task.loss(jnp.zeros_like(batch.targets), batch)) == pytest.approx(1)
    scores = task.scores(test.targets, test)
    assert {float(value) for value in scores.values()} == {0.0}
    assert test.targets.shape == (8, 10_000, 1)
    silent = task.scores(jnp.zeros_like(test.targets), test)
    assert float(silent["continued_sines"]) == pytest.approx(1.0)


def test_what_is_held_out_of_signal_school_is_asked_for_in_the_test_alone():
    task = SignalSchoolTask(hold_out=True, code="properties")
    codes = {tuple(code) for code in np.asarray(task.sample(14, key=jr.key(0)).inputs)}
    assert len(codes) == 7
    assert task.held_out("test").inputs.shape == (8, 6)
    wrong = task.held_out("test")
    outputs = wrong.targets.at[-1].set(0.0)
    scores = task.scores(outputs, wrong)
    assert float(scores["generated"]) == pytest.approx(1.0)
    assert float(scores["memorized"]) == 0.0
    with pytest.raises(ValueError, match="code='properties'"):
        SignalSchoolTask(hold_out=True)
