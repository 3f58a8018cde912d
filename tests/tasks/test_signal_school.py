"""Signal School against values worked out by hand."""

import math

import numpy as np
import pytest

from ctrnn_jax.tasks import DESCRIPTORS, Descriptor, SignalSchool, relative_error


def _signal(shape, frequency, amplitude, num_samples=1000):
    school = SignalSchool((Descriptor(shape, frequency, amplitude),))
    return school.signals(num_samples)[0]


def test_there_are_eight_signals_of_a_thousand_samples():
    school = SignalSchool()
    signals = school.signals()
    assert signals.shape == (8, 1000)
    assert len({signal.tobytes() for signal in signals}) == 8
    ts = school.times()
    assert ts.shape == (1000,)
    assert ts[0] == 0
    assert ts[-1] == pytest.approx(99.9)


@pytest.mark.parametrize(
    ("frequency", "weights"),
    [("high", (0.8, 0.16, 0.16)), ("low", (0.16, 0.16, 0.8))],
)
@pytest.mark.parametrize("index", [0, 1, 137, 999, 9999])
def test_sines_follow_their_formula(frequency, weights, index):
    t = 0.1 * index
    expected = sum(
        c * math.sin(2 * math.pi * f * t)
        for c, f in zip(weights, (0.11, 0.07, 0.05), strict=True)
    )
    signal = _signal("sines", frequency, "high", 10_000)
    assert signal[index] == pytest.approx(expected, abs=1e-12)


def test_at_a_quarter_of_the_slowest_sine_the_loud_one_peaks():
    # t = 5: 0.05 t = 1/4, 0.07 t = 0.35, 0.11 t = 0.55.
    expected = 0.8 + 0.16 * (math.sin(0.7 * math.pi) + math.sin(1.1 * math.pi))
    assert _signal("sines", "low", "high")[50] == pytest.approx(expected)


@pytest.mark.parametrize(("frequency", "f"), [("high", 0.06), ("low", 0.03)])
def test_squares_follow_their_formula_off_the_edges(frequency, f):
    t = SignalSchool().times(10_000)
    phase = 2 * f * (t + 0.5 / f)
    off_edge = np.abs(phase - np.round(phase)) > 1e-6
    expected = (-1.0) ** np.floor(phase)
    signal = _signal("square", frequency, "high", 10_000)
    np.testing.assert_array_equal(signal[off_edge], expected[off_edge])


def test_a_square_starts_low_and_flips_exactly_on_its_edges():
    # 2 · 0.06 · 25 = 3 half periods end at sample 250, to the sample.
    signal = _signal("square", "high", "high")
    assert signal[0] == -1
    assert (signal[83], signal[84]) == (-1, 1)
    assert (signal[249], signal[250]) == (-1, 1)
    assert np.count_nonzero(np.diff(signal)) == 11
    assert np.count_nonzero(np.diff(_signal("square", "low", "high"))) == 5


@pytest.mark.parametrize("shape", ["sines", "square"])
@pytest.mark.parametrize("frequency", ["high", "low"])
def test_low_amplitude_is_half(shape, frequency):
    high = _signal(shape, frequency, "high")
    np.testing.assert_array_equal(_signal(shape, frequency, "low"), high / 2)


def test_every_signal_repeats_after_the_horizon():
    signals = SignalSchool().signals(10_000)
    np.testing.assert_allclose(signals[:, 9000:], signals[:, :1000], atol=1e-12)


def test_predicting_zero_scores_one_on_every_signal():
    target = SignalSchool().signals()
    np.testing.assert_allclose(relative_error(np.zeros_like(target), target), 1)


def test_an_absolute_error_would_pass_the_quiet_sines_for_nothing():
    quiet = _signal("sines", "high", "low")
    # (0.8² + 2 · 0.16²)/2 of a unit, a quarter of it at half amplitude.
    assert np.mean(quiet**2) == pytest.approx(0.25 * 0.3456)


def test_a_diverged_output_scores_infinity_and_not_nan():
    target = _signal("sines", "high", "high")
    assert relative_error(np.full_like(target, np.nan), target) == np.inf


def test_codes_are_one_hot_and_follow_the_descriptors():
    chosen = (DESCRIPTORS[5], DESCRIPTORS[2])
    np.testing.assert_array_equal(SignalSchool(chosen).codes(), np.eye(8)[[5, 2]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Descriptor("saw", "high", "low"), "'sines' or 'square'"),
        (lambda: Descriptor("square", "high", "mid"), "amplitude must be"),
        (lambda: SignalSchool(()), "name at least one"),
        (lambda: SignalSchool().signals(0), "at least 1"),
        (lambda: relative_error(np.ones(3), np.ones(4)), "same stretch"),
        (lambda: relative_error(np.ones(3), np.zeros(3)), "is zero"),
    ],
)
def test_misuse_is_refused_with_the_mend(make, message):
    with pytest.raises(ValueError, match=message):
        make()
