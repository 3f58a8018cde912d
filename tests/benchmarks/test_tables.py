"""What the benchmarks write, and how they share out their time."""

import json

import pytest

from benchmarks.__main__ import main
from benchmarks.ensembles import write
from benchmarks.race import Entrant, Spread, race
from benchmarks.tables import render
from benchmarks.workbench import Sample


def _row(key, label, setting, time, missing=""):
    row = {"key": key, "label": label, "setting": setting, "missing": missing}
    if not missing:
        spread = {"median": time, "low": time, "high": time, "minimum": time}
        row.update(
            cpu={**spread, "count": 3},
            wall={**spread, "count": 3},
            lanes=4096,
            first_seconds=0.5,
            error=1e-7,
            allowed=1e-5,
        )
    return row


def _group(name, size, bits, rows):
    return {
        "name": name,
        "size": size,
        "bits": bits,
        "lanes": 4096,
        "steps": 1000,
        "rows": rows,
    }


@pytest.fixture
def results():
    def rows(factor):
        return [
            _row("c", "C", "floor", 2.0 * factor),
            _row("ours", "ctrnn_jax", "ours", 2.5 * factor),
            _row("diffrax-rk4", "diffrax", "default", 25.0 * factor),
            _row("torch", "torch", "default", 0.0, missing="torch"),
        ]

    two_cores = [
        _row("ours-1", "one", "ours", 4.0),
        _row("ours-2", "two", "ours", 2.0),
    ]
    return {
        "quick": False,
        "command": "python -m benchmarks ensembles",
        "date": "2026-01-01",
        "minutes": 1.0,
        "machine": {
            "processor": "P",
            "vectors": "avx2",
            "cores": 2,
            "system": "Linux",
        },
        "versions": {"jax": "1.0", "torch": "not installed"},
        "c_flags": "gcc -O3",
        "plan": {"lanes": 4096, "steps": {2: 1000, 8: 1000}},
        "groups": [
            _group("one core", 2, 32, rows(1)),
            _group("one core", 2, 64, rows(2)),
            _group("one core", 8, 32, rows(4)),
            _group("two cores", 2, 32, two_cores),
        ],
    }


def test_ratios_are_of_the_floor_of_the_same_race(results):
    text = render(results)
    assert "| C | floor | 1.00 (2.0) / 1.00 (4.0) | 1.00 (8.0) |" in text
    assert "| ctrnn_jax | ours | 1.25 | 1.25 |" in text
    assert "| vmapped diffrax RK4 | 10.0 | 10.0 |" in text


def test_a_missing_peer_is_listed(results):
    assert "| torch | default | not installed | not installed |" in render(results)


def test_without_the_floor_times_stand_for_ratios(results):
    for group in results["groups"]:
        group["rows"] = [row for row in group["rows"] if row["key"] != "c"]
    assert "| ctrnn_jax | ours | 2.5 / 5.0 | 10.0 |" in render(results)


def test_two_cores_are_compared_with_one(results):
    assert "| two | ours | 0.50 |" in render(results)


def test_the_written_numbers_give_the_same_report_again(results, tmp_path):
    write(results, tmp_path)
    again = json.loads((tmp_path / "ensembles.json").read_text(encoding="utf-8"))
    report = (tmp_path / "ensembles.md").read_text(encoding="utf-8")
    assert render(again) == report


def test_a_quick_run_says_so(results):
    assert "quick run" not in render(results)
    assert "quick run" in render({**results, "quick": True})


def test_slow_entrants_sit_out_rounds_and_none_runs_twice_in_a_row():
    order = []

    def entrant(key, seconds):
        def run():
            order.append(key)
            return Sample(seconds, seconds)

        return Entrant(key, run)

    samples = race(
        [entrant("fast", 0.1), entrant("slow", 9.0)], seconds=4.0, fewest=3, most=9
    )
    assert len(samples["fast"]) == 9
    assert len(samples["slow"]) == 3
    assert "slow slow" not in " ".join(order)


def test_a_weight_is_a_share_of_the_time():
    def run():
        return Sample(1.0, 1.0)

    samples = race(
        [Entrant("heavy", run, 4.0), Entrant("light", run)],
        seconds=10.0,
        fewest=1,
        most=20,
    )
    assert {key: len(found) for key, found in samples.items()} == {
        "heavy": 8,
        "light": 2,
    }


def test_the_spread_of_one_number_is_that_number():
    assert Spread.of([3.0]) == Spread(3.0, 3.0, 3.0, 3.0, 1)
    assert Spread.of([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(3.0, 2.0, 4.0, 1.0, 5)


def test_the_command_line_without_a_command_shows_help(capsys):
    assert main([]) == 0
    assert "ensembles --quick" in capsys.readouterr().out
