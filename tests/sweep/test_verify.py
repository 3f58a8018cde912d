"""Every flipped bit is found, and what it damaged is computed again."""

import random

import numpy as np
import pytest
from small_sweep import WAVE_GRID, Chain, CostlyChain, same, wave

from ctrnn_jax.sweep import MismatchError, open_sweep, repair, sweep, verify
from ctrnn_jax.sweep._store import Store

FLIPS = 60
GRID = {"kind": ["open", "closed"], "stiffness": [1.0, 3.0, 2.0], "steps": [1, 95]}


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "s.zarr"
    sweep(wave, WAVE_GRID, store=path, chunk_size=8)
    return path


def _flip(file, moments):
    raw = bytearray(file.read_bytes())
    bit = moments.randrange(8 * len(raw))
    raw[bit // 8] ^= 1 << (bit % 8)
    file.write_bytes(raw)


def test_a_sound_store_is_found_sound(store):
    found = verify(store)
    assert found.okay
    assert (found.num_done, found.num_chunks) == (5, 5)


def test_every_flipped_bit_is_found(tmp_path):
    store = tmp_path / "s.zarr"
    sweep(wave, WAVE_GRID, store=store, chunk_size=18)
    moments = random.Random(20250413)
    files = sorted(
        file
        for file in store.glob("*/c/**/*")
        if file.is_file() and "attempts" not in file.parts
    )
    missed = []
    for _ in range(FLIPS):
        file = moments.choice(files)
        before = file.read_bytes()
        _flip(file, moments)
        if verify(store).okay:
            missed.append(file)
        file.write_bytes(before)
    assert missed == []
    assert verify(store).okay


def test_damaged_chunks_are_run_again_to_the_same_bits(tmp_path):
    path = tmp_path / "s.zarr"
    before = sweep(CostlyChain(), GRID, store=path, chunk_size=2)
    moments = random.Random(1)
    _flip(path / "top" / "c" / "1", moments)
    (path / "links" / "c" / "3" / "0").unlink()
    _flip(path / "done" / "c" / "4", moments)
    found = repair(path, CostlyChain())
    assert {*found.chunks} == {1, 3}
    assert "missing" in found.chunks[3]
    assert found.marks == (4,)
    assert verify(path).okay
    assert same(open_sweep(path), before)


def test_damaged_descriptions_axes_and_coordinates_are_put_back(tmp_path):
    path = tmp_path / "s.zarr"
    before = sweep(Chain(), GRID, store=path, chunk_size=2)
    moments = random.Random(2)
    for name in ("top/zarr.json", "design/stiffness/c/0", "link/c/0", "zarr.json"):
        _flip(path / name, moments)
    found = verify(path)
    assert {*found.files} == {"top/zarr.json", "design/stiffness", "link", "zarr.json"}
    repair(path, Chain())
    assert verify(path).okay
    assert same(open_sweep(path), before)


def test_what_was_never_finished_is_no_damage(store):
    Store(store).forget([2])
    found = repair(store, wave)
    assert found.okay
    assert found.num_done == 4
    assert Store(store).done().tolist() == [True, True, False, True, True]


def test_chunks_that_were_exchanged_are_found(store):
    for name in Store(store).columns:
        files = [file for file in (store / name / "c").rglob("*") if file.is_file()]
        first = next(file for file in files if file.relative_to(store).parts[2] == "0")
        second = next(file for file in files if file.relative_to(store).parts[2] == "1")
        raw = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(raw)
    assert {*verify(store).chunks} == {0, 1}


def test_another_experiment_repairs_nothing(store):
    _flip(store / "level" / "c" / "1", random.Random(3))
    before = (store / "level" / "c" / "1").read_bytes()
    with pytest.raises(MismatchError, match="the experiment"):
        repair(store, _other)
    assert (store / "level" / "c" / "1").read_bytes() == before


def _other(settings, key):
    return wave(settings, key)


def test_damaged_results_are_refused_when_read(store):
    _flip(store / "level" / "c" / "1", random.Random(3))
    with pytest.raises(OSError, match="level.*repair"):
        open_sweep(store)
    found = open_sweep(store, names=["series"])
    assert np.isfinite(found.series).all()
