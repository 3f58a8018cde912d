"""The kernels of a reversible solve compute what XLA does: here in the interpreter.

States are sums of the same rounded changes, and gradients differ in the order of a few
sums: 1e-12 of them, for well-scaled ones in float64.
"""

import logging
from functools import partial

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj
from ctrnn_jax.fields import Erf, SampledInputs, Softsign, Tanh
from ctrnn_jax.integrate import CoordinateSplitting, Leapfrog
from ctrnn_jax.integrate import _engine as engine_choice
from ctrnn_jax.integrate._fused import (
    _backwards,
    _reversible,
    _tile_reversible,
    solve_in_kernel,
)
from ctrnn_jax.integrate._reversible_solve import solve_reversibly
from ctrnn_jax.integrate._storage import FixedPoint

# More than 64 steps between saves, after which sums are compensated.
TS, DT = (0.0, 0.5, 4.0), 0.05


def _solve(model, y0, engine, solver, **options):
    options = {"dt0": DT, "adjoint": cj.ReversibleAdjoint()} | options
    return cj.simulate_ensemble(model, y0, TS, solver=solver, engine=engine, **options)


def _in(dtype, model):
    arrays, rest = eqx.partition(model, eqx.is_array)
    return eqx.combine(jax.tree.map(lambda leaf: leaf.astype(dtype), arrays), rest)


