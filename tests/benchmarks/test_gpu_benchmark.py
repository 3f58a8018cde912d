"""What the GPU benchmark counts, keeps, chooses and writes, without a GPU."""

import json
import time

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.gpu import ensembles, gradients, roofline, tables, training
from benchmarks.gpu.clock import choose_steps, foretell, how_often
from benchmarks.gpu.figure import curves, draw
from benchmarks.gpu.launch import environment
from benchmarks.gpu.options import Options
from benchmarks.gpu.problem import Ensemble, expected, relative_error
from benchmarks.gpu.store import DONE, FAILED, RUNNING, SKIPPED, Store
from benchmarks.gpu.tasks import Refused, Skip, Task, work
from benchmarks.gpu.ways import BY_KEY, WAYS, Solver, cuda
from benchmarks.gpu.ways._way import DeviceWay
from benchmarks.suites import WrongAnswer

RATES = {"tanh_float32": 1e12, "fma_float32": 3e13, "copy": 4e12, "memcpy": 3e12}
SPREAD = {"median": 0.1, "low": 0.09, "high": 0.11, "minimum": 0.09, "count": 5}


@pytest.fixture
def store(tmp_path):
    found = Store(tmp_path)
    found.head.update(
        command="python -m benchmarks gpu",
        date="2026-01-01",
        options=Options().dump(),
        card={"card": "C"},
        machine={"processor": "P"},
        versions={"jax": "1"},
    )
    return found


def _row(way, lanes, rate, **more):
    return {
        "part": "ensembles",
        "way": way,
        "label": BY_KEY[way].label,
        "scheme": "rk4",
        "size": 2,
        "bits": 32,
        "lanes": lanes,
        "status": DONE,
        "steps": 1000,
        "rate": rate,
        "seconds": SPREAD,
        "error": 1e-7,
        **more,
    }


@pytest.fixture
def filled(store):
    for name, rate in RATES.items():
        store.rows[f"ceilings/{name}"] = {
            "part": "ceilings", "name": name, "unit": "u", "status": DONE,
            "rate": rate, "seconds": SPREAD,
        }  # fmt: skip
    for way, rate in (("ours-pallas", 1e11), ("cuda", 8e10), ("diffrax-vmap", 2e9)):
        store.rows[way] = _row(way, 10**5, rate)
    store.rows["cuda-tuned"] = _row("cuda-tuned", 10**5, 1.25e11, variant="by_lane N=2")
    store.rows["lost"] = _row("torch-graph", 10**5, 0.0, status=FAILED, reason="a|b")
    return store


def test_a_step_of_rk4_has_four_slopes():
    assert roofline.count(8).tanh == 32
    assert roofline.count(8).fma == 4 * 64 + 7 * 8
    assert roofline.count(8, "splitting").tanh == 16


def test_the_bound_adds_what_is_issued_and_says_what_weighs_most():
    limit = roofline.bound(RATES, 2, 32, 1000)
    assert limit.seconds == pytest.approx(8 / 1e12 + 30 / 3e13)
    assert limit.by == "tanh"
    assert roofline.bound(RATES, 128, 32, 1000).by == "multiply-adds"
    assert roofline.bound(RATES, 2, 32, 0.1).by == "memory"
    assert roofline.bound({}, 2, 32, 1000) is None
    assert roofline.loop_bound(RATES, 2, 32) == pytest.approx(16 / 4e12)


def test_a_run_that_would_be_long_makes_fewer_steps():
    assert choose_steps(0.04, (100, 1000), 0.5) == 1000
    assert choose_steps(0.06, (100, 1000), 0.5) == 100


def test_every_run_is_repeated_five_times_but_the_longest():
    assert how_often(1e-4) == 25
    assert how_often(0.5) == 5
    assert how_often(30.0) == 2


def test_time_is_foretold_from_the_largest_that_is_smaller():
    assert foretell([(10, 1.0), (100, 2.0)], 1000) == 20.0
    assert foretell([], 1000) == 0.0


