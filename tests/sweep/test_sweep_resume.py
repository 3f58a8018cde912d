"""Interrupted anywhere, a sweep ends with the same bits and refuses to mix."""

import errno
import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from small_sweep import WAVE_GRID, Chain, Stop, same, stop_after, wave

from ctrnn_jax.sweep import (
    BusyError,
    MismatchError,
    SpecificationError,
    SweepStorageError,
    open_sweep,
    sweep,
)
from ctrnn_jax.sweep._store import Store

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OPTIONS = {"chunk_size": 8, "batch_size": 4}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The store of a sweep that nothing has interrupted."""
    path = tmp_path_factory.mktemp("whole") / "s.zarr"
    sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    return path


def _files(path):
    """Return the bytes of every result's file by its name."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("c/**/*"))
        if file.is_file() and "attempts" not in file.parts
    }


def test_interrupted_at_every_chunk_it_ends_with_the_same_files(whole, tmp_path):
    path = tmp_path / "s.zarr"
    sessions = 0
    while True:
        try:
            # One chunk a session: the first report comes before any.
            sweep(wave, WAVE_GRID, store=path, progress=stop_after(1), **OPTIONS)
            break
        except Stop:
            sessions += 1
    assert sessions == 5
    assert _files(path) == _files(whole)
    assert same(open_sweep(path), open_sweep(whole))


def test_a_finished_sweep_computes_nothing_again(whole):
    def never(settings, key):
        found = wave(settings, key)
        jax.debug.callback(lambda: pytest.fail("computed again"))
        return found

    never.__qualname__ = "wave"
    assert same(sweep(never, WAVE_GRID, store=whole, **OPTIONS), open_sweep(whole))


def test_partial_results_can_be_read_meanwhile(whole, tmp_path):
    path = tmp_path / "s.zarr"
    seen = []

    def look(progress):
        seen.append(open_sweep(path))

    sweep(wave, WAVE_GRID, store=path, progress=look, **OPTIONS)
    assert [int((item.status == 0).sum()) for item in seen] == [0, 8, 16, 24, 32, 36]
    final = open_sweep(whole)
    for item in seen:
        done = (item.status == 0).values
        assert (item.status.values[~done] == 4).all()
        assert np.isnan(item.level.values[~done]).all()
        np.testing.assert_array_equal(item.level.values[done], final.level.values[done])


@pytest.mark.parametrize("order", [[2, 1, 3], [3, 2, 1]])
def test_shards_in_any_order_give_the_same_files(whole, tmp_path, order):
    path = tmp_path / "s.zarr"
    for index in order:
        sweep(wave, WAVE_GRID, store=path, shard=(index, 3), **OPTIONS)
    assert _files(path) == _files(whole)


def test_a_chunk_half_written_is_written_again(whole, tmp_path):
    path = tmp_path / "s.zarr"
    with pytest.raises(Stop):
        sweep(wave, WAVE_GRID, store=path, progress=stop_after(2), **OPTIONS)
    store = Store(path)
    missing = int(np.flatnonzero(~store.done())[0])
    store.array("level")[missing * 8 : missing * 8 + 8] = np.full(8, 7.0)
    assert not (open_sweep(path).level == 7.0).any()
    sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    assert _files(path) == _files(whole)


@pytest.mark.slow
def test_what_a_killed_process_was_writing_is_removed(whole, tmp_path):
    path = tmp_path / "s.zarr"
    with pytest.raises(Stop):
        sweep(wave, WAVE_GRID, store=path, progress=stop_after(2), **OPTIONS)
    # As zarr names a file before it is whole.
    (path / "status" / "c" / "4.0123abcd.partial").write_bytes(b"half")
    with pytest.raises(Stop):
        sweep(
            wave, WAVE_GRID, store=path, shard=(2, 2), progress=stop_after(1), **OPTIONS
        )
    assert list(path.rglob("*.partial"))  # Another shard may be writing it.
    sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    assert _files(path) == _files(whole)


def test_killed_at_random_moments_it_ends_with_the_same_files(tmp_path):
    def start(path, pause):
        return subprocess.Popen(
            [sys.executable, "-W", "error", HERE / "kill_sweep.py", path, str(pause)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "PATH": ""},
        )

    def finish(path):
        process = start(path, 0.0)
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr

    whole, killed = tmp_path / "whole.zarr", tmp_path / "killed.zarr"
    finish(whole)
    moments = random.Random(20250413)
    begun = []
    for _ in range(3):
        process = start(killed, 0.02)
        first = process.stdout.readline()
        assert first, process.stderr.read()
        begun.append(int(first))
        # The next one comes once a chunk is written; then any moment may be hit.
        process.stdout.readline()
        timer = threading.Timer(moments.uniform(0.0, 0.4), process.kill)
        timer.start()
        process.communicate(timeout=60)
        timer.join()
        assert process.returncode == -9
    assert begun == sorted(begun)
    assert begun[-1] > 0
    finish(killed)
    assert _files(killed) == _files(whole)
    assert not list(tmp_path.glob(".*.tmp"))


