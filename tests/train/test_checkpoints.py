"""What is on disk is whole, verified, and of the right shape, or is said not to be."""

import errno
import json
import os

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from small import KEY, OPTIM, TASK, Net, same

from ctrnn_jax._storage import locked
from ctrnn_jax.train import (
    CheckpointError,
    CheckpointWriteError,
    fit,
    load_model,
    read_config,
    save_model,
)

pytestmark = pytest.mark.standard_promotion


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.ckpt"


def test_a_model_comes_back_bit_for_bit(path):
    model = Net(key=jr.key(1))
    save_model(path, model, config={"size": 4})
    loaded = load_model(path, Net(key=jr.key(2)))
    assert same(model, loaded)
    assert loaded.name == "net"
    assert read_config(path) == {"size": 4}


@pytest.mark.parametrize(
    "leaf",
    [
        jnp.arange(6, dtype=jnp.bfloat16).reshape(2, 3),
        jnp.array([1 + 2j, jnp.nan, jnp.inf]),
        jnp.zeros((0, 3), jnp.float32),
        jnp.array(True),
        np.arange(3, dtype=np.int16),
    ],
    ids=["bfloat16", "complex", "empty", "bool", "numpy"],
)
def test_every_kind_of_array_comes_back(path, leaf):
    save_model(path, {"leaf": leaf})
    library = np if isinstance(leaf, np.ndarray) else jnp
    loaded = load_model(path, {"leaf": library.zeros_like(leaf)})
    assert type(loaded["leaf"]) is type(leaf)
    assert loaded["leaf"].dtype == leaf.dtype
    assert np.asarray(loaded["leaf"]).tobytes() == np.asarray(leaf).tobytes()


def test_keys_come_back_of_their_kind(path):
    saved, blank = (jr.split(jr.key(seed, impl="rbg"), 2) for seed in (5, 0))
    save_model(path, saved)
    loaded = load_model(path, blank)
    assert loaded.dtype == saved.dtype
    np.testing.assert_array_equal(jr.key_data(loaded), jr.key_data(saved))


def test_a_template_without_numbers_will_do(path):
    save_model(path, Net())
    assert same(load_model(path, eqx.filter_eval_shape(Net)), Net())


def test_the_header_says_what_the_file_holds(path):
    save_model(path, Net())
    _, _, size, rest = path.read_bytes().split(b"\n", 3)
    header = json.loads(rest[: int(size)])
    assert header["leaves"][0] == {
        "path": "['model'].weight",
        "shape": [4, 4],
        "dtype": "float64",
    }
    assert header["versions"]["jax"] == jax.__version__


def test_a_flipped_bit_anywhere_is_detected(path):
    save_model(path, Net())
    sound = path.read_bytes()
    for place in [*range(0, len(sound), 37), len(sound) - 1]:
        for bit in (0, 5):
            data = bytearray(sound)
            data[place] ^= 1 << bit
            path.write_bytes(data)
            with pytest.raises(CheckpointError, match=r"damaged|not a checkpoint"):
                load_model(path, Net())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\x93NUMPY\x01\x00", "not a checkpoint of ctrnn_jax"),
        (b"ctrnn_jax checkpoint 1\n", "SHA-256 does not match"),
    ],
)
def test_a_foreign_or_empty_file_is_refused(path, data, message):
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        load_model(path, Net())


def test_a_truncated_file_is_refused(path):
    save_model(path, Net())
    for size in (30, 100, path.stat().st_size - 1):
        path.write_bytes(path.read_bytes()[:size] if size > 100 else b"x" * size)
        with pytest.raises(CheckpointError):
            load_model(path, Net())
        save_model(path, Net())


def test_a_newer_format_asks_for_a_newer_package(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("ctrnn_jax.train._checkpoint_file.VERSION", 2)
        save_model(path, Net())
    with pytest.raises(CheckpointError, match="format 2, which is newer.*install"):
        load_model(path, Net())


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Net(5), r"\.weight is float64\[4, 4\] in the file and float64\[5, 5\] here"),
        (Net(scale=3.0), r"activation\.scale is 2\.0 in the file and 3\.0 here"),
        (
            eqx.tree_at(lambda n: n.read, Net(), jnp.ones((1, 4), jnp.float32)),
            r"\.read is float64.* and float32",
        ),
        (
            eqx.tree_at(lambda n: n.read, Net(), None),
            r"\.read is float64\[1, 4\] in the file and missing here",
        ),
    ],
)
def test_another_architecture_is_told_by_its_first_leaf(path, other, message):
    save_model(path, Net())
    with pytest.raises(CheckpointError, match=message):
        load_model(path, other)