def _agree(model, y0, solver, inputs=None, **options):
    """Compare states and gradients with respect to all there is."""

    def loss(arguments, engine):
        model, y0, inputs = arguments
        solution = _solve(model, y0, engine, solver, inputs=inputs, **options)
        return jnp.sum(jnp.sin(solution.ys)), solution.ys

    found = [
        eqx.filter_value_and_grad(loss, has_aux=True)((model, y0, inputs), engine)
        for engine in ("pallas", "xla")
    ]
    leaves = [jax.tree.leaves(one) for one in found]
    assert len(leaves[0]) > 3 and any(jnp.any(leaf != 0) for leaf in leaves[0][2:])
    for fused, plain in zip(*leaves, strict=True):
        scale = jnp.max(jnp.abs(plain), initial=1.0)
        np.testing.assert_allclose(fused, plain, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize(
    ("form", "order", "activation", "size"),
    [
        (cj.VoltageCTRNN, 2, Tanh(scale=1.3), 3),
        (cj.VoltageCTRNN, 4, Erf(), 2),
        (cj.RateCTRNN, 2, Softsign(), 3),
        (cj.RateCTRNN, 4, Tanh(), 2),
        (cj.VoltageCTRNN, 4, Tanh(scale=1.3), 9),
        (cj.RateCTRNN, 2, Softsign(), 17),
    ],
    ids=[
        *("voltage-2", "voltage-4", "rate-2", "rate-4"),
        *("many-voltage-4", "many-rate-2"),
    ],
)
def test_a_dense_weight_is_undone_as_in_xla(form, order, activation, size, getkey):
    model = form(
        cj.SkewSymmetric(size, key=getkey()),
        activation=activation,
        leak=0.1,
        bias=jnp.linspace(-0.2, 0.3, size),
    )
    # One lane more than a block, so that the last block is filled up.
    _agree(model, jr.normal(getkey(), (33, size)), CoordinateSplitting(order))


@pytest.mark.parametrize("size", [4, 10])
@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
def test_two_groups_are_undone_as_in_xla(form, size, getkey):
    weight = cj.BipartiteSkew(size, key=getkey())
    model = form(weight, bias=jnp.linspace(-0.2, 0.2, size))
    _agree(model, jr.normal(getkey(), (2, size)), Leapfrog())


@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
def test_three_groups_of_a_sparse_graph_are_undone_as_in_xla(form, getkey):
    # A ring of an odd number of neurons takes three colours.
    neurons = np.arange(9)
    values = jr.normal(getkey(), (9,))
    weight = cj.SparseSkew.from_edges(9, neurons, (neurons + 1) % 9, values)
    model = form(weight, activation=Tanh(scale=0.8), leak=0.1)
    _agree(model, jr.normal(getkey(), (17, 9)), CoordinateSplitting(4))


@pytest.mark.parametrize("weight", [cj.SkewSymmetric, cj.BlockRotation])
def test_what_lanes_of_many_neurons_have_of_their_own_is_undone_too(weight, getkey):
    def build(bias, leak, scale):
        model = cj.RateCTRNN(shared, bias=bias, leak=0.1, activation=Tanh(scale=1.0))
        return eqx.tree_at(lambda m: (m.leak, m.activation.scale), model, (leak, scale))

    shared = weight(10, key=getkey())
    models = jax.vmap(build)(
        0.3 * jr.normal(getkey(), (3, 10)),
        jnp.array([0.0, 0.1, 0.2]),
        jnp.array([1.0, 0.7, 1.3]),
    )
    models = eqx.tree_at(lambda m: m.weight, models, shared)
    axes = jax.tree.map(lambda _: 0, models)
    axes = eqx.tree_at(
        lambda axes: axes.weight, axes, jax.tree.map(lambda _: None, shared)
    )
    y0 = jr.normal(getkey(), (3, 10))
    _agree(models, y0, CoordinateSplitting(), model_axes=axes)


def test_rotations_of_a_model_a_lane_are_undone_as_in_xla(getkey):
    def build(key):
        weight = cj.BlockRotation(4, key=key)
        return cj.VoltageCTRNN(weight, leak=0.05)

    models = eqx.filter_vmap(build)(jr.split(getkey(), 3))
    y0 = jr.normal(getkey(), (3, 4))
    _agree(models, y0, CoordinateSplitting(), model_axes=0)


def test_a_weight_a_lane_is_undone_as_in_xla(getkey):
    weights = eqx.filter_vmap(lambda key: cj.SkewSymmetric(2, key=key))
    models = cj.VoltageCTRNN(cj.SkewSymmetric(2, key=getkey()), leak=0.1)
    models = eqx.tree_at(lambda m: m.weight, models, weights(jr.split(getkey(), 3)))
    axes = jax.tree.map(lambda _: None, models)
    axes = eqx.tree_at(
        lambda axes: axes.weight, axes, jax.tree.map(lambda _: 0, models.weight)
    )
    y0 = jr.normal(getkey(), (3, 2))
    _agree(models, y0, CoordinateSplitting(), model_axes=axes)


class Tone(eqx.Module):
    amplitude: jax.Array

    def __call__(self, t):
        return self.amplitude * jnp.sin(jnp.array([1.0, 2.0]) * t)


@pytest.mark.parametrize(
    ("form", "weight", "size"),
    [
        (cj.VoltageCTRNN, cj.SkewSymmetric, 2),
        (cj.RateCTRNN, cj.SkewSymmetric, 2),
        (cj.VoltageCTRNN, cj.SkewSymmetric, 9),
        (cj.RateCTRNN, cj.BipartiteSkew, 10),
    ],
    ids=["few", "few-rate", "many", "groups-rate"],
)
def test_inputs_are_differentiated_in_as_in_xla(form, weight, size, getkey):
    model = form(
        weight(size, key=getkey()),
        bias=jnp.linspace(-0.2, 0.2, size),
        input_weight=jr.normal(getkey(), (size, 2)),
    )
    y0 = jr.normal(getkey(), (2, size))
    _agree(model, y0, CoordinateSplitting(), Tone(jnp.array(0.4)))


def test_time_is_differentiated_in_as_in_xla(getkey):
    weight = cj.BipartiteSkew(10, key=getkey())
    model = cj.RateCTRNN(weight, leak=0.1, input_weight=jr.normal(getkey(), (10, 2)))
    mask = jax.tree.map(lambda _: False, model)
    y0, counts = jr.normal(getkey(), (5, 10)), jnp.array([0, 10, 80])
    tone, solver = Tone(jnp.array(0.4)), CoordinateSplitting(4)
    storage = FixedPoint.of(jnp.float64, None)

    def fused(origin, step):
        clock = origin, step, counts
        ys, _ = solve_in_kernel(model, mask, y0, tone, *clock, solver, storage)
        return jnp.sum(jnp.sin(ys))

    def plain(origin, step):
        ys, _ = solve_reversibly(
            model, y0.T, tone, origin, step, counts, solver, storage
        )
        return jnp.sum(jnp.sin(ys))

    clock = jnp.array(0.3), jnp.array(0.05)
    slopes = [jax.jit(jax.grad(f, (0, 1)))(*clock) for f in (fused, plain)]
    np.testing.assert_allclose(*slopes, rtol=1e-12)


@pytest.mark.parametrize(
    ("form", "weight", "size"),
    [
        (cj.VoltageCTRNN, cj.SkewSymmetric, 3),
        (cj.VoltageCTRNN, cj.SkewSymmetric, 12),
        (cj.RateCTRNN, cj.SkewSymmetric, 12),
        (cj.VoltageCTRNN, cj.BipartiteSkew, 12),
    ],
    ids=["few", "many", "many-rate", "groups"],
)
def test_float32_is_undone_to_the_bit(form, weight, size, getkey):
    model = form(weight(size, key=getkey()), leak=0.03)
    model = _in(jnp.float32, model)
    y0 = jr.normal(getkey(), (4, model.size), jnp.float32)

    def loss(y0, engine):
        return jnp.sum(_solve(model, y0, engine, CoordinateSplitting()).ys ** 2)

    fused, plain = (jax.grad(loss)(y0, engine) for engine in ("pallas", "xla"))
    assert fused.dtype == jnp.float32
    # Rounding of 160 steps' cotangents, a random walk: √160 · 6e-8 of some 10.
    np.testing.assert_allclose(fused, plain, atol=2e-5)


@pytest.mark.parametrize(
    ("size", "kernels"), [(2, _backwards), (9, _tile_reversible)], ids=["few", "many"]
)
def test_bits_that_do_not_return_are_an_error(size, kernels, getkey, monkeypatch):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(size, key=getkey()))
    right = kernels.undo_substep

    def wrong(motion, own, scheme, storage, index, last, state):
        state, part = right(motion, own, scheme, storage, index, last, state)
        return (state[0] + 1, state[1]), part

    monkeypatch.setattr(kernels, "undo_substep", wrong)

    def loss(y0):
        return jnp.sum(_solve(model, y0, "pallas", CoordinateSplitting()).ys)

    with pytest.raises(Exception, match="did not return to the initial state"):
        jax.grad(loss)(jnp.ones((2, size)))


