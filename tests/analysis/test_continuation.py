"""Branches and their special points, where all of them are known in closed form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import systems

import ctrnn_jax as cj
from ctrnn_jax.analysis import (
    OUTCOMES,
    bifurcation_diagram,
    continue_fixed_points,
    continue_orbits,
    continue_orbits_in_energy,
    find_periodic_orbit,
    is_okay,
)

OMEGA = 1.3
SKEW = cj.SkewSymmetric.from_matrix(systems.rotation(OMEGA))
PAIR = cj.VoltageCTRNN(SKEW)
CALLS = []


def with_gain(gain):
    """x' = −x + (gI + W) tanh x."""
    CALLS.append(1)
    return cj.VoltageCTRNN(cj.GainPlusSkew(SKEW, gain), leak=1.0)


@functools.cache
def onset():
    start = jnp.zeros(2)
    return continue_fixed_points(with_gain, start, 0.5, bounds=(0.5, 1.5), step=0.1)


def test_the_hopf_point_is_where_the_gain_equals_the_leak():
    branch = onset()
    (hopf,) = branch.bifurcations
    assert hopf.kind == "hopf"
    assert abs(hopf.parameter - 1.0) < 1e-12
    np.testing.assert_allclose(hopf.angular_frequencies, [OMEGA], rtol=1e-12)
    np.testing.assert_array_equal(branch.stable, branch.parameters < 1)
    assert branch.parameters[-1] == 1.5
    assert branch.parameters[hopf.index - 1] < 1 < branch.parameters[hopf.index]
    assert is_okay(branch.result)


@pytest.mark.parametrize("size", [3, 4])
def test_all_modes_of_a_larger_network_cross_at_once(size):
    skew = cj.SkewSymmetric(size, key=jax.random.key(3))

    def family(gain):
        return cj.VoltageCTRNN(cj.GainPlusSkew(skew, gain), leak=0.7)

    branch = continue_fixed_points(
        family, jnp.zeros(size), 0.5, bounds=(0.5, 1.0), step=0.1
    )
    found = {one.kind: one for one in branch.bifurcations}
    frequencies = np.linalg.eigvals(skew.as_matrix()).imag
    expected = np.sort(frequencies[frequencies > 1e-6])[::-1]
    np.testing.assert_allclose(found["hopf"].angular_frequencies, expected, rtol=1e-8)
    # An odd network has the kernel of W besides: a pitchfork along it.
    assert set(found) == ({"hopf", "branch point"} if size == 3 else {"hopf"})
    assert all(abs(one.parameter - 0.7) < 1e-10 for one in branch.bifurcations)


def normal_forms(p):
    """A fold and, in the second state, a pitchfork of fixed points."""
    return lambda t, y, args: jnp.stack(
        [p - y[0] ** 2, (y[0] - 0.5) * y[1] - y[1] ** 3]
    )


def test_a_fold_is_passed_and_a_pitchfork_gives_the_way_to_its_other_branch():
    branch = continue_fixed_points(
        normal_forms, jnp.array([1.0, 0.0]), 1.0, direction=-1, bounds=(-1.0, 1.0)
    )
    # y₀ = ±√p, from the one end to the other.
    np.testing.assert_allclose(branch.points[:, 0] ** 2, branch.parameters, atol=1e-12)
    np.testing.assert_allclose(branch.points[-1], [-1.0, 0.0], atol=1e-10)
    pitchfork, fold = branch.bifurcations
    assert (pitchfork.kind, fold.kind) == ("branch point", "fold")
    assert abs(pitchfork.parameter - 0.25) < 1e-9
    np.testing.assert_allclose(np.abs(pitchfork.direction), [0.0, 1.0], atol=1e-6)
    assert abs(fold.parameter) < 1e-12
    np.testing.assert_allclose(fold.point, 0.0, atol=1e-8)
    other = continue_fixed_points(normal_forms, pitchfork, bounds=(0.0, 1.0))
    assert is_okay(other.result)
    assert len(other.parameters) > 10
    np.testing.assert_allclose(
        other.points[:, 1] ** 2, other.points[:, 0] - 0.5, atol=1e-11
    )


@functools.cache
def cycles():
    (hopf,) = onset().bifurcations
    before = len(CALLS)
    branch = continue_orbits(with_gain, hopf, step=0.05, bounds=(0.9, 1.6))
    return branch, len(CALLS) - before


