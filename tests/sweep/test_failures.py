"""A run that fails costs that run, and a call that does not fit is made smaller."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_sweep import WAVE_GRID, Chain, same, wave

from ctrnn_jax.sweep import open_sweep, repair, sweep
from ctrnn_jax.sweep._compute import Computer
from ctrnn_jax.sweep._store import Store

RUNS = {"a": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]}


def square(settings, key):
    """The square of a, and of nothing finite where a is 3."""
    a = settings["a"]
    return {"out": jnp.where(a == 3.0, jnp.nan, a * a), "half": a / 2}


def _raising(bad, calls=None):
    """Return `square` with an error for one setting, raised while it runs."""

    def check(a):
        if calls is not None:
            calls.append(1)
        if (np.asarray(a) == bad).any():
            raise RuntimeError("boom at a bad setting")
        return np.asarray(a)

    def fn(settings, key):
        shape = jax.ShapeDtypeStruct((), jnp.float64)
        a = jax.pure_callback(check, shape, settings["a"], vmap_method="expand_dims")
        return square({"a": a}, key)

    return fn


def test_a_run_that_is_not_finite_harms_no_other():
    found = sweep(square, RUNS)
    assert found.status.values.tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert found.half.values.tolist() == [a / 2 for a in range(8)]


def test_an_experiment_may_judge_for_itself():
    def judged(settings, key):
        status = jnp.where(settings["a"] > 5.0, 2, 0)
        return {**square(settings, key), "status": status}

    assert sweep(judged, RUNS).status.values.tolist() == [0, 0, 0, 0, 0, 0, 2, 2]


def test_a_run_that_raises_is_marked_with_the_reason_and_harms_no_other(tmp_path):
    path = tmp_path / "s.zarr"
    seen = []
    found = sweep(_raising(5.0), RUNS, store=path, chunk_size=4, progress=seen.append)
    assert found.status.values.tolist() == [0, 0, 0, 1, 0, 2, 0, 0]
    clean = sweep(square, RUNS, chunk_size=4)
    okay = np.arange(8) != 5
    for name in ("out", "half"):
        assert found[name].values[okay].tobytes() == clean[name].values[okay].tobytes()
        assert np.isnan(found[name].values[5])
    reasons = Store(path).reasons()
    assert [*reasons] == [5]
    assert "boom at a bad setting" in reasons[5]
    assert seen[-1].failures == {"not finite": 1, "failed": 1}


def test_the_search_for_runs_that_raise_has_an_end(tmp_path):
    calls = []
    grid = {"a": {"start": 0.0, "stop": 1.0, "num": 256}}

    def fn(settings, key):
        def check(a):
            calls.append(1)
            raise RuntimeError("always")

        shape = jax.ShapeDtypeStruct((), jnp.float64)
        a = jax.pure_callback(check, shape, settings["a"], vmap_method="expand_dims")
        return {"out": a}

    found = sweep(fn, grid, chunk_size=256)
    assert (found.status == 2).all()
    assert len(calls) < 80


def test_settings_that_cannot_be_traced_fail_alone(tmp_path):
    class Picky(Chain):
        def build(self, fixed):
            if fixed["kind"] == "closed":
                raise RuntimeError("no closed chains today")
            return super().build(fixed)

    path = tmp_path / "s.zarr"
    found = sweep(Picky(), {"kind": ["open", "closed"], "steps": [1, 2]}, store=path)
    assert found.status.sel(kind="open").values.tolist() == [0, 0]
    assert found.status.sel(kind="closed").values.tolist() == [2, 2]
    assert {*Store(path).reasons().values()} == {"RuntimeError: no closed chains today"}


def test_an_error_in_every_run_is_raised_as_it_is():
    def broken(settings, key):
        raise ZeroDivisionError("a mistake of the user")

    with pytest.raises(ZeroDivisionError, match="mistake of the user"):
        sweep(broken, RUNS)


@pytest.fixture
def small_machine(monkeypatch):
    """Let calls of more than some runs find no memory."""
    room, call = [4], Computer._call

    def limited(self, bucket, batch, ids):
        if batch > room[0]:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        return call(self, bucket, batch, ids)

    monkeypatch.setattr(Computer, "_call", limited)
    return room


def test_out_of_memory_halves_the_batch_and_changes_no_bit(small_machine):
    seen = []
    found = sweep(wave, WAVE_GRID, chunk_size=20, progress=seen.append)
    notes = [note for item in seen for note in item.notes]
    assert [note.split("memory with ")[1] for note in notes] == [
        "20 runs a device; going on with 10",
        "10 runs a device; going on with 5",
        "5 runs a device; going on with 2",
    ]
    small_machine[0] = 100
    assert same(found, sweep(wave, WAVE_GRID, chunk_size=20))


def test_runs_that_never_fit_are_marked_and_can_be_tried_again(small_machine, tmp_path):
    path = tmp_path / "s.zarr"
    small_machine[0] = 1
    found = sweep(square, RUNS, store=path)
    assert (found.status == 3).all()
    assert np.isnan(found.out).all()
    assert "RESOURCE_EXHAUSTED" in Store(path).reasons()[0]
    small_machine[0] = 100
    repair(path, square, failed=True)
    assert same(open_sweep(path), sweep(square, RUNS))
    assert Store(path).reasons() == {}


def test_a_call_that_would_not_fit_is_not_even_tried(monkeypatch):
    from ctrnn_jax.sweep import _compute

    def large(settings, key):
        field = settings["a"] + jnp.arange(100_000.0)
        return {"out": jnp.sort(jnp.sin(field))[:3]}

    monkeypatch.setattr(_compute, "available_memory", lambda: 8_000_000)
    notes = []
    grid = {"a": {"start": 0.0, "stop": 1.0, "num": 16}}
    found = sweep(large, grid, progress=lambda item: notes.extend(item.notes))
    assert (found.status == 0).all()
    assert notes
    monkeypatch.undo()
    assert same(found, sweep(large, grid))


def test_a_chunk_that_was_begun_often_is_run_as_at_first(tmp_path):
    # A compiler rounds smaller calls otherwise: no interruption may change their size.
    path = tmp_path / "s.zarr"
    sweep(wave, WAVE_GRID, store=path, shard=(2, 2), chunk_size=16)
    for _ in range(4):
        Store(path).begin(0)
    sizes, call = [], Computer._call

    def noted(self, bucket, batch, ids):
        sizes.append(batch)
        return call(self, bucket, batch, ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Computer, "_call", noted)
        sweep(wave, WAVE_GRID, store=path, chunk_size=16)
    assert sizes == [16, 16]


def test_runs_keep_their_places_while_the_one_that_raises_is_sought():
    seen, call = [], Computer._call

    def noted(self, bucket, batch, ids):
        seen.append(ids.tolist())
        return call(self, bucket, batch, ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Computer, "_call", noted)
        sweep(_raising(5.0), RUNS)
    assert seen[:3] == [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 1, 2, 3, 0, 0, 0, 0],
        [4, 4, 4, 4, 4, 5, 6, 7],
    ]
