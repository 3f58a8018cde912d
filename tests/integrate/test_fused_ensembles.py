"""The fused kernel computes what XLA does: here in the interpreter of kernels.

Both evaluate the same steps in float64 and differ in the order of a few sums and in
fused multiply-adds: 40 steps of well-scaled states stay within 1e-12.
"""

import logging

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj
from ctrnn_jax.fields import (
    Arctan,
    Erf,
    HardTanh,
    Linear,
    RectifiedTanh,
    Relu,
    Sine,
    Softsign,
    Tanh,
)
from ctrnn_jax.integrate import (
    RK4,
    CoordinateSplitting,
    EnergyDrift,
    Every,
    ImplicitMidpoint,
    Leapfrog,
    Maximum,
    Mean,
    Variance,
)
from ctrnn_jax.integrate import _engine as engine_choice
from ctrnn_jax.integrate._fused._formulas import erf, round_to_even

TS = (0.0, 2.0)
LAST = diffrax.SaveAt(t1=True)


def _both(model, y0, solver, **options):
    options = {"dt0": 0.05, "solver": solver} | options
    return [
        cj.simulate_ensemble(model, y0, TS, engine=engine, **options)
        for engine in ("pallas", "xla")
    ]


def _agree(fused, plain):
    for a, b in zip(
        jax.tree.leaves((fused.ys, fused.ts, fused.stats)),
        jax.tree.leaves((plain.ys, plain.ts, plain.stats)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert np.array_equal(diffrax.is_okay(fused.result), diffrax.is_okay(plain.result))


@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
@pytest.mark.parametrize(
    "solver",
    [diffrax.Euler(), RK4(), CoordinateSplitting(2), CoordinateSplitting(4)],
    ids=["euler", "rk4", "splitting-2", "splitting-4"],
)
def test_every_scheme_is_that_of_xla(form, solver, getkey):
    model = form(cj.SkewSymmetric(3, key=getkey()), leak=0.1, bias=jnp.full(3, 0.1))
    # One lane more than a block, so that the last block is filled up.
    y0 = jr.normal(getkey(), (33, 3))
    _agree(*_both(model, y0, solver, saveat=diffrax.SaveAt(steps=8, t0=True)))


def test_leapfrog_and_eight_neurons_are_those_of_xla(getkey):
    model = cj.VoltageCTRNN(cj.BipartiteSkew(8, key=getkey()))
    _agree(*_both(model, jr.normal(getkey(), (5, 8)), Leapfrog(), saveat=LAST))


@pytest.mark.parametrize(
    "activation",
    [
        Tanh(scale=2.0),
        Linear(),
        HardTanh(),
        Arctan(),
        Erf(),
        Softsign(),
        Sine(),
        Relu(),
        RectifiedTanh(),
    ],
    ids=lambda phi: type(phi).__name__,
)
def test_every_activation_is_that_of_xla(activation, getkey):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=getkey()), activation=activation)
    _agree(*_both(model, jr.normal(getkey(), (4, 2)), diffrax.Euler(), saveat=LAST))


def test_a_model_a_lane_and_reductions_are_those_of_xla(getkey):
    def build(key):
        return cj.VoltageCTRNN(cj.SkewSymmetric(3, key=key), activation=Erf(scale=2.0))

    models = eqx.filter_vmap(build)(jr.split(getkey(), 6))
    reductions = {
        "mean": Mean(),
        "variance": Variance(),
        "drift": Every(3, EnergyDrift()),
        "largest": Maximum(of=lambda model, y: jnp.sum(y**2)),
    }
    y0 = jr.normal(getkey(), (6, 3))
    options = {"model_axes": 0, "reductions": reductions, "saveat": LAST}
    _agree(*_both(models, y0, CoordinateSplitting(), **options))


@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
@pytest.mark.parametrize(
    ("size", "activation"),
    [(9, Erf()), (20, Tanh(scale=2.0)), (64, HardTanh()), (128, Linear())],
    ids=str,
)
def test_many_neurons_are_those_of_xla(form, size, activation, getkey):
    model = form(
        cj.SkewSymmetric(size, key=getkey()),
        activation=activation,
        leak=0.1,
        bias=jnp.linspace(-0.1, 0.1, size),
    )
    y0 = jr.normal(getkey(), (65, size))
    reductions = [Mean(), Every(3, Variance())]
    options = {"reductions": reductions, "saveat": diffrax.SaveAt(steps=8, t0=True)}
    _agree(*_both(model, y0, RK4(), **options))


