"""Reductions: what saved states would give, without saving them."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj
from ctrnn_jax.integrate import AbstractReduction

TS = np.array([0.0, 2.0])
ALL_TS = np.linspace(0.0, 2.0, 21)
DT0 = 0.1


def first(model, y):
    return y[0]


def slope_norm(model, y):
    return jnp.sum(model(0.0, y) ** 2)


REDUCTIONS = {
    "low": cj.Minimum(),
    "high": cj.Maximum(of=first),
    "mean": cj.Mean(),
    "variance": (cj.Variance(), cj.Variance(of=slope_norm)),
    "change": [cj.MaxChange()],
    "thinned": cj.Every(4, cj.Mean(of=first)),
}


def by_hand(models, ys):
    """The same numbers from every state, `ys` of shape (lanes, time, n)."""
    norms = np.stack(
        [
            jax.vmap(lambda y, model=model: slope_norm(model, y))(lane)
            for model, lane in zip(models, ys, strict=True)
        ]
    )
    return {
        "low": ys.min(axis=1),
        "high": ys[..., 0].max(axis=1),
        "mean": ys.mean(axis=1),
        "variance": (ys.var(axis=1), norms.var(axis=1)),
        "change": [np.abs(ys - ys[:, :1]).max(axis=1)],
        "thinned": ys[:, ::4, 0].mean(axis=1),
    }


def agree(found, expected, atol):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(
        jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
    ):
        assert one.shape == other.shape
        assert np.allclose(one, other, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype, atol", [(jnp.float32, 2e-6), (jnp.float64, 1e-14)])
def test_reductions_equal_those_of_saved_states(dtype, atol):
    weight = cj.SkewSymmetric(3, key=jr.key(0), dtype=dtype)
    model = cj.VoltageCTRNN(weight, leak=jnp.asarray(0.1, dtype))
    y0 = jr.normal(jr.key(1), (4, 3), dtype)
    options = dict(dt0=DT0, solver=cj.RK4())
    solution = cj.simulate_ensemble(model, y0, TS, reductions=REDUCTIONS, **options)
    assert solution.ys.shape == (4, 2, 3)
    found = solution.stats["reductions"]
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype(dtype)}
    ys = np.asarray(cj.simulate_ensemble(model, y0, ALL_TS, **options).ys)
    agree(found, by_hand([model] * 4, ys), atol)


@pytest.mark.parametrize(
    "build, solver",
    [
        (lambda key: cj.SkewSymmetric(3, key=key), cj.RK4()),
        (lambda key: cj.SkewSymmetric(18, key=key), cj.RK4()),
        (lambda key: cj.BipartiteSkew(4, key=key), cj.Leapfrog()),
    ],
    ids=["written out", "products", "by lane"],
)
def test_an_observable_sees_the_model_of_its_lane(build, solver):
    keys = jr.split(jr.key(0), 3)

    def make(key):
        return cj.VoltageCTRNN(build(key), activation=cj.Tanh(1 + jr.uniform(key)))

    models = [make(key) for key in keys]
    y0 = jr.normal(jr.key(1), (3, models[0].size))
    options = dict(dt0=DT0, solver=solver, model_axes=0)
    stacked = eqx.filter_vmap(make)(keys)
    found = cj.simulate_ensemble(stacked, y0, TS, reductions=REDUCTIONS, **options)
    ys = np.asarray(cj.simulate_ensemble(stacked, y0, ALL_TS, **options).ys)
    agree(found.stats["reductions"], by_hand(models, ys), 1e-12)


@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
def test_energy_drift_is_that_of_the_invariants(form):
    weight = cj.SkewSymmetric(4, key=jr.key(0))
    bias = 0.3 * jr.normal(jr.key(2), (4,))
    model = form(weight, bias=bias)
    y0 = jr.normal(jr.key(1), (3, 4))
    reductions = {"drift": cj.EnergyDrift(), "same": cj.MaxChange(of=cj.energy)}
    options = dict(dt0=DT0, solver=cj.RK4())
    solution = cj.simulate_ensemble(model, y0, TS, reductions=reductions, **options)
    every = cj.simulate_ensemble(model, y0, ALL_TS, **options)
    expected = cj.drift(model, every).max_energy
    assert np.all(expected > 1e-9)
    for found in solution.stats["reductions"].values():
        assert np.allclose(found, expected, rtol=1e-6)


def test_a_bad_lane_with_its_own_bias_does_not_cost_the_others_their_energy():
    """With odd n almost no bias has an energy, so what stands in for it must."""

    def make(scale):
        weight = cj.SkewSymmetric(3, key=jr.key(0))
        matrix = weight.as_matrix()
        return cj.VoltageCTRNN(weight, bias=scale * matrix @ jnp.ones(3))

    models = eqx.filter_vmap(make)(jnp.array([0.1, jnp.nan, 0.2]))
    y0 = jr.normal(jr.key(1), (3, 3))
    drift = cj.simulate_ensemble(
        models,
        y0,
        TS,
        dt0=DT0,
        solver=cj.RK4(),
        model_axes=0,
        reductions=cj.EnergyDrift(),
    ).stats["reductions"]
    assert np.isfinite(drift).tolist() == [True, False, True]


def test_gradients_through_reductions_are_those_through_saved_states():
    weight = cj.SkewSymmetric(3, key=jr.key(0))
    y0 = jr.normal(jr.key(1), (2, 3))
    options = dict(dt0=DT0, solver=cj.RK4())
    reductions = [cj.Minimum(), cj.Mean(), cj.Variance(), cj.Every(5, cj.Maximum())]

    def solve(upper, y0, ts, **more):
        model = cj.VoltageCTRNN(eqx.tree_at(lambda w: w.upper, weight, upper))
        return cj.simulate_ensemble(model, y0, ts, **options, **more)

    def on_the_fly(upper, y0):
        found = solve(upper, y0, TS, reductions=reductions).stats["reductions"]
        return sum(jnp.sum(value**2) for value in found)

    def from_states(upper, y0):
        ys = solve(upper, y0, ALL_TS).ys
        found = ys.min(1), ys.mean(1), ys.var(1), ys[:, ::5].max(1)
        return sum(jnp.sum(value**2) for value in found)

    found = jax.jit(jax.grad(on_the_fly, (0, 1)))(weight.upper, y0)
    expected = jax.jit(jax.grad(from_states, (0, 1)))(weight.upper, y0)
    assert np.abs(expected[0]).min() > 1e-3
    agree(found, expected, 1e-12)


def test_failed_lanes_are_not_a_number_and_cost_no_gradient():
    """One lane starts from NaN, one overflows on its way."""
    y0 = np.array([[1.0, 0.5], [np.nan, 0.0], [2.0, 1.0], [0.3, 0.2]])

    def make(rate):
        weight = cj.Unconstrained.from_matrix(rate * jnp.eye(2))
        return cj.VoltageCTRNN(weight, activation=cj.Linear())

    def loss(scale, lanes):
        rates = scale * jnp.array([0.1, 0.1, 400.0, 0.2])[lanes]
        solution = cj.simulate_ensemble(
            eqx.filter_vmap(make)(rates),
            y0[lanes],
            np.array([0.0, 100.0]),
            dt0=0.5,
            solver=cj.RK4(),
            model_axes=0,
            saveat=diffrax.SaveAt(t1=True),
            reductions=[cj.Maximum(), cj.Variance(of=first)],
        )
        okay = diffrax.is_okay(solution.result)
        high, spread = solution.stats["reductions"]
        kept = jnp.where(okay, jnp.log(high[:, 0]) + jnp.log(spread), 0.0)
        return jnp.sum(kept), (okay, high, spread)

    slope, (okay, high, spread) = jax.grad(loss, has_aux=True)(1.0, np.arange(4))
    assert okay.tolist() == [True, False, False, True]
    assert np.isnan(high[1:3]).all() and np.isnan(spread[1:3]).all()
    twice, _ = jax.grad(loss, has_aux=True)(1.0, np.array([0, 3, 0, 3]))
    assert np.isfinite(twice) and np.allclose(slope, twice / 2, rtol=1e-12)


class Crossings(AbstractReduction):
    """How often the first neuron has changed its sign: a reduction of one's own."""

    def init(self, model, y):
        return y[0], jnp.asarray(0)

    def update(self, model, y, index, carry):
        before, count = carry
        return y[0], count + jnp.where(before * y[0] < 0, 1, 0)

    def finish(self, carry, count):
        return carry[1]


