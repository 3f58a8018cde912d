"""Ensembles: the same numbers as a loop, a status for each lane, on any devices."""

import os
import subprocess
import sys
import textwrap

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from equinox import EquinoxRuntimeError

import ctrnn_jax as cj

TS = np.linspace(0.0, 2.0, 5)
SOLVERS = {
    "Euler": diffrax.Euler(),
    "RK4": cj.RK4(),
    "Tsit5": diffrax.Tsit5(),
    "CoordinateSplitting(4)": cj.CoordinateSplitting(4),
    "Leapfrog": cj.Leapfrog(),
    "DiscreteGradient": cj.DiscreteGradient(),
}


def one_by_one(models, y0, **options):
    return np.stack(
        [
            cj.simulate(model, start, TS, **options).ys
            for model, start in zip(models, y0, strict=True)
        ]
    )


@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
@pytest.mark.parametrize("name", SOLVERS)
def test_lanes_equal_a_loop_over_simulate(name, form):
    weight = cj.BipartiteSkew(4, key=jr.key(0))
    model = form(weight, bias=0.1 * jr.normal(jr.key(2), (4,)))
    y0 = jr.normal(jr.key(1), (3, 4))
    options = dict(dt0=0.1, solver=SOLVERS[name])
    solution = cj.simulate_ensemble(model, y0, TS, **options)
    assert solution.ys.shape == (3, 5, 4)
    assert np.array_equal(solution.ts, TS)
    assert diffrax.is_okay(solution.result).all()
    assert np.allclose(
        solution.ys, one_by_one([model] * 3, y0, **options), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize(
    "build, name",
    [
        (lambda key: cj.SkewSymmetric(2, key=key), "RK4"),
        (lambda key: cj.SkewSymmetric(5, key=key), "CoordinateSplitting(4)"),
        (lambda key: cj.SkewSymmetric(20, key=key), "RK4"),
        (lambda key: cj.BipartiteSkew(4, key=key), "Leapfrog"),
        (lambda key: cj.SkewSymmetric(3, key=key), "DiscreteGradient"),
    ],
)
def test_a_model_per_lane_equals_a_loop(build, name):
    def make(key):
        return cj.VoltageCTRNN(
            build(key),
            activation=cj.Tanh(scale=1 + jr.uniform(key)),
            leak=0.1 * jr.uniform(key),
            bias=0.1 * jr.normal(key, (build(key).size,)),
        )

    keys = jr.split(jr.key(0), 3)
    models = [make(key) for key in keys]
    stacked = eqx.filter_vmap(make)(keys)
    y0 = jr.normal(jr.key(1), (3, models[0].size))
    options = dict(dt0=0.1, solver=SOLVERS[name])
    solution = cj.simulate_ensemble(stacked, y0, TS, model_axes=0, **options)
    assert np.allclose(
        solution.ys, one_by_one(models, y0, **options), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("solver", [cj.ExponentialStep(), cj.CayleyStep()])
@pytest.mark.parametrize("batched", ["weight", "leak"])
def test_linear_steps_with_a_model_per_lane(solver, batched):
    weights = [cj.SkewSymmetric(3, key=jr.key(i)) for i in range(2)]
    leaks = jnp.array([0.1, 0.4])
    models = [
        cj.VoltageCTRNN(
            weights[i if batched == "weight" else 0],
            activation=cj.Linear(),
            leak=leaks[i],
        )
        for i in range(2)
    ]
    if batched == "weight":
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)
        axes = 0
    else:
        stacked = eqx.tree_at(lambda m: m.leak, models[0], leaks)
        axes = eqx.tree_at(
            lambda m: m.leak,
            jax.tree.map(lambda _: None, models[0]),
            0,
            is_leaf=lambda x: x is None,
        )
    y0 = jr.normal(jr.key(1), (2, 3))
    options = dict(dt0=0.1, solver=solver)
    solution = cj.simulate_ensemble(stacked, y0, TS, model_axes=axes, **options)
    assert np.allclose(
        solution.ys, one_by_one(models, y0, **options), rtol=0, atol=1e-12
    )


def test_chunks_do_not_change_a_lane():
    """2 000 lanes of n = 2 in float64 are two chunks and a padded tail."""
    model = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=jr.key(0)))
    y0 = jr.normal(jr.key(1), (2000, 2))
    options = dict(dt0=0.1, solver=cj.RK4())
    whole = cj.simulate_ensemble(model, y0, TS, **options).ys
    part = cj.simulate_ensemble(model, y0[1990:], TS, **options).ys
    assert whole.shape == (2000, 5, 2)
    assert np.allclose(whole[1990:], part, rtol=0, atol=1e-15)


