"""The benchmark of Lyapunov spectra takes no time of a wrong answer."""

import dataclasses

import numpy as np
import pytest

from benchmarks import lyapunov
from benchmarks.lyapunov_peers import WAYS, LyapunovProblem, LyapunovWay
from benchmarks.suites import Candidate, WrongAnswer

PROBLEM = LyapunovProblem(size=3, count=2, bits=64, lanes=3, intervals=3)
TINY = lyapunov.Plan(intervals=3, seconds=0.01, fewest=1, most=1, lanes=3)
BY_KEY = {way.key: way for way in WAYS}


def test_every_way_that_is_installed_gives_the_same_exponents():
    found = lyapunov.measure(TINY, PROBLEM)
    rows = {row["key"]: row for row in found["rows"]}
    assert set(rows) == set(BY_KEY)
    for key in ("ours", "ours-vmap", "numpy-loop", "numpy-batched"):
        assert rows[key]["error"] <= rows[key]["allowed"]
        assert rows[key]["cpu"]["median"] > 0
    for key in ("numba-loop", "numba-loops"):
        assert rows[key]["missing"] in ("", "numba")


def _one_step_short(problem):
    short = dataclasses.replace(problem, intervals=problem.intervals - 1)
    return BY_KEY["numpy-batched"].prepare(short)


def _transposed(problem):
    wrong = dataclasses.replace(problem)
    wrong.__dict__.update(weight=-problem.weight, frame=problem.frame)
    return BY_KEY["numpy-batched"].prepare(wrong)


def _orbit_lost(problem):
    return Candidate(lambda: np.zeros((2, 2)), lambda values: values)


def _not_a_number(problem):
    return Candidate(lambda: np.full((3, 2), np.nan), lambda values: values)


@pytest.mark.parametrize(
    "prepare", [_one_step_short, _transposed, _orbit_lost, _not_a_number]
)
def test_a_wrong_answer_stops_the_race_before_it_starts(prepare, monkeypatch):
    timed = []
    monkeypatch.setattr(lyapunov, "race", lambda *args, **kw: timed.append(args))
    way = LyapunovWay("wrong", "wrong", "default", prepare)
    with pytest.raises(WrongAnswer):
        lyapunov.measure(TINY, PROBLEM, [BY_KEY["numpy-batched"], way])
    assert timed == []


def test_the_report_holds_every_case_and_row():
    rows = [
        {
            "key": way.key,
            "label": way.label,
            "setting": way.setting,
            "lanes": 3,
            "missing": "numba" if "numba" in way.key else "",
            "first_seconds": 1.0,
            "error": 1e-15,
            "allowed": 1e-12,
            **{
                clock: {"median": index + 1.0, "low": 1.0, "high": 2.0, "count": 3}
                for clock in ("cpu", "wall")
            },
        }
        for index, way in enumerate(WAYS)
    ]
    groups = [
        {"size": n, "count": k, "bits": bits, "steps": 24, "rows": rows}
        for bits in (64, 32)
        for n, k in lyapunov.CASES
    ]
    results = {
        "quick": True,
        "command": "python -m benchmarks lyapunov --quick",
        "date": "2026-01-01",
        "minutes": 1.0,
        "machine": {"processor": "p", "vectors": "v", "cores": 2, "system": "s"},
        "versions": {"numpy": "2"},
        "groups": groups,
    }
    text = lyapunov.render(results)
    assert "A quick run" in text
    for way in WAYS:
        assert way.label in text
    assert "| 1.00 (1.00) / 1.00 (1.00) |" in text
    assert "2.00 / 2.00" in text
    assert "not installed" in text
