"""A benchmark takes no time of a wrong answer."""

import dataclasses

import numpy as np
import pytest

from benchmarks import ensembles
from benchmarks.peers import BY_KEY, Way
from benchmarks.problem import Problem, checked_lanes, reference_steps
from benchmarks.remote import Remote
from benchmarks.suites import Candidate, NotInstalled, WrongAnswer
from benchmarks.verify import check_answer, tolerance
from benchmarks.workbench import Prepared, Sample, Workbench

PROBLEM = Problem(size=8, bits=32, lanes=40, steps=60)


def _one_step_short(problem):
    short = dataclasses.replace(problem, steps=problem.steps - 1)
    return BY_KEY["numpy"].prepare(short)


def _transposed(problem):
    wrong = dataclasses.replace(problem)
    wrong.__dict__["weight"] = -problem.weight
    return BY_KEY["numpy"].prepare(wrong)


def _lanes_lost(problem):
    return Candidate(lambda: problem.y0[:-1], lambda y: y)


def _not_a_number(problem):
    return Candidate(lambda: np.full_like(problem.y0, np.nan), lambda y: y)


def _missing(problem):
    raise NotInstalled("a compiler")


def _module_missing(problem):
    import a_module_that_nobody_has  # pyright: ignore[reportMissingImports]

    return a_module_that_nobody_has


def _way(prepare):
    return Way("injected", "an injected way", "default", prepare)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize(
    "prepare", [_one_step_short, _transposed, _lanes_lost, _not_a_number]
)
def test_a_wrong_peer_is_refused(prepare, bits):
    bench = Workbench()
    with pytest.raises(WrongAnswer):
        bench.prepare(_way(prepare), dataclasses.replace(PROBLEM, bits=bits))
    with pytest.raises(KeyError):
        bench.time("injected")


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("own_weights", [False, True])
def test_a_right_peer_is_accepted(own_weights, bits):
    problem = dataclasses.replace(PROBLEM, bits=bits, own_weights=own_weights)
    way = BY_KEY["ours-own" if own_weights else "ours"]
    bench = Workbench()
    done = bench.prepare(way, problem)
    assert 0 <= done.error <= done.allowed
    assert bench.time(way.key).wall > 0


@pytest.mark.parametrize("key", ["c", "c-512"])
@pytest.mark.parametrize("size", [2, 8, 32, 128])
@pytest.mark.parametrize("bits", [32, 64])
def test_the_c_kernel_is_right_at_every_size(key, size, bits):
    done = Workbench().prepare(BY_KEY[key], Problem(size, bits, lanes=40, steps=5))
    if done.missing:
        pytest.skip(f"not installed: {done.missing}")


def test_nothing_is_timed_before_all_answers_are_checked():
    class Place:
        timed = 0

        def prepare(self, way, problem):
            if way.key == "injected":
                raise WrongAnswer("off")
            return Prepared()

        def time(self, key):
            self.timed += 1
            return Sample(1.0, 1.0)

    place = Place()
    rows = [
        ("right", "right", BY_KEY["numpy"], place),
        ("wrong", "wrong", _way(_transposed), place),
    ]
    with pytest.raises(WrongAnswer):
        ensembles._race(ensembles.QUICK, "one core", PROBLEM, rows)
    assert place.timed == 0


@pytest.mark.parametrize("prepare", [_missing, _module_missing])
def test_a_missing_peer_is_no_error(prepare):
    assert Workbench().prepare(_way(prepare), PROBLEM).missing


def test_the_tolerance_is_far_below_one_step():
    for bits in (32, 64):
        for size, steps in ensembles.FULL.steps.items():
            problem = Problem(size, bits, lanes=8, steps=steps)
            *_, before, last = reference_steps(problem, checked_lanes(8))
            step = np.abs(last - before).max()
            allowed = tolerance(problem, "other", np.abs(last).max())
            assert 20 * allowed < step


def test_the_reference_agrees_with_itself_only_at_its_own_lanes():
    problem = dataclasses.replace(PROBLEM, bits=64)
    *_, last = reference_steps(problem, np.arange(problem.lanes))
    error, _ = check_answer(problem, "rk4", lambda: last)
    assert error < 1e-14
    with pytest.raises(WrongAnswer):
        check_answer(problem, "rk4", lambda: last[::-1])


def test_a_worker_process_checks_and_times():
    with Remote(bits=32, cpus=None) as remote:
        done = remote.prepare(BY_KEY["numpy"], PROBLEM)
        assert done.error <= done.allowed
        assert remote.time("numpy").wall > 0
        remote.clear()
