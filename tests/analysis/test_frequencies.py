"""Lines of signals that are known, found again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from ctrnn_jax.analysis import OUTCOMES, frequency_basis, main_frequencies
from tests.systems import elliptic_orbit, elliptic_period

SPACING, COUNT = 0.2, 2048
TS = SPACING * np.arange(COUNT)
OMEGA = np.array([0.731, 1.2391, 3.3, 2 * 0.731 - 0.1])
AMPLITUDE = np.array([1.0, 0.3, 0.02, 1e-3])
PHASE = np.array([0.3, -1.0, 2.0, 3.0])
ROOT2 = np.sqrt(2.0)


def real_signal(mean=0.5):
    waves = AMPLITUDE * np.cos(OMEGA * TS[:, None] + PHASE)
    return mean + waves.sum(axis=1)


def test_lines_of_a_real_signal_are_found_to_rounding():
    found = main_frequencies(real_signal(), SPACING, num_frequencies=4)
    np.testing.assert_allclose(found.angular_frequency, OMEGA, rtol=1e-12)
    np.testing.assert_allclose(found.amplitude, AMPLITUDE, rtol=1e-9)
    np.testing.assert_allclose(found.phase, PHASE, atol=1e-9)
    np.testing.assert_allclose(found.mean, 0.5, rtol=1e-12)
    assert int(found.count) == 4
    assert float(found.residual) < 1e-12


def test_lines_of_a_complex_signal_keep_their_sign():
    signed = OMEGA * np.array([1, -1, -1, 1])
    waves = AMPLITUDE * np.exp(1j * (signed * TS[:, None] + PHASE))
    found = main_frequencies(waves.sum(axis=1) + 0.2j, SPACING)
    np.testing.assert_allclose(found.angular_frequency, signed, rtol=1e-12)
    np.testing.assert_allclose(found.amplitude, AMPLITUDE, rtol=1e-9)
    np.testing.assert_allclose(found.phase, PHASE, atol=1e-9)
    np.testing.assert_allclose(found.mean, 0.2j, atol=1e-12)


def test_lines_that_were_not_asked_for_bias_the_others_below_1e_8():
    # Two lines of four: the rest is 0.02 of the signal.
    found = main_frequencies(real_signal(), SPACING, num_frequencies=2)
    np.testing.assert_allclose(found.angular_frequency, OMEGA[:2], rtol=1e-8)
    np.testing.assert_allclose(found.residual, 0.019, rtol=0.05)


def test_single_precision_gives_frequencies_to_1e_6():
    found = main_frequencies(
        real_signal().astype(np.float32), SPACING, num_frequencies=4
    )
    assert found.angular_frequency.dtype == jnp.float32
    # The phase at the end of the record, 1350, is rounded to 1e-4.
    np.testing.assert_allclose(found.angular_frequency, OMEGA, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.amplitude, AMPLITUDE, atol=1e-5)


def test_channels_share_lines_but_not_amplitudes():
    # The second line is all but absent from the first channel.
    first = np.cos(0.7 * TS) + 1e-6 * np.cos(1.9 * TS)
    second = 0.1 * np.sin(0.7 * TS) + 2.0 * np.cos(1.9 * TS)
    found = main_frequencies(
        np.stack([first, second], axis=1), SPACING, num_frequencies=2
    )
    np.testing.assert_allclose(found.angular_frequency, [1.9, 0.7], rtol=1e-12)
    np.testing.assert_allclose(found.amplitude, [[1e-6, 2.0], [1.0, 0.1]], rtol=1e-7)
    np.testing.assert_allclose(found.phase[1], [0.0, -np.pi / 2], atol=1e-9)


@pytest.mark.parametrize("order", [1, 3])
def test_lines_as_near_as_the_resolution_says_are_told_apart(order):
    bins = 2 * np.pi / (COUNT * SPACING)
    pair = np.array([1.0, 1.0 + 1.05 * (order + 1) * bins])
    signal = np.cos(pair[0] * TS) + 0.5 * np.sin(pair[1] * TS)
    found = main_frequencies(signal, SPACING, num_frequencies=2, window_order=order)
    np.testing.assert_allclose(found.resolution, bins)
    np.testing.assert_allclose(found.angular_frequency, pair, rtol=1e-10)


@pytest.mark.parametrize("energy", [0.2, 3.0])
def test_the_exact_orbit_of_two_neurons_has_its_elliptic_period(energy):
    signal = elliptic_orbit(TS, energy)
    found = main_frequencies(signal, SPACING, num_frequencies=4)
    base = 2 * np.pi / elliptic_period(energy)
    np.testing.assert_allclose(found.angular_frequency[0], base, rtol=1e-9)
    # An odd field: odd harmonics only, each weaker than the one before.
    orders = np.asarray(found.angular_frequency) / base
    np.testing.assert_allclose(orders, [1, 3, 5, 7], rtol=1e-6)


def test_lines_of_a_linear_network_are_its_eigenfrequencies():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(6, 6)) / np.sqrt(6)
    weight = a - a.T
    step, states = expm(weight * SPACING), [rng.normal(size=6)]
    for _ in range(COUNT - 1):
        states.append(step @ states[-1])
    found = main_frequencies(np.stack(states), SPACING, num_frequencies=3)
    exact = np.sort(np.abs(np.linalg.eigvals(weight).imag))[::2]
    np.testing.assert_allclose(np.sort(found.angular_frequency), exact, rtol=1e-10)


def test_fewer_lines_than_asked_for_leave_zeros():
    found = main_frequencies(np.cos(1.1 * TS), SPACING, num_frequencies=4)
    assert int(found.count) == 1
    np.testing.assert_array_equal(found.angular_frequency[1:], 0.0)
    np.testing.assert_array_equal(found.amplitude[1:], 0.0)


def test_a_constant_has_no_lines():
    found = main_frequencies(np.full(COUNT, 3.0), SPACING, num_frequencies=4)
    assert int(found.count) == 0
    assert float(found.residual) < 1e-12
    np.testing.assert_allclose(found.mean, 3.0)


def test_samples_that_are_not_finite_are_reported():
    signal = real_signal()
    signal[7] = np.nan
    found = main_frequencies(signal, SPACING, num_frequencies=4)
    assert found.result == OUTCOMES.nonfinite
    assert np.all(np.isfinite(found.angular_frequency))


def test_mapped_over_signals_it_equals_a_loop():
    signals = np.stack([real_signal(), real_signal()[::-1], np.cos(2.0 * TS)])
    mapped = jax.vmap(lambda x: main_frequencies(x, SPACING))(jnp.asarray(signals))
    for lane, signal in enumerate(signals):
        alone = main_frequencies(signal, SPACING)
        np.testing.assert_allclose(
            mapped.angular_frequency[lane], alone.angular_frequency, rtol=1e-12
        )


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (np.zeros((4, 5, 6)), {}, "shape"),
        (np.arange(COUNT), {}, "floating"),
        (np.zeros(50), {}, "at least"),
        (np.zeros(COUNT), {"num_frequencies": 0}, "num_frequencies"),
        (np.zeros(COUNT), {"window_order": 9}, "window_order"),
    ],
)
def test_misuse_is_refused_with_the_mend(samples, options, message):
    with pytest.raises(ValueError, match=message):
        main_frequencies(samples, SPACING, **options)


@pytest.mark.parametrize(
    ("frequencies", "rank", "members"),
    [
        ([1.0, 3.0, 5.0, 15.0], 1, [True, False, False, False]),
        ([1.0, 1.5, 0.25, 7 / 5], 1, [True, False, False, False]),
        ([1.0, ROOT2, 2 * ROOT2 - 1, 2 + ROOT2], 2, [True, True, False, False]),
        ([1.0, ROOT2, np.sqrt(3), 1 + ROOT2 - np.sqrt(3)], 3, [True] * 3 + [False]),
        ([1.0, ROOT2, np.sqrt(3), np.pi], 4, [True] * 4),
    ],
)
def test_independent_frequencies_are_counted(frequencies, rank, members):
    found = frequency_basis(np.array(frequencies), tolerance=1e-8)
    assert int(found.rank) == rank
    assert found.basis.tolist() == members
    assert np.all(np.asarray(found.residual) < 1e-12)


def test_a_relation_that_misses_the_tolerance_makes_a_frequency_independent():
    near = np.array([1.0, 1.5 + 1e-6])
    assert int(frequency_basis(near, tolerance=1e-7).rank) == 2
    assert int(frequency_basis(near, tolerance=1e-5).rank) == 1


def test_entries_that_are_not_used_do_not_count():
    found = frequency_basis(
        np.array([1.0, ROOT2]), tolerance=1e-8, used=jnp.array([True, False])
    )
    assert int(found.rank) == 1
