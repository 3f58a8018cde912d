"""Both fields are their formula, with every term, for one state and for lanes."""

import diffrax
import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from weights import WEIGHTS, make

import ctrnn_jax as cj

SIZE, CHANNELS = 5, 2
FORMS = {"voltage": cj.VoltageCTRNN, "rate": cj.RateCTRNN}
every_form = pytest.mark.parametrize("form", FORMS)
RNG = np.random.default_rng(0)
T0 = jnp.zeros(())
BIAS = RNG.normal(size=SIZE)
B = RNG.normal(size=(SIZE, CHANNELS))
STATE = RNG.normal(size=SIZE)
LANES = RNG.normal(size=(SIZE, 3))


def _drive(t):
    return jnp.stack([jnp.sin(t), 2.0 * t])


def _formula(form, w, y, *, leak=0.0, drive=0.0):
    """dy/dt in NumPy; `drive` is Bu + b, a column for lanes."""
    if form == "voltage":
        return -leak * y + w @ np.tanh(y) + drive
    return -leak * y + np.tanh(w @ y + drive)


@every_form
@pytest.mark.parametrize("name", WEIGHTS)
def test_every_weight_gives_the_formula(form, name):
    model = FORMS[form](make(name, SIZE), leak=0.3, bias=BIAS)
    w = np.asarray(model.weight.as_matrix())
    expected = _formula(form, w, STATE, leak=0.3, drive=BIAS)
    for built in (model, cj.materialise(model)):
        np.testing.assert_allclose(built(T0, jnp.asarray(STATE)), expected, atol=1e-14)


@every_form
@pytest.mark.parametrize("leak", [0.0, 0.4])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("driven", [False, True])
def test_every_term_is_added_once(form, leak, biased, driven):
    model = FORMS[form](
        make("SkewSymmetric", SIZE),
        leak=leak,
        bias=BIAS if biased else None,
        input_weight=B if driven else None,
    )
    t = jnp.asarray(0.7)
    drive = BIAS * biased + B @ np.array([np.sin(0.7), 1.4]) * driven
    w = np.asarray(model.weight.as_matrix())
    inputs = _drive if driven else None
    out = model(t, jnp.asarray(STATE), inputs)
    expected = _formula(form, w, STATE, leak=leak, drive=drive)
    np.testing.assert_allclose(out, expected, atol=1e-14)
    lanes = model(t, jnp.asarray(LANES), inputs)
    expected = _formula(form, w, LANES, leak=leak, drive=drive[:, None])
    np.testing.assert_allclose(lanes, expected, atol=1e-14)


def test_with_y_equal_to_w_r_plus_b_the_rate_form_is_the_voltage_form():
    weight = make("SkewSymmetric", SIZE)
    rate = cj.RateCTRNN(weight, bias=BIAS, leak=0.2)
    # The leak acts on y too, so that it shifts the bias: y' = -leak (y - b) + W φ(y).
    voltage = cj.VoltageCTRNN(weight, bias=0.2 * BIAS, leak=0.2)
    r = jnp.asarray(STATE)
    y, dy = jax.jvp(lambda r: weight.mv(r) + BIAS, (r,), (rate(T0, r),))
    np.testing.assert_allclose(dy, voltage(T0, y), atol=1e-14)


@every_form
def test_the_literal_zero_is_no_leak_and_an_array_is_one(form):
    weight = make("SkewSymmetric", SIZE)
    for none in (0, 0.0, np.float64(0)):
        model = FORMS[form](weight, leak=none)
        assert not model.has_leak
        assert not jax.tree.leaves(eqx.filter(model.leak, eqx.is_array))
    traced = FORMS[form](weight, leak=jnp.asarray(0.0))
    assert traced.has_leak
    y = jnp.asarray(STATE)
    np.testing.assert_array_equal(traced(T0, y), FORMS[form](weight)(T0, y))
    number = FORMS[form](weight, leak=0.3)
    assert eqx.is_array(number.leak)
    slope = jax.grad(lambda leak: FORMS[form](weight, leak=leak)(T0, y).sum())(
        jnp.asarray(0.3)
    )
    np.testing.assert_allclose(slope, -STATE.sum(), rtol=1e-13)


@every_form
def test_gradients_of_every_parameter_are_finite_differences(form):
    model = FORMS[form](
        make("SkewSymmetric", SIZE),
        activation=cj.Tanh(jnp.asarray(1.5)),
        leak=0.2,
        bias=BIAS,
        input_weight=B,
    )
    arrays, static = eqx.partition(model, eqx.is_inexact_array)
    flat, unravel = jax.flatten_util.ravel_pytree(arrays)

    @jax.jit
    def loss(flat):
        model = eqx.combine(unravel(flat), static)
        return jnp.sum(model(jnp.asarray(0.7), jnp.asarray(STATE), _drive) ** 2)

    direction = jr.normal(jr.key(0), flat.shape)
    h = 1e-6
    difference = (loss(flat + h * direction) - loss(flat - h * direction)) / (2 * h)
    _, forwards = jax.jvp(loss, (flat,), (direction,))
    np.testing.assert_allclose(forwards, difference, rtol=1e-7)
    np.testing.assert_allclose(jax.grad(loss)(flat) @ direction, forwards, rtol=1e-12)


