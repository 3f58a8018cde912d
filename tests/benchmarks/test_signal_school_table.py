"""The benchmark of Signal School, trained for a few steps."""

import json

import pytest

from benchmarks.memory import signal_school
from ctrnn_jax.reproduce._memory_network import kinds


@pytest.mark.slow
def test_the_table_has_the_held_out_signal_only_where_one_is(tmp_path, monkeypatch):
    monkeypatch.setattr(signal_school, "kinds", lambda scale: kinds(scale)[:1])
    page = signal_school.run(tmp_path, "command", 2, 5, say=lambda text: None)
    eight, seven = json.loads((tmp_path / "signal_school.json").read_text())["rows"]
    assert eight["held-out square, horizon"] == []
    assert len(seven["held-out square, horizon"]) == 2
    assert len(eight["sines, ten horizons"]) == 2
    # Five steps memorize nothing, and a linear state cannot blow up.
    assert all(0.1 < error < 100 for error in eight["sines, horizon"])
    text = page.read_text()
    assert text.count("held-out square, horizon") == 1
    assert "2\n  seeds" in text
