"""What is saved and reduced of many neurons by functions of the state, as in XLA.

In float64 both differ in the order of a few sums: 8 steps of well-scaled states stay
within 1e-12.
"""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj
from ctrnn_jax.fields import Linear
from ctrnn_jax.integrate import (
    RK4,
    AbstractReduction,
    CoordinateSplitting,
    EnergyDrift,
    Every,
    MaxChange,
    Maximum,
    Mean,
)
from ctrnn_jax.integrate import _engine as engine_choice

TS = (0.0, 0.4)
WEIGHTS = jnp.linspace(-1.0, 2.0, 20)
FORMS = pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
SIZES = pytest.mark.parametrize("size", [9, 20])
SOLVERS = pytest.mark.parametrize(
    "solver", [RK4(), CoordinateSplitting()], ids=["rk4", "split"]
)


def _agree(model, y0, solver, tolerance=1e-12, **options):
    fused, plain = (
        cj.simulate_ensemble(
            model, y0, TS, dt0=0.05, solver=solver, engine=engine, **options
        )
        for engine in ("pallas", "xla")
    )
    for a, b in zip(
        jax.tree.leaves((fused.ys, fused.stats)),
        jax.tree.leaves((plain.ys, plain.stats)),
        strict=True,
    ):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    assert np.array_equal(diffrax.is_okay(fused.result), diffrax.is_okay(plain.result))
    return fused


class FirstAbove(AbstractReduction):
    """The first step at which the mean is above a level, and how often it is."""

    level: float = 0.0

    def init(self, model, y):
        return jnp.asarray(-1), jnp.asarray(False)

    def update(self, model, y, index, carry):
        first, seen = carry
        is_above = jnp.mean(y) > self.level
        return jnp.where(is_above & ~seen, index, first), seen | is_above

    def finish(self, carry, count):
        return carry


def _numbers(model, y):
    """Return numbers each of which garbage in the padding would change."""
    current = model.weight.mv(y)
    matrix = model.weight.as_matrix()
    return jnp.stack(
        [
            jnp.mean(y),
            jnp.max(y),
            jnp.min(y),
            jnp.prod(y),
            jnp.linalg.norm(y),
            y[-1],
            jnp.exp(jnp.sum(y) / 9),
            jnp.sum(jnp.exp(-model.activation(current))),
            jnp.dot(y, current),
            jnp.sum(matrix[1] * y) + jnp.max(jnp.abs(matrix)),
            jnp.sum(matrix.T @ y - y @ matrix) + jnp.sum(matrix.T @ jnp.cos(y)),
            jnp.dot(WEIGHTS[: len(y)], y),
        ]
    )


def _saved(t, y, args):
    return {
        "first": y[:2],
        "soft": jax.nn.softmax(y),
        "bit": y[-1] > t,
        "differences": y[1:] - y[:-1],
        "where": jnp.argmax(y),
        "turned": jnp.roll(y, 2)[::-1],
        "running": jnp.cumsum(y),
        "some": y[np.array([0, 3, 8])],
        "wide": jnp.pad(jnp.concatenate([y[:3], y[5:7]]), 1),
        "pairs": jnp.outer(y[:3], jnp.cos(y)).T,
        "square": y[:9].reshape(3, 3) @ y[:3],
        "spread": jnp.std(y) + t,
    }


@pytest.mark.parametrize(
    ("form", "size", "solver"),
    [
        (cj.RateCTRNN, 9, CoordinateSplitting()),
        (cj.VoltageCTRNN, 16, RK4()),
        (cj.RateCTRNN, 20, RK4()),
        pytest.param(
            cj.VoltageCTRNN, 20, CoordinateSplitting(), marks=pytest.mark.slow
        ),
    ],
    ids=["rate-9", "voltage-16", "rate-20", "voltage-20"],
)
def test_measures_and_energies_are_those_of_xla(form, size, solver, getkey):
    bias = 0.1 * jnp.ones(size) if size % 2 == 0 or form is cj.RateCTRNN else None
    model = form(cj.SkewSymmetric(size, key=getkey()), bias=bias)
    reductions = [
        Maximum(of=_numbers),
        EnergyDrift(),
        Every(3, EnergyDrift()),
        Mean(),
        Every(2, FirstAbove()),
    ]
    _agree(model, jr.normal(getkey(), (3, size)), solver, reductions=reductions)


