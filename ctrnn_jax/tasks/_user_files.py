"""Sets that are too large to ship: read from files that you have."""

from pathlib import Path

import numpy as np

from .._types import DTypeLike
from ._array_files import find_file, read_cifar, read_idx, read_npz
from ._measured import MeasuredSequences
from ._options import check_share
from ._recordings import LabelledSequences, Recordings, stratified
from ._ts_format import read_ts, stacked

# The order of the pixels and the divisions are parts of the protocols.
_PERMUTATION_SEED, _DIVISION_SEED = 1, 0


def load_psmnist(
    path: str | Path,
    *,
    permuted: bool = True,
    validation_share: float = 0.1,
    dtype: DTypeLike | None = None,
) -> LabelledSequences:
    """Return MNIST read a pixel at a time, in an order drawn once for all.

    Pixels are scaled to [0, 1]. Validation is a part of the training set, the same at
    each call.

    **Arguments:**

    - `path`: a folder with the four IDX files, plain or `.gz`, or an `.npz` archive
      with `x_train`, `y_train`, `x_test`, `y_test`.
    - `permuted`: whether to permute the pixels.
    - `validation_share`: share of the training set.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` for files that do not hold 28 × 28 images of bytes and
    digits; `FileNotFoundError` for one that is not there.
    """
    check_share("validation_share", validation_share)
    path = Path(path)
    if path.is_dir():
        images, labels, test_images, test_labels = (
            read_idx(find_file(path, name, f"{name}.gz", name.replace("-idx", ".idx")))
            for name in (
                "train-images-idx3-ubyte",
                "train-labels-idx1-ubyte",
                "t10k-images-idx3-ubyte",
                "t10k-labels-idx1-ubyte",
            )
        )
    else:
        names = ("x_train", "y_train", "x_test", "y_test")
        images, labels, test_images, test_labels = read_npz(path, names).values()
    order = np.arange(28 * 28)
    if permuted:
        order = np.random.default_rng(_PERMUTATION_SEED).permutation(28 * 28)

    def sequences(name: str, images: np.ndarray) -> np.ndarray:
        if images.ndim != 3 or images.shape[1:] != (28, 28):
            raise ValueError(
                f"{name} must have shape (images, 28, 28), got {images.shape}."
            )
        if images.dtype != np.uint8:
            raise ValueError(f"{name} must be bytes, 0 to 255, got {images.dtype}.")
        return images.reshape(len(images), -1, 1)[:, order] / np.float32(255)

    return _labelled(
        "psmnist" if permuted else "smnist",
        (sequences("training images", images), _whole(labels)),
        (sequences("test images", test_images), _whole(test_labels)),
        validation_share,
        dtype=dtype,
    )


def load_noisy_cifar(
    folder: str | Path,
    *,
    length: int = 1000,
    validation_share: float = 0.1,
    dtype: DTypeLike | None = None,
) -> LabelledSequences:
    """Return CIFAR-10 read a row at a time, then Gaussian noise to sample `length`.

    A row is 96 channels, 32 pixels of 3 colours; each colour is scaled to mean 0 and
    variance 1 over the training files.

    **Arguments:**

    - `folder`: with `data_batch_1.bin`, …, `data_batch_5.bin` and `test_batch.bin`,
      the *binary* version; the Python version is pickled and is not read.
    - `length`: samples, at least 32.
    - `validation_share`: share of the training set.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Reference:** Chang et al. (2019), AntisymmetricRNN, section 4.3.
    """
    check_share("validation_share", validation_share)
    folder = Path(folder)
    batches = [
        read_cifar(find_file(folder, f"data_batch_{number}.bin"))
        for number in range(1, 6)
    ]
    images = np.concatenate([images for images, _ in batches]).astype(np.float32)
    labels = np.concatenate([labels for _, labels in batches])
    test_images, test_labels = read_cifar(find_file(folder, "test_batch.bin"))
    mean, deviation = images.mean(axis=(0, 1, 2)), images.std(axis=(0, 1, 2))
    if not np.all(deviation > 0):
        raise ValueError(f"{folder}: a colour is constant over all training images.")

    def rows(images: np.ndarray) -> np.ndarray:
        return ((images - mean) / deviation).reshape(len(images), 32, 96)

    return _labelled(
        f"noisy cifar T={length}",
        (rows(images), labels),
        (rows(test_images), test_labels),
        validation_share,
        padded_to=length,
        dtype=dtype,
    )


