"""A gradient is compared before it is timed, and what compares it is right itself."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ctrnn_jax
from benchmarks import gradients
from benchmarks.gradients import reference, schemes
from benchmarks.gradients.problem import CHAOTIC, REGULAR, Problem
from benchmarks.gradients.tables import render
from benchmarks.gradients.verify import distance, tolerance
from benchmarks.gradients.ways import WAYS, GradientWay, rebuilt, scans
from benchmarks.suites import WrongAnswer
from benchmarks.workbench import Prepared, Sample, Workbench

SMALL = Problem("bipartite", bits=64, steps=48, lanes=3)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Keep references of this session apart from those of real runs."""
    folder = tmp_path_factory.getbasetemp() / "references"
    monkeypatch.setattr(reference, "CACHE", folder)


def _injected(change, standing="exact"):
    """Return a way whose function is `change`d from a right one's."""

    def build(problem):
        right = schemes.gradient(problem, schemes.leapfrog(problem), schemes.plainly)
        return change(problem, right)

    return GradientWay(
        "injected", "an injected way", "default", build, "leapfrog", standing=standing
    )


def _right(problem, run):
    return run


def _one_step_short(problem, run):
    short = dataclasses.replace(problem, steps=problem.steps - 1)
    return schemes.gradient(short, schemes.leapfrog(short), schemes.plainly)


def _transposed(problem, run):
    return lambda *arguments: (run(*arguments)[0].T, run(*arguments)[1])


def _by_y0_alone_is_right(problem, run):
    return lambda *arguments: (1.001 * run(*arguments)[0], run(*arguments)[1])


def _a_lane_lost(problem, run):
    return lambda *arguments: (run(*arguments)[0], run(*arguments)[1][:, 1:])


def _not_a_number(problem, run):
    return lambda *arguments: jax.tree.map(lambda x: x * np.nan, run(*arguments))


@pytest.mark.parametrize(
    "change",
    [_one_step_short, _transposed, _by_y0_alone_is_right, _a_lane_lost, _not_a_number],
)
def test_a_wrong_gradient_is_refused(change):
    bench = Workbench()
    with pytest.raises(WrongAnswer):
        bench.prepare(_injected(change), SMALL)
    with pytest.raises(KeyError):
        bench.time("injected")


@pytest.mark.parametrize("change", [_one_step_short, _not_a_number])
def test_a_gradient_that_was_rebuilt_wrongly_is_reported_and_not_timed(change):
    bench = Workbench()
    done = bench.prepare(_injected(change, "rebuilt"), SMALL)
    assert done.skipped == "wrong"
    assert not done.error <= done.allowed
    with pytest.raises(KeyError):
        bench.time("injected")


def test_a_right_gradient_is_accepted_and_timed():
    bench = Workbench()
    done = bench.prepare(_injected(_right), SMALL)
    assert done.error < 1e-13 and not done.skipped
    assert done.details["compile"] > 0 and done.details["temporary"] > 0
    assert bench.time("injected").wall > 0


def test_what_needs_too_much_memory_is_compiled_and_not_run():
    def never_run(problem, run):
        return run

    done = Workbench().prepare(_injected(never_run), SMALL, most_bytes=10.0)
    assert done.skipped == "memory" and done.run is None
    assert done.details["temporary"] > 10.0


# What diffrax and this package do is tested elsewhere, and in every benchmark.
@pytest.mark.slow
@pytest.mark.parametrize("way", [*scans.WAYS, *rebuilt.WAYS], ids=lambda way: way.key)
def test_every_way_written_here_is_right_in_few_steps(way):
    done = Workbench().prepare(way, SMALL)
    # Rebuilding leaves h⁴; all else is back-propagation to rounding.
    assert done.error < (1e-7 if way.standing == "rebuilt" else 1e-12)
    # Leapfrog, of order 2, is what is least resolved.
    assert done.details["converged"] < 2e-3


@pytest.mark.parametrize("weight", ["bipartite", "dense"])
def test_the_reference_of_splitting_is_splitting_neuron_by_neuron(weight):
    problem = dataclasses.replace(SMALL, weight=weight, steps=1)
    matrix = np.asarray(schemes.as_matrix(problem, problem.parameter))
    y = problem.y0.copy()
    for i in (*range(problem.size), *reversed(range(problem.size))):
        y += problem.step / 2 * matrix[:, i, None] * np.tanh(y[i])
    scheme = schemes.splitting(problem, 2)
    field = scheme.prepare(problem.parameter)
    stepped = scheme.step(field, jnp.asarray(problem.y0))
    np.testing.assert_allclose(stepped, y, atol=1e-14)


