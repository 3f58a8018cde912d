"""Forecasts: what is heard, what is asked, and what it is judged by."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from ctrnn_jax.tasks import Forecast, Series, autoregression, make_task, nrmse

PLACES = np.arange(200)
SERIES = Series("sine", 2.0 + np.sin(2 * np.pi * PLACES / 20), season=20)
TASK = Forecast(SERIES, heard=40, horizon=20)


def test_a_sequence_is_heard_and_then_silent():
    batch = TASK.sample(3, key=jr.key(0))
    assert batch.inputs.shape == (3, 59, 2)
    assert batch.targets.shape == (3, 59, 1)
    np.testing.assert_array_equal(batch.inputs[:, :40, 1], 1.0)
    np.testing.assert_array_equal(batch.inputs[:, 40:], 0.0)
    # The first answer that counts is at the last sample heard.
    np.testing.assert_array_equal(batch.mask, np.arange(59) >= 39 + np.zeros((3, 1)))
    np.testing.assert_allclose(
        batch.targets[:, :39, 0], batch.inputs[:, 1:40, 0], atol=1e-12
    )


def test_values_are_taken_from_the_mean_of_the_last_season_heard():
    rising = Forecast(Series("rise", PLACES.astype(float), season=10), heard=30)
    batch = rising.sample(4, key=jr.key(1))
    np.testing.assert_allclose(jnp.mean(batch.inputs[:, 20:30, 0], 1), 0.0, atol=1e-12)
    # So that every stretch of a straight line is the same.
    np.testing.assert_allclose(
        batch.targets, jnp.broadcast_to(batch.targets[:1], batch.targets.shape)
    )


def test_training_never_sees_what_is_foretold():
    everything = Series("ramp", PLACES.astype(float) ** 2, season=1)
    task = Forecast(everything, heard=20, horizon=20)
    seen = jnp.concatenate(
        [task._stretch(jnp.int32(p)) for p in range(task._num_places)]
    )
    assert float(seen.max()) == float(everything.values[everything.num_train - 1])


def test_a_last_training_sees_the_validation_stretch_and_the_same_numbers():
    last = Forecast(SERIES, heard=40, horizon=20, refitted=True)
    assert last._num_places == TASK._num_places + 20
    np.testing.assert_array_equal(
        last.held_out("test").targets, TASK.held_out("test").targets
    )
    with pytest.raises(ValueError, match="judge by 'test'"):
        last.held_out()


def test_splits_hear_all_before_and_are_asked_for_all_of_themselves():
    for split, start, stop in (("validation", 140, 160), ("test", 160, 200)):
        batch = TASK.held_out(split)
        assert batch.inputs.shape == (1, stop - 1, 2)
        assert int(batch.mask.sum()) == stop - start
        assert int(batch.inputs[..., 1].sum()) == start
        perfect = batch.targets.at[:, : start - 1].add(7.0)
        assert float(TASK.scores(perfect, batch)["nrmse"]) == 0.0


def test_the_score_is_that_of_the_simple_forecasts():
    series = Series(
        "noise", np.random.default_rng(0).normal(size=300).cumsum(), season=5
    )
    batch = Forecast(series).held_out("test")
    values = np.asarray(series.values)
    before, after = values[:240], values[240:]
    foretold = autoregression(before, 60, order=3)
    anchored = jnp.asarray(foretold - before[-5:].mean())
    outputs = jnp.zeros_like(batch.targets).at[0, 239:, 0].set(anchored)
    assert float(Forecast(series).scores(outputs, batch)["nrmse"]) == pytest.approx(
        nrmse(foretold, after, mean=before.mean())
    )


def test_the_trivial_loss_is_that_of_zero_over_all_stretches():
    losses = []
    for place in range(TASK._num_places):
        batch = TASK._batch(TASK._stretch(jnp.int32(place))[None], 40)
        losses.append(TASK.loss(jnp.zeros_like(batch.targets), batch))
    assert TASK.trivial_loss == pytest.approx(float(np.mean(losses)))


def test_what_cannot_be_heard_is_refused():
    with pytest.raises(ValueError, match="at most the 140 samples"):
        Forecast(SERIES, heard=130, horizon=20)
    with pytest.raises(ValueError, match="heard must be a whole number, at least 20"):
        Forecast(SERIES, heard=10)
    refitted = Series("sine", np.sin(PLACES / 3), season=20, refitted=True)
    with pytest.raises(ValueError, match="judge by 'test'"):
        Forecast(refitted).held_out()


def test_the_named_ones_take_the_share_of_their_series():
    task = make_task("forecast-sunspots")
    assert (task.heard, task.horizon) == (62, 31)
    assert jax.eval_shape(lambda: task.held_out("test").targets).shape == (1, 308, 1)
