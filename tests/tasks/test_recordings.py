"""Digits, sets from files that a user has, and tasks by name."""

import gzip
import struct

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from ctrnn_jax.tasks import (
    TASKS,
    AbstractTask,
    Batch,
    Digits,
    UCRSet,
    load_psmnist,
    make_task,
    read_ts,
)

TS = """# a comment
@problemName toy
@classLabel true yes no
@data
1,2,3:4,5,6:yes
3,2,1:6,5,4:no
1,2,4:4,5,7:yes
3,2,2:6,5,5:no
1,1,3:4,4,6:yes
3,3,1:6,6,4:no
"""


@pytest.fixture(scope="module")
def digits():
    try:
        return {name: Digits(name) for name in ("sequential", "permuted", "padded")}
    except ImportError as missing:
        pytest.skip(f"not installed: {missing}")


def test_digits_are_divided_once_for_all(digits):
    parts = [digits["sequential"].held_out(s) for s in ("validation", "test")]
    counts = [np.bincount(np.asarray(part.targets)) for part in parts]
    assert all(count.max() - count.min() <= 2 for count in counts)
    rows = [{tuple(r) for r in np.asarray(part.inputs)[..., 0]} for part in parts]
    assert not rows[0] & rows[1]


def test_permuted_digits_are_the_same_pixels_in_another_order(digits):
    one, other = (digits[n].held_out("test") for n in ("sequential", "permuted"))
    assert not np.array_equal(one.inputs, other.inputs)
    np.testing.assert_array_equal(
        np.sort(one.inputs, axis=1), np.sort(other.inputs, axis=1)
    )


def test_padding_is_new_noise_in_each_batch_after_eight_rows(digits):
    task = digits["padded"]
    first, second = (task.sample(4, key=jr.key(k)) for k in (0, 1))
    assert first.inputs.shape == (4, 1000, 8)
    assert float(jnp.std(first.inputs[:, 8:])) == pytest.approx(1.0, abs=0.02)
    assert not np.array_equal(first.inputs[:, 8:], second.inputs[:, 8:])
    again = task.sample(4, key=jr.key(0))
    np.testing.assert_array_equal(first.inputs, again.inputs)


def test_a_set_in_the_archives_format_is_read(tmp_path):
    for part in ("train", "test"):
        (tmp_path / f"{part}.ts").write_text(TS)
    task = UCRSet(
        "toy",
        train_file=tmp_path / "train.ts",
        test_file=tmp_path / "test.ts",
        validation_share=0.34,
    )
    assert (task.input_size, task.output_size, task.num_samples) == (2, 2, 3)
    assert task.held_out("test").inputs.shape == (6, 3, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("yes\n3", "maybe\n3"), "none of"),
        ((":4,5,6:", ":"), "channels, but"),
        (("1,2,3:", "1,x,3:"), "line 5"),
        (("@data\n", ""), "neither head nor data|lacks"),
        (("@classLabel true yes no\n", ""), "lacks @classLabel"),
    ],
)
def test_a_set_that_is_not_whole_is_refused(tmp_path, change, message):
    file = tmp_path / "bad.ts"
    file.write_text(TS.replace(*change))
    with pytest.raises(ValueError, match=message):
        read_ts(file)


def write_idx(folder, cut=0):
    generator = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 10)):
        images = generator.integers(0, 256, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        head = struct.pack(">4I", 2051, count, 28, 28)
        body = head + images.tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(body[: len(body) - cut])
        packed = gzip.compress(struct.pack(">2I", 2049, count) + labels.tobytes())
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(packed)


def test_mnist_is_read_from_its_files_plain_or_compressed(tmp_path):
    write_idx(tmp_path)
    task = load_psmnist(tmp_path, validation_share=0.25)
    assert (task.num_samples, task.output_size) == (784, 10)
    assert task.held_out("test").inputs.shape == (10, 784, 1)
    assert float(task.held_out("test").inputs.min()) >= 0
    assert float(task.held_out("test").inputs.max()) <= 1


def test_mnist_that_is_cut_off_missing_or_pickled_is_refused(tmp_path):
    write_idx(tmp_path, cut=3)
    with pytest.raises(ValueError, match="is it cut off"):
        load_psmnist(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_psmnist(tmp_path / "nothing.npz")
    objects = tmp_path / "objects.npz"
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(objects, **{name: np.array([{}], object) for name in names})
    with pytest.raises(ValueError, match="Python objects, which can run code"):
        load_psmnist(objects)
    (tmp_path / "noise.npz").write_bytes(b"no archive at all")
    with pytest.raises(ValueError, match=r"is no .npz archive"):
        load_psmnist(tmp_path / "noise.npz")


def test_tasks_have_names_and_options_that_are_checked():
    assert make_task("copy", delay=5).num_samples == 25
    with pytest.raises(ValueError, match="did you mean 'copy'"):
        make_task("coppy", delay=5)
    with pytest.raises(ValueError, match="did you mean 'delay'"):
        make_task("copy", dely=5)
    with pytest.raises(ValueError, match="needs the option 'delay'"):
        make_task("copy")
    assert "signal-school" in TASKS


class Parity(AbstractTask):
    """Whether the number of ones so far is odd."""

    name = property(lambda self: "parity")
    input_size = property(lambda self: 1)
    output_size = property(lambda self: 2)
    num_samples = property(lambda self: 16)
    reads = property(lambda self: "every")
    trivial_loss = property(lambda self: float(np.log(2)))

    def sample(self, batch_size, *, key):
        bits = jr.bernoulli(key, shape=(batch_size, 16)).astype(int)
        return Batch(bits[..., None].astype(float), jnp.cumsum(bits, axis=1) % 2)

    def held_out(self, split="validation"):
        return self.sample(64, key=jr.key(1 if split == "test" else 2))


def test_a_task_of_ones_own_takes_twenty_lines():
    task = Parity()
    batch = jax.jit(lambda key: task.sample(8, key=key))(jr.key(0))
    indifferent = jnp.zeros((8, 16, 2))
    assert float(task.loss(indifferent, batch)) == pytest.approx(task.trivial_loss)
