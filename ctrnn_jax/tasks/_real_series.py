"""The real recordings that free-run generation is tried on."""

import csv

import numpy as np

from .._types import DTypeLike
from ._options import check_count
from ._series import Series
from ._shipped import shipped_file
from .sunspots import load_sunspots


def sunspot_series(*, refitted: bool = False, dtype: DTypeLike | None = None) -> Series:
    """Return the yearly sunspot numbers from 1700 to 2008; season: 11 years.

    **Arguments:**

    - `refitted`, `dtype`: see `Series`.
    """
    return Series(
        "sunspots",
        load_sunspots().numbers,
        season=11,
        refitted=refitted,
        dtype=dtype,
    )


def co2_series(
    *, trend: int = 2, refitted: bool = False, dtype: DTypeLike | None = None
) -> Series:
    """Return monthly CO₂ at Mauna Loa from March 1958 to December 2001; season: 12.

    Without its rise: a polynomial fitted to what is trained on is taken off, since
    nothing that oscillates, and no forecast around a mean, can go on with a rise.

    **Arguments:**

    - `trend`: degree of the polynomial.
    - `refitted`, `dtype`: see `Series`.

    **Raises:** `ImportError` without statsmodels, which ships the recording.
    """
    return Series(
        "co2", load_co2(), season=12, trend=trend, refitted=refitted, dtype=dtype
    )


def laser_series(
    *, length: int = 1250, refitted: bool = False, dtype: DTypeLike | None = None
) -> Series:
    """Return the far-infrared laser of the Santa Fe competition; season: 8 samples.

    The laser is chaotic: no forecast can hold for long. By default the competition's
    first 1 000 samples are for fitting, and the next 250 for test.

    **Arguments:**

    - `length`: how many of the 10 093 samples to use, from the first.
    - `refitted`, `dtype`: see `Series`.

    **Raises:** `ImportError` without reservoirpy, which ships the recording.

    **Reference:** Weigend and Gershenfeld (1994), Time Series Prediction, data set A.
    """
    values = load_laser()
    check_count("length", length, 100)
    if length > len(values):
        raise ValueError(f"length must be at most {len(values)}, got {length}.")
    return Series("laser", values[:length], season=8, refitted=refitted, dtype=dtype)


def load_co2() -> np.ndarray:
    """Return monthly means of weekly CO₂ in ppm, shape `(526,)`.

    Weeks without a value are left out; the months without any, five in 1958 and 1964,
    lie on a line between their neighbours.
    """
    path = shipped_file("statsmodels", "datasets", "co2", "co2.csv")
    months: dict[int, list[float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            date = row["date"]
            month = 12 * int(date[:4]) + int(date[4:6]) - 1
            months.setdefault(month, [])
            if row["co2"]:
                months[month].append(float(row["co2"]))
    numbers = np.array([month for month, values in months.items() if values])
    means = np.array([np.mean(values) for values in months.values() if values])
    return np.interp(np.arange(min(months), max(months) + 1), numbers, means)


def load_laser() -> np.ndarray:
    """Return the laser's intensities, whole numbers 0 to 255, shape `(10093,)`."""
    path = shipped_file("reservoirpy", "datasets", "santafe_laser.npy")
    values = np.load(path, allow_pickle=False)
    if values.shape != (10_093, 1) or values.min() < 0 or values.max() > 255:
        raise ValueError(f"{path} does not hold 10 093 intensities from 0 to 255.")
    return values[:, 0].astype(float)
