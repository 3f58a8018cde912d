"""Lyapunov spectra against closed forms, published values and exact symmetries."""

import diffrax
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import systems

import ctrnn_jax as cj
from ctrnn_jax.analysis import (
    OUTCOMES,
    is_okay,
    lyapunov_ensemble,
    lyapunov_spectrum,
)


def agree(spectrum, expected, *, bias=0.0, sigmas=4.0):
    """Within four of the reported errors, and a stated bias of method and oracle."""
    assert bool(is_okay(spectrum.result))
    allowed = sigmas * np.asarray(spectrum.standard_error) + bias
    off = np.abs(np.asarray(spectrum.exponents) - np.asarray(expected))
    assert np.all(off < allowed), (off, allowed)


def skew(size, seed=7, form=cj.VoltageCTRNN, **options):
    return form(cj.SkewSymmetric(size, key=jr.key(seed)), **options)


def test_a_linear_system_has_the_real_parts_of_its_eigenvalues():
    # Upper triangular and far from normal: the exponents are the diagonal.
    matrix = jnp.array([[0.3, 2.0, -1.0], [0.0, -0.1, 3.0], [0.0, 0.0, -1.2]])
    spectrum = lyapunov_spectrum(
        lambda t, y, matrix: matrix @ y,
        jnp.zeros(3),
        inputs=matrix,
        dt0=0.05,
        duration=20.0,
        transient=60.0,
        solver=cj.RK4(),
    )
    # RK4's own factor over a step of h is e^{λh} to (λh)⁵/120.
    z = np.diag(matrix) * 0.05
    step = np.log(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24) / 0.05
    np.testing.assert_allclose(spectrum.exponents, step, atol=1e-12)
    np.testing.assert_allclose(spectrum.exponents, np.diag(matrix), atol=2e-7)
    assert np.all(np.asarray(spectrum.standard_error) < 1e-11)


def test_lorenz_has_the_published_exponents():
    spectrum = lyapunov_spectrum(
        systems.lorenz, [1.0, 2.0, 20.0], dt0=0.01, duration=1500.0, transient=20.0
    )
    agree(spectrum, systems.LORENZ_EXPONENTS, bias=2e-4)
    assert np.asarray(spectrum.standard_error).max() < 0.01
    # The divergence is constant, so the sum has no statistical error.
    np.testing.assert_allclose(spectrum.sum, -(10 + 1 + 8 / 3), atol=1e-6)
    # Kaplan-Yorke, from the published exponents: 2 + 0.9056/14.5723.
    np.testing.assert_allclose(spectrum.dimension, 2.0621, atol=2e-3)


def test_roessler_has_the_published_exponents():
    spectrum = lyapunov_spectrum(
        systems.roessler, [1.0, 1.0, 0.0], dt0=0.05, duration=4000.0, transient=100.0
    )
    agree(spectrum, systems.ROESSLER_EXPONENTS, bias=3e-4)


@pytest.mark.parametrize(
    ("energy", "start", "expected"),
    [
        # A quasi-periodic orbit; and the chaotic sea at the energy where it appears.
        (1 / 12, (0.1, 0.0), 0.0),
        (1 / 8, (-0.25, 0.0), systems.HENON_HEILES_EXPONENT),
    ],
    ids=["regular", "chaotic"],
)
def test_henon_heiles_at_two_energies(energy, start, expected):
    spectrum = lyapunov_spectrum(
        systems.henon_heiles,
        systems.henon_heiles_start(energy, *start),
        dt0=0.05,
        duration=10_000.0 if expected else 2000.0,
        qr_interval=1.0,
    )
    found, error = spectrum.exponents, spectrum.standard_error
    if expected:
        agree(spectrum, [expected, 0, 0, -expected], bias=3e-3)
        assert found[0] > 5 * error[0]
    else:
        # Shear alone: log t / t, and no sign of chaos to the error reported.
        assert np.all(np.abs(found) < np.log(2000) / 2000)
        assert found[0] < 4 * error[0]
    # Hamiltonian: the exponents pair, to what is left of the first vectors, O(1/t).
    np.testing.assert_allclose(found + found[::-1], 0, atol=2e-3)


def test_stuart_landau_contracts_at_twice_its_growth():
    mu, omega = 0.3, 1.7
    spectrum = lyapunov_spectrum(
        systems.stuart_landau,
        [0.2, 0.1],
        inputs=(mu, omega),
        dt0=0.02,
        duration=100.0,
        transient=60.0,
    )
    np.testing.assert_allclose(spectrum.exponents, [0.0, -2 * mu], atol=1e-6)


