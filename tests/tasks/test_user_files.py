"""Sets that a user brings: what is read of whole files, what is said of others."""

import gzip
import struct

import jax.numpy as jnp
import numpy as np
import pytest

from ctrnn_jax.tasks import (
    MeasuredSequences,
    UCRSet,
    load_eigenworms,
    load_noisy_cifar,
    load_ppg,
    load_psmnist,
    read_set,
)
from ctrnn_jax.tasks._array_files import read_idx

RNG = np.random.default_rng(0)
LABELS = np.arange(20, dtype=np.uint8) % 10
PIXELS = RNG.integers(0, 256, (20, 3, 32, 32), np.uint8)


def write_cifar(folder, names=(1, 2, 3, 4, 5), labels=LABELS):
    records = np.column_stack([labels, PIXELS.reshape(20, -1)]).astype(np.uint8)
    for name in [f"data_batch_{number}" for number in names] + ["test_batch"]:
        (folder / f"{name}.bin").write_bytes(records.tobytes())


def test_cifar_is_read_by_rows_of_pixels_with_their_colours_and_padded(tmp_path):
    write_cifar(tmp_path)
    task = load_noisy_cifar(tmp_path, length=40)
    test = task.held_out("test")
    assert (task.input_size, task.output_size, task.num_samples) == (96, 10, 40)
    np.testing.assert_array_equal(test.targets, LABELS)
    # The same images five times over: mean and deviation are those of the twenty.
    mean, deviation = PIXELS.mean(axis=(0, 2, 3)), PIXELS.std(axis=(0, 2, 3))
    for image, row, column, colour in ((0, 0, 0, 0), (3, 31, 5, 2), (19, 7, 31, 1)):
        expected = (float(PIXELS[image, colour, row, column]) - mean[colour]) / (
            deviation[colour]
        )
        found = float(test.inputs[image, row, 3 * column + colour])
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert float(jnp.std(test.inputs[:, 32:])) == pytest.approx(1.0, abs=0.03)


def test_cifar_that_is_cut_off_pickled_missing_or_mislabelled_is_refused(tmp_path):
    write_cifar(tmp_path, labels=LABELS + 1)
    with pytest.raises(ValueError, match="label 10; expected 0 to 9"):
        load_noisy_cifar(tmp_path)
    write_cifar(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(b"\x80\x02}q\x01")
    with pytest.raises(ValueError, match="binary version"):
        load_noisy_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match="none of data_batch_3.bin"):
        load_noisy_cifar(tmp_path)


def write_worms(folder, *, channels=6, classes=5, length=9):
    head = f"@classLabel true {' '.join(map(str, range(1, classes + 1)))}\n@data\n"
    for part in ("TRAIN", "TEST"):
        lines = [
            ":".join(
                ",".join(f"{x:.4f}" for x in RNG.normal(size=length))
                for _ in range(channels)
            )
            + f":{1 + number % classes}"
            for number in range(10 * classes)
        ]
        text = head + "\n".join(lines)
        (folder / f"EigenWorms_{part}.ts").write_text(text)


def test_worms_are_put_together_and_divided_anew(tmp_path):
    write_worms(tmp_path)
    task = load_eigenworms(tmp_path)
    assert (task.input_size, task.output_size, task.num_samples) == (6, 5, 9)
    sizes = [len(task.data.train.labels)]
    sizes += [len(task.held_out(split).targets) for split in ("validation", "test")]
    assert sizes == [70, 15, 15]
    # Of each of five classes: 20 worms, of which 3 and 3 are held out.
    assert task.trivial_loss == pytest.approx(np.log(5))
    train = np.asarray(task.data.train.inputs)
    np.testing.assert_allclose(train.mean(axis=(0, 1)), 0, atol=1e-12)
    np.testing.assert_allclose(train.std(axis=(0, 1)), 1, atol=1e-12)
    rows = [train, *(task.held_out(s).inputs for s in ("validation", "test"))]
    assert len({np.asarray(row).tobytes() for part in rows for row in part}) == 100


@pytest.mark.parametrize("wrong", [{"channels": 5}, {"classes": 4}])
def test_what_is_no_set_of_worms_is_refused(tmp_path, wrong):
    write_worms(tmp_path, **wrong)
    with pytest.raises(ValueError, match="EigenWorms has 6 channels and 5 classes"):
        load_eigenworms(tmp_path)


SUBJECTS = np.arange(40) % 8
PPG = {
    # The second channel says who it is, so that a test can tell after scaling too.
    "inputs": np.stack(
        [RNG.normal(5, 3, (40, 6)), np.tile(SUBJECTS[:, None], 6)], axis=-1
    ),
    "targets": RNG.uniform(50, 150, 40),
    "subjects": SUBJECTS,
}


