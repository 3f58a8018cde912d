"""Periodic orbits and their multipliers against closed forms and other integrators."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import systems
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import ctrnn_jax as cj
from ctrnn_jax.analysis import (
    OUTCOMES,
    conserved_quantities,
    find_periodic_orbit,
    floquet_multipliers,
    is_okay,
)

OMEGA = 1.3
PAIR = cj.VoltageCTRNN(cj.SkewSymmetric.from_matrix(systems.rotation(OMEGA)))
#: Known to 30 digits; the test below checks it to what float64 allows.
VAN_DER_POL_PERIOD = 6.6632868593231301896996820305


TRACES = []


class Counted(cj.VoltageCTRNN):
    """Counts its traces."""

    def __call__(self, t, y, inputs=None):
        TRACES.append(1)
        return super().__call__(t, y, inputs)


class Planar(eqx.Module):
    """One of three fields by its weights: so that one program does for all."""

    weights: jax.Array

    def __call__(self, t, y, args=None):
        return self.weights @ jnp.stack(
            [
                jnp.stack([y[1], (1 - y[0] ** 2) * y[1] - y[0]]),
                systems.stuart_landau(t, y, (0.5, 2.0)),
                # Shrinks from below 1, runs away from above.
                -y + y**3,
            ]
        )


VAN_DER_POL = Planar(jnp.array([1.0, 0.0, 0.0]))
STUART_LANDAU = Planar(jnp.array([0.0, 1.0, 0.0]))
DECAY_OR_ESCAPE = Planar(jnp.array([0.0, 0.0, 1.0]))


@pytest.mark.parametrize("energy", [0.01, 0.5, 2.0, 10.0])
def test_the_period_of_two_neurons_is_the_elliptic_one(energy):
    orbit = find_periodic_orbit(PAIR, systems.elliptic_start(energy))
    exact = systems.elliptic_period(energy, OMEGA)
    assert is_okay(orbit.result)
    assert abs(orbit.period / exact - 1) < 1e-12
    assert orbit.rank_deficiency == 0
    np.testing.assert_allclose(orbit.levels, [energy], rtol=1e-12)
    expected = systems.elliptic_orbit(np.asarray(orbit.ts), energy, OMEGA)
    # SciPy's cn is off by 4e-8 where m is within 1e-9 of 1.
    np.testing.assert_allclose(orbit.ys, expected, atol=1e-9 if energy < 5 else 1e-7)


@pytest.mark.parametrize("factor", [0.85, 1.2, 2.0, 3.0])
def test_a_wrong_or_multiple_period_leads_to_the_least_one(factor):
    exact = systems.elliptic_period(1.0, OMEGA)
    orbit = find_periodic_orbit(PAIR, systems.elliptic_start(1.0), factor * exact)
    assert abs(orbit.period / exact - 1) < 1e-12
    assert orbit.rounds == 1


def test_both_multipliers_of_two_neurons_are_1_in_spite_of_their_jordan_block():
    orbit = find_periodic_orbit(PAIR, systems.elliptic_start(2.0))
    found = floquet_multipliers(PAIR, orbit)
    assert found.trivial_error < 1e-11
    np.testing.assert_allclose(found.multipliers, [1.0, 1.0], atol=1e-11)
    assert found.nontrivial.shape == (0,)
    assert found.stability() == "neutral"
    block = orbit.monodromies[0] - np.eye(2)
    assert np.max(np.abs(block)) > 1.0
    np.testing.assert_allclose(block @ block, 0.0, atol=1e-9)


@pytest.mark.slow
def test_the_search_maps_over_starts():
    energies = np.array([0.3, 1.0, 3.0])
    starts = jnp.asarray([systems.elliptic_start(energy) for energy in energies])
    functions = conserved_quantities(PAIR)

    @eqx.filter_jit
    def periods(starts):
        def one(start):
            orbit = find_periodic_orbit(
                PAIR, start, conserved=functions, max_period=15.0
            )
            return orbit.period, orbit.result

        return jax.vmap(one)(starts)

    found, result = periods(starts)
    assert np.all(is_okay(result))
    np.testing.assert_allclose(
        found, systems.elliptic_period(energies, OMEGA), rtol=1e-12
    )
    with pytest.raises(ValueError, match="max_period"):
        jax.jit(lambda y: find_periodic_orbit(PAIR, y, conserved=()).period)(starts[0])


def test_van_der_pols_period_has_its_published_digits_and_scipys():
    orbit = find_periodic_orbit(VAN_DER_POL, np.array([2.0, 0.0]))
    assert abs(orbit.period / VAN_DER_POL_PERIOD - 1) < 1e-13

    def crossing(t, y):
        return y[1] if t > 1 else 1.0

    crossing.direction = -1
    checked = solve_ivp(
        lambda t, y: [y[1], (1 - y[0] ** 2) * y[1] - y[0]],
        (0.0, 60.0),
        [2.0, 0.0],
        method="DOP853",
        rtol=1e-13,
        atol=1e-13,
        events=crossing,
    )
    passed = checked.t_events[0]
    assert abs((passed[-1] - passed[-3]) / 2 / orbit.period - 1) < 1e-11
    # The other multiplier is the exponential of the mean divergence (Liouville).
    found = floquet_multipliers(VAN_DER_POL, orbit)
    divergence = np.mean(1 - np.asarray(orbit.ys)[:-1, 0] ** 2) * orbit.period
    np.testing.assert_allclose(found.nontrivial[0].real, np.exp(divergence), rtol=1e-9)
    assert found.trivial_error < 1e-11
    assert found.stability() == "stable"


def test_the_cycle_of_stuart_and_landau_is_found_with_its_multiplier():
    orbit = find_periodic_orbit(STUART_LANDAU, np.array([0.9, 0.1]))
    np.testing.assert_allclose(np.linalg.norm(orbit.ys, axis=1), np.sqrt(0.5), 1e-12)
    np.testing.assert_allclose(orbit.period, np.pi, rtol=1e-12)
    found = floquet_multipliers(STUART_LANDAU, orbit)
    np.testing.assert_allclose(
        found.multipliers, [1.0, np.exp(-np.pi)], rtol=1e-11, atol=1e-14
    )
    np.testing.assert_allclose(found.exponents, [0.0, -1.0], atol=1e-11)
    np.testing.assert_allclose(orbit.amplitude, np.sqrt(0.5), rtol=2e-8)


@pytest.mark.slow
def test_a_transient_leads_to_a_cycle_from_afar_and_segments_change_nothing():
    start = np.array([9.0, 0.5])
    orbit = find_periodic_orbit(STUART_LANDAU, start, transient=3.0, num_segments=4)
    np.testing.assert_allclose(orbit.period, np.pi, rtol=1e-12)
    assert orbit.nodes.shape == (4, 2)
    radii = np.linalg.norm(orbit.nodes, axis=1)
    np.testing.assert_allclose(radii, np.sqrt(0.5), rtol=1e-12)


def test_a_linear_rotation_is_regular_when_pinned_and_said_to_be_degenerate_when_not():
    linear = Counted(PAIR.weight, activation=cj.Linear())
    start = np.array([1.0, 0.5])
    pinned = find_periodic_orbit(linear, start)
    free = find_periodic_orbit(linear, start, conserved=())
    for orbit, deficiency in ((pinned, 0), (free, 1)):
        np.testing.assert_allclose(orbit.period, 2 * np.pi / OMEGA, rtol=1e-12)
        assert orbit.rank_deficiency == deficiency
    np.testing.assert_allclose(pinned.levels, [0.625], rtol=1e-13)


@pytest.mark.slow
def test_orbits_of_a_larger_conservative_field_close_and_pair_their_multipliers():
    # Two groups of two neurons: two degrees of freedom.
    coupling = np.array([[1.0, 0.3], [-0.2, 1.7]])
    model = cj.VoltageCTRNN(cj.BipartiteSkew.from_coupling(coupling))
    orbit = find_periodic_orbit(model, np.array([0.7, 0.0, 0.2, 0.0]))
    assert is_okay(orbit.result)
    assert orbit.miss < 1e-11
    level = cj.energy(model, jnp.array([0.7, 0.0, 0.2, 0.0]))
    np.testing.assert_allclose(orbit.levels, [level], rtol=1e-12)
    # By another integrator.
    again = solve_ivp(
        lambda t, y: np.asarray(model.weight.as_matrix()) @ np.tanh(y),
        (0.0, float(orbit.period)),
        np.asarray(orbit.y0),
        method="DOP853",
        rtol=1e-13,
        atol=1e-13,
    )
    np.testing.assert_allclose(again.y[:, -1], orbit.y0, atol=1e-10)
    found = floquet_multipliers(model, orbit)
    assert found.nontrivial.shape == (2,)
    np.testing.assert_allclose(np.prod(found.nontrivial), 1.0, atol=1e-11)
    assert found.trivial_error < 1e-11


def saddle_cycle(rate):
    """Return a unit circle whose neighbours grow by e^{rate} and shrink likewise.

    The transverse directions turn with the motion; multipliers exp(±rate), and
    exp(−4π/ω) of the radius, ω = 2.
    """
    rates = jnp.array([-rate, rate]) / np.pi

    def field(t, y, args):
        circle, z = y[:2], y[2:]
        turn = jnp.stack([circle, jnp.stack([-circle[1], circle[0]])], axis=1)
        across = turn @ (rates * (turn.T @ z)) + 2.0 * jnp.stack([-z[1], z[0]])
        return jnp.concatenate([systems.stuart_landau(t, circle, (1.0, 2.0)), across])

    return field


@pytest.mark.slow
def test_multipliers_of_1e10_and_its_inverse_are_found_where_the_product_fails():
    field = saddle_cycle(23.0)
    angles = 2 * np.pi * np.arange(12) / 12
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    guess = np.concatenate([1.05 * circle, 0.01 * np.cos(3 * circle)], axis=1)
    orbit = find_periodic_orbit(field, guess, 3.3)
    assert is_okay(orbit.result)
    np.testing.assert_allclose(orbit.period, np.pi, rtol=1e-11)
    np.testing.assert_allclose(orbit.nodes[:, 2:], 0.0, atol=1e-11)
    found = floquet_multipliers(field, orbit)
    exact = np.exp([23.0, 0.0, -2 * np.pi, -23.0])
    np.testing.assert_allclose(found.multipliers, exact, rtol=1e-9)
    naive = functools.reduce(lambda total, part: part @ total, orbit.monodromies)
    smallest = np.min(np.abs(np.linalg.eigvals(naive)))
    assert abs(smallest / exact[-1] - 1) > 0.1


@pytest.mark.slow
def test_single_precision_finds_the_period_to_its_rounding():
    weight = cj.SkewSymmetric.from_matrix(systems.rotation(OMEGA).astype(np.float32))
    start = systems.elliptic_start(1.0).astype(np.float32)
    orbit = find_periodic_orbit(cj.VoltageCTRNN(weight), start)
    assert orbit.period.dtype == jnp.float32
    exact = systems.elliptic_period(1.0, OMEGA)
    assert abs(float(orbit.period) / exact - 1) < 1e-5


@pytest.mark.parametrize(
    ("field", "start", "outcome"),
    [
        (PAIR, [0.0, 0.0], OUTCOMES.trivial),
        (PAIR, [1.0, np.nan], OUTCOMES.escaped),
        (DECAY_OR_ESCAPE, [0.9, 0.5], OUTCOMES.no_crossing),
        (DECAY_OR_ESCAPE, [1.5, 2.0], OUTCOMES.escaped),
    ],
)
def test_where_there_is_no_orbit_the_reason_is_given(field, start, outcome):
    orbit = find_periodic_orbit(field, np.array(start))
    assert orbit.result == outcome
    assert np.isnan(orbit.period)
    found = floquet_multipliers(PAIR, orbit)
    assert found.result == OUTCOMES.escaped


def test_a_spiral_into_rest_is_not_taken_for_an_orbit():
    spiral = cj.VoltageCTRNN(PAIR.weight, leak=0.05)
    orbit = find_periodic_orbit(spiral, np.array([0.5, 0.0]), 2 * np.pi / OMEGA)
    assert not is_okay(orbit.result)
    assert np.isnan(orbit.period)


def test_too_few_steps_are_said_to_be_so():
    exact = systems.elliptic_period(1.0, OMEGA)
    start = systems.elliptic_start(1.0)
    orbit = find_periodic_orbit(PAIR, start, 0.8 * exact, max_steps=2)
    assert orbit.result == OUTCOMES.not_converged


def test_a_driven_field_is_refused():
    with pytest.raises(eqx.EquinoxRuntimeError, match="depends on time"):
        find_periodic_orbit(lambda t, y, a: y * 0 + jnp.cos(t), np.array([1.0, 0.0]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"period": -1.0}, "period must be a positive"),
        ({"num_segments": 0}, "num_segments must be in"),
        ({"max_steps": 0}, "max_steps must be in"),
        ({"tolerance": 0.0}, "tolerance must be in"),
        ({"transient": -1.0}, "transient must be"),
        ({"max_period": 0.0}, "max_period must be"),
        ({"y0": np.zeros((3, 2))}, "give period too"),
    ],
)
def test_bad_input_is_refused_with_the_mend(change, message):
    arguments = {"field": PAIR, "y0": np.array([1.0, 0.0])} | change
    with pytest.raises(ValueError, match=message):
        find_periodic_orbit(**arguments)


def test_what_a_model_conserves_is_looked_up():
    odd = cj.SkewSymmetric(5, key=jax.random.key(0))
    assert len(conserved_quantities(cj.VoltageCTRNN(odd))) == 2
    assert len(conserved_quantities(cj.RateCTRNN(odd))) == 1
    assert conserved_quantities(cj.VoltageCTRNN(odd, leak=0.1)) == ()
    assert conserved_quantities(VAN_DER_POL) == ()
    outside = cj.VoltageCTRNN(odd, bias=jnp.ones(5))
    # The bias is not in the range of W: neither H nor the Casimir is kept.
    assert conserved_quantities(outside) == ()


def test_another_model_of_the_same_shape_is_not_compiled_again():
    counts = []
    for omega in (0.8, 1.0, 1.2):
        weight = cj.SkewSymmetric.from_matrix(systems.rotation(omega))
        model = Counted(weight, activation=cj.Linear())
        orbit = find_periodic_orbit(model, np.array([1.0, 0.5]))
        np.testing.assert_allclose(orbit.period, 2 * np.pi / omega, rtol=1e-12)
        counts.append(len(TRACES))
    assert counts[0] > 0
    assert counts[1] == counts[2]


def test_the_exact_exponential_checks_the_tangent_flow():
    # Of a linear field the derivative is expm(W T), whatever the state.
    linear = Counted(PAIR.weight, activation=cj.Linear())
    orbit = find_periodic_orbit(linear, np.array([1.0, 0.5]))
    exact = expm(systems.rotation(OMEGA) * float(orbit.period))
    np.testing.assert_allclose(orbit.monodromies[0], exact, atol=1e-11)
