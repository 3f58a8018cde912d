"""The energy is conserved where the theory says so, and nowhere else."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import systems
from activations import ACTIVATIONS, UNIT
from weights import SKEW, WEIGHTS, make

import ctrnn_jax as cj

SIZE = 6
FORMS = {"voltage": cj.VoltageCTRNN, "rate": cj.RateCTRNN}
T0 = jnp.zeros(())
STATES = 2.0 * jr.normal(jr.key(5), (8, SIZE))


def _power(model, states):
    """Return dH/dt along the field, and the size of the terms that make it up."""

    def one(y):
        slope = model(T0, y)
        force = jax.grad(lambda y: cj.energy(model, y))(y)
        return force @ slope, jnp.linalg.norm(force) * jnp.linalg.norm(slope)

    return jax.vmap(one)(states)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SKEW)
def test_energy_is_conserved_by_every_activation_that_has_a_potential(form, name):
    weight = make(name, SIZE)
    bias = jr.normal(jr.key(1), SIZE)
    bias = bias if form == "rate" else weight.mv(bias)
    cases = [(phi, None) for phi in ACTIVATIONS.values()]
    for phi, b in [*cases, (cj.Tanh(), bias), (cj.Relu(), bias)]:
        model = FORMS[form](weight, activation=phi, bias=b)
        assert cj.is_conservative(model)
        power, size = _power(model, STATES)
        assert np.all(np.abs(power) <= 1e-12 * size)
        assert np.max(size) > 1e-4


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name in WEIGHTS if name not in SKEW])
def test_energy_changes_where_w_is_not_skew(form, name):
    model = FORMS[form](make(name, SIZE))
    assert not cj.is_conservative(model)
    power, size = _power(model, STATES)
    assert np.mean(np.abs(power) > 0.01 * size) > 0.5


@pytest.mark.parametrize("phi", UNIT.values(), ids=UNIT.keys())
def test_a_leak_takes_from_the_energy_what_the_theory_says(phi):
    leak = 0.3
    model = cj.VoltageCTRNN(make("SkewSymmetric", SIZE), activation=phi, leak=leak)
    assert not cj.is_conservative(model)
    power, _ = _power(model, STATES)
    expected = -leak * jnp.sum(STATES * phi(STATES), axis=1)
    np.testing.assert_allclose(power, expected, rtol=1e-10, atol=1e-12)
    if phi.is_odd and not isinstance(phi, cj.Sine):
        assert np.all(power < 0)


def test_a_gain_feeds_the_energy_while_it_exceeds_the_leak():
    skew = make("SkewSymmetric", SIZE)
    for gain, sign in [(0.5, 1), (0.1, -1)]:
        model = cj.VoltageCTRNN(cj.GainPlusSkew(skew, gain), leak=0.3)
        power, _ = _power(model, 1e-3 * STATES)
        assert np.all(sign * power > 0)


@pytest.mark.parametrize("name", ["SkewSymmetric", "LowRankSkew, one mode"])
def test_a_voltage_bias_outside_the_range_of_w_has_no_energy(name):
    size = 5 if name == "SkewSymmetric" else SIZE
    weight = make(name, size)
    kernel = cj.casimirs(cj.VoltageCTRNN(weight))[0]
    model = cj.VoltageCTRNN(weight, bias=weight.mv(jnp.ones(size)) + 0.1 * kernel)
    with pytest.raises(Exception, match="not in the range of W"):
        cj.energy(model, jnp.ones(size))
    # What it has instead: a steady drift along the kernel.
    velocity = kernel @ model(T0, jnp.ones(size))
    np.testing.assert_allclose(velocity, 0.1, rtol=1e-12)
    assert np.isfinite(cj.energy(cj.RateCTRNN(weight, bias=model.bias), jnp.ones(size)))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("form", FORMS)
def test_energy_is_the_sum_of_potentials(form, dtype):
    weight = make("SkewSymmetric", SIZE, dtype=dtype)
    y = STATES[0].astype(dtype)
    w, x = np.asarray(weight.as_matrix(), float), np.asarray(y, float)
    c = np.linspace(-1, 1, SIZE)
    bias = jnp.asarray(w @ c, dtype)
    h = cj.energy(FORMS[form](weight, bias=bias), y)
    argument = x if form == "voltage" else w @ (x + c)
    expected = np.sum(np.log(np.cosh(argument))) + (c @ x if form == "voltage" else 0)
    assert h.dtype == dtype
    np.testing.assert_allclose(h, expected, rtol=50 * np.finfo(dtype).eps)


def test_energy_keeps_the_leading_axes_of_the_states():
    model = cj.VoltageCTRNN(make("SkewSymmetric", SIZE))
    many = cj.energy(model, STATES.reshape(2, 4, SIZE))
    assert many.shape == (2, 4)
    loop = [cj.energy(model, y) for y in STATES]
    assert loop[0].shape == ()
    np.testing.assert_allclose(many.ravel(), np.stack(loop), rtol=1e-14)
    np.testing.assert_allclose(
        jax.vmap(lambda y: cj.energy(model, y))(STATES), np.stack(loop), rtol=1e-14
    )


@pytest.mark.parametrize("shape", [(SIZE + 1,), (SIZE, SIZE + 1)], ids=str)
def test_a_state_of_another_size_has_no_energy(shape):
    with pytest.raises(ValueError, match="6 neurons on its last axis"):
        cj.energy(cj.VoltageCTRNN(make("SkewSymmetric", SIZE)), jnp.ones(shape))


@pytest.mark.parametrize("energy", [0.01, 1.0, 8.0])
def test_energy_is_that_of_the_exact_orbit_of_two_neurons(energy):
    ts = np.linspace(0, systems.elliptic_period(energy, 1.7), 40)
    weight = cj.SkewSymmetric.from_matrix(systems.rotation(1.7))
    x = jnp.asarray(systems.elliptic_orbit(ts, energy, 1.7))
    r = jnp.asarray(systems.elliptic_rate_orbit(ts, energy, 1.7))
    voltage = cj.energy(cj.VoltageCTRNN(weight), x)
    rate = cj.energy(cj.RateCTRNN(weight), r)
    np.testing.assert_allclose(voltage, energy, rtol=1e-9)
    np.testing.assert_allclose(rate, energy, rtol=1e-9)


def test_rectified_tanh_conserves_its_energy_and_escapes_all_the_same():
    weight = cj.SkewSymmetric.from_matrix(systems.rotation())
    model = cj.VoltageCTRNN(weight, activation=cj.RectifiedTanh())
    ts = jnp.linspace(0.0, 100.0, 101)
    solution = cj.simulate(model, jnp.asarray([1.0, 0.5]), ts, dt0=0.01)
    # The field has a kink where a neuron changes sign, which the solver steps over.
    assert cj.drift(model, solution).max_energy < 1e-5
    assert np.min(solution.ys[-1]) < -50
    tanh = cj.simulate(cj.VoltageCTRNN(weight), jnp.asarray([1.0, 0.5]), ts, dt0=0.01)
    assert np.max(np.abs(tanh.ys)) < 1.5


@pytest.mark.parametrize("name", [n for n, phi in UNIT.items() if not phi.is_coercive])
def test_without_coercivity_states_of_one_energy_lie_arbitrarily_far(name):
    phi = UNIT[name]
    model = cj.VoltageCTRNN(make("SkewSymmetric", SIZE), activation=phi)
    y = jnp.zeros(SIZE)
    far = y.at[0].set(-2e6 * jnp.pi)
    np.testing.assert_allclose(cj.energy(model, far), cj.energy(model, y), atol=1e-12)


def test_the_energy_of_a_large_sparse_network_needs_no_dense_matrix():
    weight = cj.SparseSkew(50_000, 100_000, key=jr.key(0))
    y = jr.normal(jr.key(1), (50_000,))
    for form in FORMS.values():
        power, size = _power(form(weight), y[None])
        assert abs(power[0]) < 1e-12 * size[0]
