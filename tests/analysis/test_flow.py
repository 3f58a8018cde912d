"""The flow map and its derivative: the ground that every analysis stands on."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from systems import lorenz

import ctrnn_jax as cj
from ctrnn_jax.analysis import OUTCOMES, is_okay
from ctrnn_jax.analysis._flow import (
    check_span,
    default_solver,
    divide,
    make_flow,
)
from ctrnn_jax.analysis._status import mark, throw_unless_okay

STEPS = 40


def skew(form, size=4, **options):
    return form(cj.SkewSymmetric(size, key=jr.key(1)), **options)


@eqx.filter_jit
def transported(flow, y, tangents):
    return flow.advance_tangents(0, STEPS, y, tangents)


@eqx.filter_jit
def transported_and_checked(field, y, solver):
    """The derivative as transported, and by central differences of the same map."""
    flow = make_flow(field, y, dt=0.1, t0=0.4, solver=solver)
    identity, eps = jnp.eye(y.size), 1e-6
    end, moved = flow.advance_tangents(0, STEPS, y, identity)
    starts = jnp.concatenate(
        [y[None], y[None] + eps * identity, y[None] - eps * identity]
    )
    ends = jax.lax.map(lambda z: flow.advance(0, STEPS, z), starts)
    forward, backward = ends[1 : y.size + 1], ends[y.size + 1 :]
    return end, moved, ends[0], (forward - backward).T / (2 * eps)


@pytest.mark.parametrize(
    ("field", "solver"),
    [
        (skew(cj.VoltageCTRNN), None),
        (skew(cj.RateCTRNN, leak=0.1), cj.CoordinateSplitting(4)),
        (cj.VoltageCTRNN(cj.BipartiteSkew(4, key=jr.key(0))), cj.Leapfrog()),
        (skew(cj.VoltageCTRNN, bias=jnp.ones(4)), cj.DiscreteGradient()),
        (skew(cj.VoltageCTRNN, activation=cj.Linear()), cj.ExponentialStep()),
        (lambda t, y, args: jnp.cos(t) * jnp.roll(y, 1) - y**3, cj.RK4()),
    ],
    ids=["splitting", "order 4", "leapfrog", "implicit", "exponential", "function"],
)
def test_tangents_move_by_the_derivative_of_the_step(field, solver):
    y = jnp.array([0.3, -1.2, 0.8, 1.5])
    end, moved, alone, differences = transported_and_checked(field, y, solver)
    np.testing.assert_allclose(end, alone, rtol=1e-12)
    # Central differences are right to eps² f''' and to rounding / eps.
    np.testing.assert_allclose(moved, differences, atol=2e-8)


@pytest.mark.parametrize("leak", [0.0, 0.2])
@pytest.mark.parametrize("order", [2, 4])
def test_splitting_carries_tangents_within_the_poisson_structure(order, leak):
    model = skew(cj.VoltageCTRNN, leak=leak)
    y = jnp.array([2.0, -1.2, 0.8, 1.5])
    flow = make_flow(model, y, dt=0.1, solver=cj.CoordinateSplitting(order))
    _, moved = transported(flow, y, jnp.eye(4))
    inverse = jnp.linalg.inv(model.weight.as_matrix())
    kept = moved.T @ inverse @ moved
    expected = np.exp(-2 * leak * STEPS * 0.1) * inverse
    np.testing.assert_allclose(kept, expected, atol=1e-12)
    np.testing.assert_allclose(
        jnp.linalg.det(moved), np.exp(-4 * leak * STEPS * 0.1), rtol=1e-12
    )


@pytest.mark.parametrize("field", [lorenz, skew(cj.VoltageCTRNN, 3)])
def test_lanes_step_as_each_orbit_alone(field):
    ys = jnp.array([[1.0, 2.0, 20.0], [0.5, -1.0, 10.0]])
    flow = make_flow(field, ys[0], dt=0.01)
    lanes = jnp.broadcast_to(jnp.eye(3)[..., None], (3, 3, 2))
    ends, moved = transported(flow, ys.T, lanes)
    for lane in range(2):
        end, alone = transported(flow, ys[lane], jnp.eye(3))
        np.testing.assert_allclose(ends[:, lane], end, rtol=1e-12)
        np.testing.assert_allclose(moved[..., lane], alone, rtol=1e-10, atol=1e-12)


def test_time_is_counted_not_summed():
    """Inputs are seen at t0 + i·dt: float32 sums of 0.1 would drift by 1e-4."""
    flow = make_flow(
        lambda t, y, args: jnp.ones_like(y) * t,
        jnp.zeros(1, jnp.float32),
        dt=0.1,
        t0=1.0,
        solver=diffrax.Euler(),
    )
    assert flow.time(100_000) == np.float32(1) + np.float32(100_000) * np.float32(0.1)


def test_the_default_solver_keeps_the_structure_there_is():
    assert isinstance(default_solver(skew(cj.VoltageCTRNN)), cj.CoordinateSplitting)
    with_gain = cj.VoltageCTRNN(
        cj.GainPlusSkew(cj.SkewSymmetric(3, key=jr.key(0)), 1.0)
    )
    assert isinstance(default_solver(with_gain), diffrax.Tsit5)
    assert isinstance(default_solver(lorenz), diffrax.Tsit5)


@pytest.mark.parametrize(
    ("field", "solver", "message"),
    [
        (3.0, None, "field must be"),
        (lorenz, cj.CoordinateSplitting(), "needs the structure"),
        (lorenz, diffrax.Kvaerno3(), "not known as a one-step map"),
        (skew(cj.VoltageCTRNN, 3), cj.Leapfrog(), "two independent sets"),
        (lambda t, y, args: y[:2], None, "of the state's shape"),
        (lambda t, y, args: y.astype(jnp.float32), None, "float32"),
    ],
)
def test_what_cannot_be_stepped_is_refused(field, solver, message):
    with pytest.raises(ValueError, match=message):
        make_flow(field, jnp.ones(3), dt=0.1, solver=solver)


def test_spans_are_divided_into_equal_steps_no_longer_than_asked():
    assert divide("duration", 1.0, 0.1) == (10, 0.1)
    count, step = divide("duration", 1.0, 0.3)
    assert (count, step) == (4, 0.25)
    for bad in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="duration must be a positive finite"):
            divide("duration", bad, 0.1)
        with pytest.raises(ValueError, match="dt0 must be a positive finite"):
            divide("duration", 1.0, bad)
    assert check_span("transient", 0, positive=False) == 0.0
    with pytest.raises(ValueError, match="known before tracing"):
        jax.jit(lambda span: divide("duration", span, 0.1)[0])(1.0)


def test_the_first_reason_for_failure_is_kept_lane_by_lane():
    result = mark(
        jnp.array([True, True, False]),
        OUTCOMES.escaped,
        mark(jnp.array([True, False, False]), OUTCOMES.nonfinite, OUTCOMES.successful),
    )
    expected = [OUTCOMES.nonfinite, OUTCOMES.escaped, OUTCOMES.successful]
    for lane, outcome in enumerate(expected):
        assert jax.tree.map(lambda leaf, at=lane: leaf[at], result) == outcome
    assert is_okay(result).tolist() == [False, False, True]
    with pytest.raises(eqx.EquinoxRuntimeError, match="Nonfinite"):
        throw_unless_okay(jnp.ones(3), result)
    np.testing.assert_array_equal(
        throw_unless_okay(jnp.ones(2), OUTCOMES.successful), jnp.ones(2)
    )
