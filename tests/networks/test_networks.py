"""Whole networks: sizes follow, every name builds, and the start is as promised."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from ctrnn_jax import BlockRotation, ExponentialStep, Linear, VoltageCTRNN
from ctrnn_jax.networks import (
    CELLS,
    OSCILLATORS,
    ChaoticStart,
    FieldCell,
    Generator,
    Readout,
    RecurrentNetwork,
    count_parameters,
    initial_motion,
    make_network,
    matched_size,
    network_names,
    oscillator,
    recurrent_weights,
)
from ctrnn_jax.tasks import Adding, CopyMemory, SignalSchoolTask

COPY = CopyMemory(4, num_kept=3)
SUM = Adding(12)
SCHOOL = SignalSchoolTask()


@pytest.mark.parametrize("name", network_names())
def test_every_network_answers_each_kind_of_task_and_has_a_gradient(name, getkey):
    network = make_network(name, COPY, size=6, hidden=3, key=getkey())
    batch = COPY.sample(3, key=getkey())

    @eqx.filter_jit
    @eqx.filter_value_and_grad(has_aux=True)
    def loss(network):
        outputs = jax.vmap(network)(batch.inputs)
        return COPY.loss(outputs, batch), outputs

    (value, outputs), gradient = loss(network)
    assert outputs.shape == (3, COPY.num_samples, COPY.output_size)
    assert np.isfinite(value)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))
    np.testing.assert_allclose(network(batch.inputs[1]), outputs[1], atol=1e-12)


@pytest.mark.parametrize("name", ["linear-rotation", "tanh-rate", "lstm", "linoss-im"])
def test_a_network_that_reads_at_the_last_gives_the_last_of_every(name, getkey):
    network = make_network(name, SUM, size=6, features=4, key=getkey())
    inputs = SUM.sample(1, key=getkey()).inputs[0]
    every = RecurrentNetwork(
        network.cells, network.readout, encoder=network.encoder, reads="every"
    )
    assert network(inputs).shape == (1,)
    np.testing.assert_allclose(network(inputs), every(inputs)[-1], atol=1e-12)


@pytest.mark.parametrize("name", ["linear-rotation", "tanh-skew", "lstm", "lru"])
def test_a_generator_goes_on_past_its_horizon_with_the_same_start(name, getkey):
    network = make_network(name, SCHOOL, size=6, key=getkey())
    assert isinstance(network, Generator)
    code = SCHOOL.sample(1, key=getkey()).inputs[0]
    short, long = network(code, 5), network(code, 9)
    assert short.shape == (5, 1)
    np.testing.assert_allclose(long[:5], short, atol=1e-13)
    assert network(code).shape == (SCHOOL.num_samples, 1)


def test_a_generator_starts_where_its_code_says(getkey):
    network = make_network("tanh-skew", SCHOOL, size=6, key=getkey())
    code = SCHOOL.sample(1, key=getkey()).inputs[0]
    start = network.states(code, 3)[0]
    np.testing.assert_allclose(start, network.start @ code, atol=1e-15)
    assert network.cell.input_size == 0


def test_cells_are_stacked_and_float32_stays_float32(getkey):
    network = make_network(
        "linear-leapfrog",
        CopyMemory(4, dtype=jnp.float32),
        size=4,
        num_cells=3,
        key=getkey(),
        dtype=jnp.float32,
    )
    assert [cell.input_size for cell in network.cells] == [10, 4, 4]
    inputs = CopyMemory(4, dtype=jnp.float32).sample(1, key=getkey()).inputs[0]
    assert network(inputs).dtype == jnp.float32


def test_an_input_that_never_changes_does_not_push_the_state():
    mean = jnp.array([0.5, -1.0])
    cell = oscillator("tanh-skew", 2, 6, mean_input=mean, key=jr.key(0))
    _, ys = cell.scan(cell.initial_state(), jnp.broadcast_to(mean, (20, 2)))
    np.testing.assert_allclose(ys, 0.0, atol=1e-13)


def test_a_mean_input_is_of_the_first_cell_and_must_fit():
    mean = jnp.full(COPY.input_size, 0.5)
    options = {"size": 6, "num_cells": 2, "mean_input": mean, "key": jr.key(0)}
    first, second = make_network("tanh-skew", COPY, **options).cells
    np.testing.assert_allclose(first.field.bias, -first.field.input_weight @ mean)
    np.testing.assert_array_equal(second.field.bias, 0.0)
    with pytest.raises(ValueError, match=r"shape \(2,\), one value a channel"):
        oscillator("tanh-skew", 2, 6, mean_input=jnp.zeros(3), key=jr.key(0))


def test_a_start_is_learned_when_asked_for():
    cell = oscillator("tanh-skew", 2, 6, learn_start=True, key=jr.key(0))
    assert cell.start is not None
    assert np.any(np.asarray(cell.output(cell.initial_state())) != 0)


@pytest.mark.parametrize(
    "name, weights",
    [
        ("exprnn", lambda cell: cell.weight),
        ("lru", lambda cell: (cell.log_decay, cell.log_phase, cell.log_gain)),
        ("linoss-im", lambda cell: ()),
    ],
)
def test_the_mask_is_true_where_a_paper_has_a_smaller_rate(name, weights, getkey):
    network = make_network(name, COPY, size=6, key=getkey())
    chosen = eqx.filter(network, recurrent_weights(network))
    assert count_parameters(chosen) == count_parameters(weights(network.cells[0]))


def test_the_mask_is_true_at_the_weights_of_our_cells_alone(getkey):
    network = make_network("tanh-skew", COPY, size=6, num_cells=2, key=getkey())
    mask = recurrent_weights(network)
    chosen = eqx.filter(network, mask)
    weights = [cell.field.weight for cell in network.cells]
    assert count_parameters(chosen) == count_parameters(weights)
    rival = recurrent_weights(make_network("gru", COPY, size=6, key=getkey()))
    assert not any(jax.tree.leaves(rival))


@pytest.mark.parametrize("name", ["linear-rotation", "tanh-skew", "lstm", "lru"])
def test_sizes_match_a_number_of_parameters(name, getkey):
    key = getkey()

    def build(size):
        return make_network(name, COPY, size=max(size, 2), key=key)

    size = matched_size(build, 3000)
    assert abs(count_parameters(build(size)) - 3000) <= 300


def test_a_sequence_of_a_hundred_thousand_has_a_finite_gradient():
    weight = BlockRotation(4, key=jr.key(0))
    model = VoltageCTRNN(
        weight, activation=Linear(), input_weight=jr.normal(jr.key(1), (4, 1))
    )

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(cell):
        u = jnp.sin(jnp.arange(1e5))[:, None]
        return jnp.mean(cell.scan(cell.initial_state(), u)[1] ** 2)

    found = [
        gradient(FieldCell(model, solver=ExponentialStep(), associative=associative))
        for associative in (True, False)
    ]
    leaves = [jax.tree.leaves(one) for one in found]
    for a, b in zip(*leaves, strict=True):
        assert np.all(np.isfinite(a))
        np.testing.assert_allclose(a, b, rtol=1e-8)


def chaotic(key):
    return make_network(
        "tanh-skew",
        CopyMemory(100),
        size=24,
        phases=(0.0, 3.14),
        input_scale=1.0,
        key=key,
    )


def test_a_chaotic_start_is_warned_of_with_what_to_change(getkey):
    with pytest.warns(ChaoticStart, match=r"input_scale.*phases"):
        motion = initial_motion(chaotic(getkey()), CopyMemory(100), key=getkey())
    assert motion.is_chaotic
    assert motion.exponent > 0.05


@pytest.mark.parametrize(
    "name", [name for name in OSCILLATORS if name != "tanh-unconstrained"]
)
def test_our_cells_start_out_of_chaos(name, getkey):
    network = make_network(name, CopyMemory(100), size=24, key=getkey())
    assert not initial_motion(network, CopyMemory(100), key=getkey()).is_chaotic


def test_linear_conservative_motion_neither_grows_nor_decays(getkey):
    network = make_network("linear-skew", COPY, size=8, key=getkey())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        motion = initial_motion(network, COPY, key=getkey())
    np.testing.assert_allclose(motion.growth, 0.0, atol=1e-12)
    np.testing.assert_allclose(motion.exponent, 0.0, atol=1e-12)


@pytest.mark.parametrize("leak", [0.3, 0.01])
def test_a_leak_shrinks_differences_at_its_own_rate(leak, getkey):
    network = make_network("linear-rotation", COPY, size=8, leak=leak, key=getkey())
    motion = initial_motion(network, COPY, key=getkey())
    np.testing.assert_allclose(motion.growth, -leak * COPY.num_samples, rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lstmm", {}, "no network 'lstmm'"),
        ("tanh-skew", {"phase": 1.0}, "takes no phase; it takes"),
        ("lstm", {"phases": (0.0, 1.0)}, "lstm takes no phases"),
        ("tanh-skew", {"num_cells": 0}, "num_cells must be at least 1"),
        ("tanh-skew", {"phases": (1.0, 0.5)}, "0 <= low <= high"),
        ("tanh-skew", {"phases": (0.0, 4.0)}, "0 <= low <= high"),
    ],
)
def test_what_cannot_be_built_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_network(name, COPY, size=4, key=jr.key(0), **options)


def test_parts_that_do_not_follow_on_are_refused(getkey):
    cells = [CELLS["gru"](2, 3, key=getkey()), CELLS["gru"](4, 3, key=getkey())]
    readout = Readout(3, 1, key=getkey())
    with pytest.raises(ValueError, match="cell 0 puts out 3 values but cell 1 reads 4"):
        RecurrentNetwork(cells, readout)
    with pytest.raises(ValueError, match="cells is empty"):
        RecurrentNetwork([], readout)
    with pytest.raises(ValueError, match="is a Generator"):
        RecurrentNetwork(cells[:1], readout, reads="generate")
    network = RecurrentNetwork(cells[:1], readout)
    with pytest.raises(ValueError, match=r"shape \(time, 2\) for one sequence"):
        network(jnp.zeros((5, 3)))
    with pytest.raises(ValueError, match="start must have shape"):
        Generator(cells[0], readout, 5, jnp.zeros((2, 2)))
