"""Every solver reaches its order, on closed forms and with everything switched on."""

import functools

import diffrax
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import ellipj, ellipk

import ctrnn_jax as cj

AMPLITUDE = 2.0
ROTATION = np.array([[0.0, 1.0], [-1.0, 0.0]])


def exact_voltage(ts):
    """x(t) of x' = W tanh x from (asinh S, 0), both neurons, shape (time, 2)."""
    m = AMPLITUDE**2 / (1 + AMPLITUDE**2)
    _, cn, _, _ = ellipj(ts, m)
    # The orbit is a quarter period ahead of itself in the second neuron.
    _, cn_later, _, _ = ellipj(ts + ellipk(m), m)
    return np.arcsinh(AMPLITUDE * np.stack([cn, cn_later], axis=1))


SOLVERS = {
    "Euler": (diffrax.Euler(), 1, "dense"),
    "Heun": (diffrax.Heun(), 2, "dense"),
    "RK4": (cj.RK4(), 4, "dense"),
    "CoordinateSplitting(2)": (cj.CoordinateSplitting(2), 2, "dense"),
    "CoordinateSplitting(4)": (cj.CoordinateSplitting(4), 4, "dense"),
    "CoordinateSplitting(6)": (cj.CoordinateSplitting(6), 6, "dense"),
    "CoordinateSplitting(4) by sets": (cj.CoordinateSplitting(4), 4, "block"),
    "Leapfrog": (cj.Leapfrog(), 2, "block"),
    "DiscreteGradient": (cj.DiscreteGradient(), 2, "dense"),
    "ImplicitMidpoint": (cj.ImplicitMidpoint(), 2, "dense"),
}
WEIGHTS = {
    "dense": cj.SkewSymmetric.from_matrix(ROTATION),
    "block": cj.BlockRotation.from_matrix(ROTATION),
}


# One bound for every step size of a test, so that its runs share one program.
MAX_STEPS = 8192


def observed_order(errors, steps):
    """Slope of log error against log step, by least squares."""
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
@pytest.mark.parametrize("name", SOLVERS)
def test_order_against_the_exact_two_neuron_orbit(name, form):
    solver, order, kind = SOLVERS[name]
    model = form(WEIGHTS[kind])
    # Half a turn: the phase error of a whole one would hide odd orders.
    ts = np.linspace(0.0, 4.0, 9)
    reference = exact_voltage(ts)
    if form is cj.RateCTRNN:
        reference = reference @ np.linalg.inv(ROTATION).T  # x = W r
    # Low orders need small steps to reach their slope, high ones large steps to
    # stay above rounding.
    divisions = {1: [256, 512, 1024], 2: [32, 64, 128]}.get(order, [4, 8, 16])
    steps = 0.5 / np.array(divisions)
    errors = []
    for step in steps:
        solution = cj.simulate(
            model, reference[0], ts, dt0=step, solver=solver, max_steps=MAX_STEPS
        )
        errors.append(np.abs(solution.ys - reference).max())
    assert observed_order(errors, steps) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize(
    "name",
    [
        "CoordinateSplitting(2)",
        "CoordinateSplitting(4)",
        "CoordinateSplitting(6)",
        "DiscreteGradient",
        "ImplicitMidpoint",
    ],
)
@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
def test_order_with_leak_bias_and_time_dependent_inputs(name, form):
    solver, order, _ = SOLVERS[name]
    check_driven_order(solver, order, form, cj.SkewSymmetric)


@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
@pytest.mark.parametrize(
    "solver, order",
    [(cj.Leapfrog(), 2), (cj.CoordinateSplitting(4), 4)],
    ids=["Leapfrog", "CoordinateSplitting(4)"],
)
def test_order_by_sets_with_leak_bias_and_inputs(solver, order, form):
    check_driven_order(solver, order, form, cj.BipartiteSkew)


DRIVEN_TS = np.linspace(0.0, 3.0, 4)


def drive(t):
    return jnp.sin(2 * t)[None]


@functools.cache
def driven_case(form, weight_class):
    """A model with everything switched on, its start, and its trajectory to 1e-13."""
    bias, input_weight, y0 = jr.normal(jr.key(1), (3, 5))
    model = form(
        weight_class(5, key=jr.key(0)),
        leak=jnp.array(0.3),
        bias=bias,
        input_weight=input_weight[:, None],
    )
    reference = cj.simulate(
        model, y0, DRIVEN_TS, dt0=1 / 800, solver=diffrax.Tsit5(), inputs=drive
    )
    return model, y0, np.asarray(reference.ys)


def check_driven_order(solver, order, form, weight_class):
    model, y0, reference = driven_case(form, weight_class)
    steps = 1 / np.array({2: [20, 40, 80], 4: [16, 32, 64], 6: [12, 18, 24]}[order])
    errors = []
    for step in steps:
        solution = cj.simulate(
            model,
            y0,
            DRIVEN_TS,
            dt0=step,
            solver=solver,
            inputs=drive,
            max_steps=MAX_STEPS,
        )
        errors.append(np.abs(solution.ys - reference).max())
    assert observed_order(errors, steps) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
