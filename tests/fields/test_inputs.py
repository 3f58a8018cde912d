"""External drive: functions, samples held or interpolated, diffrax paths."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from weights import make

import ctrnn_jax as cj

TS = np.array([0.0, 0.5, 2.0])
VALUES = np.array([[1.0, -1.0], [3.0, 0.0], [0.0, 4.0]])
B = np.array([[1.0, 0.5], [-2.0, 0.0], [0.3, 1.0]])


def _model(**options):
    options = {"input_weight": B, **options}
    return cj.VoltageCTRNN(make("SkewSymmetric", 3), **options)


def _drive(inputs, t, model=None):
    return (model or _model()).drive(jnp.asarray(t), inputs)


@pytest.mark.parametrize(
    ("t", "index"),
    [(-1.0, 0), (0.0, 0), (0.4, 0), (0.5, 1), (1.99, 1), (2.0, 2), (9.0, 2)],
)
def test_held_samples_last_until_the_next(t, index):
    inputs = cj.SampledInputs(TS, VALUES)
    np.testing.assert_array_equal(inputs(jnp.asarray(t)), VALUES[index])
    np.testing.assert_allclose(_drive(inputs, t), B @ VALUES[index], rtol=1e-14)


@pytest.mark.parametrize("t", [-1.0, 0.0, 0.2, 0.5, 1.7, 2.0, 9.0])
def test_linear_samples_are_interpolated_and_held_outside(t):
    inputs = cj.SampledInputs(TS, VALUES, method="linear")
    expected = [np.interp(t, TS, column) for column in VALUES.T]
    np.testing.assert_allclose(inputs(jnp.asarray(t)), expected, rtol=1e-14)


def test_a_diffrax_path_and_the_same_samples_drive_alike():
    path = diffrax.LinearInterpolation(jnp.asarray(TS), jnp.asarray(VALUES))
    samples = cj.SampledInputs(TS, VALUES, method="linear")
    for t in (0.1, 0.5, 1.3):
        np.testing.assert_allclose(_drive(path, t), _drive(samples, t), rtol=1e-14)
    cubic = diffrax.CubicInterpolation(
        jnp.asarray(TS),
        diffrax.backward_hermite_coefficients(jnp.asarray(TS), jnp.asarray(VALUES)),
    )
    np.testing.assert_allclose(_drive(cubic, 0.5), B @ VALUES[1], rtol=1e-12)


@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
def test_every_kind_of_drive_gives_one_solution(form):
    model = form(make("SkewSymmetric", 3), input_weight=B)
    ts = np.linspace(0.0, 2.0, 5)
    slope = np.array([1.0, -0.5])
    drives = {
        "function": lambda t: jnp.asarray(slope) * t,
        "samples": cj.SampledInputs(ts, ts[:, None] * slope, method="linear"),
        "path": diffrax.LinearInterpolation(
            jnp.asarray(ts), jnp.asarray(ts[:, None] * slope)
        ),
    }
    y0 = jnp.ones(3)
    solve = {"dt0": 0.1, "solver": diffrax.Heun()}
    reference = cj.simulate(model, y0, ts, inputs=drives["function"], **solve)
    for kind in ("samples", "path"):
        solution = cj.simulate(model, y0, ts, inputs=drives[kind], **solve)
        np.testing.assert_allclose(solution.ys, reference.ys, atol=1e-13)


def test_samples_can_be_trained():
    def loss(values):
        return jnp.sum(cj.SampledInputs(TS, values, method="linear")(jnp.asarray(1.25)))

    slope = jax.grad(loss)(jnp.asarray(VALUES))
    np.testing.assert_allclose(slope, [[0, 0], [0.5, 0.5], [0.5, 0.5]], atol=1e-15)


def test_samples_may_be_built_under_a_transformation():
    def read(ts, values):
        return cj.SampledInputs(ts, values)(jnp.asarray(0.6))

    out = jax.jit(read)(jnp.asarray(TS), jnp.asarray(VALUES))
    np.testing.assert_array_equal(out, VALUES[1])


def test_times_are_rounded_to_the_samples_and_the_samples_never_are():
    inputs = cj.SampledInputs(TS, VALUES.astype(np.float32))
    assert inputs.ts.dtype == inputs.values.dtype == jnp.float32
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        cj.SampledInputs(TS, VALUES)


@pytest.mark.parametrize(
    ("ts", "values", "options", "says"),
    [
        (TS[:2], VALUES, {}, "shapes"),
        (TS, VALUES[:, 0], {}, "shapes"),
        (TS[:0], VALUES[:0], {}, "shapes"),
        (TS, VALUES[:, :0], {}, "shapes"),
        (TS[::-1], VALUES, {}, "strictly increasing"),
        ([0.0, 0.0, 1.0], VALUES, {}, "strictly increasing"),
        ([0.0, 1.0, np.nan], VALUES, {}, "ts must be finite"),
        ([0.0, 1.0, np.inf], VALUES, {}, "ts must be finite"),
        (TS, np.where(VALUES > 2, np.nan, VALUES), {}, "values must be finite"),
        (TS, VALUES.astype(int), {}, "values must be floating"),
        ([0.0, 1.0, 1.0 + 1e-9], VALUES.astype(np.float32), {}, "dtype of values"),
    ],
)
def test_samples_that_cannot_be_read_are_refused(ts, values, options, says):
    with pytest.raises(ValueError, match=says):
        cj.SampledInputs(ts, values, **options)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (lambda t: t, r"shape \(m,\)"),
        (lambda t: jnp.ones((1, 2, 3)), r"shape \(m,\)"),
        (lambda t: jnp.ones(3), r"3 channels but input_weight has shape \(3, 2\)"),
        (lambda t: jnp.ones(2, int), "must be floating"),
        (lambda t: jnp.ones(2, complex), "must be floating"),
    ],
    ids=["scalar", "rank 3", "channels", "int", "complex"],
)
def test_a_drive_that_does_not_fit_is_refused(inputs, says):
    with pytest.raises(ValueError, match=says):
        _drive(inputs, 0.0)


def test_a_drive_for_lanes_needs_lanes():
    with pytest.raises(ValueError, match="must return"):
        _model()(jnp.zeros(()), jnp.ones(3), lambda t: jnp.ones((2, 4)))
    with pytest.raises(ValueError, match="must return"):
        _model()(jnp.zeros(()), jnp.ones((3, 5)), lambda t: jnp.ones((2, 4)))
    out = _model()(jnp.zeros(()), jnp.ones((3, 4)), lambda t: jnp.ones((2, 4)))
    assert out.shape == (3, 4)


def test_a_drive_without_an_input_weight_is_refused_not_ignored():
    with pytest.raises(ValueError, match="has no input_weight"):
        _drive(lambda t: jnp.ones(2), 0.0, _model(input_weight=None))


def test_a_drive_more_precise_than_the_model_is_refused():
    model = cj.VoltageCTRNN(
        make("SkewSymmetric", 3, dtype=jnp.float32), input_weight=B.astype(np.float32)
    )
    with pytest.raises(ValueError, match="cast one of them"):
        _drive(cj.SampledInputs(TS, VALUES), 0.0, model)


def test_an_input_weight_without_inputs_is_silent():
    np.testing.assert_array_equal(
        _model(bias=np.ones(3)).drive(jnp.zeros(()), None), np.ones(3)
    )
    assert _model().drive(jnp.zeros(()), None) is None
