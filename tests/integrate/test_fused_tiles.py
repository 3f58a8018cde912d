"""The kernel of many neurons computes what XLA does: here in the interpreter.

Both evaluate the same steps in float64 and differ in the order of a few sums: 8 steps
of well-scaled states stay within 1e-12.
"""

from typing import ClassVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj
from ctrnn_jax.fields import (
    AbstractActivation,
    Erf,
    HardTanh,
    Linear,
    SampledInputs,
    Softsign,
    Tanh,
)
from ctrnn_jax.integrate import (
    RK4,
    CoordinateSplitting,
    Every,
    Leapfrog,
    Mean,
    Variance,
)

TS = (0.0, 0.4)
FORMS = pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])


def _agree(model, y0, solver, **options):
    options = {"dt0": 0.05, "saveat": diffrax.SaveAt(steps=4, t0=True)} | options
    fused, plain = (
        cj.simulate_ensemble(model, y0, TS, solver=solver, engine=engine, **options)
        for engine in ("pallas", "xla")
    )
    for a, b in zip(
        jax.tree.leaves((fused.ys, fused.ts, fused.stats)),
        jax.tree.leaves((plain.ys, plain.ts, plain.stats)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert np.array_equal(diffrax.is_okay(fused.result), diffrax.is_okay(plain.result))
    assert jnp.max(jnp.abs(fused.ys[:, -1] - fused.ys[:, 0])) > 1e-3


def _sparse(size, *, key):
    return cj.SparseSkew(size, 2 * size, key=key)


@pytest.mark.parametrize(
    ("form", "size", "order", "activation"),
    [
        (cj.VoltageCTRNN, 9, 4, Erf()),
        (cj.RateCTRNN, 9, 6, Erf()),
        (cj.RateCTRNN, 20, 2, Tanh(scale=2.0)),
        pytest.param(cj.VoltageCTRNN, 64, 2, HardTanh(), marks=pytest.mark.slow),
        pytest.param(cj.RateCTRNN, 128, 2, Linear(), marks=pytest.mark.slow),
    ],
    ids=["voltage-9", "rate-9", "rate-20", "voltage-64", "rate-128"],
)
def test_neurons_one_after_another_are_those_of_xla(
    form, size, order, activation, getkey
):
    model = form(
        cj.SkewSymmetric(size, key=getkey()),
        activation=activation,
        leak=0.1,
        bias=jnp.linspace(-0.1, 0.1, size),
    )
    reductions = [Mean(), Every(3, Variance())]
    y0 = jr.normal(getkey(), (65, size))
    _agree(model, y0, CoordinateSplitting(order), reductions=reductions)


@FORMS
@pytest.mark.parametrize(
    ("weight", "solver"),
    [
        (cj.BipartiteSkew, Leapfrog()),
        (cj.BlockRotation, CoordinateSplitting(6)),
        (_sparse, CoordinateSplitting()),
    ],
    ids=["bipartite", "rotations", "sparse"],
)
def test_independent_sets_are_kicked_as_in_xla(form, weight, solver, getkey):
    model = form(
        weight(12, key=getkey()),
        activation=Softsign(),
        bias=jnp.linspace(-0.1, 0.1, 12),
    )
    _agree(model, jr.normal(getkey(), (3, 12)), solver)


@FORMS
@pytest.mark.parametrize("solver", [RK4(), CoordinateSplitting()], ids=["rk4", "split"])
def test_a_weight_a_lane_is_that_of_xla(form, solver, getkey):
    def build(key):
        scale, leak = jr.uniform(key, 2, minval=0.5, maxval=1.5)
        weight = cj.SkewSymmetric(9, key=key)
        return form(weight, activation=Tanh(scale=scale), leak=0.1 * leak)

    models = eqx.filter_vmap(build)(jr.split(getkey(), 33))
    _agree(models, jr.normal(getkey(), (33, 9)), solver, model_axes=0)


def test_leapfrog_with_a_weight_a_lane_is_that_of_xla(getkey):
    models = eqx.filter_vmap(lambda key: cj.VoltageCTRNN(cj.BipartiteSkew(9, key=key)))
    models = models(jr.split(getkey(), 3))
    _agree(models, jr.normal(getkey(), (3, 9)), Leapfrog(), model_axes=0)


def test_a_graph_a_lane_is_that_of_xla(getkey):
    def ring(key):
        order = np.asarray(jr.permutation(key, 12))
        weight = cj.SparseSkew.from_edges(12, order, np.roll(order, 1), jnp.ones(12))
        return cj.VoltageCTRNN(weight)

    models = jax.tree.map(
        lambda *leaves: jnp.stack(leaves), *map(ring, jr.split(getkey(), 3))
    )
    y0 = jr.normal(getkey(), (3, 12))
    _agree(models, y0, CoordinateSplitting(), model_axes=0)


class Tone(eqx.Module):
    amplitude: jax.Array

    def __call__(self, t):
        return self.amplitude * jnp.sin(jnp.array([1.0, 2.0, 3.0]) * t)


@FORMS
@pytest.mark.parametrize(
    "solver", [RK4(), CoordinateSplitting(), Leapfrog()], ids=["rk4", "split", "leap"]
)
def test_inputs_of_many_neurons_are_those_of_xla(form, solver, getkey):
    kind = cj.BipartiteSkew if isinstance(solver, Leapfrog) else cj.SkewSymmetric
    model = form(
        kind(9, key=getkey()),
        bias=jnp.linspace(-0.1, 0.1, 9),
        input_weight=jr.normal(getkey(), (9, 3)),
    )
    y0 = jr.normal(getkey(), (3, 9))
    _agree(model, y0, solver, inputs=Tone(jnp.array(0.5)))


def test_an_input_weight_and_a_bias_a_lane_are_those_of_xla(getkey):
    weight = cj.SkewSymmetric(9, key=getkey())

    def build(key):
        into = jr.normal(key, (9, 3))
        return cj.RateCTRNN(weight, bias=0.1 * into[:, 0], input_weight=into)

    models = eqx.filter_vmap(build)(jr.split(getkey(), 3))
    axes = eqx.tree_at(
        lambda axes: (axes.bias, axes.input_weight),
        jax.tree.map(lambda _: None, models),
        (0, 0),
        is_leaf=lambda leaf: leaf is None,
    )
    models = eqx.tree_at(lambda m: m.weight, models, weight)
    y0 = jr.normal(getkey(), (3, 9))
    _agree(
        models, y0, CoordinateSplitting(), model_axes=axes, inputs=Tone(jnp.ones(()))
    )


def test_a_lane_that_overflows_fails_alone(getkey):
    weight = cj.SkewSymmetric(9, key=getkey())
    model = cj.VoltageCTRNN(weight, activation=Linear(), leak=0.1)
    y0 = jnp.ones((3, 9)).at[1].set(1e160)
    solution = cj.simulate_ensemble(
        model, y0, TS, dt0=0.05, solver=CoordinateSplitting(), engine="pallas"
    )
    assert diffrax.is_okay(solution.result).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (SampledInputs(jnp.linspace(0.0, 0.4, 99), jnp.zeros((99, 1))), "64 numbers"),
        (lambda t: jnp.zeros((1, 2)), "a column a lane"),
    ],
    ids=["samples", "lanes"],
)
@pytest.mark.parametrize("size", [3, 9])
def test_inputs_that_no_kernel_covers_are_refused(size, inputs, reason, getkey):
    weight = cj.SkewSymmetric(size, key=getkey())
    model = cj.VoltageCTRNN(weight, input_weight=jnp.ones((size, 1)))
    with pytest.raises(ValueError, match=f"engine='pallas' does not.*{reason}"):
        cj.simulate_ensemble(
            model,
            jnp.ones((2, size)),
            TS,
            dt0=0.1,
            solver=RK4(),
            inputs=inputs,
            engine="pallas",
        )


