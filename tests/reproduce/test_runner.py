"""Finished claims are kept, damaged ones run again, settings restored."""

import json
import sys
import types

import jax
import jax.numpy as jnp
import pytest
from claim_results import make_result

from ctrnn_jax.reproduce import _store as store
from ctrnn_jax.reproduce import reproduce, runner


@pytest.fixture
def calls(monkeypatch):
    """Replace the claims by two that only count how often they run."""
    made = []

    def add(key):
        module = types.ModuleType(f"ctrnn_jax.reproduce.fake_{key}")

        def run(settings, advance):
            advance(f"{key}: stage")
            made.append((key, jnp.zeros(()).dtype.name, settings["size"]))
            return make_result(key, settings=settings)

        module.settings = lambda *, quick: {"size": 1 if quick else 2}
        module.run = run
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return f"fake_{key}"

    monkeypatch.setattr(runner, "CLAIMS", {key: add(key) for key in ("C1", "C2")})
    return made


def test_finished_claims_are_not_run_again(calls, tmp_path):
    first = reproduce(("C1", "C2"), out=tmp_path, progress=False)
    assert [call[0] for call in calls] == ["C1", "C2"]
    assert reproduce(("C1", "C2"), out=tmp_path, progress=False) == first
    assert len(calls) == 2
    page = first.read_text("utf-8")
    assert 'id="C1"' in page
    assert 'id="C2"' in page


def test_fresh_runs_what_was_asked_for_again(calls, tmp_path):
    reproduce(("C1", "C2"), out=tmp_path, progress=False)
    reproduce(("C2",), out=tmp_path, fresh=True, progress=False)
    assert [call[0] for call in calls] == ["C1", "C2", "C2"]


def test_a_run_broken_off_goes_on_where_it_stopped(calls, tmp_path, monkeypatch):
    module = sys.modules["ctrnn_jax.reproduce.fake_C2"]
    whole = module.run

    def broken(settings, advance):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run", broken)
    with pytest.raises(KeyboardInterrupt):
        reproduce(("C1", "C2"), out=tmp_path, progress=False)
    monkeypatch.setattr(module, "run", whole)
    reproduce(("C1", "C2"), out=tmp_path, progress=False)
    assert [call[0] for call in calls] == ["C1", "C2"]


def _cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _edit(path):
    content = json.loads(path.read_text("utf-8"))
    content["result"]["verdict"] = "fails"
    path.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("result.json", _cut),
        ("result.json", _edit),
        ("result.json", lambda path: path.write_text("[]", "utf-8")),
        ("result.json", lambda path: path.unlink()),
        ("figure.png", _cut),
        ("figure.png", _flip),
        ("figure.png", lambda path: path.unlink()),
    ],
)
def test_a_damaged_result_is_run_again(calls, tmp_path, name, harm):
    reproduce(("C1",), out=tmp_path, progress=False)
    harm(tmp_path / "claims" / "C1" / name)
    reproduce(("C1",), out=tmp_path, progress=False)
    assert len(calls) == 2
    reproduce(("C1",), out=tmp_path, progress=False)
    assert len(calls) == 2


def test_other_settings_or_another_version_mean_another_result(monkeypatch):
    mark = store.fingerprint("C1", {"seed": 1})
    assert mark == store.fingerprint("C1", {"seed": 1})
    assert mark != store.fingerprint("C1", {"seed": 2})
    assert mark != store.fingerprint("C2", {"seed": 1})
    monkeypatch.setattr("ctrnn_jax.__version__", "0.0.0")
    assert mark != store.fingerprint("C1", {"seed": 1})


def test_quick_and_full_runs_are_kept_apart(calls, tmp_path):
    reproduce(("C1",), out=tmp_path, progress=False)
    reproduce(("C1",), out=tmp_path, quick=True, progress=False)
    reproduce(("C1",), out=tmp_path, progress=False)
    assert [call[2] for call in calls] == [2, 1]


def test_claims_run_in_float64_and_the_users_settings_come_back(calls, tmp_path):
    jax.config.update("jax_enable_x64", False)
    try:
        reproduce(("C1",), out=tmp_path, progress=False)
        assert jnp.zeros(()).dtype == jnp.float32
    finally:
        jax.config.update("jax_enable_x64", True)
    assert calls[0][1] == "float64"
    assert jax.config.jax_numpy_rank_promotion == "raise"


def test_progress_is_told_to_a_function_and_shown_by_default(calls, tmp_path, capsys):
    told = []
    reproduce(("c1",), out=tmp_path, progress=told.append)
    reproduce(("c1",), out=tmp_path, progress=told.append)
    assert told[0] == "C1: stage"
    assert "finished before" in told[1]
    reproduce(("C1",), out=tmp_path, fresh=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "C1" in captured.err


def test_an_unknown_claim_is_refused(calls, tmp_path):
    with pytest.raises(ValueError, match="C1, C2"):
        reproduce(("C9",), out=tmp_path, progress=False)
    with pytest.raises(ValueError, match="C1, C2"):
        reproduce((), out=tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    store.write_atomically(path, b"old")

    def refuse(*args):
        raise OSError("disk full")

    monkeypatch.setattr(store.os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        store.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