def test_heart_rates_are_divided_by_people_and_scored_in_beats(tmp_path):
    np.savez(tmp_path / "ppg.npz", **PPG)
    task = load_ppg(tmp_path / "ppg.npz")
    assert [len(part.targets) for part in task.parts.values()] == [30, 5, 5]
    people = [set(np.unique(part.inputs[..., 1])) for part in task.parts.values()]
    assert [len(part) for part in people] == [6, 1, 1]
    assert len(set.union(*people)) == 8
    train, test = task.parts["train"], task.held_out("test")
    assert float(task.loss(jnp.zeros((30, 1)), train)) == pytest.approx(1.0)
    scores = task.scores(test.targets + 1.0, test)
    assert float(scores["loss"]) == pytest.approx(1.0)
    assert float(scores["rmse"]) == pytest.approx(task.deviation)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": PPG["targets"] / 60}, "beats a minute, 20 to 250"),
        ({"targets": np.where(SUBJECTS == 1, np.nan, 70.0)}, "must be finite numbers"),
        ({"targets": SUBJECTS.astype(str)}, "targets must be numbers"),
        ({"targets": PPG["targets"][:-1]}, "one for each recording"),
        ({"inputs": PPG["inputs"][..., 0]}, r"shape \(recordings, time, m\)"),
        ({"subjects": SUBJECTS % 2}, "need three"),
        ({"subjects": SUBJECTS / 2}, "must be whole numbers"),
        ({"subjects": SUBJECTS.astype(object)}, "Python objects, which can run code"),
    ],
)
def test_heart_rates_that_are_none_are_refused(tmp_path, change, message):
    np.savez(tmp_path / "ppg.npz", **{**PPG, **change})
    with pytest.raises(ValueError, match=message):
        load_ppg(tmp_path / "ppg.npz")


def test_an_archive_that_lacks_an_array_says_what_it_holds(tmp_path):
    np.savez(tmp_path / "ppg.npz", inputs=PPG["inputs"])
    with pytest.raises(ValueError, match=r"lacks the array 'targets'.*\['inputs'\]"):
        load_ppg(tmp_path / "ppg.npz")


def overwritten(content):
    middle = len(content) // 2
    return content[:middle] + b"\xff" * 40 + content[middle + 40 :]


def halved(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [overwritten, halved])
def test_damaged_archives_are_refused(tmp_path, damage):
    np.savez_compressed(tmp_path / "whole.npz", **PPG)
    bad = tmp_path / "bad.npz"
    bad.write_bytes(damage((tmp_path / "whole.npz").read_bytes()))
    with pytest.raises(ValueError, match=r"bad.npz is no whole .npz archive"):
        load_ppg(bad)
    content = struct.pack(">2I", 2049, 5000) + RNG.bytes(5000)
    bad.write_bytes(damage(gzip.compress(content)))
    with pytest.raises(ValueError, match=r"bad.npz is no whole .gz file"):
        read_idx(bad)


def test_another_kind_of_file_is_no_archive(tmp_path):
    np.save(tmp_path / "array.npy", PPG["inputs"])
    (tmp_path / "text.npz").write_text("inputs, targets")
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("array.npy", "text.npz", "empty.npz"):
        with pytest.raises(ValueError, match=f"{name} is no .npz archive"):
            load_psmnist(tmp_path / name)
    with pytest.raises(ValueError, match="no IDX file of unsigned bytes"):
        read_idx(tmp_path / "text.npz")


def test_a_table_with_the_class_first_is_read_whatever_separates_it(tmp_path):
    rows = [("b", 1.5, 2), ("a", 3, 4), ("b", 5, 6)]
    for suffix, separator in (("csv", ","), ("tsv", "\t"), ("txt", "  ")):
        file = tmp_path / f"set.{suffix}"
        file.write_text("\n".join(separator.join(map(str, row)) for row in rows))
        found = read_set(file)
        assert (found.labels, found.classes) == (("b", "a", "b"), ("a", "b"))
        np.testing.assert_array_equal(found.series[0], [[1.5], [2.0]])
    (tmp_path / "set.csv").write_text("a,1,2\nb,1\n")
    with pytest.raises(ValueError, match="line 2: 1 values, but 2 before"):
        read_set(tmp_path / "set.csv")
    with pytest.raises(ValueError, match=r"expected a .ts, .csv, .tsv or .txt"):
        read_set(tmp_path / "set.arff")


def test_recordings_that_end_early_begin_late(tmp_path):
    lines = [f"{','.join('123'[:n])}:{'ab'[n % 2]}" for n in (1, 2, 3, 2, 1, 2, 3, 2)]
    text = "@classLabel true a b\n@data\n" + "\n".join(lines)
    for part in ("train", "test"):
        (tmp_path / f"{part}.ts").write_text(text)
    files = {f"{part}_file": tmp_path / f"{part}.ts" for part in ("train", "test")}
    inputs = np.asarray(UCRSet("toy", **files).held_out("test").inputs)[..., 0]
    np.testing.assert_array_equal(inputs[0, :2], 0)
    assert inputs[0, 2] == inputs[1, 1] == inputs[2, 0] != 0
    (tmp_path / "test.ts").write_text(text.replace("true a b", "true a b c"))
    with pytest.raises(ValueError, match="are they of the same set"):
        UCRSet("toy", **files)


@pytest.mark.parametrize(
    ("name", "shape", "sizes"),
    [
        ("ACSF1", (1460, 1, 10), (100, 100)),
        ("OSULeaf", (427, 1, 6), (200, 242)),
        ("JapaneseVowels", (29, 12, 9), (270, 370)),
    ],
)
def test_the_archives_own_division_is_kept(name, shape, sizes):
    try:
        task = UCRSet(name)
    except ImportError as missing:
        assert "ctrnn_jax[data]" in str(missing)
        pytest.skip(f"not installed: {missing}")
    assert (task.num_samples, task.input_size, task.output_size) == shape
    held_out = len(task.held_out().targets)
    assert len(task.data.train.labels) + held_out == sizes[0]
    assert len(task.held_out("test").targets) == sizes[1]


def test_measured_sequences_refuse_what_cannot_be_scaled():
    inputs, targets = np.ones((4, 3, 1)), np.arange(4.0)
    with pytest.raises(ValueError, match="constant over training"):
        MeasuredSequences("flat", *[(inputs, targets)] * 3)
