"""Killed at any moment, training ends with the same bits."""

import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from small import KEY, OPTIM, TASK, Net, same

from ctrnn_jax.train import fit

pytestmark = pytest.mark.standard_promotion

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KILLS = 3


def _start(folder, pause):
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(HERE / "kill_me.py"), folder, str(pause)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "PATH": ""},
    )


def _finish(folder, pause=0.0):
    process = _start(folder, pause)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return json.loads(stdout.splitlines()[-1])


def _logged(folder):
    """Return all losses and all scores in the log, in order."""
    text = (folder / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    losses = [loss for line in lines for loss in line.get("losses", ())]
    scores = [(line["step"], line["scores"]) for line in lines if "scores" in line]
    return losses, scores


@pytest.mark.slow
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    reference = _finish(whole)
    moments = random.Random(20250413)
    steps = []
    for _ in range(KILLS):
        process = _start(killed, 0.02)
        first = process.stdout.readline()
        assert first, process.stderr.read()
        steps.append(int(first))
        # Some 0.02 s a dispatch, written down meanwhile: any moment of it may be hit.
        timer = threading.Timer(moments.uniform(0.0, 0.4), process.kill)
        timer.start()
        process.communicate(timeout=60)
        timer.join()
        assert process.returncode == -9
    # Each session went on from a checkpoint of the one before.
    assert steps == sorted(steps)
    assert len(set(steps)) > 1
    assert _finish(killed) == reference
    assert _logged(killed) == _logged(whole)
    losses = np.array(_logged(whole)[0])
    assert losses.tobytes().hex() == reference["losses"]
    assert not list(killed.glob(".*.tmp"))


class _Stop(Exception):
    pass


def _train(folder, *, stop_at=None, **options):
    def interrupt(progress):
        if progress.step == stop_at:
            raise _Stop

    given = {"optim": OPTIM, "num_steps": 12, "batch_size": 8, "key": KEY} | options
    given |= {"validate_every": 2, "save_every": 3, "steps_per_dispatch": 4}
    return fit(Net(), TASK, **given, folder=folder, callbacks=[interrupt])


@pytest.mark.parametrize("step", [2, 4, 9])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, step):
    model, history = _train(tmp_path / "whole")
    with pytest.raises(_Stop):
        _train(tmp_path / "cut", stop_at=step)
    again, resumed = _train(tmp_path / "cut")
    assert same(again, model)
    assert resumed.best_step == history.best_step
    np.testing.assert_array_equal(resumed.losses, history.losses)
    np.testing.assert_array_equal(
        resumed.validation_scores["loss"], history.validation_scores["loss"]
    )
    assert _logged(tmp_path / "cut") == _logged(tmp_path / "whole")


def test_patience_lost_before_an_interruption_stays_lost(tmp_path):
    # No score is below the first by any margin: each validation waits.
    options = {"optim": OPTIM, "patience": 3, "monitor": "loss", "maximise": True}
    model, history = _train(tmp_path / "whole", **options)
    with pytest.raises(_Stop):
        _train(tmp_path / "cut", stop_at=4, **options)
    again, resumed = _train(tmp_path / "cut", **options)
    assert history.stop == resumed.stop == "patience"
    assert len(resumed.losses) == len(history.losses)
    assert same(again, model)


def test_a_finished_training_is_not_repeated_and_may_be_prolonged(tmp_path):
    model, history = _train(tmp_path)
    again, repeated = _train(tmp_path, stop_at=0)
    assert same(again, model)
    np.testing.assert_array_equal(repeated.losses, history.losses)
    longer, _ = _train(tmp_path, num_steps=16)
    direct, _ = _train(tmp_path / "direct", num_steps=16)
    assert same(longer, direct)


def test_the_log_is_mended_where_it_disagrees_with_the_checkpoint(tmp_path):
    with pytest.raises(_Stop):
        _train(tmp_path, stop_at=8)
    log = tmp_path / "metrics.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:2]) + lines[2][:10])  # cut in the middle of a line
    _, history = _train(tmp_path)
    assert _logged(tmp_path)[0] == list(history.losses)


def test_a_new_beginning_forgets_the_old(tmp_path):
    model, _ = _train(tmp_path)
    with pytest.raises(_Stop):
        _train(tmp_path, num_steps=24, stop_at=16)
    again, history = _train(tmp_path, resume=False)
    assert same(again, model)
    assert len(history.losses) == 12
    assert _logged(tmp_path)[0] == list(history.losses)