def load_eigenworms(
    folder: str | Path, *, dtype: DTypeLike | None = None
) -> LabelledSequences:
    """Return the EigenWorms: 17 984 samples of 6 channels, 5 kinds of worm.

    As in the literature on long sequences, the archive's two files are put together and
    divided anew, 70 % to train, 15 % each for validation and test; channels are scaled
    to mean 0 and variance 1 over training.

    **Arguments:**

    - `folder`: with `EigenWorms_TRAIN.ts` and `EigenWorms_TEST.ts`.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` for files with another number of channels or classes.
    """
    folder = Path(folder)
    files = [
        read_ts(find_file(folder, f"EigenWorms_{part}.ts"))
        for part in ("TRAIN", "TEST")
    ]
    series = tuple(values for file in files for values in file.series)
    if any(values.shape != series[0].shape for values in series):
        raise ValueError(f"{folder}: the recordings differ in length or channels.")
    if series[0].shape[1] != 6 or len(files[0].classes) != 5:
        raise ValueError(
            f"{folder}: EigenWorms has 6 channels and 5 classes, these files have "
            f"{series[0].shape[1]} and {len(files[0].classes)}."
        )
    if files[0].classes != files[1].classes:
        raise ValueError(f"{folder}: the files name different classes.")
    names = files[0].classes
    labels = np.array([names.index(label) for file in files for label in file.labels])
    inputs = stacked(series, len(series[0]))
    parts = stratified(labels, (0.15, 0.15), _DIVISION_SEED)
    mean = inputs[parts[0]].mean(axis=(0, 1))
    deviation = inputs[parts[0]].std(axis=(0, 1))
    if not np.all(deviation > 0):
        raise ValueError(f"{folder}: a channel is constant over training.")
    inputs = (inputs - mean) / deviation
    train, validation, test = ((inputs[part], labels[part]) for part in parts)
    data = Recordings(train, validation, test, num_classes=5, dtype=dtype)
    return LabelledSequences(label="eigenworms", data=data)


def load_ppg(path: str | Path, *, dtype: DTypeLike | None = None) -> MeasuredSequences:
    """Return PPG-DaLiA: heart rate of wearable recordings.

    The original files are pickled and are not read: save what you take from them as
    plain arrays. People are divided 70, 15 and 15 %, so that nobody is in two parts.

    **Arguments:**

    - `path`: an `.npz` archive with `inputs` `(recordings, time, m)`, `targets`
      `(recordings,)` in beats a minute, and `subjects` `(recordings,)`, whole numbers
      that say who it was.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` for shapes that do not match, values that are not finite,
    heart rates outside 20 to 250, and fewer than three people.

    **Reference:** Reiss et al. (2019), Deep PPG, Sensors 19(14).
    """
    arrays = read_npz(path, ("inputs", "targets", "subjects"))
    targets = arrays["targets"]
    if targets.dtype.kind not in "iuf":
        raise ValueError(f"{path}: targets must be numbers, got {targets.dtype}.")
    if np.any((targets < 20) | (targets > 250)):
        raise ValueError(
            f"{path}: targets must be heart rates in beats a minute, 20 to 250, got "
            f"{targets.min():g} to {targets.max():g}."
        )
    return MeasuredSequences.by_groups(
        "ppg", arrays["inputs"], targets, _whole(arrays["subjects"]), dtype=dtype
    )


def _labelled(
    label: str,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    validation_share: float,
    *,
    padded_to: int | None = None,
    dtype: DTypeLike | None,
) -> LabelledSequences:
    """Divide a training set whose classes are the ten digits of its labels."""
    inputs, labels = train
    if labels.shape != inputs.shape[:1]:
        raise ValueError(
            f"{len(inputs)} training images, but labels of shape {labels.shape}."
        )
    kept, chosen = stratified(labels, (validation_share,), _DIVISION_SEED)
    parts = [(inputs[kept], labels[kept]), (inputs[chosen], labels[chosen]), test]
    data = Recordings(*parts, num_classes=10, padded_to=padded_to, dtype=dtype)
    return LabelledSequences(label=label, data=data)


def _whole(labels: np.ndarray) -> np.ndarray:
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1:
        raise ValueError(
            f"labels must be whole numbers, one a recording, got {labels.dtype} of "
            f"shape {labels.shape}."
        )
    return labels.astype(int)
