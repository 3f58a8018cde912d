"""What every activation promises about itself and its potential."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from activations import ACTIVATIONS, CUSTOM, SCALED, UNIT
from scipy.integrate import quad

import ctrnn_jax as cj

every_activation = pytest.mark.parametrize(
    "phi", ACTIVATIONS.values(), ids=ACTIVATIONS.keys()
)
every_unit = pytest.mark.parametrize("phi", UNIT.values(), ids=UNIT.keys())
every_scaled = pytest.mark.parametrize("kind", SCALED.values(), ids=SCALED.keys())

#: Away from kinks, where a derivative is defined from both sides.
POINTS = np.array([-7.1, -2.3, -1.1, -0.45, -0.13, -1e-3, 1e-3, 0.13, 0.45, 1.1, 7.1])

#: φ and Φ in NumPy, Φ by a form or series that is exact where it is used below.
REFERENCE = {
    "Tanh": np.tanh,
    "Linear": lambda x: x,
    "HardTanh": lambda x: np.clip(x, -1, 1),
    "Arctan": np.arctan,
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Sine": np.sin,
    "Relu": lambda x: np.maximum(x, 0),
    "RectifiedTanh": lambda x: np.maximum(np.tanh(x), 0),
}
#: Φ(x) = c₂x² + c₃|x|³ + c₄x⁴ + O(x⁵) at 0.
SERIES = {
    "Tanh": (1 / 2, 0, -1 / 12),
    "Linear": (1 / 2, 0, 0),
    "HardTanh": (1 / 2, 0, 0),
    "Arctan": (1 / 2, 0, -1 / 12),
    "Erf": (1 / np.sqrt(np.pi), 0, -1 / (6 * np.sqrt(np.pi))),
    "Softsign": (1 / 2, -1 / 3, 1 / 4),
    "Sine": (1 / 2, 0, -1 / 24),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_values_are_those_of_the_formula(name):
    np.testing.assert_allclose(
        UNIT[name](jnp.asarray(POINTS)), REFERENCE[name](POINTS), rtol=1e-14, atol=0
    )


@every_activation
def test_the_potential_is_the_integral_and_zero_at_zero(phi):
    function = jax.jit(lambda x: phi(x))
    potential = np.asarray(phi.potential(jnp.asarray(POINTS)))
    for x, value in zip(POINTS, potential, strict=True):
        kinks = [k for k in (-1, -0.3, 0, 0.3, 1) if min(x, 0) < k < max(x, 0)]
        integral, _ = quad(
            lambda s: float(function(s)), 0, x, epsabs=1e-12, points=kinks or None
        )
        np.testing.assert_allclose(value, integral, rtol=1e-9, atol=1e-10)
    assert phi.potential(jnp.zeros(())) == 0


@every_activation
def test_the_derivative_of_the_potential_is_the_activation(phi):
    x = jnp.asarray(POINTS)
    slope = jax.vmap(jax.grad(phi.potential))(x)
    np.testing.assert_allclose(slope, phi(x), rtol=1e-12, atol=1e-15)
    assert jax.grad(phi.potential)(jnp.zeros(())) == phi(jnp.zeros(()))


@every_unit
def test_the_second_derivative_of_the_potential_is_the_slope_at_zero_too(phi):
    x = jnp.asarray([*POINTS, 0.0])
    curvature = jax.vmap(jax.grad(jax.grad(phi.potential)))(x)
    slope = jax.vmap(jax.grad(phi))(x)
    if "Rect" in type(phi).__name__ or isinstance(phi, cj.Relu):
        curvature, slope = curvature[:-1], slope[:-1]  # a kink at 0
    np.testing.assert_allclose(curvature, slope, rtol=1e-9, atol=1e-15)


@every_activation
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_dtype_and_shape_are_kept(phi, dtype):
    for shape in [(), (3,), (3, 2)]:
        x = jnp.full(shape, 0.4, dtype)
        for out in (phi(x), phi.potential(x), phi.average(x, 2 * x)):
            assert (out.dtype, out.shape) == (dtype, shape)


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("x", [1e-6, 1e-4, 3e-3, -1e-4])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_potential_keeps_its_relative_precision_near_zero(name, x, dtype):
    x = dtype(x)
    size = abs(float(x))
    c2, c3, c4 = SERIES[name]
    expected = c2 * size**2 + c3 * size**3 + c4 * size**4
    bound = 8 * np.finfo(dtype).eps + size**3
    np.testing.assert_allclose(UNIT[name].potential(x), expected, rtol=bound)


@pytest.mark.parametrize("name", [name for name in UNIT if name != "Custom"])
def test_single_precision_agrees_with_double_at_every_magnitude(name):
    x = np.geomspace(1e-8, 1e3, 200).astype(np.float32)
    x = np.concatenate([-x[::-1], x])
    single = np.asarray(UNIT[name].potential(jnp.asarray(x)), np.float64)
    double = np.asarray(UNIT[name].potential(jnp.asarray(x, jnp.float64)))
    # sin(x/2)^2 for large x is off by the rounding of x/2; not the others.
    absolute = 1e-6 if name == "Sine" else 1e-37
    np.testing.assert_allclose(single, double, rtol=3e-6, atol=absolute)


@every_activation
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("x", [1e15, -1e15, 1e30, -1e30])
def test_nothing_overflows_before_the_potential_itself_does(phi, dtype, x):
    if phi is CUSTOM:
        return
    x = dtype(x)
    assert np.isfinite(phi(x))
    assert np.isfinite(jax.grad(phi)(x))
    grows_as_square = isinstance(phi, cj.Linear | cj.Relu)
    if grows_as_square and dtype == jnp.float32 and abs(float(x)) > 1e19:
        return
    assert np.isfinite(phi.potential(x))
    assert np.isfinite(jax.grad(phi.potential)(x))
    if phi.is_bounded and phi.is_coercive:
        # Asymptotically linear, with the slope that φ saturates at.
        slope = phi.potential(x) / abs(x)
        np.testing.assert_allclose(slope, abs(phi(x)), rtol=1e-5)


@every_activation
def test_a_nan_stays_a_nan(phi):
    x = jnp.asarray(jnp.nan)
    assert np.isnan(phi(x))
    assert np.isnan(phi.potential(x))
    assert np.isnan(phi.average(x, 1.0 + 0 * x))


@every_unit
def test_is_odd_says_whether_it_is(phi):
    x = jnp.asarray(POINTS)
    assert phi.is_odd == bool(jnp.all(phi(-x) == -phi(x)))


@every_unit
def test_is_bounded_says_whether_it_is(phi):
    x = jnp.geomspace(1.0, 1e8, 50)
    reach = jnp.max(jnp.abs(phi(jnp.concatenate([-x, x]))))
    assert phi.is_bounded == bool(reach < 2)


@every_unit
def test_is_coercive_says_whether_level_sets_are_bounded(phi):
    far = jnp.pi * 10 ** jnp.arange(3.0, 7.0)
    least = min(jnp.min(phi.potential(far)), jnp.min(phi.potential(-far)))
    assert phi.is_coercive == bool(least > 100)


@every_unit
def test_is_smooth_says_whether_derivatives_jump(phi):
    # One-sided third differences of φ disagree at a kink of any order up to two.
    h, jumps = 1e-3, []
    for kink in (-1.0, 0.0, 1.0):
        right = phi(kink + h * jnp.arange(4.0))
        left = phi(kink - h * jnp.arange(4.0))
        slopes = [np.diff(side, n=1)[0] / h for side in (right, -left)]
        bends = [np.diff(side, n=2)[0] / h**2 for side in (right, left)]
        jumps += [abs(slopes[0] - slopes[1]), abs(bends[0] - bends[1])]
    assert phi.is_smooth == bool(max(jumps) < 0.05)


@every_scaled
@pytest.mark.parametrize("alpha", [0.01, 0.5, 3.0])
def test_a_scale_stretches_both_axes(kind, alpha):
    x = jnp.asarray(POINTS)
    for scale in (alpha, jnp.asarray(alpha)):
        phi = kind(scale)
        np.testing.assert_allclose(phi(x), alpha * kind()(x / alpha), rtol=1e-14)
        np.testing.assert_allclose(
            phi.potential(x), alpha**2 * kind().potential(x / alpha), rtol=1e-14
        )


@every_scaled
@pytest.mark.parametrize("shape", [(5, 3), (3,)], ids=str)
def test_a_scale_of_one_a_lane_meets_the_last_axis(kind, shape):
    scales = jnp.array([0.5, 1.0, 2.0])
    phi = jax.vmap(kind)(scales)
    x = jnp.linspace(-2.0, 2.0, 15).reshape(5, 3)[: shape[0] if len(shape) > 1 else 1]
    x = x.reshape(shape)
    expected = np.stack([kind(s)(x[..., i]) for i, s in enumerate([0.5, 1.0, 2.0])], -1)
    np.testing.assert_allclose(phi(x), expected, rtol=1e-14)


@every_scaled
def test_the_scale_can_be_trained(kind):
    def loss(scale):
        return kind(scale).potential(jnp.asarray(0.7)) + kind(scale)(jnp.asarray(2.0))

    h = 1e-6
    difference = (loss(jnp.asarray(1.3 + h)) - loss(jnp.asarray(1.3 - h))) / (2 * h)
    np.testing.assert_allclose(
        jax.grad(loss)(jnp.asarray(1.3)), difference, rtol=1e-7, atol=1e-9
    )


@every_scaled
@pytest.mark.parametrize(
    ("scale", "says"),
    [
        (0.0, "positive"),
        (-1.0, "positive"),
        (np.inf, "positive and finite"),
        (np.nan, "positive and finite"),
        (jnp.ones(2), "scalar"),
        (jnp.asarray(-1.0), "positive"),
        (jnp.asarray(np.nan), "finite"),
    ],
    ids=str,
)
def test_a_scale_must_be_one_positive_finite_number(kind, scale, says):
    with pytest.raises(ValueError, match=says):
        kind(scale)


def _exact_mean(phi, a, b):
    """Mean of φ over [a, b] by a 40-point rule on each side of every kink."""
    unit = float(getattr(phi, "scale", 1.0))
    nodes, weights = np.polynomial.legendre.leggauss(40)
    cuts = np.concatenate(
        [a[None], np.clip(np.outer([-unit, 0, unit], np.ones_like(a)), a, b), b[None]]
    )
    total = 0.0
    for left, right in zip(cuts, cuts[1:], strict=False):
        x = left + (right - left) * (nodes[:, None] + 1) / 2
        total += (right - left) * (weights @ np.asarray(phi(jnp.asarray(x)))) / 2
    return total / (b - a)


@every_activation
def test_the_average_is_the_exact_mean_across_every_switch_over(phi):
    rng = np.random.default_rng(0)
    middle = rng.normal(size=600) * rng.choice([1e-2, 1, 5], size=600)
    gap = 10 ** rng.uniform(-12, 0.3, size=600)
    a, b = middle - gap / 2, middle + gap / 2
    mean = phi.average(jnp.asarray(a), jnp.asarray(b))
    error = np.abs(mean - _exact_mean(phi, a, b))
    size = 1 + np.abs(phi.potential(jnp.asarray(a)))
    assert np.all(error <= (1e-12 if phi.is_smooth else 1e-7) * size)
    np.testing.assert_allclose(phi.average(jnp.asarray(b), jnp.asarray(a)), mean)


@every_activation
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_gap_times_the_average_is_the_potential_difference_to_rounding(phi, dtype):
    # What keeps the energy in a discrete-gradient step, kinks or none.
    rng = np.random.default_rng(1)
    a = jnp.asarray(rng.normal(size=2000) * 3, dtype)
    b = a + jnp.asarray(10 ** rng.uniform(-8, 0.5, size=2000), dtype)
    start, stop = (np.asarray(phi.potential(x), np.float64) for x in (a, b))
    work = np.asarray(phi.average(a, b), np.float64) * np.asarray(b - a, np.float64)
    # Rounding of Φ, and of the x that it is taken at.
    slope = sum(np.abs(x * phi(x)) for x in (a, b))
    scale = np.abs(start) + np.abs(stop) + np.asarray(slope, np.float64)
    assert np.all(np.abs(work - (stop - start)) <= 10 * np.finfo(dtype).eps * scale)


@every_activation
def test_the_average_over_no_gap_is_the_value_and_its_gradients_are_finite(phi):
    x = jnp.asarray([*POINTS, 0.0, 1.0, -1.0, 0.3])
    np.testing.assert_allclose(phi.average(x, x), phi(x), rtol=1e-14, atol=1e-16)
    for gap in (0.0, 1e-300, 1e-16, 1e-9, 1e-5, 0.1, 2.0):
        for argument in (0, 1):
            slope = jax.vmap(jax.grad(phi.average, argument))(x, x + gap)
            assert np.all(np.isfinite(slope))
    if phi.is_smooth:
        half = 0.5 * jax.vmap(jax.grad(phi))(x)
        slope = jax.vmap(jax.grad(phi.average, 1))(x, x)
        np.testing.assert_allclose(slope, half, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("gap", [1e-7, 1e-4, 3e-3, 0.02, 0.3])
def test_the_gradient_of_the_average_is_its_exact_derivative(gap):
    phi, a = cj.Tanh(), jnp.asarray(0.4)
    slope = jax.grad(phi.average, 1)(a, a + gap)
    # d/db of the mean of φ is the mean of s φ'(a + s gap) over s in [0, 1].
    exact, _ = quad(lambda s: s / np.cosh(0.4 + s * gap) ** 2, 0, 1, epsabs=1e-14)
    np.testing.assert_allclose(slope, exact, rtol=1e-7)


def test_any_function_is_an_activation_without_a_potential():
    field = cj.VoltageCTRNN(
        cj.SkewSymmetric(3, key=jax.random.key(0)), activation=jnp.cos
    )
    y = jnp.arange(3.0)
    w = np.asarray(field.weight.as_matrix())
    np.testing.assert_allclose(
        field(jnp.zeros(()), y), w @ np.cos(np.arange(3.0)), rtol=1e-13
    )
    assert not (field.activation.is_odd or field.activation.is_coercive)


@pytest.mark.parametrize("ask", ["potential", "energy", "average", "DiscreteGradient"])
def test_asking_for_an_unknown_potential_says_what_is_missing(ask):
    def swish(x):
        return x * jax.nn.sigmoid(x)

    field = cj.VoltageCTRNN(
        cj.SkewSymmetric(3, key=jax.random.key(0)), activation=swish
    )
    y = jnp.ones(3)
    calls = {
        "potential": lambda: field.activation.potential(y),
        "energy": lambda: cj.energy(field, y),
        "average": lambda: field.activation.average(y, 2 * y),
        "DiscreteGradient": lambda: cj.DiscreteGradient().check(field),
    }
    with pytest.raises(ValueError, match=r"CustomActivation\(swish, potential_fun"):
        calls[ask]()


@pytest.mark.parametrize(
    ("activation", "says"),
    [(3.0, "must be a callable"), ("tanh", "callable"), (cj.Tanh, r"write Tanh\(\)")],
)
def test_what_is_no_activation_is_refused(activation, says):
    with pytest.raises(ValueError, match=says):
        cj.VoltageCTRNN(
            cj.SkewSymmetric(3, key=jax.random.key(0)), activation=activation
        )