def test_killed_while_it_is_created_nothing_is_left(tmp_path, monkeypatch):
    path = tmp_path / "s.zarr"
    leftover = tmp_path / ".s.zarr.99999.tmp"
    leftover.mkdir()
    (leftover / "half").write_text("")
    sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    assert [item.name for item in tmp_path.iterdir()] == ["s.zarr"]


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        (WAVE_GRID | {"scale": [1.0]}, {}, "scale 12 x model.rate 3 there, scale 1 x"),
        (WAVE_GRID | {"model.rate": [0.0, 1.0, 2.0]}, {}, r"model.rate in \[grid\]"),
        (WAVE_GRID, {"key": jr.key(1)}, "the seed or key is .* there"),
        (WAVE_GRID, {"chunk_size": 12}, "chunk_size is 8 there, 12 here"),
        (WAVE_GRID, {"batch_size": 8}, "batch_size is 4 there.*--accept batch_size"),
    ],
)
def test_another_sweep_is_refused_and_told_what_differs(whole, grid, options, message):
    with pytest.raises(MismatchError, match=message):
        sweep(wave, grid, store=whole, **{**OPTIONS, **options})


def test_another_experiment_or_result_is_refused(whole):
    with pytest.raises(MismatchError, match="the experiment is wave there, other"):
        sweep(
            _named(lambda *run: wave(*run), "other"), WAVE_GRID, store=whole, **OPTIONS
        )

    def less(settings, key):
        return {"level": wave(settings, key)["level"]}

    with pytest.raises(MismatchError, match="series"):
        sweep(_named(less, "wave"), WAVE_GRID, store=whole, **OPTIONS)


def _named(fn, name):
    def call(settings, key):
        return fn(settings, key)

    call.__qualname__ = name
    return call


def test_another_precision_is_refused(whole):
    def single(settings, key):
        return {
            "level": settings["scale"] * jnp.float32(1),
            "series": settings["scale"] * jnp.ones(5, jnp.float32),
        }

    with jax.enable_x64(False), pytest.raises(MismatchError, match="64-bit mode"):
        sweep(_named(single, "wave"), WAVE_GRID, store=whole, **OPTIONS)


def test_other_versions_are_refused_unless_accepted(tmp_path, monkeypatch):
    path = tmp_path / "s.zarr"
    sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    from ctrnn_jax.sweep import _manifest

    found = {**_manifest.versions(), "jax": "9.9"}
    monkeypatch.setattr(_manifest, "versions", lambda: found)
    with pytest.raises(MismatchError, match="9.9 here.*--accept versions"):
        sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    sweep(wave, WAVE_GRID, store=path, accept=["versions"], **OPTIONS)
    with pytest.raises(SpecificationError, match="it may hold"):
        sweep(wave, WAVE_GRID, store=path, accept=["seed"], **OPTIONS)


def test_a_fresh_sweep_drops_the_old_one_but_nothing_else(tmp_path):
    path = tmp_path / "s.zarr"
    sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    found = sweep(Chain(), {"steps": [1, 2]}, store=path, fresh=True)
    assert same(found, open_sweep(path))
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter").write_text("1")
    for fresh in (True, False):
        with pytest.raises(MismatchError, match="no store of a sweep"):
            sweep(wave, WAVE_GRID, store=other, fresh=fresh)
    assert (other / "chapter").read_text() == "1"


def test_two_writers_are_kept_apart(tmp_path):
    path = tmp_path / "s.zarr"
    sweep(wave, WAVE_GRID, store=path, shard=(1, 2), **OPTIONS)
    with Store(path).writer():
        for shard in (None, (2, 2)):
            with pytest.raises(BusyError, match="another process"):
                sweep(wave, WAVE_GRID, store=path, shard=shard, **OPTIONS)
    with Store(path).writer((1, 2)):
        with pytest.raises(BusyError):
            sweep(wave, WAVE_GRID, store=path, **OPTIONS)
        with pytest.raises(BusyError):
            sweep(wave, WAVE_GRID, store=path, shard=(1, 2), **OPTIONS)
        sweep(wave, WAVE_GRID, store=path, shard=(2, 2), **OPTIONS)


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.ENOSPC, "Free some space"), (errno.EACCES, "Get the permission")],
)
def test_a_full_or_forbidden_disk_ends_with_a_store_that_goes_on(
    whole, tmp_path, monkeypatch, code, advice
):
    from zarr.storage import LocalStore

    path = tmp_path / "s.zarr"
    put, room = LocalStore.set, [30]

    async def full(self, key, value, *rest, **options):
        if key.startswith("c/"):
            room[0] -= 1
            if room[0] < 0:
                raise OSError(code, "no more")
        await put(self, key, value, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", full)
        with pytest.raises(SweepStorageError, match=f"no more. {advice}") as caught:
            sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    assert caught.value.errno == code
    assert 0 < Store(path).done().sum() < 5
    sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    assert _files(path) == _files(whole)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SweepStorageError, match="Cannot write"):
        sweep(wave, WAVE_GRID, store=tmp_path / "file" / "s.zarr")


def test_a_damaged_manifest_is_told(tmp_path):
    path = tmp_path / "s.zarr"
    with pytest.raises(SweepStorageError, match="does not exist"):
        open_sweep(path)
    sweep(wave, WAVE_GRID, store=path, **OPTIONS)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["num_runs"] += 1
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SweepStorageError, match="is damaged"):
        open_sweep(path)