def test_leapfrog_on_a_grid_moves_by_whole_units_and_differentiates_smoothly():
    problem = dataclasses.replace(SMALL, steps=20)
    scheme = schemes.leapfrog_on_grid(problem, 32)
    coupling, y0 = jnp.asarray(problem.parameter), jnp.asarray(problem.y0)
    state = scheme.start(coupling, y0)
    for _ in range(3):
        state = scheme.step(coupling, state)
    units = np.asarray(scheme.finish(coupling, state)) * 2.0**24
    np.testing.assert_array_equal(units, np.round(units))
    found = reference.expected(problem, "grid32")
    other = reference.expected(problem, "leapfrog")
    # Roundings of 3e-8 at states of 0.1; a rounding that is differentiated gives 0.
    assert 0 < distance(found, other) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("bits", [32, 64])
def test_the_reversible_adjoint_steps_leapfrog_on_this_grid_to_the_last_bit(bits):
    problem = dataclasses.replace(SMALL, bits=bits, steps=200)
    scheme = schemes.leapfrog_on_grid(problem, bits)

    @jax.jit
    def run(coupling, y0):
        state = scheme.start(coupling, y0)
        state = schemes.plainly(scheme.step, coupling, state, problem.steps)
        return scheme.finish(coupling, state)

    coupling = jnp.asarray(problem.parameter)
    wide = run(coupling.astype(float), jnp.asarray(problem.y0, float))
    solution = ctrnn_jax.simulate_ensemble(
        ctrnn_jax.VoltageCTRNN(ctrnn_jax.BipartiteSkew.from_coupling(coupling)),
        jnp.asarray(problem.y0.T),
        np.array([0.0, problem.duration]),
        dt0=problem.step,
        solver=ctrnn_jax.Leapfrog(),
        adjoint=ctrnn_jax.ReversibleAdjoint(),
    )
    np.testing.assert_array_equal(solution.ys[:, -1].T, wide)


@pytest.mark.slow
def test_the_converged_reference_no_longer_depends_on_its_step():
    import diffrax

    problem = dataclasses.replace(SMALL, steps=64)
    solved, _ = reference._converged(problem)
    assert solved.step == reference._LONGEST
    halved = dataclasses.replace(solved, steps=2 * solved.steps, step=solved.step / 2)
    scheme = schemes.explicit(halved, diffrax.Dopri8.tableau)
    other = reference.Gradient(*reference._differentiate(halved, scheme))
    assert 0 < distance(reference.expected(problem, "converged"), other) < 1e-11


def test_small_differences_of_a_linear_oscillator_do_not_grow():
    still = dataclasses.replace(SMALL, amplitude=1e-6, steps=800)
    found = reference.growth(still)
    np.testing.assert_allclose(found.factor, 1.0, atol=1e-8)
    np.testing.assert_allclose(found.exponent, 0.0, atol=1e-8)


def test_small_differences_of_large_oscillations_grow():
    wild = dataclasses.replace(SMALL, amplitude=CHAOTIC, steps=16000)
    found = reference.growth(wild)
    # The largest exponent here is near 0.03; the span is 500.
    assert np.all(found.factor > 1e3)
    assert 0.01 < np.median(found.exponent) < 0.06


def test_one_missing_step_is_far_outside_the_budget():
    for bits, steps, times in ((32, 1000, 100), (32, 10_000, 50), (64, 10_000, 1e9)):
        problem = Problem("bipartite", bits, steps, lanes=3)
        assert times * tolerance(problem, "exact") < problem.step


def test_both_precisions_solve_the_same_problem():
    narrow = dataclasses.replace(SMALL, bits=32)
    for name in ("parameter", "y0", "projection"):
        np.testing.assert_array_equal(getattr(narrow, name), getattr(SMALL, name))


class _Elsewhere:
    """A remote in which every run takes a microsecond a step."""

    def __init__(self):
        self.asked = []

    def prepare(self, way, problem, *, run, most_bytes):
        self.asked.append((way.key, problem.steps, run))
        seconds = 1e-6 * problem.steps
        details = {"compile": 1.0, "temporary": 1e6, "converged": 1e-3, "norm": 1.0}
        if not run:
            return Prepared(skipped="time", details=details)
        sample = Sample(seconds, seconds)
        return Prepared(error=1e-6, allowed=1e-5, details=details, run=sample)

    def time(self, key):
        return Sample(0.01, 0.01)

    def clear(self):
        pass


def _foretell(monkeypatch, **changes):
    """Return what was asked of a remote for 40, 80 and 900 steps, and the groups."""
    monkeypatch.setattr(gradients, "_growth", lambda problem: {"growth": 1.0})
    plan = dataclasses.replace(
        gradients.FULL, steps={64: (40, 80, 900)}, longest=5e-4, most=1, **changes
    )
    elsewhere = _Elsewhere()
    groups = list(gradients._Bench(plan, elsewhere).steps("dense", 64))
    asked = {
        steps: [run for _, each, run in elsewhere.asked if each == steps]
        for steps in (40, 80, 900)
    }
    return asked, groups[-1]["rows"][0]