@every_form
def test_models_built_under_vmap_equal_models_built_one_by_one(form):
    def build(key, leak, scale):
        return FORMS[form](
            cj.SkewSymmetric(SIZE, key=key),
            activation=cj.Tanh(scale),
            leak=leak,
            bias=jr.normal(key, SIZE),
        )

    keys, leaks = jr.split(jr.key(0), 3), jnp.array([0.0, 0.1, 0.2])
    scales = jnp.array([1.0, 2.0, 3.0])
    many = eqx.filter_vmap(build)(keys, leaks, scales)
    out = eqx.filter_vmap(lambda model, y: model(T0, y), in_axes=(0, 1))(
        many, jnp.asarray(LANES)
    )
    for i in range(3):
        one = build(keys[i], leaks[i], scales[i])(T0, jnp.asarray(LANES[:, i]))
        np.testing.assert_allclose(out[i], one, atol=1e-14)


#: Which terms may differ from lane to lane. Three lanes of three neurons: were an
#: axis taken for the other, no shape would tell.
LANEWISE = ["leak", "scale", "bias", "input_weight", "y0"]


@every_form
@pytest.mark.parametrize("own", LANEWISE)
def test_lanes_with_a_term_of_their_own_equal_models_of_their_own(form, own):
    weight = make("SkewSymmetric", 3)
    rng = np.random.default_rng(3)
    lanes = {
        "leak": jnp.asarray([0.1, 0.2, 0.4]),
        "scale": jnp.asarray([0.5, 1.0, 2.0]),
        "bias": jnp.asarray(rng.normal(size=(3, 3))),
        "input_weight": jnp.asarray(rng.normal(size=(3, 3, 2))),
        "y0": jnp.asarray(rng.normal(size=(3, 3))),
    }
    y0 = lanes["y0"]

    def build(i):
        pick = {key: value[i] for key, value in lanes.items()}
        return FORMS[form](
            weight,
            activation=cj.Tanh(pick["scale"]),
            leak=pick["leak"],
            bias=pick["bias"],
            input_weight=pick["input_weight"],
        )

    where = {
        "leak": lambda m: m.leak,
        "scale": lambda m: m.activation.scale,
        "bias": lambda m: m.bias,
        "input_weight": lambda m: m.input_weight,
    }
    model, axes = build(0), None
    loop = [build(0)] * 3
    if own in where:
        model = eqx.tree_at(where[own], model, lanes[own])
        axes = jax.tree.map(lambda _: None, model)
        axes = eqx.tree_at(where[own], axes, 0, is_leaf=lambda x: x is None)
        loop = [eqx.tree_at(where[own], build(0), lanes[own][i]) for i in range(3)]
    ts, solver = jnp.linspace(0.0, 0.4, 3), diffrax.Heun()
    together = cj.simulate_ensemble(
        model, y0, ts, dt0=0.1, solver=solver, inputs=_drive, model_axes=axes
    )
    for i in range(3):
        alone = cj.simulate(loop[i], y0[i], ts, dt0=0.1, solver=solver, inputs=_drive)
        np.testing.assert_allclose(together.ys[i], alone.ys, atol=1e-12)


@every_form
def test_the_dtype_is_that_of_the_state(form):
    weight = make("SkewSymmetric", SIZE, dtype=jnp.float32)
    model = FORMS[form](
        weight, leak=0.1, bias=BIAS.tolist(), input_weight=B.astype(np.float32)
    )
    y = jnp.asarray(STATE, jnp.float32)
    out = model(jnp.asarray(0.1, jnp.float32), y, _drive)
    assert out.dtype == jnp.float32


def _weight(dtype=jnp.float64):
    return make("SkewSymmetric", SIZE, dtype=dtype)


@every_form
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"bias": np.ones(SIZE + 1)}, rf"bias must have shape \({SIZE},\)"),
        ({"bias": np.ones((SIZE, 1))}, "bias must have shape"),
        ({"bias": np.ones(SIZE, int)}, "bias must be floating"),
        ({"bias": np.full(SIZE, np.nan)}, "bias must be finite"),
        ({"input_weight": np.ones(SIZE)}, "input_weight must have shape"),
        ({"input_weight": np.ones((2, SIZE))}, "input_weight must have shape"),
        ({"input_weight": np.ones((SIZE, 0))}, "input_weight must have shape"),
        ({"input_weight": np.full((SIZE, 1), np.inf)}, "must be finite"),
        ({"leak": -0.1}, "must not be negative"),
        ({"leak": np.nan}, "leak must be finite"),
        ({"leak": np.inf}, "leak must be finite"),
        ({"leak": np.ones(SIZE)}, "leak must be a scalar"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_weight_is_refused(form, options, says):
    with pytest.raises(ValueError, match=says):
        FORMS[form](_weight(), **options)


@every_form
@pytest.mark.parametrize(
    "options",
    [{"bias": BIAS}, {"input_weight": B}, {"leak": jnp.asarray(0.1, jnp.float64)}],
    ids=lambda options: next(iter(options)),
)
def test_a_parameter_is_not_rounded_to_the_weight_in_silence(form, options):
    with pytest.raises(ValueError, match="cast one of them"):
        FORMS[form](_weight(jnp.float32), **options)


@every_form
def test_a_state_of_another_size_is_refused(form):
    with pytest.raises(ValueError, match=f"n = {SIZE}"):
        FORMS[form](_weight())(T0, jnp.ones(SIZE + 1))