@pytest.mark.parametrize("size", [2, 9])
def test_a_lane_out_of_range_fails_alone(size, getkey):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(size, key=getkey()))
    y0 = jnp.array([[0.5, 0.1], [1e3, 0.0], [jnp.nan, 0.0]])
    y0 = jnp.pad(y0, ((0, 0), (0, size - 2)))
    solution = _solve(model, y0, "pallas", CoordinateSplitting())
    assert diffrax.is_okay(solution.result).tolist() == [True, False, False]
    assert np.array_equal(np.isnan(solution.ys).all((1, 2)), [False, True, True])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("form", "weight", "size", "order"),
    [
        (cj.VoltageCTRNN, cj.SkewSymmetric, 2, 2),
        (cj.VoltageCTRNN, cj.SkewSymmetric, 2, 4),
        (cj.VoltageCTRNN, cj.SkewSymmetric, 9, 2),
        (cj.RateCTRNN, cj.SkewSymmetric, 33, 4),
        (cj.VoltageCTRNN, cj.BipartiteSkew, 32, 2),
        (cj.RateCTRNN, cj.BlockRotation, 128, 6),
    ],
    ids=["few-2", "few-4", "many", "many-rate", "groups", "rotations"],
)
def test_both_kernels_lower_for_cuda_without_a_gpu(
    form, weight, size, order, dtype, getkey, monkeypatch
):
    # An error at run time is a call of the host, which lowers for it alone.
    monkeypatch.setattr(_reversible, "check_return", lambda cotangent, *_: cotangent)
    model = form(weight(size, key=getkey()), leak=0.1, bias=jnp.ones(size))
    arrays, rest = eqx.partition(_in(dtype, model), eqx.is_array)

    @partial(jax.grad, argnums=(0, 1))
    def slope(arrays, y0):
        model, solver = eqx.combine(arrays, rest), CoordinateSplitting(order)
        return jnp.sum(_solve(model, y0, "pallas", solver).ys)

    y0 = jax.ShapeDtypeStruct((100, size), dtype)
    lowered = jax.jit(slope).trace(arrays, y0).lower(lowering_platforms=("cuda",))
    assert lowered.as_text().count("gpu.triton") == 2


@pytest.mark.parametrize(
    ("size", "options", "reason"),
    [
        (129, {}, "undoes 1 to 128 neurons, and there are 129"),
        (3, {"adjoint": cj.ReversibleAdjoint("float")}, "does not keep its bits"),
        (
            3,
            {"inputs": SampledInputs(jnp.linspace(0.0, 4.0, 65), jnp.zeros((65, 1)))},
            "its inputs hold more than 64 numbers",
        ),
        (3, {"inputs": lambda t: jnp.zeros((1, 2))}, "a column a lane"),
        (9, {"model_axes": 0}, "each lane has its own weight, of many neurons"),
    ],
    ids=["large", "float", "samples", "lanes", "weights"],
)
def test_what_no_kernel_undoes_is_refused_with_the_reason(
    size, options, reason, getkey
):
    input_weight = jnp.ones((size, 1)) if "inputs" in options else None
    weight = cj.SkewSymmetric(size, key=getkey())
    model = cj.VoltageCTRNN(weight, input_weight=input_weight)
    if "model_axes" in options:
        arrays, rest = eqx.partition(model, eqx.is_array)
        arrays = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), arrays)
        model = eqx.combine(arrays, rest)
    with pytest.raises(ValueError, match=f"engine='pallas' does not.*{reason}"):
        _solve(model, jnp.ones((2, size)), "pallas", CoordinateSplitting(), **options)


def test_auto_stays_in_xla_and_says_so(getkey, monkeypatch, caplog):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(3, key=getkey()))
    y0 = jr.normal(getkey(), (4, 3))
    monkeypatch.setattr(engine_choice, "on_nvidia", lambda: True)
    with caplog.at_level(logging.INFO, logger="ctrnn_jax"):
        solution = _solve(model, y0, "auto", CoordinateSplitting())
    assert "no GPU has yet run its kernels" in caplog.text
    assert np.array_equal(
        solution.ys, _solve(model, y0, "xla", CoordinateSplitting()).ys
    )