def test_what_would_take_too_long_is_compiled_and_foretold(monkeypatch):
    asked, row = _foretell(monkeypatch)
    ways = sum("dense" in way.weights for way in WAYS)
    assert asked == {40: [True] * ways, 80: [True] * ways, 900: [False] * ways}
    assert row["foretold_seconds"] == pytest.approx(9e-4)
    assert "cpu" not in row and row["temporary"] == 1e6


def test_what_takes_long_to_compile_is_only_foretold(monkeypatch):
    asked, row = _foretell(monkeypatch, patience=0.5)
    assert asked[900] == []
    assert row["foretold_seconds"] == pytest.approx(9e-4)
    assert row["skipped"] == "time" and "temporary" not in row


def _row(key, seconds=1.0, **changes):
    spread = dict.fromkeys(("median", "low", "high", "minimum"), seconds)
    timed = {"cpu": {**spread, "count": 3}, "wall": {**spread, "count": 3}}
    row = {
        "key": key,
        "label": f"way `{key}`",
        "setting": "tuned",
        "missing": "",
        "skipped": "",
        "error": 1e-6,
        "allowed": 1e-5,
        "converged": 2e-3,
        "norm": 3.0,
        "compile": 2.0,
        "temporary": 110_000,
    }
    row |= changes
    return row if row["missing"] or row["skipped"] else row | timed


def _group(name, rows, **changes):
    problem = dataclasses.asdict(Problem("bipartite", 32, 1000))
    growth = {"growth": 1.5, "largest_growth": 2.0, "exponent": 0.04}
    return {"name": name, **problem, **growth, **changes, "rows": rows}


@pytest.fixture
def results():
    rows = [
        _row("ours", 0.2),
        _row("kept", 1.0, temporary=8_000_000),
        _row("slow", skipped="time", foretold_seconds=123.0),
        _row("huge", skipped="memory", temporary=6e9),
        _row("rebuilt", skipped="wrong", error=None, converged=None),
        _row("torch", missing="torch"),
    ]
    precise = [
        _group(
            "precision",
            [_row("ours", seconds, converged=error)],
            step=step,
            steps=round(8 / step),
        )
        for step, seconds, error in ((0.5, 1.0, 1e-2), (0.25, 4.0, 1e-4))
    ]
    return {
        "benchmark": "gradients",
        "quick": False,
        "command": "python -m benchmarks gradients",
        "date": "2026-01-01",
        "minutes": 1.0,
        "machine": {"processor": "P", "vectors": "v", "cores": 2, "system": "Linux"},
        "versions": {"jax": "1.0"},
        "plan": {"weights": ["bipartite"], "most_bytes": 4e9, "longest": 35.0},
        "groups": [
            _group("steps", rows),
            _group("chaos", [_row("ours")], amplitude=CHAOTIC, growth=1e6),
            *precise,
        ],
    }


def test_the_report_says_why_a_time_is_missing(results):
    text = render(results)
    assert "| way `ours` | 0.20 (1.00) |" in text
    assert "| way `kept` | 1.0 (5.00) |" in text
    assert "| way `slow` | *123* |" in text
    assert "| way `huge` | not run |" in text and "| way `huge` | 6000 |" in text
    assert "| way `rebuilt` | off |" in text
    assert "| way `rebuilt` | not finite |" in text
    assert "| way `torch` | not installed |" in text


def test_the_report_shows_the_lyapunov_time_of_chaos_alone(results):
    text = render(results)
    assert "| *Lyapunov time* | > span |" in text
    assert "| float32 | 10³ (31.25) | 25 | way `ours` | 3.0e+00 |" in text


def test_equal_accuracy_is_read_off_between_the_points(results):
    # From 1e-2 to 1e-4 in 1 to 4 seconds: 1e-3 is half way on the logarithmic axes.
    assert "| way `ours` | < 1.0 | 2.0 | 4.0 |" in render(results)


def test_the_written_numbers_give_the_same_report_again(results, tmp_path):
    gradients.write(results, tmp_path)
    again = json.loads((tmp_path / "gradients.json").read_text(encoding="utf-8"))
    report = (tmp_path / "gradients.md").read_text(encoding="utf-8")
    assert render(again) == report
    assert (tmp_path / "gradients.png").stat().st_size > 10_000


def test_a_quick_run_says_so(results):
    assert "quick run" not in render(results)
    assert "quick run" in render({**results, "quick": True})


def test_the_tables_are_of_regular_orbits():
    assert all(
        Problem(weight, 32, 1000).amplitude == REGULAR
        for weight in gradients.FULL.weights
    )
