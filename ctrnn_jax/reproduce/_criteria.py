"""What the experiments mean by "keeps oscillating", a period, a growth law."""

from typing import Literal, TypeAlias

import numpy as np

Fate: TypeAlias = Literal["oscillates", "settles", "dies", "diverges", "unclear"]

FATES: tuple[Fate, ...] = ("oscillates", "settles", "dies", "diverges", "unclear")

#: The criteria of `fate` in words, for the report.
FATE_CRITERIA = (
    "Size is the root mean square of |x|, swing that of its deviation from the "
    "window's mean. Windows: first, middle and last tenth of the run. Diverges: not "
    "finite, or the last size more than twice the first and 1.2 times the middle one. "
    "Dies: last size below 1 % of the first. Settles: last swing below 1 % of the last "
    "size (a fixed point of non-zero activity). Oscillates: last swing within a factor "
    "two of the middle one. Otherwise unclear."
)


def window_sizes(ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return size and swing in the first, middle and last tenth of `ys` (time, n)."""
    count = len(ys)
    tenth = max(count // 10, 2)
    middle = (count - tenth) // 2
    size, swing = [], []
    for start in (0, middle, count - tenth):
        window = ys[start : start + tenth]
        size.append(_root_mean_square(window))
        swing.append(_root_mean_square(window - window.mean(axis=0)))
    return np.asarray(size), np.asarray(swing)


def fate(ys: np.ndarray) -> Fate:
    """Judge a trajectory `(time, n)` by `FATE_CRITERIA`."""
    if not np.all(np.isfinite(ys[-1])):
        return "diverges"
    with np.errstate(over="ignore"):
        size, swing = window_sizes(ys)
    if not np.all(np.isfinite(size)):
        return "diverges"
    if size[2] > 2 * size[0] and size[2] > 1.2 * size[1]:
        return "diverges"
    if size[2] < 0.01 * size[0]:
        return "dies"
    if swing[2] < 0.01 * size[2]:
        return "settles"
    if 0.5 * swing[1] <= swing[2] <= 2 * swing[1]:
        return "oscillates"
    return "unclear"


def upward_crossings(ts: np.ndarray, y: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return the times at which the samples `y` (time,) go up through zero.

    Between samples y is the cubic through its values and slopes, so that an error of
    a crossing is of fourth order in the spacing; the root of the cubic is found by
    Newton's method from the chord's.
    """
    index = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
    step = ts[index + 1] - ts[index]
    a, b = y[index], y[index + 1]
    da, db = step * slope[index], step * slope[index + 1]
    # y(s) = a + da s + c2 s² + c3 s³ for s in [0, 1].
    c2 = 3 * (b - a) - 2 * da - db
    c3 = 2 * (a - b) + da + db
    s = a / (a - b)
    for _ in range(8):
        value = a + s * (da + s * (c2 + s * c3))
        s = s - value / (da + s * (2 * c2 + 3 * s * c3))
    return ts[index] + s * step


def mean_period(ts: np.ndarray, y: np.ndarray, slope: np.ndarray) -> tuple[float, int]:
    """Return the mean time between upward zero crossings, and how many it is over.

    NaN and 0 where there are fewer than two crossings.
    """
    crossings = upward_crossings(ts, y, slope)
    if len(crossings) < 2:
        return float("nan"), 0
    count = len(crossings) - 1
    return float((crossings[-1] - crossings[0]) / count), count


def fitted_slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the slope of the straight line through `(x, y)`, by least squares."""
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


def fitted_exponent(x: np.ndarray, y: np.ndarray, *, points: int = 200) -> float:
    """Return p of the power law y ~ xᵖ, fitted at samples evenly spaced in log x.

    `x` is increasing, both positive.
    """
    wanted = np.geomspace(x[0], x[-1], points)
    index = np.unique(np.searchsorted(x, wanted).clip(0, len(x) - 1))
    return fitted_slope(np.log(x[index]), np.log(y[index]))


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Return the mean of independent values and its standard error."""
    values = np.asarray(values)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(error)


def _root_mean_square(window: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.sum(window**2, axis=-1))))