def test_the_amplitude_at_onset_is_twice_the_root_of_the_excess_gain():
    branch, _ = cycles()
    excess = branch.parameters - 1
    near = np.asarray(excess < 0.05)
    assert np.sum(near) >= 5
    # A² = 4 (g − γ)/γ at lowest order: the ratio at g = γ by a parabola.
    ratio = np.asarray(branch.amplitudes[:, 0] ** 2 / excess)
    limit = np.polyfit(excess[near], ratio[near], 2)[-1]
    assert abs(limit - 4.0) < 1e-3
    frequency = np.polyfit(excess[near], branch.angular_frequencies[near], 2)[-1]
    assert abs(frequency - OMEGA) < 1e-4


def test_the_cycles_are_stable_and_end_at_the_bound():
    branch, _ = cycles()
    assert is_okay(branch.result)
    assert branch.parameters[-1] == 1.6
    assert np.all(branch.stable)
    assert np.max(branch.trivial_error) < 1e-10
    assert branch.bifurcations == ()
    # Liouville: the multiplier is the exponential of the mean divergence.
    y = branch.ys[-1, :-1]
    divergence = np.mean(-2.0 + 1.6 * np.sum(1 / np.cosh(y) ** 2, axis=1))
    expected = np.exp(divergence * float(branch.periods[-1]))
    np.testing.assert_allclose(branch.multipliers[-1, 0].real, expected, rtol=1e-8)


def test_the_number_of_compilations_does_not_grow_with_the_branch():
    branch, calls = cycles()
    assert len(branch.parameters) > 10
    assert 0 < calls < 20


def test_simulation_settles_to_what_continuation_finds():
    branch, _ = cycles()
    found = bifurcation_diagram(
        SKEW,
        np.array([0.9, 1.6]),
        np.array([1.0]),
        y0=np.array([1.0, 0.3]),
        dt0=0.05,
        transient=150.0,
        duration=100.0,
    )
    assert found.kinds.tolist() == [["fixed point"], ["periodic"]]
    assert np.isnan(found.angular_frequencies[0, 0])
    np.testing.assert_allclose(
        found.angular_frequencies[1, 0], branch.angular_frequencies[-1], rtol=1e-6
    )
    np.testing.assert_allclose(
        found.amplitudes[1, 0], np.max(branch.amplitudes[-1]), rtol=1e-3
    )
    assert np.all(is_okay(found.result))


def subcritical(mu):
    """r' = μr + r³ − r⁵, θ' = 2: cycles at μ = r⁴ − r²."""

    def field(t, y, args):
        square = jnp.sum(y**2)
        growth = mu + square - square**2
        return growth * y + 2.0 * jnp.stack([-y[1], y[0]])

    return field


def test_the_fold_of_subcritical_cycles_is_at_minus_a_quarter():
    start = find_periodic_orbit(subcritical(-0.2), np.array([0.85, 0.0]), np.pi)
    branch = continue_orbits(
        subcritical, start, -0.2, direction=-1, bounds=(-0.3, -0.1), step=0.1
    )
    square = np.sum(np.asarray(branch.nodes[:, 0]) ** 2, axis=1)
    np.testing.assert_allclose(branch.parameters, square**2 - square, atol=1e-11)
    (fold,) = branch.bifurcations
    assert fold.kind == "fold"
    assert abs(fold.parameter + 0.25) < 1e-10
    np.testing.assert_allclose(np.sum(fold.point**2), 0.5, rtol=1e-5)
    np.testing.assert_allclose(fold.period, np.pi, rtol=1e-10)
    # Multiplier of the radius: exp(T (μ + 3r² − 5r⁴)).
    expected = np.exp(np.pi * (branch.parameters + 3 * square - 5 * square**2))
    np.testing.assert_allclose(branch.multipliers[:, 0].real, expected, rtol=1e-9)
    np.testing.assert_array_equal(branch.stable, square > 0.5)


def changes(p):
    """A circle with directions that lose stability at p = 0.1, 0.2 and 0.3.

    One as a branch point, two that turn half a round a period, so that the multiplier
    is −1, and two that turn otherwise.
    """

    def field(t, y, args):
        x, v = y[:2], y[2]
        base = systems.stuart_landau(t, x, (1.0, 2.0))
        # R(θ/2) diag(a, b) R(θ/2)ᵀ, and the turn of the frame.
        a, b = p - 0.2, -1.0
        half = 0.5 * (a - b) * jnp.stack([x, jnp.stack([x[1], -x[0]])])
        twist = half @ y[3:5] + 0.5 * (a + b) * y[3:5]
        twist = twist + jnp.stack([-y[4], y[3]])
        spin = (p - 0.3) * y[5:] + 0.7 * jnp.stack([-y[6], y[5]])
        return jnp.concatenate([base, ((p - 0.1) * v - v**3)[None], twist, spin])

    return field