def test_a_cut_off_run_goes_on_and_tries_again_what_failed(tmp_path):
    store, made = Store(tmp_path), []

    def task(key, measure):
        return Task(key, {"part": "ensembles"}, lambda: made.append(key) or measure())

    def fail():
        raise RuntimeError("first line\nsecond")

    def skip():
        raise Skip("too long")

    def refuse():
        raise Refused("not right")

    steps = {"a": lambda: {"rate": 1.0}, "b": fail, "c": skip, "d": refuse}
    tasks = [task(key, step) for key, step in steps.items()]
    assert work(tasks[:1], store, time.time() + 60)
    again = Store(tmp_path)
    assert work(tasks, again, time.time() + 60)
    assert made == ["a", "b", "c", "d"]
    status = {key: row["status"] for key, row in again.rows.items()}
    assert status == {"a": DONE, "b": FAILED, "c": SKIPPED, "d": FAILED}
    assert again.rows["b"]["reason"] == "RuntimeError: first line"
    again.retry(("ensembles",))
    assert set(again.rows) == {"a", "c"}


def test_no_row_is_begun_when_time_is_up(tmp_path):
    task = Task("a", {"part": "ensembles"}, lambda: {})
    store = Store(tmp_path)
    assert not work([task], store, time.time() - 1)
    assert not store.rows


def test_a_row_whose_process_died_is_named(tmp_path):
    store = Store(tmp_path)
    store.begin("a", {"part": "ensembles"})
    other = Store(tmp_path)
    assert other.rows["a"]["status"] == RUNNING and not other.settled("a")
    assert other.give_up("died") == ["a"]
    assert Store(tmp_path).rows["a"]["reason"] == "died"


def test_options_survive_the_way_to_another_process():
    options = Options(sizes=(2, 8), tiny=True, seed=5)
    assert Options.load(options.dump()) == options
    assert environment(64)["JAX_ENABLE_X64"] == "1"


def test_only_what_is_asked_for_is_measured(store):
    options = Options(sizes=(32,), most_lanes=10**5)
    about = [task.about for task in ensembles.tasks(options, 32, store)]
    assert {one["lanes"] for one in about} == {10**4, 10**5}
    assert {one["size"] for one in about} == {32}
    assert "xla-by-neuron" not in {one["way"] for one in about}
    double = [task.about for task in ensembles.tasks(Options(), 64, store)]
    assert {(one["size"], one["lanes"]) for one in double} == {
        (2, 10**6), (8, 10**6), (32, 10**5), (128, 10**4),
    }  # fmt: skip
    spans = gradients.tasks(Options(most_steps=10**4), 32, store)
    timed = [one.about for one in spans if one.about["kind"] == "timing"]
    assert {one["steps"] for one in timed} == {10**4}
    assert len({one.key for one in training.tasks(Options(), 32, store)}) == 1 + 2 * (
        2 * 5 + 2 * 4
    )


def test_more_lanes_are_skipped_when_fewer_took_long(store):
    way = BY_KEY["torchdiffeq"]
    slow = {**SPREAD, "median": 10.0}
    store.rows["x"] = _row("torchdiffeq", 10**4, 1e6, seconds=slow, seed=0)
    problem = Ensemble(2, 32, 10**5, 0)
    with pytest.raises(Skip, match="would take more than 70 s"):
        ensembles._skip_if_long(way, problem, Options(), store)
    store.rows["x"].update(status=SKIPPED, reason="would take long")
    with pytest.raises(Skip, match="with 10000 lanes"):
        ensembles._skip_if_long(way, problem, Options(), store)
    store.rows["x"].update(status=FAILED, reason="wrong answer: off")
    with pytest.raises(Refused):
        ensembles._skip_if_long(way, problem, Options(), store)


@pytest.mark.parametrize(
    "key", ["ours-xla", "xla-whole", "xla-by-neuron", "splitting-xla", "xla-split"]
)
def test_ways_that_need_no_gpu_are_right(key):
    problem = Ensemble(2, 64, 40, 0, scheme=BY_KEY[key].scheme, seed=3)
    found = ensembles.measure_way(BY_KEY[key], problem, Options(tiny=True))
    assert found["error"] < 1e-14
    assert found["rate"] > 0


def test_a_wrong_way_is_not_timed():
    problem = Ensemble(2, 64, 40, 0, seed=3)
    runs = []

    def prepare(problem):
        def run(steps):
            runs.append(steps)
            return expected(problem, steps - 1)

        return Solver(run, lambda result, lanes: result)

    way = DeviceWay("wrong", "wrong", "default", prepare)
    with pytest.raises(WrongAnswer, match="off by"):
        ensembles.measure_way(way, problem, Options(tiny=True))
    assert runs == [10]