class Weighted(AbstractActivation):
    weights: jax.Array
    is_odd: ClassVar[bool] = True
    is_bounded: ClassVar[bool] = True
    is_coercive: ClassVar[bool] = True
    is_smooth: ClassVar[bool] = True

    def __call__(self, x):
        return jnp.mean(self.weights) * jnp.tanh(x)

    def potential(self, x):
        return jnp.mean(self.weights) * jnp.log(jnp.cosh(x))


class Damped(CoordinateSplitting):
    def advance(self, field, t, h, y, inputs, carry):
        y, carry, result = super().advance(field, t, h, y, inputs, carry)
        return 0.9 * y, carry, result


@pytest.mark.parametrize(
    ("activation", "solver", "reason"),
    [
        (Weighted(jnp.ones(3)), RK4(), "holds more than scalars"),
        (Tanh(), Damped(), "a solver of your own"),
    ],
    ids=["activation", "solver"],
)
def test_what_padding_or_a_step_on_tiles_would_change_is_refused(
    activation, solver, reason, getkey
):
    weight = cj.SkewSymmetric(9, key=getkey())
    model = cj.VoltageCTRNN(weight, activation=activation)
    with pytest.raises(ValueError, match=f"engine='pallas' does not.*{reason}"):
        cj.simulate_ensemble(
            model, jnp.ones((2, 9)), TS, dt0=0.1, solver=solver, engine="pallas"
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("per_lane", [False, True], ids=["shared", "per-lane"])
@pytest.mark.parametrize(
    "solver",
    [RK4(), CoordinateSplitting(), CoordinateSplitting(6), Leapfrog()],
    ids=["rk4", "sweep", "graph", "leap"],
)
def test_the_kernel_lowers_for_cuda_without_a_gpu(solver, per_lane, dtype, getkey):
    graph = _sparse(20, key=getkey())

    def build(key):
        if isinstance(solver, Leapfrog):
            weight = cj.BipartiteSkew(20, key=key)
        elif solver.order(None) == 6:
            values = jr.normal(key, graph.values.shape)
            weight = eqx.tree_at(lambda graph: graph.values, graph, values)
        else:
            weight = cj.SkewSymmetric(20, key=key)
        model = cj.RateCTRNN(weight, leak=0.1, input_weight=jr.normal(key, (20, 3)))
        arrays, rest = eqx.partition(model, eqx.is_inexact_array)
        return eqx.combine(jax.tree.map(lambda leaf: leaf.astype(dtype), arrays), rest)

    key = getkey()
    model = eqx.filter_vmap(build)(jr.split(key, 70)) if per_lane else build(key)

    def solve(y0):
        return cj.simulate_ensemble(
            model,
            y0,
            TS,
            dt0=0.1,
            solver=solver,
            inputs=lambda t: jnp.sin(jnp.arange(3, dtype=dtype) * t),
            model_axes=0 if per_lane else None,
            engine="pallas",
        ).ys

    y0 = jax.ShapeDtypeStruct((70, 20), dtype)
    lowered = jax.jit(solve).trace(y0).lower(lowering_platforms=("cuda",))
    assert "gpu.triton" in lowered.as_text()
