"""simulate owns every silent failure of a bare solve, and reaches all of diffrax."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optimistix
import pytest
from equinox import EquinoxRuntimeError

import ctrnn_jax as cj

TS = np.linspace(0.0, 2.0, 5)
ADAPTIVE = diffrax.PIDController(rtol=1e-8, atol=1e-8)


@pytest.fixture
def model():
    return cj.VoltageCTRNN(cj.SkewSymmetric(3, key=jr.key(0)))


@pytest.fixture
def y0():
    return np.array([1.0, -0.5, 0.25])


def with_nan_weight(model):
    return eqx.tree_at(lambda m: m.weight.upper, model, jnp.full(3, jnp.nan))


# --- silent failures of a bare diffeqsolve -----------------------------------------


def test_nan_weight_with_adaptive_steps_is_not_a_success(model, y0):
    solution = cj.simulate(
        with_nan_weight(model),
        y0,
        TS,
        stepsize_controller=ADAPTIVE,
        throw=False,
        max_steps=64,
    )
    assert not diffrax.is_okay(solution.result)


def test_nan_weight_with_constant_steps_is_reported_nonfinite(model, y0):
    solution = cj.simulate(with_nan_weight(model), y0, TS, dt0=0.1, throw=False)
    assert solution.result == cj.RESULTS.nonfinite
    with pytest.raises(EquinoxRuntimeError, match="not finite"):
        cj.simulate(with_nan_weight(model), y0, TS, dt0=0.1)


def test_unstable_steps_are_reported_nonfinite(y0):
    runaway = cj.VoltageCTRNN(
        cj.Unconstrained.from_matrix(50.0 * np.eye(3)), activation=cj.Linear()
    )
    solution = cj.simulate(
        runaway, y0, [0.0, 200.0], dt0=0.5, solver=diffrax.Euler(), throw=False
    )
    assert solution.result == cj.RESULTS.nonfinite


def test_nan_initial_state_is_reported_nonfinite(model):
    y0 = np.array([1.0, np.nan, 0.0])
    assert (
        cj.simulate(model, y0, TS, dt0=0.1, throw=False).result == cj.RESULTS.nonfinite
    )
    with pytest.raises(EquinoxRuntimeError, match="initial state"):
        cj.simulate(model, y0, TS, dt0=0.1)


@pytest.mark.parametrize(
    "ts, fragment",
    [
        ([0.0, np.nan], "finite"),
        ([0.0, np.inf], "finite"),
        ([0.0, 1.0, 1.0], "strictly increasing"),
        ([1.0, 0.0], "backwards"),
        ([0.0], "start and end"),
        ([[0.0, 1.0]], "shape"),
    ],
)
def test_bad_times_are_refused(model, y0, ts, fragment):
    with pytest.raises(ValueError, match=fragment):
        cj.simulate(model, y0, ts, dt0=0.1)


def test_bad_times_known_only_at_run_time_are_refused(model, y0):
    @eqx.filter_jit
    def end(t1, dt0):
        return cj.simulate(model, y0, jnp.stack([0.0, t1]), dt0=dt0).ys[-1]

    step = jnp.asarray(0.1)
    assert np.isfinite(end(jnp.asarray(1.0), step)).all()
    for bad in (-1.0, np.nan):
        with pytest.raises(EquinoxRuntimeError, match="increasing"):
            end(jnp.asarray(bad), step)
    with pytest.raises(EquinoxRuntimeError, match="dt0 must be"):
        end(jnp.asarray(1.0), -step)


@pytest.mark.parametrize("dt0", [0.0, -0.1, np.nan, np.inf])
def test_bad_steps_are_refused(model, y0, dt0):
    with pytest.raises(ValueError, match="positive finite"):
        cj.simulate(model, y0, TS, dt0=dt0)


def test_constant_steps_need_a_step(model, y0):
    with pytest.raises(ValueError, match="dt0 is needed"):
        cj.simulate(model, y0, TS)


@pytest.mark.parametrize("shape", [(1, 3), (4,), (2,), ()])
def test_states_of_another_shape_are_refused_not_broadcast(model, shape):
    with pytest.raises(ValueError, match="y0"):
        cj.simulate(model, np.ones(shape), TS, dt0=0.1)


def test_a_batch_is_pointed_to_simulate_ensemble(model):
    with pytest.raises(ValueError, match="simulate_ensemble"):
        cj.simulate(model, np.ones((5, 3)), TS, dt0=0.1)


def test_integer_states_are_refused_but_lists_are_not(model):
    with pytest.raises(ValueError, match="floating"):
        cj.simulate(model, np.array([1, 0, 0]), TS, dt0=0.1)
    assert cj.simulate(model, [1, 0, 0], TS, dt0=0.1).ys.shape == (5, 3)


def test_float64_states_are_not_downcast_silently(model, y0):
    single = cj.VoltageCTRNN(cj.SkewSymmetric(3, key=jr.key(0), dtype=jnp.float32))
    with pytest.raises(ValueError, match="float32"):
        cj.simulate(single, y0, TS, dt0=0.1)
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        cj.simulate(single, y0, TS, dt0=0.1)


def test_adaptive_steps_are_refused_by_structure_preserving_solvers(model, y0):
    with pytest.raises(ValueError, match="constant step size"):
        cj.simulate(
            model, y0, TS, solver=cj.CoordinateSplitting(), stepsize_controller=ADAPTIVE
        )


def test_running_out_of_steps_is_an_error_or_a_result(model, y0):
    options = dict(stepsize_controller=ADAPTIVE, max_steps=2)
    with pytest.raises(EquinoxRuntimeError, match="maximum number of solver steps"):
        cj.simulate(model, y0, TS, **options)
    solution = cj.simulate(model, y0, TS, throw=False, **options)
    assert solution.result == cj.RESULTS.max_steps_reached


def test_an_implicit_step_that_does_not_converge_is_reported(model, y0):
    solver = cj.ImplicitMidpoint(max_iterations=1)
    solution = cj.simulate(model, y0, TS, dt0=0.5, solver=solver, throw=False)
    assert not diffrax.is_okay(solution.result)


def test_structure_preserving_solvers_refuse_a_bare_function(y0):
    with pytest.raises(ValueError, match="VoltageCTRNN or RateCTRNN"):
        cj.simulate(
            lambda t, y, args: -y, y0, TS, dt0=0.1, solver=cj.CoordinateSplitting()
        )


# --- what a solve gives ------------------------------------------------------------


def test_any_function_can_be_simulated(y0):
    solution = cj.simulate(lambda t, y, rate: -rate * y, y0, TS, dt0=0.01, inputs=2.0)
    assert np.allclose(solution.ys, y0 * np.exp(-2 * TS)[:, None], atol=1e-9)


def test_saves_fall_on_steps_and_include_both_ends(model, y0):
    # 0.3 does not divide the spacing 0.5: two steps of 0.25 do.
    solution = cj.simulate(model, y0, TS, dt0=0.3, solver=cj.CoordinateSplitting())
    assert solution.stats["num_steps"] == 8
    assert np.array_equal(solution.ts, TS)
    assert np.array_equal(solution.ys[0], y0)
    by_steps = cj.simulate(
        model,
        y0,
        TS,
        dt0=0.3,
        solver=cj.CoordinateSplitting(),
        saveat=diffrax.SaveAt(steps=2),
        max_steps=8,
    )
    assert np.allclose(solution.ys[1:], by_steps.ys, rtol=0, atol=1e-14)
    assert np.allclose(by_steps.ts, TS[1:])


def test_uneven_saves_are_interpolated_at_third_order(model, y0):
    ts = np.array([0.0, 0.313, 0.9, 2.0])
    fine = cj.simulate(model, y0, ts, dt0=1e-3, solver=cj.CoordinateSplitting(4))
    coarse = cj.simulate(model, y0, ts, dt0=0.1, solver=cj.CoordinateSplitting(4))
    assert np.abs(coarse.ys - fine.ys).max() < 1e-5


def test_dense_output_is_asked_for_by_physical_time(model, y0):
    ts = np.linspace(1.0, 3.0, 5)
    reference = cj.simulate(model, y0, ts, dt0=0.05)
    solution = cj.simulate(model, y0, ts, dt0=0.05, saveat=diffrax.SaveAt(dense=True))
    assert solution.ys is None
    assert (float(solution.t0), float(solution.t1)) == (1.0, 3.0)
    dense = jax.vmap(solution.evaluate)(jnp.asarray(ts))
    assert np.allclose(dense, reference.ys, atol=1e-12)
    slope = solution.derivative(2.02)
    assert np.allclose(slope, model(2.02, solution.evaluate(2.02)), atol=1e-5)


def test_saved_functions_and_inputs_see_physical_time(model, y0):
    solution = cj.simulate(
        model,
        y0,
        [5.0, 6.0],
        dt0=0.1,
        saveat=diffrax.SaveAt(ts=jnp.array([5.5, 6.0]), fn=lambda t, y, args: t),
    )
    assert np.allclose(solution.ys, [5.5, 6.0], atol=1e-12)
    assert np.allclose(solution.ts, [5.5, 6.0], atol=1e-12)


def test_events_stop_at_a_crossing():
    """x₁ of the rotation x' = Wx from (1, 0) is cos t: zero at π/2."""
    rotation = cj.VoltageCTRNN(
        cj.SkewSymmetric.from_matrix(np.array([[0.0, 1.0], [-1.0, 0.0]])),
        activation=cj.Linear(),
    )
    event = diffrax.Event(
        lambda t, y, args, **kwargs: y[0], optimistix.Newton(1e-10, 1e-10)
    )
    for options in (dict(dt0=0.01), dict(stepsize_controller=ADAPTIVE)):
        solution = cj.simulate(
            rotation,
            np.array([1.0, 0.0]),
            [0.0, 10.0],
            event=event,
            saveat=diffrax.SaveAt(t1=True),
            **options,
        )
        assert solution.result == cj.RESULTS.event_occurred
        assert solution.ts[0] == pytest.approx(np.pi / 2, abs=1e-6)


