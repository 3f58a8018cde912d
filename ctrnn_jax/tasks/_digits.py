"""Digits: handwriting read a pixel or a row at a time."""

import equinox as eqx
import numpy as np

from .._types import DTypeLike
from ._options import check_choice
from ._recordings import AbstractClassification, Recordings, stratified
from ._shipped import shipped_file

_SIDE, _LEVELS, _CLASSES = 8, 16, 10
_VARIANTS = ("sequential", "permuted", "padded")
# The division and the permutation are parts of the protocol, no options.
_DIVISION_SEED, _PERMUTATION_SEED = 0, 1


class Digits(AbstractClassification):
    """Which digit was written? The 1 797 images of 8 × 8 pixels of scikit-learn.

    Pixels are scaled to [0, 1]. Of each digit 15 % are for validation and 15 % for
    test, always the same.

    - `"sequential"`: one pixel at a time, row by row, 64 samples.
    - `"permuted"`: the same in an order drawn once for all.
    - `"padded"`: one row at a time on 8 channels, then Gaussian noise up to sample
      `length`, fresh in each training batch.

    **Arguments:**

    - `variant`: one of the above.
    - `length`: samples of the padded variant; at least 8.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ImportError` without scikit-learn, which ships the images.

    **Reference:** Alpaydin and Kaynak (1998), UCI Optical Recognition of Handwritten
    Digits; the noise after Chang et al. (2019), AntisymmetricRNN, section 4.3.
    """

    variant: str = eqx.field(static=True)
    data: Recordings

    def __init__(
        self,
        variant: str = "sequential",
        *,
        length: int = 1000,
        dtype: DTypeLike | None = None,
    ):
        check_choice("variant", variant, _VARIANTS)
        images, labels = load_digits()
        inputs = images.reshape(len(images), -1, 1)
        if variant == "permuted":
            order = np.random.default_rng(_PERMUTATION_SEED).permutation(_SIDE**2)
            inputs = inputs[:, order]
        elif variant == "padded":
            inputs = images
        parts = stratified(labels, (0.15, 0.15), _DIVISION_SEED)
        self.variant = variant
        self.data = Recordings(
            *((inputs[places], labels[places]) for places in parts),
            num_classes=_CLASSES,
            padded_to=length if variant == "padded" else None,
            dtype=dtype,
        )

    @property
    def name(self) -> str:
        """`"digits"`, with the variant."""
        padded = f" T={self.num_samples}" if self.variant == "padded" else ""
        return f"digits {self.variant}{padded}"


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return images `(1797, 8, 8)` in [0, 1], and which digit each is, `(1797,)`."""
    path = shipped_file("sklearn", "datasets", "data", "digits.csv.gz")
    table = np.loadtxt(path, delimiter=",")
    if table.shape[1] != _SIDE**2 + 1 or table.min() < 0 or table[:, :-1].max() > 16:
        raise ValueError(f"{path} does not hold 8 × 8 images of levels 0, ..., 16.")
    images = table[:, :-1].reshape(-1, _SIDE, _SIDE) / _LEVELS
    return images, table[:, -1].astype(int)
