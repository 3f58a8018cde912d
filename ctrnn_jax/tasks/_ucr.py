"""Sets of the UCR and UEA archives: three that aeon ships, others from files."""

from pathlib import Path

import equinox as eqx
import numpy as np

from .._types import DTypeLike
from ._options import check_choice, check_share
from ._recordings import AbstractClassification, Recordings, stratified
from ._shipped import shipped_file
from ._ts_format import TsFile, read_set, stacked

SHIPPED = ("ACSF1", "OSULeaf", "JapaneseVowels")


class UCRSet(AbstractClassification):
    """A set of the UCR or UEA archive, in the archive's own division.

    Validation is a part of the archive's training set, always the same. Each channel is
    scaled to mean 0 and variance 1 over training. Recordings that are shorter than the
    longest begin later, after zeros, so that all end where the answer is asked for.

    **Arguments:**

    - `set_name`: `"ACSF1"` (1 460 samples, 10 classes), `"OSULeaf"` (427, 6) or
      `"JapaneseVowels"` (29 at most, 12 channels, 9), shipped with aeon; any other set
      if `train_file` and `test_file` are given.
    - `train_file`, `test_file`: the two files of a set: `.ts`, or `.csv`, `.tsv` or
      `.txt` with a recording a line, its class first.
    - `validation_share`: share of the archive's training set.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ImportError` without aeon; `ValueError` for a file that is not whole,
    or two that do not belong together.

    **Reference:** Dau et al. (2019), The UCR time series archive; Bagnall et al.
    (2018), The UEA multivariate archive.
    """

    set_name: str = eqx.field(static=True)
    data: Recordings

    def __init__(
        self,
        set_name: str,
        *,
        train_file: str | Path | None = None,
        test_file: str | Path | None = None,
        validation_share: float = 0.2,
        dtype: DTypeLike | None = None,
    ):
        check_share("validation_share", validation_share)
        if (train_file is None) != (test_file is None):
            raise ValueError("give both train_file and test_file, or neither.")
        if train_file is None or test_file is None:
            check_choice("set_name", set_name, SHIPPED)
            train_file, test_file = (
                shipped_file(
                    "aeon", "datasets", "data", set_name, f"{set_name}_{part}.ts"
                )
                for part in ("TRAIN", "TEST")
            )
        self.set_name = set_name
        self.data = _recordings(
            read_set(train_file), read_set(test_file), validation_share, dtype
        )

    @property
    def name(self) -> str:
        """Name of the set."""
        return self.set_name


def _recordings(
    train: TsFile, test: TsFile, validation_share: float, dtype: DTypeLike | None
) -> Recordings:
    if train.classes != test.classes:
        raise ValueError(
            f"the files name different classes, {train.classes} and {test.classes}; "
            "are they of the same set?"
        )
    if train.series[0].shape[1] != test.series[0].shape[1]:
        raise ValueError(
            f"the files have {train.series[0].shape[1]} and "
            f"{test.series[0].shape[1]} channels; are they of the same set?"
        )
    numbers = {name: number for number, name in enumerate(train.classes)}
    labels, test_labels = (
        np.array([numbers[label] for label in file.labels]) for file in (train, test)
    )
    length = max(len(values) for values in (*train.series, *test.series))
    inputs, test_inputs = (stacked(file.series, length) for file in (train, test))
    kept, chosen = stratified(labels, (validation_share,), seed=0)
    mean = np.nanmean(inputs[kept], axis=(0, 1))
    deviation = np.nanstd(inputs[kept], axis=(0, 1))
    if not np.all(deviation > 0):
        raise ValueError(
            f"channel {int(np.argmin(deviation))} is constant over training; drop it."
        )
    inputs, test_inputs = (
        np.nan_to_num((values - mean) / deviation, nan=0.0)
        for values in (inputs, test_inputs)
    )
    return Recordings(
        (inputs[kept], labels[kept]),
        (inputs[chosen], labels[chosen]),
        (test_inputs, test_labels),
        num_classes=len(train.classes),
        dtype=dtype,
    )