def test_users_write_reductions_for_one_lane():
    model = cj.VoltageCTRNN(
        cj.SkewSymmetric.from_matrix(jnp.array([[0.0, 1.0], [-1.0, 0.0]])),
        activation=cj.Linear(),
    )
    y0 = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 0.0]])
    count = cj.simulate_ensemble(
        model,
        y0,
        # The phases cross zero after a quarter turn, or half of one.
        np.array([0.0, 11.0]),
        dt0=0.01,
        solver=cj.RK4(),
        reductions=Crossings(),
    ).stats["reductions"]
    assert count.tolist() == [4, 3, 4]


def test_chunks_do_not_change_a_reduction():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=jr.key(0)))
    y0 = jr.normal(jr.key(1), (1100, 2))
    options = dict(dt0=DT0, solver=cj.RK4(), reductions=cj.Mean())
    whole = cj.simulate_ensemble(model, y0, TS, **options).stats["reductions"]
    part = cj.simulate_ensemble(model, y0[1090:], TS, **options).stats["reductions"]
    assert whole.shape == (1100, 2)
    assert np.allclose(whole[1090:], part, rtol=0, atol=1e-15)


def test_a_million_float32_terms_are_averaged_to_rounding():
    """A plain float32 sum of them is 2 % off, and so is a naive variance."""
    count = 1_000_000
    model = cj.VoltageCTRNN(cj.SkewSymmetric(1, key=jr.key(0), dtype=jnp.float32))

    def sample(i):
        return jnp.where(i % 2 == 0, 1.1, 0.1).astype(jnp.float32)[None]

    def run(reduction):
        def body(i, carry):
            return reduction.update(model, sample(i), i, carry)

        carry = jax.lax.fori_loop(
            1, count, body, reduction.init(model, sample(jnp.asarray(0)))
        )
        return reduction.finish(carry, jnp.asarray(count - 1))

    run = jax.jit(run, static_argnums=0)
    assert np.allclose(run(cj.Mean()), 0.6, rtol=3e-7)
    variance = run(cj.Variance())
    assert variance.dtype == np.float32
    assert np.allclose(variance, 0.25, rtol=1e-6)