@pytest.mark.slow
def test_branch_points_period_doublings_and_tori_of_cycles_are_told_apart():
    circle = np.array([1.0, 0, 0, 0, 0, 0, 0])
    start = find_periodic_orbit(changes(0.05), circle, np.pi)
    branch = continue_orbits(changes, start, 0.05, bounds=(0.0, 0.4), step=0.05)
    found = branch.bifurcations
    kinds = [one.kind for one in found]
    assert kinds == ["branch point", "period doubling", "torus"]
    parameters = [one.parameter for one in found]
    np.testing.assert_allclose(parameters, [0.1, 0.2, 0.3], atol=1e-7)
    np.testing.assert_allclose(found[2].angular_frequencies, [0.7 * np.pi], rtol=1e-6)


@functools.cache
def small_orbit():
    return find_periodic_orbit(PAIR, systems.elliptic_start(0.1))


@functools.cache
def energies():
    return continue_orbits_in_energy(
        PAIR, small_orbit(), bounds=(0.05, 6.0), step=0.1, max_step=1.0
    )


def test_the_family_of_two_neurons_follows_the_elliptic_period():
    branch = energies()
    assert branch.parameters[-1] == 6.0
    exact = systems.elliptic_period(np.asarray(branch.parameters), OMEGA)
    assert len(exact) > 10
    assert np.max(np.abs(branch.periods / exact - 1)) < 1e-11
    levels = cj.energy(PAIR, branch.nodes[:, 0])
    np.testing.assert_allclose(levels, branch.parameters, rtol=1e-10)
    assert branch.multipliers.shape[1] == 0
    assert np.max(branch.trivial_error) < 1e-10


def test_a_branch_ends_with_a_reason():
    (hopf,) = onset().bifurcations
    long = continue_orbits(with_gain, hopf, step=0.3, max_period=5.2)
    assert is_okay(long.result)
    assert 5.2 < long.periods[-1] < 6.5
    no_point = continue_fixed_points(
        lambda p: lambda t, y, args: 1.0 + p * y**2, jnp.ones(1), 1.0
    )
    assert no_point.result == OUTCOMES.not_converged
    assert no_point.points.shape == (0, 1)
    steep = continue_fixed_points(
        with_gain, jnp.zeros(2), 0.5, bounds=(0.5, 1.5), step=0.1, num_points=2
    )
    assert len(steep.parameters) == 2


def test_a_field_that_runs_away_is_said_to_have_escaped():
    def family(gain, leak):
        weight = cj.GainPlusSkew(SKEW, gain)
        return cj.VoltageCTRNN(weight, activation=cj.Linear(), leak=leak)

    found = bifurcation_diagram(
        family,
        np.array([0.5, 9.0]),
        np.array([1.0]),
        y0=np.array([1.0, 0.3]),
        dt0=0.1,
        transient=100.0,
        duration=50.0,
    )
    assert found.kinds.tolist() == [["fixed point"], ["diverging"]]
    np.testing.assert_array_equal(is_okay(found.result), [[True], [False]])
    assert (found.result == OUTCOMES.escaped)[1, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": 0.0}, "0 < min_step <= step"),
        ({"direction": 2}, "direction must be"),
        ({"bounds": (1.0, 0.0)}, "bounds must be"),
        ({"num_points": 0}, "num_points must be"),
        ({"start": np.zeros((2, 2))}, "state of shape"),
        ({"parameter": None}, "with its parameter"),
    ],
)
def test_bad_input_is_refused_with_the_mend(change, message):
    arguments = {"family": with_gain, "start": np.zeros(2), "parameter": 0.5} | change
    with pytest.raises(ValueError, match=message):
        continue_fixed_points(**arguments)


def test_orbits_start_from_orbits_and_hopf_points_only():
    (hopf,) = onset().bifurcations
    with pytest.raises(ValueError, match="mode must be in"):
        continue_orbits(with_gain, hopf, mode=3)
    with pytest.raises(ValueError, match="conserves nothing"):
        continue_orbits_in_energy(with_gain(1.2), small_orbit())
    with pytest.raises(ValueError, match="Only a branch point"):
        continue_fixed_points(with_gain, hopf)
