"""Interrupted, damaged, repeated: a run ends with the same file or says why not."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from small_run import SEGMENTS, SMALL, read

from ctrnn_jax._run import _files
from ctrnn_jax._run._checkpoint import Checkpoint


@pytest.fixture
def reference(ctrnn, tmp_path):
    """The bytes of an uninterrupted small run."""
    path = tmp_path / "reference.npz"
    assert ctrnn.small(path) == 0
    return path.read_bytes()


@pytest.fixture
def interrupted(ctrnn, out, monkeypatch):
    """Return a function that stops the small run before it saves a segment."""

    def run(segment=2):
        with monkeypatch.context() as patch:
            original = Checkpoint.save

            def save(self, index, data):
                if index == segment:
                    raise KeyboardInterrupt
                original(self, index, data)

            patch.setattr(Checkpoint, "save", save)
            assert ctrnn.small(out) == 130
        assert "interrupted" in ctrnn.stderr
        assert not out.exists()
        assert len(_segments(out)) == segment

    return run


def _partial(out):
    return out.with_name(out.name + ".partial")


def _segments(out):
    return sorted(_partial(out).glob("segment-*.bin"))


@pytest.mark.parametrize("segment", range(SEGMENTS))
def test_an_interrupted_run_ends_with_the_same_bytes(
    ctrnn, out, reference, interrupted, segment
):
    interrupted(segment)
    assert ctrnn.small(out) == 0
    if segment:
        assert f"Going on after {segment} of {SEGMENTS} segments" in ctrnn.stderr
    assert out.read_bytes() == reference
    assert not _partial(out).exists()


def test_resuming_computes_only_what_is_missing(ctrnn, out, interrupted, monkeypatch):
    interrupted(3)
    saved = []
    original = Checkpoint.save

    def save(self, index, data):
        saved.append(index)
        original(self, index, data)

    monkeypatch.setattr(Checkpoint, "save", save)
    assert ctrnn.small(out) == 0
    assert saved == [3]


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def _replace(path):
    path.write_bytes(b"something else")


def _empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_flip, _truncate, _replace, _empty])
@pytest.mark.parametrize("segment", [0, 1])
def test_a_damaged_segment_is_reported_and_computed_again(
    ctrnn, out, reference, interrupted, damage, segment
):
    interrupted(3)
    damage(_segments(out)[segment])
    assert ctrnn.small(out) == 0
    assert "damaged" in ctrnn.stderr
    assert f"going on from {'segment 1' if segment else 'zero'}" in ctrnn.stderr
    assert out.read_bytes() == reference


def test_a_sound_segment_in_the_wrong_place_is_not_trusted(
    ctrnn, out, reference, interrupted
):
    interrupted(3)
    first, second, _ = _segments(out)
    second.write_bytes(first.read_bytes())
    assert ctrnn.small(out) == 0
    assert "damaged" in ctrnn.stderr
    assert out.read_bytes() == reference


@pytest.mark.parametrize("damage", [_truncate, _replace, _empty])
def test_a_checkpoint_that_says_not_what_it_is_starts_from_zero(
    ctrnn, out, reference, interrupted, damage
):
    interrupted(3)
    damage(_partial(out) / "run.json")
    assert ctrnn.small(out) == 0
    assert "starting from zero" in ctrnn.stderr
    assert out.read_bytes() == reference


def test_another_specification_does_not_resume_unless_told_to(ctrnn, out, interrupted):
    interrupted(2)
    assert ctrnn.small(out, "--dt0", "0.125") == 2
    assert "time.dt0 was 0.25, now 0.125" in ctrnn.stderr
    assert "--fresh" in ctrnn.stderr
    assert len(_segments(out)) == 2
    assert ctrnn.small(out, "--dt0", "0.125", "--fresh") == 0
    assert read(out)[0]["config"]["time.dt0"] == 0.125


def test_fresh_drops_the_checkpoint_of_a_run_that_was_not_begun_so(
    ctrnn, out, reference, interrupted
):
    interrupted(2)
    assert ctrnn.small(out, "--fresh") == 0
    assert "Going on" not in ctrnn.stderr
    assert out.read_bytes() == reference


def test_other_versions_do_not_resume(ctrnn, out, interrupted, monkeypatch):
    interrupted(2)
    identity = _partial(out) / "run.json"
    text = identity.read_text()
    version = json.loads(text)["made_with"]["jax"]
    identity.write_text(text.replace(f'"jax": "{version}"', '"jax": "0.0.1"'))
    assert ctrnn.small(out) == 2
    assert f'jax was "0.0.1", now "{version}"' in ctrnn.stderr


def test_a_finished_run_is_not_repeated(ctrnn, out, reference):
    assert ctrnn.small(out) == 0
    before = out.stat().st_mtime_ns
    assert ctrnn.small(out) == 0
    assert "finished already" in ctrnn.stderr
    assert "2 okay, 0 failed" in ctrnn.stdout
    assert out.stat().st_mtime_ns == before
    assert ctrnn.small(out, "--fresh") == 0
    assert out.stat().st_mtime_ns > before
    assert out.read_bytes() == reference


def test_another_result_is_replaced_only_if_told_to(ctrnn, out, reference):
    assert ctrnn.small(out) == 0
    assert ctrnn.small(out, "--dt0", "0.125") == 2
    assert "time.dt0 was 0.25, now 0.125" in ctrnn.stderr
    assert out.read_bytes() == reference
    assert ctrnn.small(out, "--dt0", "0.125", "--fresh") == 0
    assert out.read_bytes() != reference


def test_a_foreign_file_is_never_overwritten(ctrnn, out):
    out.write_bytes(b"my only copy")
    for extra in ([], ["--fresh"]):
        assert ctrnn.small(out, *extra) == 2
        assert "not a sound result" in ctrnn.stderr
    assert out.read_bytes() == b"my only copy"


def test_a_damaged_result_is_not_taken_for_a_finished_one(ctrnn, out):
    assert ctrnn.small(out) == 0
    _flip(out)
    assert ctrnn.small(out) == 2
    assert "not a sound result" in ctrnn.stderr or "damaged" in ctrnn.stderr


def test_a_full_disk_keeps_what_is_done_and_leaves_nothing_half_written(
    ctrnn, out, reference, monkeypatch
):
    assert ctrnn.small(out) == 0
    count = 0

    def fsync(descriptor):
        nonlocal count
        count += 1
        # A file is one call for itself and one for its folder: run.json, the mark of
        # --fresh, two segments.
        if count > 8:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        assert ctrnn.small(out, "--dt0", "0.125", "--fresh") == 3
    assert "No space left on device" in ctrnn.stderr
    assert "run the same command" in ctrnn.stderr
    assert out.read_bytes() == reference  # the earlier result
    assert len(_segments(out)) == 2
    assert list(out.parent.rglob(".*")) == []
    assert ctrnn.small(out, "--dt0", "0.125", "--fresh") == 0
    assert "Going on after 2 of 4 segments" in ctrnn.stderr
    assert read(out)[0]["config"]["time.dt0"] == 0.125


def test_a_disk_full_at_the_end_loses_nothing(ctrnn, out, reference, monkeypatch):
    def replace(source, target):
        if str(target).endswith(".npz"):
            raise OSError(errno.ENOSPC, "No space left on device")
        original(source, target)

    original = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        assert ctrnn.small(out) == 3
    assert not out.exists()
    assert len(_segments(out)) == SEGMENTS
    assert ctrnn.small(out) == 0
    assert out.read_bytes() == reference


def test_two_runs_into_one_place_are_told_apart(ctrnn, out):
    _partial(out).mkdir()
    with _files.locked(_partial(out) / "lock"):
        assert ctrnn.small(out) == 2
    assert "Another process is writing" in ctrnn.stderr


def test_files_of_others_in_the_checkpoint_folder_survive(ctrnn, out, interrupted):
    interrupted(2)
    (_partial(out) / "notes.txt").write_text("mine")
    assert ctrnn.small(out) == 0
    assert (_partial(out) / "notes.txt").read_text() == "mine"
    assert len(list(_partial(out).iterdir())) == 1


# A process of its own, in which an interrupt is not ignored as in a shell's `&`.
_START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from ctrnn_jax.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_run_stopped_and_killed_ends_with_the_same_bytes(ctrnn, tmp_path):
    arguments = [*SMALL, "--t1", "400000", "--segment", "1", "--no-figure", "--out"]
    out, whole = tmp_path / "run.npz", tmp_path / "whole.npz"

    def stop(number, sent):
        with subprocess.Popen(
            [sys.executable, "-c", _START, *arguments, str(out)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            while process.poll() is None and len(_segments(out)) < number:
                time.sleep(0.01)
            process.send_signal(sent)
            _, stderr = process.communicate(timeout=60)
        assert not out.exists(), stderr
        assert number <= len(_segments(out)) < 8
        return process.returncode, stderr

    code, stderr = stop(2, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in stderr
    assert "the same command goes on" in stderr
    code, _ = stop(4, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert ctrnn(*arguments, out) == 0
    assert "Going on after" in ctrnn.stderr
    assert ctrnn(*arguments, whole) == 0
    assert out.read_bytes() == whole.read_bytes()