@pytest.mark.parametrize("leak", [0.0, 0.05])
def test_exponents_of_a_skew_network_pair_and_sum_as_the_theory_says(leak):
    size = 6
    model = skew(size, leak=leak)
    y0 = 3 * jr.normal(jr.key(1), (size,))
    spectrum = lyapunov_spectrum(
        model, y0, dt0=0.1, duration=600.0, transient=20.0, qr_interval=1.0
    )
    found, error = np.asarray(spectrum.exponents), np.asarray(spectrum.standard_error)
    # The splitting keeps volume and structure exactly: the sum to rounding, the pairs
    # to what is left of the first vectors, O(1/t).
    np.testing.assert_allclose(spectrum.sum, -size * leak, atol=1e-13)
    np.testing.assert_allclose(found + found[::-1], -2 * leak, atol=5e-3)
    if leak == 0:
        # Flow and energy: the middle two.
        assert np.all(np.abs(found[2:4]) < 3 * error[2:4] + 1e-3)
        assert found[0] > 5 * error[0]


@pytest.mark.slow
def test_each_casimir_adds_a_zero_exponent():
    weight = cj.LowRankSkew(6, 2, key=jr.key(1))
    model = cj.VoltageCTRNN(weight)
    assert cj.casimirs(model).shape == (2, 6)
    spectrum = lyapunov_spectrum(
        model, 2 * jr.normal(jr.key(1), (6,)), dt0=0.1, duration=600.0, qr_interval=1.0
    )
    zero = np.abs(spectrum.exponents) < 3 * np.asarray(spectrum.standard_error) + 2e-3
    # Flow, energy, and one for each of the two Casimirs.
    assert zero.sum() >= 4
    np.testing.assert_allclose(spectrum.sum, 0, atol=1e-13)


def test_the_standard_error_is_the_scatter_of_independent_orbits():
    lanes = 64
    y0 = jnp.array([[1.0, 2.0, 20.0]]) + jr.normal(jr.key(5), (lanes, 3))
    spectrum = lyapunov_ensemble(
        systems.lorenz, y0, dt0=0.02, duration=400.0, transient=10.0, num_exponents=1
    )
    scatter = np.std(np.asarray(spectrum.exponents[:, 0]), ddof=1)
    reported = np.sqrt(np.mean(np.asarray(spectrum.standard_error[:, 0]) ** 2))
    # Of 64 orbits the scatter is known to 9 %.
    assert 0.8 < reported / scatter < 1.5
    off = np.abs(np.asarray(spectrum.exponents[:, 0]) - systems.LORENZ_EXPONENTS[0])
    within = off < 2 * np.asarray(spectrum.standard_error[:, 0])
    assert within.mean() > 0.85


