"""What a network that generates must beat: mean, season, autoregression, echo state."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ._echo_state import settings
from ._options import check_count
from ._series import Series
from ._task import check_split
from .sunspots import nrmse

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Baseline:
    """What a forecast without training by gradients reaches.

    - `nrmse`: over the stretch; the median over seeds where there are several. 1 is
      what the mean of the samples before scores.
    - `forecast`: shape `(horizon,)`, of the median seed.
    - `setting`: what was chosen on the validation stretch.
    - `all_nrmse`: of each seed.
    """

    nrmse: float
    forecast: np.ndarray
    setting: str
    all_nrmse: tuple[float, ...]


def series_baselines(
    task: Series, split: str = "test", *, seeds: int = 5
) -> dict[str, Baseline]:
    """Return what each simple forecast reaches on a series.

    Settings are chosen by a forecast of the validation stretch from the samples before;
    the chosen one is then fitted to all samples before the stretch of `split`, and
    goes on without input.

    **Arguments:**

    - `task`: a `Series`.
    - `split`: `"validation"` or `"test"`.
    - `seeds`: number of random echo-state networks.

    **Returns:** by name: `"mean"`, `"seasonal"`, `"autoregression"`, `"echo_state"`.
    """
    check_count("seeds", seeds)
    values = np.asarray(task.values, float)
    train, fit = values[: task.num_train], values[: task.num_fit]
    tail = values[task.num_train : task.num_fit]
    before, target = train, tail
    if check_split(split):
        before, target = fit, values[task.num_fit :]

    def judge(forecasts: list[np.ndarray], setting: str) -> Baseline:
        scores = [nrmse(one, target, mean=before.mean()) for one in forecasts]
        middle = int(np.argsort(scores)[(len(scores) - 1) // 2])
        return Baseline(
            float(np.median(scores)), forecasts[middle], setting, tuple(scores)
        )

    def choose(options: list[T], forecast: Callable[[T], list[np.ndarray]]) -> T:
        """Return the option with the least median error over the tail."""
        errors = [
            np.median([nrmse(one, tail, mean=train.mean()) for one in forecast(option)])
            for option in options
        ]
        return options[int(np.argmin(errors))]

    horizon = len(target)
    orders = [*range(1, min(64, len(train) // 3) + 1)]
    order = choose(orders, lambda p: [autoregression(train, len(tail), order=p)])
    echo = choose(
        settings(),
        lambda one: [one.forecast(train, len(tail), seed=s) for s in range(seeds)],
    )
    return {
        "mean": judge([np.full(horizon, before.mean())], "mean of the samples before"),
        "seasonal": judge(
            [seasonal_naive(before, horizon, season=task.season)],
            f"season {task.season}",
        ),
        "autoregression": judge(
            [autoregression(before, horizon, order=order)], f"order {order}"
        ),
        "echo_state": judge(
            [echo.forecast(before, horizon, seed=s) for s in range(seeds)], str(echo)
        ),
    }


def seasonal_naive(values: np.ndarray, horizon: int, *, season: int) -> np.ndarray:
    """Return the last season of `values`, over and over, shape `(horizon,)`."""
    check_count("season", season)
    if season > len(values):
        raise ValueError(f"season is {season}, but there are {len(values)} values.")
    return np.resize(values[-season:], horizon)


def autoregression(values: np.ndarray, horizon: int, *, order: int) -> np.ndarray:
    r"""Return the forecast of a linear autoregression, shape `(horizon,)`.

    $\hat u_k = c + \sum_{i=1}^{p} a_i u_{k-i}$, fitted by least squares to the one-step
    errors, then fed its own answers. Infinite from where they are no longer finite.

    **Arguments:**

    - `values`: shape `(time,)`, more than twice the order.
    - `horizon`: number of samples to forecast.
    - `order`: p.
    """
    check_count("order", order)
    if len(values) <= 2 * order:
        raise ValueError(f"order {order} needs more than {2 * order} values.")
    windows = np.lib.stride_tricks.sliding_window_view(values[:-1], order)
    known = np.column_stack([windows, np.ones(len(windows))])
    weights = np.linalg.lstsq(known, values[order:], rcond=None)[0]
    history = list(values[-order:])
    out = np.full(horizon, np.inf)
    for place in range(horizon):
        value = float(np.dot(weights[:-1], history[-order:]) + weights[-1])
        if not abs(value) < 1e100:
            break
        out[place] = value
        history.append(value)
    return out
