"""The leaderboard's machinery, on trainings of a few steps."""

import dataclasses
import json
import math

import jax
import pytest

from benchmarks.memory import report, runner
from benchmarks.memory.plan import PLAN, Entry, Recipe
from benchmarks.memory.store import Store
from ctrnn_jax.networks import OSCILLATORS, network_names, oscillator
from ctrnn_jax.tasks import TASKS, task_options

ENTRY = Entry(
    "copy-3",
    "copy",
    {"delay": 3, "num_kept": 2, "num_symbols": 2},
    ("linear-rotation", "gru"),
    900,
    Recipe(4, 8, validate_every=2),
    "recall",
    True,
    own={"linear-rotation": {"phases": (0.0, 1.0)}},
    seeds=2,
)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Return a store of one seed of each network, and what was said."""
    said = []
    store = Store(tmp_path_factory.mktemp("board") / "memory.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "PLAN", (dataclasses.replace(ENTRY, seeds=1),))
        # Adam divides a float by an int32.
        with jax.numpy_dtype_promotion("standard"):
            assert runner.run(store, 1e9, say=said.append)
    return store, said


def test_a_record_says_what_was_trained_and_how_well(board):
    store, said = board
    record = store.of("copy-3", "linear-rotation")[0]
    assert abs(record["parameters"] - ENTRY.parameters) <= 0.1 * ENTRY.parameters
    assert record["steps"] == 4
    assert record["validation_steps"] == [2, 4]
    assert 0 <= record["test"]["recall"] <= 1
    assert record["versions"]["jax"] != "not installed"
    assert len(said) == 2


def test_what_is_done_is_not_trained_again_and_the_rest_is(board, monkeypatch):
    store, _ = board
    trained = []

    def train(entry, task, name, seed, rate):
        trained.append((name, seed, rate))
        return {**store.of("copy-3", name)[0], "seed": seed, "learning_rate": rate}

    monkeypatch.setattr(runner, "PLAN", (ENTRY,))
    monkeypatch.setattr(runner, "train", train)
    again = Store(store.file)
    assert again.records == store.records
    assert not runner.run(again, -1.0, say=lambda line: None)
    assert trained == []
    assert runner.run(again, 1e9, say=lambda line: None)
    assert trained == [("linear-rotation", 1, 3e-3), ("gru", 1, 3e-3)]
    # Put back what the other tests read.
    for record in list(store.records.values()):
        store.add(record)


def test_the_best_learning_rate_on_the_first_seed_is_taken(tmp_path, monkeypatch):
    entry = dataclasses.replace(
        ENTRY, recipe=dataclasses.replace(ENTRY.recipe, learning_rates=(0.1, 0.2, 0.3))
    )
    losses, trained = {0.1: 0.5, 0.2: 0.4, 0.3: math.nan}, []

    def train(entry, task, name, seed, rate):
        trained.append((entry.key, seed, rate))
        return {
            "task": entry.key,
            "network": name,
            "seed": seed,
            "learning_rate": rate,
            "validation": {"loss": [1.0, losses[rate]]},
            "test": {},
            "steps": 1,
            "seconds": 1.0,
        }

    def run(plan, store):
        plan = [dataclasses.replace(one, networks=("gru",)) for one in plan]
        monkeypatch.setattr(runner, "PLAN", plan)
        monkeypatch.setattr(runner, "train", train)
        trained.clear()
        assert runner.run(store, 1e9, say=lambda line: None)
        return trained

    store = Store(tmp_path / "memory.json")
    own = [("copy-3", 0, rate) for rate in (0.1, 0.2, 0.3)]
    assert run([entry], store) == [*own, ("copy-3", 1, 0.2)]
    assert [record["seed"] for record in store.of("copy-3", "gru")] == [0, 1]


def test_the_file_is_whole_after_each_record(tmp_path):
    store = Store(tmp_path / "memory.json")
    for seed in range(3):
        store.add({"task": "a", "network": "b", "seed": seed, "learning_rate": 1.0})
        assert len(json.loads(store.file.read_text())["records"]) == seed + 1
    assert [p.name for p in tmp_path.iterdir()] == ["memory.json"]


def test_the_report_has_a_row_for_each_network_best_first(board, monkeypatch):
    store, _ = board
    monkeypatch.setattr(report, "PLAN", (ENTRY, PLAN[0]))
    text = report.write(store, store.file.parent, "command").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if " | " in line][2:]
    assert {row[0] for row in rows} == {"| linear-rotation", "| gru"}
    scores = [float(row[1].split()[0]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert "phases 0 to 1" in text
    assert f"Not run yet: {PLAN[0].key}." in text


def test_a_failed_training_is_a_row_that_says_so(tmp_path, monkeypatch, board):
    store = Store(tmp_path / "memory.json")
    whole = board[0].of("copy-3", "gru")[0]
    store.add({**whole, "test": {}, "stop": "the loss is not finite"})
    monkeypatch.setattr(report, "PLAN", (ENTRY,))
    text = report.write(store, tmp_path, "command").read_text()
    assert "1, 1 not finite" in text
    assert "| linear-rotation | not run |" in text


def test_the_plan_names_tasks_options_and_networks_that_exist():
    assert len({entry.key for entry in PLAN}) == len(PLAN)
    for entry in PLAN:
        assert entry.task in TASKS
        assert set(entry.options) <= set(task_options(entry.task))
        assert set(entry.networks) <= set(network_names())
        assert set(entry.own) <= set(entry.networks) & set(OSCILLATORS)
        assert entry.seeds >= 3


def test_an_option_of_the_plan_that_a_cell_lacks_would_be_found(getkey):
    with pytest.raises(ValueError, match="takes no phase;"):
        oscillator("linear-rotation", 1, 4, phase=1.0, key=getkey())