def test_adaptive_steps_events_and_uneven_saves_run_too():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(3, key=jr.key(0)))
    y0 = jr.normal(jr.key(1), (2, 3))
    reference = cj.simulate_ensemble(model, y0, TS, dt0=1e-3, solver=cj.RK4()).ys
    controller = diffrax.PIDController(rtol=1e-9, atol=1e-9)
    adaptive = cj.simulate_ensemble(model, y0, TS, stepsize_controller=controller)
    assert np.allclose(adaptive.ys, reference, atol=1e-7)
    assert np.array_equal(adaptive.ts, TS)
    uneven = np.array([0.0, 0.5, 2.0])
    saved = cj.simulate_ensemble(model, y0, uneven, dt0=0.1, solver=cj.RK4()).ys
    assert np.allclose(saved, reference[:, [0, 1, 4]], atol=1e-6)


# --- one bad lane ------------------------------------------------------------------


def linear_growth():
    """Lane-wise growth rates: the second lane overflows, the others do not."""
    rates = jnp.array([0.1, 400.0, 0.2])
    build = eqx.filter_vmap(
        lambda rate: cj.VoltageCTRNN(
            cj.Unconstrained.from_matrix(rate * jnp.eye(2)), activation=cj.Linear()
        )
    )
    return build(rates)


BAD_STARTS = {"nan": np.nan, "infinite": np.inf}


@pytest.mark.parametrize("kind", BAD_STARTS)
@pytest.mark.parametrize(
    "options",
    [
        dict(dt0=0.1, solver=cj.RK4()),
        dict(dt0=0.1, solver=cj.DiscreteGradient()),
        dict(stepsize_controller=diffrax.PIDController(rtol=1e-6, atol=1e-6)),
    ],
    ids=["lanes", "by lane", "vmapped"],
)
def test_a_bad_start_costs_its_lane_only_in_values_and_gradients(options, kind):
    weight = cj.SkewSymmetric(3, key=jr.key(0))
    y0 = np.array(jr.normal(jr.key(1), (3, 3)))
    clean = y0.copy()
    y0[1, 2] = BAD_STARTS[kind]

    def loss(upper, y0):
        moved = eqx.tree_at(lambda w: w.upper, weight, upper)
        solution = cj.simulate_ensemble(cj.VoltageCTRNN(moved), y0, TS, **options)
        okay = diffrax.is_okay(solution.result)
        ys = jnp.where(okay[:, None], solution.ys[:, -1], 0.0)
        return jnp.sum(ys**2), (okay, solution)

    gradient, (okay, solution) = jax.grad(loss, has_aux=True)(weight.upper, y0)
    assert okay.tolist() == [True, False, True]
    assert np.isnan(solution.ys[1]).all() and np.isfinite(solution.ys[::2]).all()
    expected, (_, good) = jax.grad(loss, has_aux=True)(weight.upper, clean[::2])
    assert np.allclose(gradient, expected, rtol=1e-10)
    assert np.allclose(solution.ys[::2], good.ys, rtol=0, atol=1e-10)


def test_a_lane_that_overflows_costs_itself_only_in_values_and_gradients():
    y0 = jnp.ones((3, 2))
    ts = np.array([0.0, 100.0])

    def loss(y0, scale):
        model = linear_growth()
        model = eqx.tree_at(
            lambda m: m.weight.matrix, model, model.weight.matrix * scale
        )
        solution = cj.simulate_ensemble(
            model, y0, ts, dt0=0.5, solver=cj.RK4(), model_axes=0
        )
        okay = diffrax.is_okay(solution.result)
        ys = jnp.where(okay[:, None], solution.ys[:, -1], 0.0)
        return jnp.sum(jnp.log1p(ys**2)), solution

    (_, solution), (start_slope, scale_slope) = jax.value_and_grad(
        loss, argnums=(0, 1), has_aux=True
    )(y0, 1.0)
    assert diffrax.is_okay(solution.result).tolist() == [True, False, True]
    assert solution.result._value[1] == cj.RESULTS.nonfinite._value
    assert np.isfinite(start_slope).all() and np.isfinite(scale_slope)
    assert np.array_equal(start_slope[1], np.zeros(2))
    assert np.all(start_slope[::2] != 0)


def test_a_bad_model_costs_its_lane_only():
    models = eqx.filter_vmap(lambda key: cj.VoltageCTRNN(cj.SkewSymmetric(3, key=key)))(
        jr.split(jr.key(0), 3)
    )
    models = eqx.tree_at(
        lambda m: m.weight.upper, models, models.weight.upper.at[0, 1].set(jnp.nan)
    )
    y0 = jr.normal(jr.key(1), (3, 3))
    solution = cj.simulate_ensemble(
        models, y0, TS, dt0=0.1, solver=cj.RK4(), model_axes=0
    )
    assert diffrax.is_okay(solution.result).tolist() == [False, True, True]


def test_a_bad_shared_weight_fails_every_lane():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(3, key=jr.key(0)))
    model = eqx.tree_at(lambda m: m.weight.upper, model, jnp.full(3, jnp.nan))
    solution = cj.simulate_ensemble(model, np.ones((2, 3)), TS, dt0=0.1)
    assert not diffrax.is_okay(solution.result).any()


