"""Singular values of ∂x(t)/∂x(t−τ) against closed forms."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy.linalg import expm
from systems import LORENZ_EXPONENTS, elliptic_period, lorenz, rotation

from ctrnn_jax import (
    BlockRotation,
    ExponentialStep,
    Linear,
    SkewSymmetric,
    Unconstrained,
    VoltageCTRNN,
)
from ctrnn_jax.analysis import OUTCOMES, gradient_norms, is_okay

SKEW = SkewSymmetric(5, key=jr.key(0))
LOGS = ("log_largest", "log_rms", "log_mean", "log_smallest")


@pytest.mark.parametrize("leak", [0.0, 0.1])
def test_a_linear_skew_network_keeps_gradients_and_a_leak_fades_them_alike(leak):
    model = VoltageCTRNN(SKEW, activation=Linear(), leak=leak)
    norms = gradient_norms(
        model, jnp.ones(5), dt0=0.25, duration=60.0, num_starts=2,
        solver=ExponentialStep(),
    )  # fmt: skip
    for name in LOGS:
        wanted = np.tile(-leak * norms.delays, (2, 1))
        np.testing.assert_allclose(getattr(norms, name), wanted, atol=1e-12)
    assert norms.rate == pytest.approx(-leak, abs=1e-12)
    assert norms.trend == ("vanish" if leak else "neither")
    np.testing.assert_allclose(norms.delays, 1.2 * np.arange(1, 51))


def test_the_geometric_mean_follows_the_leak_whatever_the_motion():
    model = VoltageCTRNN(SKEW, leak=0.05)
    norms = gradient_norms(model, jnp.full(5, 2.0), dt0=0.1, duration=30.0)
    wanted = np.tile(-0.05 * norms.delays, (8, 1))
    np.testing.assert_allclose(norms.log_mean, wanted, atol=1e-12)
    # And so do both ends together: singular values pair, but not exactly.
    assert np.all(norms.log_smallest < wanted)
    assert np.all(wanted < norms.log_largest)
    assert np.all(norms.log_rms <= norms.log_largest)


def test_all_four_are_those_of_the_matrix_exponential():
    matrix = np.asarray(Unconstrained(4, scale=1.0, key=jr.key(3)).as_matrix())
    model = VoltageCTRNN(
        Unconstrained.from_matrix(matrix), activation=Linear(), leak=0.3
    )
    norms = gradient_norms(
        model, jnp.ones(4), dt0=0.5, duration=12.0, num_delays=6, num_starts=1,
        transient=1.0, solver=ExponentialStep(),
    )  # fmt: skip
    for k, delay in enumerate(norms.delays):
        flow = expm((matrix - 0.3 * np.eye(4)) * float(delay))
        values = np.linalg.svd(flow, compute_uv=False)
        wanted = [
            values[0], np.sqrt(np.mean(values**2)), np.prod(values) ** 0.25, values[-1]
        ]  # fmt: skip
        got = [float(np.exp(getattr(norms, name)[0, k])) for name in LOGS]
        np.testing.assert_allclose(got, wanted, rtol=1e-9)
    assert norms.standard_error == np.inf


def test_both_ends_stay_accurate_far_beyond_the_floating_range():
    rates = jnp.array([2.0, -1.0, -3.0])
    turn = np.linalg.qr(np.asarray(jr.normal(jr.key(0), (3, 3))))[0]
    matrix = jnp.asarray(turn @ np.diag(rates) @ turn.T)
    model = VoltageCTRNN(Unconstrained.from_matrix(matrix), activation=Linear())
    norms = gradient_norms(
        model, jnp.zeros(3), dt0=0.5, duration=500.0, num_delays=250, num_starts=1,
        solver=ExponentialStep(),
    )  # fmt: skip
    assert norms.log_largest[0, -1] == pytest.approx(1000.0, rel=1e-9)
    assert norms.log_smallest[0, -1] == pytest.approx(-1500.0, rel=1e-9)
    assert norms.trend == "explode"


def test_regular_motion_shears_in_proportion_to_the_delay_and_that_is_no_explosion():
    model = VoltageCTRNN(BlockRotation.from_matrix(rotation()))
    energy = np.log(np.cosh(1.5))
    period = elliptic_period(energy)
    norms = gradient_norms(model, jnp.array([1.5, 0.0]), dt0=0.05, duration=50 * period)
    # Area is kept, so the two singular values are inverse to each other.
    np.testing.assert_allclose(norms.log_largest, -norms.log_smallest, atol=1e-9)
    # k periods on M = I + kS, with S nilpotent of norm |dT/dE| |f| |grad E| and f, E's
    # gradient as long; the largest singular value is then exp(arsinh(k |S|/2)).
    half, whole = norms.log_largest[:, 24], norms.log_largest[:, -1]
    np.testing.assert_allclose(whole - half, np.log(2), atol=3e-3)
    slope = elliptic_period(energy + 1e-4) - elliptic_period(energy - 1e-4)
    shear = 50 * slope / 2e-4 * np.tanh(1.5) ** 2
    assert whole[0] == pytest.approx(np.arcsinh(shear / 2), abs=1e-2)
    assert norms.trend == "neither"


def test_chaos_makes_them_explode_at_the_lyapunov_exponent():
    norms = gradient_norms(
        lorenz, jnp.ones(3), dt0=0.02, duration=30.0, transient=10.0, num_delays=120,
        num_starts=32,
    )  # fmt: skip
    assert abs(norms.rate - LORENZ_EXPONENTS[0]) < 3 * norms.standard_error
    assert norms.standard_error < 0.05
    mean = -41 / 3 / 3 * np.asarray(norms.delays)
    np.testing.assert_allclose(norms.log_mean[3], mean, rtol=1e-3)
    assert norms.trend == "explode"


def test_single_precision_stays_single():
    weight = SkewSymmetric(3, key=jr.key(0), dtype=jnp.float32)
    model = VoltageCTRNN(weight, activation=Linear(), leak=0.1)
    norms = gradient_norms(
        model, jnp.ones(3, jnp.float32), dt0=0.25, duration=30.0, num_starts=2,
        solver=ExponentialStep(),
    )  # fmt: skip
    assert norms.log_rms.dtype == norms.rate.dtype == norms.delays.dtype == jnp.float32
    np.testing.assert_allclose(norms.log_rms[0], -0.1 * norms.delays, atol=1e-4)


def test_starts_are_mapped_as_in_a_loop():
    model = VoltageCTRNN(BlockRotation.from_matrix(rotation()))
    options = {"dt0": 0.1, "duration": 40.0, "num_delays": 50}
    starts = jnp.array([[1.5, 0.0], [0.3, 2.0]])
    many = jax.vmap(lambda y0: gradient_norms(model, y0, **options))(starts)
    for lane, y0 in enumerate(starts):
        alone = gradient_norms(model, y0, **options)
        np.testing.assert_allclose(many.log_rms[lane], alone.log_rms, atol=1e-12)


def test_a_failed_orbit_is_a_status_and_has_no_trend():
    escaped = gradient_norms(
        lambda t, y, args: y**3, jnp.ones(2), dt0=0.1, duration=5.0, num_delays=2
    )
    assert escaped.result == OUTCOMES.escaped
    with pytest.raises(ValueError, match="no trend"):
        escaped.trend  # noqa: B018
    # The tangents overflow within one delay while the state stays at rest.
    wild = gradient_norms(
        lambda t, y, args: 100.0 * y, jnp.zeros(2), dt0=0.01, duration=20.0,
        num_delays=2, num_starts=2,
    )  # fmt: skip
    assert wild.result == OUTCOMES.degenerate
    assert not is_okay(wild.result)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_delays": 1}, "num_delays must be at least 2"),
        ({"num_starts": 0}, "num_starts at least 1"),
        ({"duration": 0.0}, "duration must be a positive"),
        ({"transient": -1.0}, "transient must be a non-negative"),
        ({"dt0": 0.0}, "dt0 must be a positive"),
    ],
)
def test_misuse_says_what_to_change(options, message):
    options = {"dt0": 0.1, "duration": 1.0, **options}
    with pytest.raises(ValueError, match=message):
        gradient_norms(VoltageCTRNN(SKEW), jnp.ones(5), **options)
