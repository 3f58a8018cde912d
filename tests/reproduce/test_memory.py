"""The experiment on memory: what it trains, what it matches, how it judges."""

import equinox as eqx
import jax
import numpy as np
import pytest

from ctrnn_jax.reproduce import memory
from ctrnn_jax.reproduce._memory_network import Size, build, count_parameters, kinds
from ctrnn_jax.reproduce._memory_signals import findings, judge
from ctrnn_jax.reproduce._memory_signals import measure as measure_signals
from ctrnn_jax.reproduce._memory_sunspots import Recording
from ctrnn_jax.reproduce._memory_training import NUM_REPORTS, Problem, Recipe, errors
from ctrnn_jax.reproduce._memory_training import train as train_networks
from ctrnn_jax.reproduce._precision import experiment_settings
from ctrnn_jax.tasks import Descriptor, SignalSchool, load_sunspots


@pytest.fixture(autouse=True)
def _settings_of_the_experiments():
    with experiment_settings():
        yield


SMALL = Size(pairs=6, hidden=8, band=(0.02, 0.15))
LINEAR, TANH, FREE = kinds(20.0)


def _networks(kind, size=SMALL, *, seeds=1, descriptors=8):
    keys = jax.random.split(jax.random.key(1), seeds)
    return eqx.filter_vmap(lambda key: build(kind, size, descriptors, key=key))(keys)


def _problem(num_samples):
    school = SignalSchool((Descriptor("sines", "high", "high"),))
    signals = school.signals(num_samples)
    return Problem(school.codes(), signals, school.times(num_samples), 0.1)


def _errors(networks, problem, kind):
    solve = eqx.filter_vmap(lambda network: errors(network, problem, kind.solver))
    return np.asarray(solve(networks))


@pytest.mark.parametrize("kind", [LINEAR, TANH], ids=lambda kind: kind.name)
def test_a_signal_is_memorized_within_a_small_budget(kind):
    problem, networks = _problem(300), _networks(kind)
    assert _errors(networks, problem, kind).min() > 0.5
    trained = train_networks(networks, problem, kind.solver, Recipe(150))
    assert _errors(trained, problem, kind).max() < 0.05


def test_training_keeps_the_weight_skew_and_the_activation_as_it_was():
    problem, networks = _problem(50), _networks(TANH)
    trained = train_networks(networks, problem, TANH.solver, Recipe(10))
    first = jax.tree.map(lambda leaf: leaf[0], trained.field.weight)
    matrix = np.asarray(first.as_matrix())
    np.testing.assert_array_equal(matrix, -matrix.T)
    coupling = networks.field.weight.coupling
    assert not np.array_equal(trained.field.weight.coupling, coupling)
    np.testing.assert_array_equal(
        jax.tree.leaves(trained.field.activation),
        jax.tree.leaves(networks.field.activation),
    )


def test_the_same_key_gives_the_same_numbers_and_reports_come_as_announced():
    problem, networks = _problem(50), _networks(FREE, seeds=2)
    texts = []
    one, other = (
        train_networks(networks, problem, FREE.solver, Recipe(10), texts.append)
        for _ in range(2)
    )
    assert eqx.tree_equal(one, other)
    assert len(texts) == 2 * NUM_REPORTS
    weights = np.asarray(one.field.weight.matrix)
    assert not np.array_equal(weights[0], weights[1])


@pytest.mark.parametrize("pairs", [4, 16, 24])
@pytest.mark.parametrize("descriptors", [1, 8])
def test_parameters_of_the_rival_match_within_a_tenth(pairs, descriptors):
    size = Size(pairs, 48, (0.02, 0.15))
    skew, free = (
        build(kind, size, descriptors, key=jax.random.key(0)) for kind in (TANH, FREE)
    )
    assert 0.9 <= count_parameters(free) / count_parameters(skew) <= 1.1


def test_the_rival_starts_from_the_very_same_weight():
    skew, free = (build(k, SMALL, 8, key=jax.random.key(3)) for k in (TANH, FREE))
    np.testing.assert_array_equal(
        free.field.weight.as_matrix(), skew.field.weight.as_matrix()
    )
    np.testing.assert_array_equal(free.start, skew.start)


def test_parameters_are_counted_by_hand():
    network = build(TANH, SMALL, 8, key=jax.random.key(0))
    # C 6·6, S 12·8, c 12, U 8·12, b 8, v 8.
    assert count_parameters(network) == 36 + 96 + 12 + 96 + 8 + 8


def test_a_rival_that_cannot_be_matched_is_refused():
    with pytest.raises(ValueError, match="take more of these"):
        build(FREE, Size(24, 2, (0.02, 0.15)), 1, key=jax.random.key(0))


def test_initial_frequencies_are_spread_over_the_band():
    network = build(TANH, Size(16, 8, (0.02, 0.15)), 8, key=jax.random.key(5))
    frequency = np.diag(network.field.weight.coupling) / (2 * np.pi)
    edges = np.linspace(0.02, 0.15, 17)
    assert np.all((edges[:-1] <= frequency) & (frequency <= edges[1:]))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([[0.001, 0.002], [0.003, 0.009]], "holds"),
        ([[0.001, 0.02], [0.003, 0.03]], "holds where"),
        ([[0.1, 0.2], [0.3, np.inf]], "fails"),
    ],
)
def test_a_verdict_holds_only_if_every_seed_and_signal_does(values, verdict):
    assert judge(np.array(values), 0.01) == verdict


def test_a_record_repeated_forever_scores_as_it_should():
    numbers = load_sunspots().numbers
    generated = np.tile(numbers, 10)[None]
    record = Recording(TANH, 1, generated, numbers, len(numbers))
    assert record.error[0] == 0
    assert record.swing[0] == pytest.approx(1)
    constant = np.full((1, 2470), numbers[:247].mean())
    part = Recording(TANH, 1, constant, numbers, 247)
    assert part.forecast[0] == pytest.approx(1)
    assert part.swing[0] == pytest.approx(0)


def test_signal_school_is_measured_beyond_the_horizon():
    settings = {
        **memory.settings(quick=True),
        "signals": [0, 7],
        "num_steps": 5,
        "pairs": 4,
        "hidden": 8,
    }
    outcomes = measure_signals(settings, lambda text: None)
    assert [outcome.kind.name for outcome in outcomes] == [k.name for k in kinds(20.0)]
    for outcome in outcomes:
        assert outcome.generated.shape == (1, 2, 10_000)
        assert outcome.error().shape == outcome.beyond.shape == (1, 2)
    linear, tanh, free = outcomes
    # Skew W keeps its energy, trained or not; nothing is claimed of a free one.
    assert max(linear.drift.max(), tanh.drift.max()) < 0.02
    assert free.drift is None
    # Five steps memorize nothing, and the findings say so.
    verdicts = [finding.verdict for finding in findings(outcomes, settings)]
    assert verdicts[0] == verdicts[2] == "fails"


@pytest.mark.slow
def test_a_quick_run_gives_a_whole_result_and_advances_as_announced():
    settings, texts = memory.settings(quick=True), []
    settings = {**settings, "num_steps": 5}
    settings["sunspots"] = {**settings["sunspots"], "num_steps": 5}
    result = memory.run(settings, texts.append)
    assert len(texts) == memory.stages(settings)
    assert result.key == "C4"
    assert [len(result.tables), len(result.pictures)] == [2, 3]
    assert result.to_json()["settings"] == settings
    assert "nan" not in str(result.findings)