def test_adaptive_steps_reach_their_tolerance(model, y0):
    fine = cj.simulate(model, y0, TS, dt0=1e-3)
    adaptive = cj.simulate(model, y0, TS, stepsize_controller=ADAPTIVE)
    assert np.abs(fine.ys - adaptive.ys).max() < 1e-6


def test_every_input_kind_drives_alike(y0):
    model = cj.VoltageCTRNN(
        cj.SkewSymmetric(3, key=jr.key(0)), input_weight=np.ones((3, 1))
    )
    knots = np.linspace(0.0, 2.0, 21)
    values = np.sin(knots)[:, None]
    sampled = cj.SampledInputs(knots, values, method="linear")
    path = diffrax.LinearInterpolation(jnp.asarray(knots), jnp.asarray(values))
    runs = [
        cj.simulate(model, y0, TS, dt0=0.1, solver=cj.RK4(), inputs=inputs).ys
        for inputs in (
            sampled,
            path,
            lambda t: jnp.interp(t, knots, values[:, 0])[None],
        )
    ]
    assert np.allclose(runs[0], runs[1], atol=1e-13)
    assert np.allclose(runs[0], runs[2], atol=1e-13)


def test_inputs_without_an_input_weight_are_refused(model, y0):
    with pytest.raises(ValueError, match="input_weight"):
        cj.simulate(model, y0, TS, dt0=0.1, inputs=lambda t: jnp.ones(1))


