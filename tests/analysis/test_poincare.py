"""Sections against motions whose crossings are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ctrnn_jax import Linear, SkewSymmetric, VoltageCTRNN
from ctrnn_jax.analysis import OUTCOMES, is_okay, poincare_section
from ctrnn_jax.integrate import CoordinateSplitting, ExponentialStep
from tests.systems import (
    elliptic_period,
    elliptic_start,
    linear_orbit,
    rotation,
    stuart_landau,
    stuart_landau_orbit,
)

NEURONS = VoltageCTRNN(SkewSymmetric.from_matrix(rotation()))
SECOND = (np.array([0.0, 1.0]), 0.0)
MU, OMEGA = 0.04, 1.0


def two_neurons(energy, **options):
    options = {"direction": -1, "max_crossings": 32, "section": SECOND, **options}
    return poincare_section(
        NEURONS,
        elliptic_start(energy),
        dt0=0.05,
        duration=100.0,
        solver=CoordinateSplitting(6),
        **options,
    )


@pytest.mark.parametrize("energy", [0.1, 1.5, 4.0])
def test_two_neurons_cross_at_multiples_of_their_exact_period(energy):
    # The start lies on the section, and an orbit there has not crossed it.
    found = two_neurons(energy)
    period = elliptic_period(energy)
    assert is_okay(found.result)
    assert int(found.count) == int(found.total) == int(100.0 / period)
    np.testing.assert_allclose(
        found.times, period * np.arange(1, len(found.times) + 1), rtol=1e-10
    )
    np.testing.assert_allclose(found.points[:, 0], elliptic_start(energy)[0], rtol=1e-8)
    assert np.max(np.abs(found.points[:, 1])) < 1e-14


def test_slots_that_are_not_filled_are_nan():
    found = two_neurons(1.5)
    count = int(found.count)
    assert np.all(np.isnan(found.ts[count:])) and np.all(np.isnan(found.ys[count:]))
    assert found.points.shape == (count, 2)


def test_both_directions_are_those_up_and_those_down():
    ups, downs = (two_neurons(1.5, direction=d).times for d in (1, -1))
    both = two_neurons(1.5, direction=0).times
    np.testing.assert_allclose(np.sort(np.concatenate([ups, downs])), both, rtol=1e-13)


def test_crossings_past_the_room_for_them_are_counted():
    few, all_of_them = two_neurons(1.5, max_crossings=3), two_neurons(1.5)
    assert int(few.count) == 3
    assert int(few.total) == int(all_of_them.total) > 3
    np.testing.assert_array_equal(few.times, all_of_them.times[:3])


def test_a_transient_is_left_out():
    late = two_neurons(1.5, transient=30.0)
    expected = two_neurons(1.5).times
    np.testing.assert_allclose(
        late.times[:3], expected[expected > 30.0][:3], rtol=1e-12
    )


def test_an_exact_integrator_gives_exact_crossings():
    # Its step holds a matrix built for the step's length, so parts of a step need
    # another.
    model = VoltageCTRNN(SkewSymmetric.from_matrix(rotation(1.3)), activation=Linear())
    y0 = np.array([0.6, 0.8])
    found = poincare_section(
        model,
        y0,
        section=(np.array([1.0, 0.5]), 0.2),
        dt0=0.1,
        duration=50.0,
        max_crossings=16,
        solver=ExponentialStep(),
    )
    exact = linear_orbit(found.times, y0, 1.3)
    np.testing.assert_allclose(found.points, exact, atol=1e-13)
    np.testing.assert_allclose(exact @ [1.0, 0.5], 0.2, atol=1e-13)
    np.testing.assert_allclose(np.diff(found.times), 2 * np.pi / 1.3, rtol=1e-13)


def _angle(y):
    return jnp.arctan2(y[1], y[0]) - 1.0


def _landau(y0, **options):
    options = {"section": _angle, "max_crossings": 16, **options}
    return poincare_section(
        stuart_landau, y0, dt0=0.02, duration=40.0, inputs=(MU, OMEGA), **options
    )


def test_the_return_map_of_stuart_landau_is_its_exact_one():
    # arctan2 jumps down at -pi, which is no crossing upwards.
    found = _landau(np.array([0.9, 0.0]))
    times = (1.0 + 2 * np.pi * np.arange(7)) / OMEGA
    np.testing.assert_allclose(found.times, times[times < 40.0], rtol=1e-10)
    exact = stuart_landau_orbit(found.times, 0.9, MU, OMEGA)
    np.testing.assert_allclose(found.points, exact, atol=1e-9)


def test_mapped_over_starts_it_equals_a_loop():
    starts = jnp.array([[0.9, 0.0], [0.1, 0.1], [0.0, -0.5]])
    mapped = jax.vmap(_landau)(starts)
    for lane, start in enumerate(starts):
        alone = _landau(start)
        assert int(mapped.count[lane]) == int(alone.count)
        np.testing.assert_allclose(mapped.ts[lane], alone.ts, rtol=1e-12)


def test_an_orbit_that_misses_the_section_says_so():
    found = two_neurons(0.1, section=(np.array([0.0, 1.0]), 5.0))
    assert found.result == OUTCOMES.no_crossing
    assert int(found.count) == 0


def test_an_orbit_that_escapes_keeps_the_crossings_before():
    def spiral(t, y, args):
        return jnp.stack([0.5 * y[0] + y[1], 0.5 * y[1] - y[0]]) * jnp.sum(y**2)

    # 1/r^2 falls at the rate 1, so r is infinite at t = 1, after some turns.
    found = poincare_section(
        spiral,
        np.array([1.0, 0.0]),
        section=(np.array([0.0, 1.0]), 0.0),
        direction=-1,
        dt0=1e-3,
        duration=2.0,
        max_crossings=16,
    )
    assert found.result == OUTCOMES.escaped
    # The angle is ln(r): |y| doubles its logarithm's share evenly in angle.
    assert 0 < int(found.count) < 16
    assert np.all(np.isfinite(found.points))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"section": (np.ones(3), 0.0)}, "shapes"),
        ({"section": (np.ones(2),)}, "pair"),
        ({"section": lambda y: y}, "scalar"),
        ({"direction": 2}, "direction"),
        ({"max_crossings": 0}, "max_crossings"),
        ({"transient": -1.0}, "transient"),
    ],
)
def test_misuse_is_refused_with_the_mend(change, message):
    with pytest.raises(ValueError, match=message):
        two_neurons(1.0, **change)