@pytest.mark.parametrize(
    "options, fragment",
    [
        (dict(stepsize_controller=diffrax.PIDController(1e-6, 1e-6)), "controller"),
        (dict(dt0=0.1, max_steps=100), "max_steps"),
        (dict(dt0=0.1, solver=diffrax.Kvaerno3()), "Kvaerno3"),
        (dict(dt0=0.1, saveat=diffrax.SaveAt(ts=[0.33, 0.5])), "evenly"),
    ],
)
def test_reductions_off_the_fast_path_are_refused_with_the_reason(options, fragment):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=jr.key(0)))
    with pytest.raises(ValueError, match=fragment):
        cj.simulate_ensemble(
            model, np.ones((3, 2)), TS, reductions=cj.Mean(), **options
        )


@pytest.mark.parametrize(
    "make, fragment",
    [
        (lambda: {"low": cj.Minimum}, r"write Minimum\(\)"),
        (lambda: [jnp.min], "such as Minimum"),
        (lambda: cj.Every(0, cj.Mean()), "at least 1"),
    ],
)
def test_what_is_no_reduction_is_refused(make, fragment):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=jr.key(0)))
    with pytest.raises(ValueError, match=fragment):
        cj.simulate_ensemble(model, np.ones((3, 2)), TS, dt0=0.1, reductions=make())