def test_a_training_is_not_a_model(tmp_path):
    _fit(tmp_path, num_steps=2)
    with pytest.raises(CheckpointError, match="not a model; give fit its folder"):
        load_model(tmp_path / "step-000000002.ckpt", Net())


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, r"No space left.*Free some space"),
        (errno.EACCES, r"Permission denied.*may be written to"),
    ],
)
def test_a_file_that_cannot_be_written_leaves_the_earlier(
    path, monkeypatch, number, message
):
    save_model(path, Net())
    sound = path.read_bytes()

    def fsync(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CheckpointWriteError, match=message):
        save_model(path, Net(key=jr.key(9)))
    assert path.read_bytes() == sound
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CheckpointWriteError, match="Check that the folder exists"):
        save_model(tmp_path / "nowhere" / "model.ckpt", Net())


def _fit(folder, model=None, **options):
    given = {"optim": OPTIM, "num_steps": 8, "batch_size": 8, "key": KEY} | options
    given |= {"folder": folder}
    return fit(Net() if model is None else model, TASK, **given)


def _steps(folder):
    return [int(path.stem[5:]) for path in sorted(folder.glob("step-*.ckpt"))]


def test_the_last_few_are_kept(tmp_path):
    _fit(tmp_path, save_every=2, keep=2)
    assert _steps(tmp_path) == [6, 8]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "lock",
        "metrics.jsonl",
        "model.ckpt",
        "step-000000006.ckpt",
        "step-000000008.ckpt",
    ]


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-9])


def _replace(path):
    path.write_bytes(b"something else")


@pytest.mark.parametrize("damage", [_flip, _truncate, _replace])
def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(tmp_path, damage):
    model, history = _fit(tmp_path, save_every=2)
    damage(tmp_path / "step-000000008.ckpt")
    with pytest.warns(UserWarning, match=r"step-000000008.* Going on from .*000006"):
        again, again_history = _fit(tmp_path, save_every=2)
    assert same(again, model)
    np.testing.assert_array_equal(again_history.losses, history.losses)


def test_if_all_are_damaged_training_starts_from_zero(tmp_path):
    model, _ = _fit(tmp_path)
    _truncate(tmp_path / "step-000000008.ckpt")
    with pytest.warns(UserWarning, match="Starting from zero"):
        again, _ = _fit(tmp_path)
    assert same(again, model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 4}, "batch_size was 8, now 4"),
        ({"key": jr.key(1)}, r"key was .*\[0, 7\], now .*\[0, 1\]"),
        ({"config": {"rate": 0.1}}, r"config\.rate was unset, now 0\.1"),
        ({"model": Net(key=jr.key(1))}, "initial_model was"),
    ],
)
def test_another_training_in_the_folder_is_refused(tmp_path, change, message):
    _fit(tmp_path, num_steps=2)
    with pytest.raises(CheckpointError, match=f"another training: {message}.*resume"):
        _fit(tmp_path, **change)
    _fit(tmp_path, **change, resume=False)


def test_another_optimiser_is_refused(tmp_path):
    _fit(tmp_path, num_steps=2)
    with pytest.raises(CheckpointError, match=r"another architecture: \['optimiser'\]"):
        _fit(tmp_path, optim=optax.sgd(1e-2))


def test_another_setting_that_is_no_array_is_refused(tmp_path):
    _fit(tmp_path, num_steps=2)
    with pytest.raises(CheckpointError, match="another setting that is no array"):
        _fit(tmp_path, Net(name="other"))


def test_two_trainings_in_one_folder_are_told_apart(tmp_path):
    with locked(tmp_path / "lock"), pytest.raises(BlockingIOError, match="Another"):
        _fit(tmp_path)


def test_a_full_disk_in_training_leaves_the_checkpoints(tmp_path, monkeypatch):
    model, _ = _fit(tmp_path, num_steps=12)
    folder = tmp_path / "other"

    def replace(source, target):
        if str(target).endswith("8.ckpt"):
            raise OSError(errno.ENOSPC, "No space left on device")
        original(source, target)

    original = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(CheckpointWriteError, match="checkpoints are intact"):
            _fit(folder, num_steps=12, save_every=2)
    assert _steps(folder) == [2, 4, 6]
    assert same(_fit(folder, num_steps=12, save_every=2)[0], model)
