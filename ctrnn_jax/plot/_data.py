"""Read what is to be drawn, and say what is wrong with it."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from .._types import Array

Number: TypeAlias = float | int | np.number | Array
Numbers: TypeAlias = Sequence | range | np.ndarray | Array


def read_numbers(data: object, name: str) -> np.ndarray:
    """Return the attribute `name` of a result as an array of floats.

    **Raises:** `ValueError` if it is not there or holds no numbers.
    """
    try:
        return np.asarray(getattr(data, name), float)
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"A result with numbers `{name}` is needed here, got {type(data).__name__}."
        ) from error


def read_states(data: object) -> np.ndarray:
    """Return the states of a solution, or the array itself, as `(time, n)`.

    Entries that are not finite become NaN, which matplotlib leaves out.
    """
    ys = getattr(data, "ys", data)
    if ys is None:
        raise ValueError(
            "The solution holds no states; solve with the default saveat, or "
            "diffrax.SaveAt(ts=...)."
        )
    ys = np.asarray(ys)
    if ys.ndim == 3:
        raise ValueError(
            f"ys must have shape (time, n), got {ys.shape}: draw the lanes of an "
            "ensemble one by one, ys[lane], or all with plot_ensemble_fan."
        )
    if ys.ndim != 2 or 0 in ys.shape:
        raise ValueError(f"ys must have shape (time, n), not empty, got {ys.shape}.")
    finite = np.isfinite(ys)
    if not finite.any():
        raise ValueError(
            "No sample is finite: the solve failed, see solution.result for the reason."
        )
    return np.where(finite, ys, np.nan)


def read_times(data: object, count: int) -> np.ndarray:
    """Return the times of a solution, shape `(time,)`, one for each of its samples."""
    ts = getattr(data, "ts", None)
    if ts is None:
        raise ValueError(
            "A solution with times `ts` is needed here, not its states alone."
        )
    ts = np.asarray(ts)
    if ts.shape != (count,):
        raise ValueError(f"ts must have shape ({count},) to fit ys, got {ts.shape}.")
    return np.where(np.isfinite(ts), ts, np.nan)


def check_neurons(neurons: Numbers, size: int) -> list[int]:
    """Return the neurons' numbers, refusing one that does not exist."""
    for neuron in neurons:
        if not 0 <= int(neuron) < size or int(neuron) != neuron:
            raise ValueError(
                f"Neuron {neuron} does not exist: there are {size}, numbered from 0 "
                f"to {size - 1}."
            )
    return [int(neuron) for neuron in neurons]


def check_pair(neurons: Numbers, size: int) -> tuple[int, int]:
    """Return the two neurons whose plane is drawn."""
    if len(neurons) != 2:
        raise ValueError(f"neurons must be a pair, such as (0, 1), got {neurons!r}.")
    first, second = check_neurons(neurons, size)
    return first, second


def lay_plane(
    xlim: Numbers, ylim: Numbers, resolution: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x `(m,)`, y `(m,)` and the states `(m, m, 2)`, rows along y."""
    for name, limits in (("xlim", xlim), ("ylim", ylim)):
        if len(limits) != 2 or not -np.inf < limits[0] < limits[1] < np.inf:
            raise ValueError(f"{name} must be (low, high) with low < high: {limits!r}.")
    if resolution < 2:
        raise ValueError(f"resolution must be at least 2, got {resolution}.")
    x = np.linspace(float(xlim[0]), float(xlim[1]), resolution)
    y = np.linspace(float(ylim[0]), float(ylim[1]), resolution)
    return x, y, np.stack(np.meshgrid(x, y), axis=-1)