@SIZES
def test_functions_of_the_state_are_saved_as_in_xla(size, getkey):
    model = cj.VoltageCTRNN(
        cj.SkewSymmetric(size, key=getkey()), input_weight=jnp.ones((size, 1))
    )
    saveat = diffrax.SaveAt(steps=4, t0=True, fn=_saved)
    y0 = jr.normal(getkey(), (3, size))
    _agree(model, y0, RK4(), saveat=saveat)
    driven = lambda t, y, inputs: inputs(t) * y  # noqa: E731
    tone = lambda t: jnp.sin(t)[None]  # noqa: E731
    saveat = diffrax.SaveAt(steps=4, fn=driven)
    _agree(model, y0, RK4(), saveat=saveat, inputs=tone, reductions=Mean())


@pytest.mark.parametrize(
    ("form", "solver"),
    [(cj.RateCTRNN, RK4()), (cj.VoltageCTRNN, CoordinateSplitting())],
    ids=["rate-rk4", "voltage-split"],
)
def test_a_weight_a_lane_is_measured_as_in_xla(form, solver, getkey):
    models = eqx.filter_vmap(lambda key: form(cj.SkewSymmetric(9, key=key)))
    models = models(jr.split(getkey(), 5))
    reductions = [Mean(of=_numbers), Every(2, EnergyDrift())]
    y0 = jr.normal(getkey(), (5, 9))
    _agree(models, y0, solver, reductions=reductions, model_axes=0)


@FORMS
def test_a_sparse_weight_is_measured_as_in_xla(form, getkey):
    model = form(cj.SparseSkew(12, 24, key=getkey()))
    y0 = jr.normal(getkey(), (3, 12))
    _agree(model, y0, CoordinateSplitting(), reductions=EnergyDrift())


def test_a_lane_that_overflows_is_measured_alone(getkey):
    weight = cj.SkewSymmetric(9, key=getkey())
    model = cj.VoltageCTRNN(weight, activation=Linear(), leak=0.1)
    y0 = jnp.ones((3, 9)).at[1].set(1e160)
    reductions = [EnergyDrift(), MaxChange(of=lambda model, y: jnp.sum(y**2))]
    fused = _agree(model, y0, RK4(), reductions=reductions)
    assert diffrax.is_okay(fused.result).tolist() == [True, False, True]


def test_float32_keeps_its_digits(getkey):
    model = cj.RateCTRNN(cj.SkewSymmetric(20, key=getkey()))
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    model = eqx.combine(jax.tree.map(lambda x: x.astype(np.float32), arrays), rest)
    y0 = jr.normal(getkey(), (3, 20), np.float32)
    reductions = [EnergyDrift(), Mean(of=lambda model, y: model.weight.mv(y))]
    _agree(model, y0, RK4(), tolerance=3e-6, reductions=reductions)


@pytest.mark.parametrize("size", [9, 128])
@pytest.mark.parametrize("per_lane", [False, True], ids=["shared", "per-lane"])
@SOLVERS
def test_the_kernel_lowers_for_cuda_without_a_gpu(solver, per_lane, size, getkey):
    build = lambda key: cj.RateCTRNN(cj.SkewSymmetric(size, key=key))  # noqa: E731
    key = getkey()
    model = eqx.filter_vmap(build)(jr.split(key, 70)) if per_lane else build(key)

    def solve(y0):
        solution = cj.simulate_ensemble(
            model,
            y0,
            TS,
            dt0=0.1,
            solver=solver,
            model_axes=0 if per_lane else None,
            reductions=Every(3, EnergyDrift()),
            saveat=diffrax.SaveAt(t1=True, fn=lambda t, y, args: jax.nn.softmax(y)),
            engine="pallas",
        )
        return solution.ys, solution.stats

    y0 = jax.ShapeDtypeStruct((70, size), np.float64)
    lowered = jax.jit(solve).trace(y0).lower(lowering_platforms=("cuda",))
    assert "gpu.triton" in lowered.as_text()


def test_what_has_no_rule_is_refused(getkey, monkeypatch, caplog):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(9, key=getkey()))

    def solve(engine, of):
        return cj.simulate_ensemble(
            model,
            jnp.ones((2, 9)),
            TS,
            dt0=0.1,
            solver=RK4(),
            engine=engine,
            reductions=Mean(of=of),
        )

    with pytest.raises(ValueError, match=r"engine='pallas' does not.*cannot do `sort`"):
        solve("pallas", lambda model, y: jnp.sort(y))
    monkeypatch.setattr(engine_choice, "on_nvidia", lambda: True)
    with caplog.at_level("INFO", logger="ctrnn_jax"):
        solve("auto", lambda model, y: jnp.sum(y))
    assert "no GPU has yet run its kernel" in caplog.text
