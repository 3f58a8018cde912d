"""The structure-preserving solvers keep what their docstrings promise."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj

FORMS = [cj.VoltageCTRNN, cj.RateCTRNN]


def run(model, y0, *, step, num_steps, solver, samples=100):
    """Drift along a long fixed-step run of one lane."""
    ts = np.linspace(0.0, step * num_steps, samples + 1)
    solution = cj.simulate_ensemble(
        model, y0[None], ts, dt0=step, solver=solver, throw=True
    )
    return cj.drift(model, solution)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", [0.01, 0.1, 1.0, 10.0])
def test_discrete_gradient_keeps_the_energy_at_any_step_size(step, form):
    model = form(cj.SkewSymmetric(3, key=jr.key(0)))
    y0 = jnp.stack([2 * jr.normal(jr.key(seed), (3,)) for seed in range(1, 6)])
    ts = np.linspace(0.0, step * 100_000, 101)
    solution = cj.simulate_ensemble(
        model, y0, ts, dt0=step, solver=cj.DiscreteGradient(), throw=True
    )
    errors = np.asarray(cj.drift(model, solution).max_relative_energy)
    # What is left is rounding: a random walk of 1e5 roundings of the state, eps · |y|
    # each, whose course depends on the processor too. A state that strides up to h a
    # step is large, and so are its roundings. Five starts, on one processor: medians
    # of 0.01e-12 to 0.25e-12 up to h = 1, of 0.6e-12 to 1.1e-12 at h = 10; largest
    # 3.5e-12.
    assert np.median(errors) < (1e-12 if step <= 1 else 2e-12)
    assert errors.max() < 6e-12


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "weight, solver",
    [
        (cj.SkewSymmetric(5, key=jr.key(0)), cj.CoordinateSplitting()),
        (cj.BipartiteSkew(5, key=jr.key(0)), cj.Leapfrog()),
    ],
    ids=["CoordinateSplitting", "Leapfrog"],
)
def test_splitting_energy_error_has_no_trend_over_a_million_steps(weight, solver, form):
    model = form(weight)
    y0 = 2 * jr.normal(jr.key(1), (5,))
    drift = run(model, y0, step=0.1, num_steps=1_000_000, solver=solver, samples=1000)
    errors = np.abs(np.asarray(drift.energy[0]))
    assert errors.max() < 0.02 * drift.initial_energy[0]
    # Ten stretches of 100 samples: the last is no worse than the others.
    worst = errors[1:].reshape(10, 100).max(axis=1)
    assert worst[-1] < 1.5 * np.median(worst)
    # A random walk of 1e6 roundings of size 1e-16 · |x| ~ 1e-15.
    assert drift.max_casimir[0] < 1e-11


@pytest.mark.parametrize(
    "weight",
    [
        cj.SkewSymmetric(5, key=jr.key(0)),
        cj.LowRankSkew(7, 2, key=jr.key(0)),
        cj.BipartiteSkew(7, key=jr.key(0)),
        cj.BlockRotation(5, key=jr.key(0)),
        cj.SparseSkew(9, 7, key=jr.key(0)),
    ],
    ids=lambda weight: type(weight).__name__,
)
def test_splitting_keeps_linear_casimirs_to_rounding(weight):
    model = cj.VoltageCTRNN(weight)
    assert len(cj.casimirs(model)) >= 1
    y0 = jr.normal(jr.key(1), (weight.size,))
    drift = run(model, y0, step=0.1, num_steps=1000, solver=cj.CoordinateSplitting())
    assert drift.max_casimir[0] < 1e-13
    assert 1e-8 < drift.max_energy[0] < 1e-2


def step_map(model, solver, step):
    """One step as a function of the state."""
    ts = np.array([0.0, step])
    return lambda y: cj.simulate(model, y, ts, dt0=step, solver=solver).ys[-1]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", [2, 4])
def test_splitting_preserves_volume_and_the_poisson_structure(order, form):
    model = form(cj.SkewSymmetric(4, key=jr.key(0), scale=2.0))
    advance = step_map(model, cj.CoordinateSplitting(order), 0.3)
    jacobian = jax.jacrev(advance)(jr.normal(jr.key(1), (4,)))
    assert np.linalg.det(jacobian) == pytest.approx(1.0, abs=1e-13)
    weight = model.weight.as_matrix()
    # Voltage: x' = W ∇H(x) has structure W. Rate: r' = -W⁻¹ ∇H(r) has W⁻¹.
    structure = weight if form is cj.VoltageCTRNN else np.linalg.inv(weight)
    assert np.allclose(jacobian @ structure @ jacobian.T, structure, atol=1e-12)


def test_the_structure_test_can_fail():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(4, key=jr.key(0), scale=2.0))
    jacobian = jax.jacrev(step_map(model, cj.RK4(), 0.3))(jr.normal(jr.key(1), (4,)))
    weight = model.weight.as_matrix()
    assert not np.allclose(jacobian @ weight @ jacobian.T, weight, atol=1e-6)


@pytest.mark.parametrize(
    "solver",
    [cj.CoordinateSplitting(4), cj.ImplicitMidpoint(), cj.DiscreteGradient()],
    ids=lambda solver: type(solver).__name__,
)
def test_symmetric_steps_undo_themselves_in_the_reversed_field(solver):
    weight = cj.SkewSymmetric(5, key=jr.key(0))
    backwards = cj.SkewSymmetric.from_matrix(-weight.as_matrix())
    y0 = jr.normal(jr.key(1), (5,))
    there = step_map(cj.VoltageCTRNN(weight), solver, 0.4)(y0)
    back = step_map(cj.VoltageCTRNN(backwards), solver, 0.4)(there)
    assert np.abs(there - y0).max() > 0.05
    assert np.allclose(back, y0, rtol=0, atol=1e-14)


@pytest.mark.parametrize("form", FORMS)
def test_leapfrog_is_coordinate_splitting_of_two_sets(form):
    model = form(cj.BipartiteSkew(7, key=jr.key(0)))
    y0 = jr.normal(jr.key(1), (7,))
    ts = np.array([0.0, 5.0])
    leapfrog, splitting = (
        cj.simulate(model, y0, ts, dt0=0.1, solver=solver).ys
        for solver in (cj.Leapfrog(), cj.CoordinateSplitting())
    )
    assert np.allclose(leapfrog, splitting, rtol=0, atol=1e-14)


def test_leak_kills_every_undriven_orbit_as_the_theory_says():
    """dH/dt = -γ Σ x φ(x) ≤ 0, in the solution as well."""
    model = cj.VoltageCTRNN(cj.SkewSymmetric(4, key=jr.key(0)), leak=0.1)
    ts = np.linspace(0.0, 100.0, 201)
    y0 = jr.normal(jr.key(1), (4,))
    solution = cj.simulate(model, y0, ts, dt0=0.1, solver=cj.CoordinateSplitting())
    energies = cj.energy(model, solution.ys)
    assert np.all(np.diff(energies) < 0)
    assert energies[-1] < 1e-7 * energies[0]


@pytest.mark.slow
def test_sparse_splitting_of_a_hundred_thousand_neurons():
    weight = cj.SparseSkew(100_000, 300_000, key=jr.key(0), scale=0.5)
    model = cj.VoltageCTRNN(weight)
    y0 = jr.normal(jr.key(1), (1, 100_000))
    ts = np.array([0.0, 0.5])
    solution = cj.simulate_ensemble(
        model, y0, ts, dt0=0.1, solver=cj.CoordinateSplitting(), throw=True
    )
    before, after = cj.energy(model, solution.ys)[0]
    assert float(after) == pytest.approx(float(before), rel=1e-5)
    assert jnp.abs(solution.ys[0, 1] - solution.ys[0, 0]).max() > 0.1


@pytest.mark.parametrize(
    "solver, weight, fragment",
    [
        (cj.CoordinateSplitting(), "unconstrained", "diagonal is zero"),
        (cj.CoordinateSplitting(), "gain", "diagonal is zero"),
        (cj.Leapfrog(), "skew", "two independent sets"),
        (cj.ExponentialStep(), "skew", "activation=Linear"),
        (cj.CayleyStep(), "skew", "activation=Linear"),
    ],
)
def test_a_field_without_the_structure_is_refused_with_the_mend(
    solver, weight, fragment
):
    skew = cj.SkewSymmetric(3, key=jr.key(0))
    model = cj.VoltageCTRNN(
        {
            "skew": skew,
            "gain": cj.GainPlusSkew(skew, 0.1),
            "unconstrained": cj.Unconstrained(3, key=jr.key(0)),
        }[weight]
    )
    for entry, y0 in [
        (cj.simulate, np.ones(3)),
        (cj.simulate_ensemble, np.ones((2, 3))),
    ]:
        with pytest.raises(ValueError, match=fragment):
            entry(model, y0, [0.0, 1.0], dt0=0.1, solver=solver)


def test_a_discrete_gradient_without_a_potential_says_what_is_missing():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(3, key=jr.key(0)), activation=jnp.tanh)
    with pytest.raises(ValueError, match="potential_function"):
        cj.simulate(
            model, np.ones(3), [0.0, 1.0], dt0=0.1, solver=cj.DiscreteGradient()
        )


def test_splitting_options_are_checked():
    with pytest.raises(ValueError, match="2, 4 or 6"):
        cj.CoordinateSplitting(3)
    with pytest.raises(ValueError, match="at least 1"):
        cj.CoordinateSplitting(block_size=0)