def test_throw_raises_for_a_failed_lane():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=jr.key(0)))
    y0 = np.array([[1.0, 0.0], [np.nan, 0.0]])
    with pytest.raises(EquinoxRuntimeError, match="not finite"):
        cj.simulate_ensemble(model, y0, TS, dt0=0.1, throw=True)


# --- bad input, compilation, devices -----------------------------------------------


@pytest.mark.parametrize(
    "y0, fragment",
    [
        (np.ones(2), "batch, n"),
        (np.ones((3, 4)), "4 neurons"),
        (np.ones((0, 2)), "empty"),
        (np.ones((3, 2), int), "floating"),
        (np.ones((3, 2), np.float32), "float32"),
    ],
)
def test_bad_states_are_refused(y0, fragment):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=jr.key(0)))
    with pytest.raises(ValueError, match=fragment):
        cj.simulate_ensemble(model, y0, TS, dt0=0.1)


def test_models_and_states_must_have_as_many_lanes():
    models = eqx.filter_vmap(lambda key: cj.VoltageCTRNN(cj.SkewSymmetric(2, key=key)))(
        jr.split(jr.key(0), 3)
    )
    with pytest.raises(ValueError, match="4 lanes"):
        cj.simulate_ensemble(models, np.ones((4, 2)), TS, dt0=0.1, model_axes=0)
    with pytest.raises(ValueError, match="0 and None"):
        cj.simulate_ensemble(models, np.ones((3, 2)), TS, dt0=0.1, model_axes=1)


def test_new_values_and_numbers_of_steps_do_not_compile_again(caplog):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=jr.key(0)))

    def compiled(scale, end, lanes=7, steps=10):
        caplog.clear()
        y0 = scale * jnp.ones((lanes, 2))
        with jax.log_compiles():
            cj.simulate_ensemble(
                model, y0, np.array([0.0, end]), dt0=end / steps, solver=cj.RK4()
            ).ys.block_until_ready()
        return any("jit(run_fixed)" in r.getMessage() for r in caplog.records)

    compiled(1.0, 1.0)
    assert not compiled(2.0, 3.0)
    assert not compiled(1.0, 1.0, steps=300)
    # Another shape is another program, which shows that it is seen.
    assert compiled(1.0, 1.0, lanes=8)


@pytest.mark.parametrize("hidden", [False, True])
def test_inputs_are_differentiated_whether_passed_or_captured(hidden):
    """A loop of unknown length has no gradient, and a function may hide the need."""
    model = cj.VoltageCTRNN(
        cj.SkewSymmetric(2, key=jr.key(0)), input_weight=jnp.ones((2, 1))
    )
    y0 = jr.normal(jr.key(1), (3, 2))

    class Wave(eqx.Module):
        amplitude: jax.Array

        def __call__(self, t):
            return self.amplitude * jnp.sin(t)[None]

    def loss(amplitude):
        wave = Wave(amplitude)
        inputs = (lambda t: wave(t)) if hidden else wave
        ys = cj.simulate_ensemble(
            model, y0, TS, dt0=0.1, solver=cj.RK4(), inputs=inputs
        ).ys
        return jnp.sum(ys[:, -1] ** 2)

    amplitude, delta = jnp.asarray(0.5), 1e-5
    difference = (loss(amplitude + delta) - loss(amplitude - delta)) / (2 * delta)
    assert np.allclose(jax.grad(loss)(amplitude), difference, rtol=1e-7)


SHARDED = textwrap.dedent(
    """
    import jax
    jax.config.update("jax_enable_x64", True)
    import equinox as eqx, jax.random as jr, numpy as np
    import ctrnn_jax as cj
    assert len(jax.local_devices()) == 2
    ts = np.linspace(0.0, 2.0, 5)
    build = eqx.filter_vmap(lambda key: cj.VoltageCTRNN(cj.SkewSymmetric(3, key=key)))
    models = build(jr.split(jr.key(0), 5))
    y0 = jr.normal(jr.key(1), (5, 3))
    solution = cj.simulate_ensemble(
        models,
        y0,
        ts,
        dt0=0.1,
        solver=cj.RK4(),
        model_axes=0,
        throw=True,
        reductions=cj.Maximum(),
    )
    ys, high = solution.ys, solution.stats["reductions"]
    assert ys.shape == (5, 5, 3) and high.shape == (5, 3)
    assert (high >= ys.max(axis=1)).all()
    one = jax.tree.map(lambda leaf: leaf[4] if eqx.is_array(leaf) else leaf, models)
    assert np.allclose(
        ys[4], cj.simulate(one, y0[4], ts, dt0=0.1, solver=cj.RK4()).ys, atol=1e-13
    )
    print("lanes agree")
    """
)


def test_lanes_are_shared_out_between_devices():
    """Five lanes on two devices: one share is padded."""
    result = subprocess.run(
        [sys.executable, "-c", SHARDED],
        env={
            **os.environ,
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
            "JAX_PLATFORMS": "cpu",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "lanes agree" in result.stdout, result.stderr
