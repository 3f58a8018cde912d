"""The yearly sunspot numbers: one real recording that oscillates."""

import dataclasses
from importlib import resources

import numpy as np

_FIRST_YEAR, _LAST_YEAR = 1700, 2008


@dataclasses.dataclass(frozen=True)
class Sunspots:
    """A recording of the sun's activity, one number a year.

    - `years`: 1700 to 2008, shape `(309,)`, whole numbers.
    - `numbers`: sunspot numbers, shape `(309,)`, not negative.
    """

    years: np.ndarray
    numbers: np.ndarray

    def __post_init__(self) -> None:
        """Refuse a recording that is not whole."""
        expected = np.arange(_FIRST_YEAR, _LAST_YEAR + 1)
        if not np.array_equal(self.years, expected):
            raise ValueError(
                f"years must be {_FIRST_YEAR}, ..., {_LAST_YEAR}, each once; the data "
                "file is incomplete, install ctrnn_jax again."
            )
        if self.numbers.shape != self.years.shape:
            raise ValueError(
                f"numbers must have shape {self.years.shape}, got {self.numbers.shape}."
            )
        if not np.all(np.isfinite(self.numbers)) or np.any(self.numbers < 0):
            raise ValueError("numbers must be finite and not negative.")


def load_sunspots() -> Sunspots:
    """Return the yearly sunspot numbers from 1700 to 2008.

    Public domain, from the National Geophysical Data Center of NOAA as bundled with
    statsmodels; source and licence stand at the head of the data file.

    **Returns:** `years` and `numbers`, each of shape `(309,)`.

    **Raises:** `ValueError` if the installed file is not whole.
    """
    file = resources.files("ctrnn_jax.tasks") / "data" / "sunspots.csv"
    with file.open(encoding="utf-8") as lines:
        rows = [line for line in lines if not line.startswith("#")]
    table = np.loadtxt(rows[1:], delimiter=",", ndmin=2)
    return Sunspots(table[:, 0].astype(int), table[:, 1])


def nrmse(
    predicted: np.ndarray, target: np.ndarray, *, mean: float | None = None
) -> float:
    r"""Return $\sqrt{\overline{(\hat u - u)^2} / \overline{(u - m)^2}}$.

    1 is what predicting `mean` scores at every sample.

    **Arguments:**

    - `predicted`, `target`: shape `(time,)`.
    - `mean`: the trivial prediction m, such as the mean of the samples trained on;
      default: the target's own.

    **Returns:** a number, dimensionless; infinite where `predicted` is not finite.

    **Raises:** `ValueError` if the shapes differ or the target never leaves m.
    """
    predicted, target = np.asarray(predicted), np.asarray(target)
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted has shape {predicted.shape}, target {target.shape}; compare "
            "the same samples."
        )
    trivial = np.mean((target - (target.mean() if mean is None else mean)) ** 2)
    if not trivial > 0:
        raise ValueError("the target is constant or not finite.")
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = float(np.sqrt(np.mean((predicted - target) ** 2) / trivial))
    return float("inf") if np.isnan(ratio) else ratio