# --- gradients and compilation -----------------------------------------------------

ADJOINTS = {
    "checkpoint": diffrax.RecursiveCheckpointAdjoint(),
    "direct": diffrax.DirectAdjoint(),
    "forward": diffrax.ForwardMode(),
    "backsolve": diffrax.BacksolveAdjoint(),
}


@pytest.mark.parametrize("name", ADJOINTS)
def test_gradients_agree_with_finite_differences_across_adjoints(name, model, y0):
    def loss(weight_upper, y0):
        moved = eqx.tree_at(lambda m: m.weight.upper, model, weight_upper)
        ys = cj.simulate(
            moved, y0, [0.0, 1.0], dt0=0.02, solver=cj.RK4(), adjoint=ADJOINTS[name]
        ).ys
        return jnp.sum(ys[-1] ** 2 * jnp.arange(1.0, 4.0))

    arguments = (model.weight.upper, jnp.asarray(y0))
    transform = jax.jacfwd if name == "forward" else jax.grad
    gradients = transform(loss, argnums=(0, 1))(*arguments)
    direction = jax.tree.map(lambda x: jr.normal(jr.key(3), x.shape), arguments)
    slope = sum(jnp.vdot(g, d) for g, d in zip(gradients, direction, strict=True))
    epsilon = 1e-5

    def moved_by(amount):
        return loss(
            *(x + amount * d for x, d in zip(arguments, direction, strict=True))
        )

    finite = (moved_by(epsilon) - moved_by(-epsilon)) / (2 * epsilon)
    # Backsolve re-solves with the same step, so it is right to the step's error.
    tolerance = 1e-6 if name == "backsolve" else 1e-8
    assert slope == pytest.approx(float(finite), rel=tolerance, abs=1e-9)


@pytest.mark.parametrize(
    "solver",
    [cj.CoordinateSplitting(), cj.DiscreteGradient(), cj.ImplicitMidpoint()],
    ids=lambda solver: type(solver).__name__,
)
def test_structure_preserving_steps_have_exact_gradients(solver, model, y0):
    def end(y0):
        return cj.simulate(model, y0, [0.0, 1.0], dt0=0.25, solver=solver).ys[-1]

    start = jnp.asarray(y0)
    tangent = jnp.array([0.3, -1.0, 0.5])
    cotangent = jnp.array([1.0, 2.0, -1.0])
    epsilon = 1e-5
    finite = (end(start + epsilon * tangent) - end(start - epsilon * tangent)) / (
        2 * epsilon
    )
    reverse = jax.grad(lambda y: jnp.vdot(end(y), cotangent))(start)
    assert jnp.vdot(reverse, tangent) == pytest.approx(
        float(jnp.vdot(finite, cotangent)), rel=1e-8
    )


def test_the_end_time_has_a_gradient(model, y0):
    def end(t1):
        return cj.simulate(model, y0, jnp.stack([0.0, t1]), dt0=0.01).ys[-1]

    slope = jax.jacrev(end)(1.0)
    assert np.allclose(slope, model(1.0, end(1.0)), atol=1e-8)


def test_new_values_and_new_step_counts_do_not_recompile(model, y0, caplog):
    def compiled(start, dt0):
        caplog.clear()
        with jax.log_compiles():
            cj.simulate(model, start, TS, dt0=dt0).ys.block_until_ready()
        return any("jit(_solve_on_grid)" in r.getMessage() for r in caplog.records)

    cj.simulate(model, y0, TS, dt0=0.1)
    # 20 and 28 steps share the bound of 32; 80 do not, which shows that it is seen.
    assert not compiled(2 * y0, 0.08)
    assert compiled(y0, 0.025)