def test_inputs_follow_the_seed():
    one, same, other = (Ensemble(2, 32, 8, 0, seed=s).y0 for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.all(one != other)
    assert np.isnan(relative_error(np.full((2, 2), np.inf), np.ones((2, 2))))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("size", [2, 8, 32, 128])
def test_kernels_by_hand_fit_the_card(size, bits):
    for variant in [
        cuda.plain_variant(size, bits),
        *cuda.tuned_variants(size, bits),
    ]:
        assert variant.block % 32 == 0 and variant.block <= 512
        assert variant.shared <= 227 * 1024
        assert variant.kernel in cuda.source()


def test_keys_are_unique():
    assert len(BY_KEY) == len(WAYS)


def test_the_table_compares_with_limit_floor_and_diffrax(filled):
    text = tables.render(filled)
    # 1e11 lane-steps a second of at most 1 / 9e-12; by hand 1.25e11; diffrax 2e9.
    assert "| 2 | 10⁵ | 1e+11 | 50 | – | – | 1.25 | 1.11 | tanh |" in text
    assert "failed: a/b" in text
    assert "(by_lane N=2)" in text
    assert "tiny run" not in text.split("## What")[0]


def test_the_table_needs_no_ceilings(filled):
    filled.rows = {k: v for k, v in filled.rows.items() if v["part"] != "ceilings"}
    assert "| 1.25 | – | – |" in tables.render(filled)


def test_gradients_and_training_have_their_tables(store):
    about = {"size": 2, "weight": "dense", "lanes": 64, "steps": 10**4, "bits": 32}
    for way, seconds in (("ours-pallas", 0.1), ("diffrax-vmap", 1.0)):
        label = gradients.LABELS[way]
        common = {"part": "gradients", "way": way, "label": label, **about}
        store.rows[f"agreement/{way}"] = {
            **common, "kind": "agreement", "status": DONE, "error": 1e-6,
            "allowed": 1e-4,
        }  # fmt: skip
        store.rows[way] = {
            **common, "kind": "timing", "status": DONE, "rate": 1e6,
            "seconds": {**SPREAD, "median": seconds}, "temporary_bytes": 2e6,
        }  # fmt: skip
    setting = {"part": "training", "batch": 64, "network": "gru", "size": 8, "delay": 3}
    for way, rate in (("ours", 200.0), ("torch-cudnn", 100.0)):
        store.rows[f"training/{way}"] = {
            **setting, "kind": "timing", "way": way, "label": way, "status": DONE,
            "rate": rate, "seconds": SPREAD, "first_loss": 0.5,
        }  # fmt: skip
    store.rows["transfers"] = {
        **setting, "kind": "transfers", "status": DONE, "steps": 10, "platform": "gpu",
    }  # fmt: skip
    text = tables.render(store)
    assert "| 2 | dense | 64 | 10⁴ | **ctrnn_jax, `ReversibleAdjoint`" in text
    assert "| 1e+06 | 2 | 10 |" in text
    assert "| torch-cudnn | 100 | 0.09 – 0.11 | 5 | 2.00 | 0.500000 |" in text
    assert "10 training steps on gpu moved nothing" in text


def test_the_figure_follows_from_what_is_on_disk(filled, tmp_path):
    filled.write()
    again = Store(tmp_path)
    found = curves(again, 2)
    assert list(found) == [
        "ctrnn_jax, engine='pallas'",
        "CUDA by hand, fastest of several",
        "CUDA by hand, tanhf",
        "diffrax RK4, vmapped",
    ]
    path = tmp_path / "gpu_ensembles.png"
    assert draw(again, path) and path.stat().st_size > 0
    assert not draw(Store(tmp_path / "nothing"), tmp_path / "none.png")


def test_the_command_writes_a_report_of_what_is_there(filled, tmp_path, capsys):
    filled.write()
    assert main(["gpu", "report", "--out", str(tmp_path)]) == 0
    assert "gpu.md" in capsys.readouterr().out
    rows = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["rows"]
    assert rows == filled.rows
    with pytest.raises(SystemExit, match="no part celings"):
        main(["gpu", "celings"])