@pytest.mark.slow
def test_ensemble_vmap_and_single_orbits_agree():
    model = skew(3)
    y0 = 2 * jr.normal(jr.key(2), (3, 3))
    options = {"dt0": 0.1, "duration": 8.0, "transient": 2.0}
    together = lyapunov_ensemble(model, y0, **options)
    mapped = jax.vmap(lambda y: lyapunov_spectrum(model, y, **options))(y0)
    alone = lyapunov_spectrum(model, y0[1], **options)
    assert together.exponents.shape == (3, 3)
    assert together.history.shape == (3, 8, 3)
    assert together.times.shape == (8,)
    for name in ("exponents", "standard_error", "history", "final_state", "vectors"):
        ours, theirs = getattr(together, name), getattr(mapped, name)
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
        np.testing.assert_allclose(ours[1], getattr(alone, name), atol=1e-12)
    np.testing.assert_allclose(alone.history[-1], alone.exponents, atol=1e-15)
    np.testing.assert_allclose(alone.vectors.T @ alone.vectors, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(alone.times, np.arange(1, 9), rtol=1e-14)


@pytest.mark.slow
def test_lanes_may_have_models_of_their_own():
    keys = jr.split(jr.key(7), 2)
    models = jax.vmap(lambda key: cj.VoltageCTRNN(cj.SkewSymmetric(3, key=key)))(keys)
    y0 = 2 * jr.normal(jr.key(2), (2, 3))
    options = {"dt0": 0.1, "duration": 4.0, "num_exponents": 2, "solver": cj.RK4()}
    together = lyapunov_ensemble(models, y0, model_axes=0, **options)
    for lane in range(2):
        model = jax.tree.map(lambda leaf, at=lane: leaf[at], models)
        alone = lyapunov_spectrum(model, y0[lane], **options)
        np.testing.assert_allclose(
            together.exponents[lane], alone.exponents, atol=1e-12
        )


@pytest.mark.slow
def test_many_vectors_are_orthonormalised_in_lanes_as_alone():
    model = skew(10)
    y0 = jr.normal(jr.key(2), (2, 10))
    options = {"dt0": 0.1, "duration": 3.0, "solver": diffrax.Euler()}
    together = lyapunov_ensemble(model, y0, **options)
    alone = lyapunov_spectrum(model, y0[0], **options)
    np.testing.assert_allclose(together.exponents[0], alone.exponents, atol=1e-12)


def blows_up(t, y, args):
    return jnp.abs(y) * y


def test_a_lost_lane_says_why_and_costs_no_other():
    y0 = jnp.array([[5.0, 1.0], [jnp.nan, 1.0], [0.0, 0.0]])
    spectrum = lyapunov_ensemble(blows_up, y0, dt0=0.05, duration=2.0)
    expected = [OUTCOMES.escaped, OUTCOMES.nonfinite, OUTCOMES.successful]
    for lane, outcome in enumerate(expected):
        assert jax.tree.map(lambda leaf, at=lane: leaf[at], spectrum.result) == outcome
    assert np.isnan(spectrum.exponents).all(axis=1).tolist() == [True, True, False]
    # A fixed point is an orbit too: here its exponents are zero.
    np.testing.assert_allclose(spectrum.exponents[2], 0, atol=1e-12)
    # What was lost stays where it was good last.
    assert np.all(np.isfinite(spectrum.final_state))
    with pytest.raises(Exception, match="left the floating range"):
        lyapunov_ensemble(blows_up, y0[:1], dt0=0.05, duration=2.0, throw=True)


def test_vectors_that_vanish_are_reported():
    spectrum = lyapunov_spectrum(
        lambda t, y, args: -500.0 * y,
        jnp.ones(2),
        dt0=1e-3,
        duration=4.0,
        qr_interval=2.0,
        solver=cj.RK4(),
    )
    assert spectrum.result == OUTCOMES.degenerate
    assert "reduce qr_interval" in OUTCOMES[spectrum.result]
    assert np.isnan(spectrum.exponents).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration": 0.0}, "duration must be a positive"),
        ({"duration": -1.0}, "duration must be a positive"),
        ({"transient": -1.0}, "transient must be a non-negative"),
        ({"dt0": 0.0}, "dt0 must be a positive"),
        ({"qr_interval": 0.0}, "qr_interval must be a positive"),
        ({"qr_interval": 20.0}, "longer than duration"),
        ({"num_exponents": 4}, "num_exponents must be in 1..3"),
        ({"num_exponents": 0}, "num_exponents must be in 1..3"),
        ({"solver": cj.CoordinateSplitting()}, "needs the structure"),
        ({"y0": jnp.ones((2, 3))}, "must have shape"),
    ],
)
def test_bad_arguments_are_refused_with_the_mend(change, message):
    options = {"y0": jnp.ones(3), "dt0": 0.1, "duration": 10.0} | change
    y0 = options.pop("y0")
    with pytest.raises(ValueError, match=message):
        lyapunov_spectrum(systems.lorenz, y0, **options)


def test_float32_is_kept_and_right_to_its_precision():
    rates = jnp.array([0.5, -0.25, -1.0], jnp.float32)
    spectrum = lyapunov_spectrum(
        lambda t, y, args: rates * y,
        jnp.zeros(3, jnp.float32),
        dt0=0.1,
        duration=20.0,
        transient=40.0,
    )
    for name in ("exponents", "standard_error", "history", "times", "vectors"):
        assert getattr(spectrum, name).dtype == jnp.float32
    # Each interval's logarithm is rounded at 1e-7 or a few times that.
    np.testing.assert_allclose(spectrum.exponents, rates, atol=1e-6)


def test_a_second_call_runs_the_field_in_no_new_trace():
    traces = []

    def field(t, y, rate):
        traces.append(None)
        return -rate * y

    def run(rate, start):
        rate = jnp.asarray(rate)
        return lyapunov_spectrum(field, start, inputs=rate, dt0=0.1, duration=1.0)

    first = run(1.0, jnp.ones(2))
    count = len(traces)
    second = run(2.0, 3 * jnp.ones(2))
    assert len(traces) == count
    np.testing.assert_allclose(second.exponents, 2 * first.exponents, rtol=1e-4)