def test_many_neurons_with_a_leak_and_a_bias_a_lane_are_those_of_xla(getkey):
    weight = cj.SkewSymmetric(12, key=getkey())

    def build(leak, bias):
        return cj.VoltageCTRNN(weight, leak=leak, bias=bias)

    leaks, biases = jnp.linspace(0.1, 0.3, 6), jr.normal(getkey(), (6, 12))
    models = eqx.filter_vmap(build)(leaks, biases)
    axes = eqx.tree_at(
        lambda axes: (axes.leak, axes.bias),
        jax.tree.map(lambda _: None, models),
        (0, 0),
        is_leaf=lambda leaf: leaf is None,
    )
    models = eqx.tree_at(lambda model: model.weight, models, weight)
    y0 = jr.normal(getkey(), (6, 12))
    options = {"model_axes": axes, "saveat": LAST}
    _agree(*_both(models, y0, diffrax.Euler(), **options))


def test_a_lane_that_fails_costs_that_lane_only(getkey):
    model = cj.VoltageCTRNN(
        cj.Unconstrained.from_matrix(jnp.diag(jnp.array([1.0, 400.0]))),
        activation=Linear(),
    )
    y0 = jnp.array([[1.0, 0.0], [1.0, 1.0], [jnp.nan, 0.0]])
    ts = (0.0, 20.0)
    for engine in ("pallas", "xla"):
        solution = cj.simulate_ensemble(
            model, y0, ts, dt0=0.05, solver=diffrax.Euler(), engine=engine, saveat=LAST
        )
        assert np.array_equal(diffrax.is_okay(solution.result), [True, False, False])
        assert np.array_equal(jnp.isnan(solution.ys[:, 0, 0]), [False, True, True])


def test_gradients_are_those_of_xla(getkey):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(3, key=getkey()))
    y0 = jr.normal(getkey(), (4, 3))

    def loss(model, engine):
        solution = cj.simulate_ensemble(
            model, y0, TS, dt0=0.1, solver=RK4(), engine=engine, saveat=LAST
        )
        return jnp.sum(solution.ys**2)

    fused, plain = (eqx.filter_grad(loss)(model, e) for e in ("pallas", "xla"))
    assert jnp.any(plain.weight.upper != 0)
    np.testing.assert_allclose(fused.weight.upper, plain.weight.upper, rtol=1e-12)


@pytest.mark.parametrize("size", [3, 16, 20, 128])
def test_the_kernel_lowers_for_cuda_without_a_gpu(size, getkey):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(size, key=getkey()))

    def solve(y0):
        return cj.simulate_ensemble(
            model, y0, TS, dt0=0.1, solver=RK4(), engine="pallas", saveat=LAST
        ).ys

    y0 = jax.ShapeDtypeStruct((100, size), np.float64)
    lowered = jax.jit(solve).trace(y0).lower(lowering_platforms=("cuda",))
    assert "gpu.triton" in lowered.as_text()


@pytest.mark.parametrize(
    ("size", "solver", "reason"),
    [
        (129, RK4(), "129 neurons"),
        (3, ImplicitMidpoint(), "solves equations within a step"),
    ],
    ids=["large", "implicit"],
)
def test_what_no_kernel_covers_is_refused_by_name_and_logged_otherwise(
    size, solver, reason, getkey, monkeypatch, caplog
):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(size, key=getkey()))
    y0 = jr.normal(getkey(), (4, size))

    def solve(engine):
        return cj.simulate_ensemble(
            model, y0, TS, dt0=0.1, solver=solver, engine=engine, saveat=LAST
        )

    with pytest.raises(ValueError, match=f"engine='pallas' does not.*{reason}"):
        solve("pallas")
    monkeypatch.setattr(engine_choice, "on_nvidia", lambda: True)
    with caplog.at_level(logging.INFO, logger="ctrnn_jax"):
        solution = solve("auto")
    assert reason in caplog.text
    assert np.array_equal(solution.ys, solve("xla").ys)


def test_an_engine_that_is_none_is_refused(getkey):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=getkey()))
    with pytest.raises(ValueError, match="'auto', 'xla' or 'pallas'"):
        engine_choice.check_engine("cuda")
    with pytest.raises(ValueError, match="makes no equal steps"):
        cj.simulate_ensemble(
            model,
            jnp.ones((2, 2)),
            TS,
            dt0=0.1,
            engine="pallas",
            stepsize_controller=diffrax.PIDController(1e-3, 1e-3),
        )


def test_the_formulas_are_the_functions():
    x = jnp.concatenate(
        [jnp.linspace(-7, 7, 2001), jnp.array([0.0, jnp.inf, -jnp.inf])]
    )
    np.testing.assert_allclose(erf(x), jax.scipy.special.erf(x), rtol=1e-14, atol=0)
    halves = jnp.arange(-9.0, 9.5, 0.25)
    assert np.array_equal(round_to_even(halves), jnp.round(halves))