@pytest.mark.parametrize("leak", [0.0, 0.2])
def test_exponential_step_is_exact_for_the_linear_field(form, leak):
    weight = cj.SkewSymmetric(6, key=jr.key(0), scale=2.0)
    bias, y0 = jr.normal(jr.key(1), (2, 6))
    model = form(weight, activation=cj.Linear(), leak=leak, bias=bias)
    ts = np.array([0.0, 5.0, 10.0])
    ys = cj.simulate(model, y0, ts, dt0=1.0, solver=cj.ExponentialStep()).ys
    generator = np.asarray(weight.as_matrix()) - leak * np.eye(6)
    fixed_point = np.linalg.solve(generator, -bias)
    exact = [fixed_point + expm(generator * t) @ (y0 - fixed_point) for t in ts]
    # Ten products of condition 1 in float64, expm itself good to ~1e-13.
    assert np.allclose(ys, exact, rtol=0, atol=1e-11)


def test_cayley_step_is_second_order_and_keeps_the_norm():
    weight = cj.SkewSymmetric(6, key=jr.key(0))
    model = cj.VoltageCTRNN(weight, activation=cj.Linear())
    y0 = jr.normal(jr.key(1), (6,))
    ts = np.array([0.0, 4.0])
    exact = expm(4.0 * np.asarray(weight.as_matrix())) @ y0
    errors, steps = [], [0.1, 0.05, 0.025]
    for step in steps:
        ys = cj.simulate(
            model, y0, ts, dt0=step, solver=cj.CayleyStep(), max_steps=MAX_STEPS
        ).ys
        errors.append(np.abs(ys[-1] - exact).max())
        assert np.linalg.norm(ys[-1]) == pytest.approx(np.linalg.norm(y0), rel=1e-13)
    assert observed_order(errors, steps) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("solver", [cj.ExponentialStep(), cj.CayleyStep()])
def test_linear_steps_take_inputs_at_second_order(solver):
    weight = cj.SkewSymmetric(3, key=jr.key(0))
    model = cj.VoltageCTRNN(
        weight, activation=cj.Linear(), leak=0.1, input_weight=jnp.ones((3, 1))
    )
    y0 = jr.normal(jr.key(1), (3,))
    # A harmonic drive is one more rotating pair: an exact solution of size 5.
    generator = np.zeros((5, 5))
    generator[:3, :3] = weight.as_matrix() - 0.1 * np.eye(3)
    generator[:3, 3] = 1.0
    generator[3:, 3:] = [[0.0, -3.0], [3.0, 0.0]]
    exact = (expm(3.0 * generator) @ [*y0, 1.0, 0.0])[:3]
    steps = [1 / 20, 1 / 40, 1 / 80]
    errors = []
    for step in steps:
        solution = cj.simulate(
            model,
            y0,
            np.array([0.0, 3.0]),
            dt0=step,
            solver=solver,
            inputs=lambda t: jnp.cos(3 * t)[None],
            max_steps=MAX_STEPS,
        )
        errors.append(np.abs(solution.ys[-1] - exact).max())
    assert observed_order(errors, steps) == pytest.approx(2, abs=0.1)


def test_linear_step_rebuilds_its_propagator_when_the_step_changes():
    """Driven by diffrax alone, the last step of a span is shorter than the others."""
    weight = cj.SkewSymmetric(4, key=jr.key(0))
    model = cj.VoltageCTRNN(weight, activation=cj.Linear())
    y0 = jr.normal(jr.key(1), (4,))
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(model), cj.ExponentialStep(), 0.0, 1.03, 0.1, y0
    )
    exact = expm(1.03 * np.asarray(weight.as_matrix())) @ y0
    assert np.allclose(solution.ys[0], exact, rtol=0, atol=1e-12)


def test_sweeps_do_not_depend_on_the_block_size():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(11, key=jr.key(0)))
    y0 = jr.normal(jr.key(1), (11,))
    ts = np.array([0.0, 2.0])
    runs = [
        cj.simulate(
            model, y0, ts, dt0=0.1, solver=cj.CoordinateSplitting(block_size=size)
        ).ys
        for size in (1, 4, 8, 16)
    ]
    for other in runs[1:]:
        assert np.allclose(runs[0], other, rtol=0, atol=1e-13)


def test_float32_follows_float64_through_ten_thousand_steps():
    """The integer clock: summed in float32, time alone would be 0.1 % off."""
    model = cj.VoltageCTRNN(
        cj.SkewSymmetric.from_matrix(ROTATION), input_weight=jnp.ones((2, 1))
    )

    def inputs(t):
        return 0.1 * jnp.sin(t)[None]

    ts = np.linspace(0.0, 1000.0, 11)
    run = jax.tree_util.Partial(
        cj.simulate, dt0=0.1, solver=cj.CoordinateSplitting(), inputs=inputs
    )
    single = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if hasattr(leaf, "dtype") else leaf, model
    )
    y0 = np.array([1.0, 0.0])
    double_ys = np.asarray(run(model, y0, ts).ys)
    single_ys = np.asarray(run(single, y0.astype(np.float32), ts).ys)
    assert single_ys.dtype == np.float32
    # Rounding enters the phase as a random walk of 1e4 steps and grows linearly in
    # a shear flow: 6e-8 · sqrt(1e4) · (shear 0.2 · 1000) ~ 1e-3.
    assert np.abs(single_ys - double_ys).max() < 5e-3
