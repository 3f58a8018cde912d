"""How far solutions leave their invariants: shapes and values of `drift`."""

import diffrax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj

TS = jnp.linspace(0.0, 5.0, 11)
MODEL = cj.VoltageCTRNN(cj.SkewSymmetric(5, key=jr.key(0)))
STARTS = jr.normal(jr.key(1), (3, 5))


def test_one_solution_gives_one_curve():
    solution = cj.simulate(MODEL, STARTS[0], TS, dt0=0.05)
    drift = cj.drift(MODEL, solution)
    assert drift.initial_energy.shape == ()
    assert drift.energy.shape == TS.shape == drift.ts.shape
    assert drift.casimirs.shape == (11, 1)
    assert drift.energy[0] == 0
    assert 0 < drift.max_energy < 1e-6
    assert drift.max_casimir < 1e-14
    np.testing.assert_allclose(
        drift.energy, cj.energy(MODEL, solution.ys) - cj.energy(MODEL, STARTS[0])
    )
    np.testing.assert_allclose(
        drift.max_relative_energy, drift.max_energy / drift.initial_energy
    )


def test_an_ensemble_gives_a_curve_a_lane():
    solution = cj.simulate_ensemble(
        MODEL, STARTS, TS, dt0=0.05, solver=cj.CoordinateSplitting(4)
    )
    drift = cj.drift(MODEL, solution)
    assert drift.initial_energy.shape == (3,)
    assert drift.energy.shape == (3, 11)
    assert drift.casimirs.shape == (3, 11, 1)
    for summary in (drift.max_energy, drift.max_relative_energy, drift.max_casimir):
        assert summary.shape == (3,)
    for lane, start in enumerate(STARTS):
        alone = cj.simulate(
            MODEL, start, TS, dt0=0.05, solver=cj.CoordinateSplitting(4)
        )
        np.testing.assert_allclose(
            drift.energy[lane], cj.drift(MODEL, alone).energy, atol=1e-13
        )


def test_without_casimirs_their_drift_is_zero():
    model = cj.RateCTRNN(MODEL.weight)
    solution = cj.simulate_ensemble(model, STARTS, TS, dt0=0.1)
    drift = cj.drift(model, solution)
    assert drift.casimirs.shape == (3, 11, 0)
    np.testing.assert_array_equal(drift.max_casimir, 0)


def test_the_drift_of_euler_is_the_growth_that_theory_says():
    # Linear: the amplitude grows by sqrt(1 + h²ω²) a step, the energy by its square.
    weight = cj.SkewSymmetric.from_matrix(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    model = cj.VoltageCTRNN(weight, activation=cj.Linear())
    ts = jnp.linspace(0.0, 10.0, 101)
    solution = cj.simulate(
        model, jnp.array([1.0, 0.0]), ts, dt0=0.1, solver=diffrax.Euler()
    )
    expected = 0.5 * (1 + 0.1**2) ** np.arange(101) - 0.5
    np.testing.assert_allclose(
        cj.drift(model, solution).energy, expected, rtol=1e-10, atol=1e-13
    )


def test_a_failed_lane_drifts_by_nan_and_alone():
    starts = STARTS.at[1, 0].set(jnp.nan)
    solution = cj.simulate_ensemble(MODEL, starts, TS, dt0=0.05)
    drift = cj.drift(MODEL, solution)
    np.testing.assert_array_equal(np.isfinite(drift.max_energy), [True, False, True])


def test_a_solution_without_samples_says_how_to_get_some():
    solution = cj.simulate(
        MODEL, STARTS[0], TS, dt0=0.1, saveat=diffrax.SaveAt(dense=True)
    )
    with pytest.raises(ValueError, match=r"SaveAt\(ts="):
        cj.drift(MODEL, solution)
