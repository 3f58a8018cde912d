"""The sunspot recording is whole, and what scores are measured against is known."""

import dataclasses

import numpy as np
import pytest

from ctrnn_jax.tasks import Sunspots, load_sunspots, nrmse


def test_the_recording_runs_from_1700_to_2008_without_gaps():
    spots = load_sunspots()
    np.testing.assert_array_equal(spots.years, np.arange(1700, 2009))
    assert spots.numbers.shape == (309,)
    assert np.all(np.isfinite(spots.numbers))


@pytest.mark.parametrize(
    ("year", "number"), [(1700, 5.0), (1712, 0.0), (1957, 190.2), (2008, 2.9)]
)
def test_known_years_have_their_known_numbers(year, number):
    spots = load_sunspots()
    assert spots.numbers[spots.years == year] == number


def test_the_sun_is_most_active_in_1957_and_cycles_in_eleven_years():
    spots = load_sunspots()
    assert spots.years[np.argmax(spots.numbers)] == 1957
    centred = spots.numbers - spots.numbers.mean()
    power = np.abs(np.fft.rfft(centred)) ** 2
    frequency = np.fft.rfftfreq(len(centred))
    assert 1 / frequency[np.argmax(power)] == pytest.approx(11, abs=0.3)


def test_source_and_licence_stand_in_the_data_file():
    from importlib import resources

    text = (resources.files("ctrnn_jax.tasks") / "data" / "sunspots.csv").read_text()
    head = text.split("year,sunspot_number")[0]
    assert "ngdc.noaa.gov" in head
    assert "public domain" in head


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"years": np.arange(1701, 2010)}, "incomplete"),
        ({"numbers": np.ones(308)}, "shape"),
        ({"numbers": np.full(309, np.nan)}, "finite"),
        ({"numbers": np.full(309, -1.0)}, "not negative"),
    ],
)
def test_a_damaged_recording_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Sunspots(**{**dataclasses.asdict(load_sunspots()), **change})


def test_predicting_the_mean_scores_one():
    target = load_sunspots().numbers
    assert nrmse(np.full(309, target.mean()), target) == pytest.approx(1)
    # The mean trained on may lie beside the mean of what follows.
    assert nrmse(np.full(2, 1.0), np.array([2.0, 4.0]), mean=1.0) == pytest.approx(1)


def test_a_score_by_hand():
    # Errors 0 and 2, deviations from the mean 1 and 1: √(2/1).
    value = nrmse(np.array([0.0, 4.0]), np.array([0.0, 2.0]))
    assert value == pytest.approx(2**0.5)
    assert nrmse(np.array([0.0, np.nan]), np.array([0.0, 2.0])) == np.inf


@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [(np.ones(3), np.ones(2), "same samples"), (np.ones(3), np.ones(3), "constant")],
)
def test_scores_that_mean_nothing_are_refused(predicted, target, message):
    with pytest.raises(ValueError, match=message):
        nrmse(predicted, target)
