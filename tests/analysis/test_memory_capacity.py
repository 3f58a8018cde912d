"""Linear memory capacity against the closed form of linear networks."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy.linalg import expm

from ctrnn_jax import RK4, Linear, SkewSymmetric, Tanh, VoltageCTRNN
from ctrnn_jax.analysis import OUTCOMES, is_okay, memory_capacity
from ctrnn_jax.analysis._recall import jackknife_variance, measure_recall

SIZE, STEPS, SEQUENCES = 5, 30, 1500
KEY = jr.key(5)


def network(leak, *, channels=1, activation=None):
    weight = SkewSymmetric(SIZE, key=jr.key(0))
    return VoltageCTRNN(
        weight,
        activation=Linear() if activation is None else activation,
        leak=leak,
        input_weight=jr.normal(jr.key(1), (SIZE, channels)),
    )


def measure(field, *, key=KEY, **options):
    options = {"num_sequences": SEQUENCES, "num_delays": STEPS, **options}
    y0 = jnp.zeros(SIZE)
    # 16 steps a unit of time: errors of 1e-7, far below the sampling error.
    return memory_capacity(
        field, y0, dt0=1 / 16, key=key, num_steps=STEPS, solver=RK4(), **options
    )


def exact(model, noise=0.0):
    """MC_d = vᵀ(G + s²I)⁻¹v with v = A^d b and G the Gram matrix of all v, (STEPS,)."""
    rate = np.asarray(model.weight.as_matrix()) - float(model.leak) * np.eye(SIZE)
    step = expm(rate)
    kick = np.linalg.solve(rate, (step - np.eye(SIZE)) @ np.asarray(model.input_weight))
    kicks = [kick]
    for _ in range(STEPS - 1):
        kicks.append(step @ kicks[-1])
    gram = sum(v @ v.T for v in kicks) + noise**2 * np.eye(SIZE)
    return np.array([np.trace(v.T @ np.linalg.solve(gram, v)) for v in kicks])


@pytest.fixture(scope="module")
def measured():
    """Return a function that measures a linear network once."""
    kept = {}

    def get(leak):
        if leak not in kept:
            kept[leak] = measure(network(leak))
        return kept[leak]

    return get


# Not the literal 0, which is another program: a leak of 1e-12 forgets as little.
@pytest.mark.parametrize("leak", [1e-12, 0.1, 0.4])
def test_each_delay_is_that_of_the_controllability_gramian(measured, leak):
    capacity, truth = measured(leak), exact(network(leak))
    errors = (capacity.capacities - truth) / capacity.standard_error
    assert np.max(np.abs(errors)) < 4
    assert 0.6 < np.std(errors) < 1.5
    assert capacity.delays.tolist() == list(range(STEPS))


@pytest.mark.parametrize("leak", [1e-12, 0.1, 0.4])
def test_a_linear_network_in_generic_position_recalls_n_inputs_in_all(measured, leak):
    capacity = measured(leak)
    assert np.sum(exact(network(leak))) == pytest.approx(SIZE)
    assert abs(capacity.total - SIZE) < 4 * capacity.total_standard_error
    assert capacity.total_standard_error < 0.03 * SIZE
    assert capacity.rank == SIZE
    assert is_okay(capacity.result)


def test_without_leak_memory_does_not_fade_and_with_it_fades_at_its_rate(measured):
    kept, faded = measured(1e-12).capacities, measured(0.4).capacities
    assert np.mean(kept[-6:]) > 0.6 * np.mean(kept[:6])
    # Late recall falls like e^(-2 leak d): only the exponent of the last modes is left.
    assert np.sum(faded[-10:]) < 0.01
    assert np.sum(exact(network(0.4))[-10:]) < 0.01


def test_one_leaky_neuron_recalls_what_the_geometric_series_says():
    def neuron(t, y, args):
        return -0.2 * y + args(t)

    capacity = memory_capacity(
        neuron, jnp.zeros(1), dt0=0.1, key=KEY, num_inputs=1, num_delays=12
    )
    kept = np.exp(-0.4)
    truth = kept ** np.arange(12) * (1 - kept) / (1 - kept**24)
    np.testing.assert_array_less(
        np.abs(capacity.capacities - truth), 4 * np.asarray(capacity.standard_error)
    )


def test_shuffled_inputs_are_not_recalled(measured):
    capacity = measured(0.4)
    floor = np.sqrt(2 * SIZE * STEPS) / SEQUENCES
    assert abs(capacity.control) < 4 * floor
    # Beyond what fades into noise, no real delay is told from a shuffled one.
    assert 0 < capacity.threshold < 5 * np.sqrt(2 * SIZE) / SEQUENCES
    assert np.all(capacity.capacities[:5] > capacity.threshold)


def test_noise_on_the_readout_costs_what_the_closed_form_says():
    model = network(0.1)
    capacity = measure(model, noise=0.7)
    truth = exact(model, noise=0.7)
    assert np.sum(truth) < 0.8 * SIZE
    assert abs(capacity.total - np.sum(truth)) < 4 * capacity.total_standard_error


def test_two_channels_share_the_capacity():
    model = network(0.1, channels=2)
    capacity = measure(model)
    assert capacity.capacities.shape == (STEPS,)
    truth = exact(model)
    assert abs(capacity.total - SIZE) < 4 * capacity.total_standard_error
    np.testing.assert_array_less(
        np.abs(capacity.capacities - truth), 4.5 * np.asarray(capacity.standard_error)
    )


def test_a_plain_function_is_measured_as_its_model_is(measured):
    model = network(0.1)
    capacity = measure(lambda t, y, args: model(t, y, args), num_inputs=1)
    np.testing.assert_allclose(capacity.capacities, measured(0.1).capacities, atol=1e-9)


def test_a_saturated_network_recalls_less_than_a_linear_one(measured):
    tanh = measure(network(0.1, activation=Tanh()))
    strong = measure(network(0.1, activation=Tanh()), amplitude=10.0)
    assert strong.total + 3 * strong.total_standard_error < tanh.total
    assert tanh.total < SIZE + 3 * tanh.total_standard_error


def test_single_precision_stays_single():
    capacity = memory_capacity(
        lambda t, y, args: -0.2 * y + args(t), jnp.zeros(1, jnp.float32),
        dt0=0.25, key=KEY, num_inputs=1, num_delays=12, solver=RK4(),
    )  # fmt: skip
    assert capacity.total.dtype == capacity.threshold.dtype == jnp.float32
    assert abs(capacity.total - 1) < 4 * capacity.total_standard_error


@pytest.mark.slow
def test_standard_errors_are_the_spread_over_repetitions_and_keys_are_mapped():
    keys = jr.split(jr.key(7), 48)
    options = {"num_sequences": 128, "num_delays": 10}
    many = jax.vmap(lambda key: measure(network(0.4), key=key, **options))(keys)
    spread = float(np.std(many.total, ddof=1))
    assert np.mean(many.total_standard_error) == pytest.approx(spread, rel=0.3)
    # Free of bias at few sequences: 5 regressors on 128 samples would add 0.04 each.
    truth = np.sum(exact(network(0.4))[:10])
    assert abs(np.mean(many.total) - truth) < 4 * spread / np.sqrt(48)


def test_recall_is_least_squares_and_its_leave_one_out_is_a_second_fit():
    states, targets = jr.normal(jr.key(1), (30, 4)), jr.normal(jr.key(2), (30, 3))
    targets = targets + 2 * states[:, :1] + 1
    # A fifth direction that is none: it must change nothing.
    doubled = jnp.concatenate([states, states[:, :1] + states[:, 1:2]], axis=1)

    def fit(x, z):
        design = np.column_stack([np.ones(len(x)), x])
        missed = z - design @ np.linalg.lstsq(design, z, rcond=None)[0]
        share = 1 - np.sum(missed**2, axis=0) / (len(z) * np.var(z, axis=0))
        return share, 1 - (1 - share) * (len(z) - 1) / (len(z) - 1 - 4)

    x, z = np.asarray(states), np.asarray(targets)
    for given in (states, doubled):
        recall = measure_recall(given, targets)
        assert recall.rank == 4
        raw, unbiased = fit(x, z)
        np.testing.assert_allclose(recall.raw, raw, atol=1e-12)
        np.testing.assert_allclose(recall.unbiased, unbiased, atol=1e-12)
        refits = [
            fit(np.delete(x, i, axis=0), np.delete(z, i, axis=0))[1] for i in range(30)
        ]
        np.testing.assert_allclose(recall.leave_one_out, refits, atol=1e-12)
    variance = 29 / 30 * np.sum((refits - np.mean(refits, axis=0)) ** 2, axis=0)
    np.testing.assert_allclose(jackknife_variance(recall.leave_one_out), variance)


def test_a_state_that_runs_away_is_a_status_and_not_a_number():
    capacity = memory_capacity(
        lambda t, y, args: 400.0 * y + args(t),
        jnp.zeros(1), dt0=0.5, key=KEY, num_inputs=1, num_sequences=8,
    )  # fmt: skip
    assert capacity.result == OUTCOMES.escaped
    assert np.isnan(capacity.total)
    assert np.all(np.isnan(capacity.capacities))


@pytest.mark.parametrize(
    ("field", "options", "message"),
    [
        (VoltageCTRNN(SkewSymmetric(3, key=KEY)), {}, "input_weight=B"),
        (lambda t, y, args: y, {}, "num_inputs"),
        (network(0.1), {"num_inputs": 2}, "1 channels; drop it"),
        (network(0.1), {"num_delays": 0}, "num_delays must be positive"),
        (network(0.1), {"num_delays": 9, "num_steps": 8}, "at most num_steps"),
        (network(0.1), {"num_sequences": 7}, "num_sequences must be at least"),
        (network(0.1), {"amplitude": -1.0}, "amplitude must be finite"),
        (network(0.1), {"noise": float("nan")}, "noise must be finite"),
        (network(0.1), {"interval": 0.0}, "interval must be a positive"),
    ],
)
def test_misuse_says_what_to_change(field, options, message):
    size = getattr(field, "size", 2)
    with pytest.raises(ValueError, match=message):
        memory_capacity(field, jnp.zeros(size), dt0=0.1, key=KEY, **options)
