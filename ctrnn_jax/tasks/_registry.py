"""Tasks by name, for the command line and for tables."""

import difflib
import functools
import inspect
from collections.abc import Callable

from .._types import DTypeLike
from ._adding import Adding
from ._copy import CopyMemory
from ._delayed_recall import DelayedRecall
from ._digits import Digits
from ._flip_flop import FlipFlop
from ._forecast import Forecast
from ._real_series import co2_series, laser_series, sunspot_series
from ._series import Series
from ._signal_school_task import SignalSchoolTask
from ._task import AbstractTask
from ._ucr import UCRSet
from ._user_files import load_eigenworms, load_noisy_cifar, load_ppg, load_psmnist


def _forecast(
    make_series: Callable[..., Series],
    /,
    *,
    heard: int | None = None,
    horizon: int | None = None,
    refitted: bool = False,
    dtype: DTypeLike | None = None,
) -> Forecast:
    series = make_series(dtype=dtype)
    return Forecast(series, heard=heard, horizon=horizon, refitted=refitted)


TASKS: dict[str, Callable[..., AbstractTask]] = {
    "copy": CopyMemory,
    "adding": Adding,
    "flip-flop": FlipFlop,
    "delayed-recall": DelayedRecall,
    "digits": functools.partial(Digits, variant="sequential"),
    "digits-permuted": functools.partial(Digits, variant="permuted"),
    "digits-padded": functools.partial(Digits, variant="padded"),
    "signal-school": SignalSchoolTask,
    "sunspots": sunspot_series,
    "co2": co2_series,
    "laser": laser_series,
    "forecast-sunspots": functools.partial(_forecast, sunspot_series),
    "forecast-co2": functools.partial(_forecast, co2_series),
    "forecast-laser": functools.partial(_forecast, laser_series),
    "acsf1": functools.partial(UCRSet, set_name="ACSF1"),
    "osuleaf": functools.partial(UCRSet, set_name="OSULeaf"),
    "japanese-vowels": functools.partial(UCRSet, set_name="JapaneseVowels"),
    "psmnist": load_psmnist,
    "noisy-cifar": load_noisy_cifar,
    "eigenworms": load_eigenworms,
    "ppg": load_ppg,
}
"""Each task's maker by its name; the last four need the path of files that you have."""


def make_task(name: str, **options: object) -> AbstractTask:
    """Return a task by its name.

    **Arguments:**

    - `name`: a key of `TASKS`.
    - `options`: the maker's own, such as `delay=1000` of `"copy"`.

    **Raises:** `ValueError` for an unknown name or option, saying what there is, for
    an option that is missing, and whatever the maker refuses.
    """
    if name not in TASKS:
        raise ValueError(f"there is no task {name!r}{_hint(name, [*TASKS])}")
    known = task_options(name)
    for option in options:
        if option not in known:
            raise ValueError(
                f"task {name!r} has no option {option!r}{_hint(option, [*known])}"
            )
    missing = [
        option
        for option, parameter in known.items()
        if parameter.default is inspect.Parameter.empty and option not in options
    ]
    if missing:
        raise ValueError(f"task {name!r} needs the option {missing[0]!r}; give it.")
    return TASKS[name](**options)


def task_options(name: str) -> dict[str, inspect.Parameter]:
    """Return the options of a task by name, with their defaults and annotations.

    **Raises:** `KeyError` for a name that is none of `TASKS`.
    """
    maker = TASKS[name]
    fixed = maker.keywords if isinstance(maker, functools.partial) else {}
    parameters = inspect.signature(maker).parameters
    return {
        option: parameter
        for option, parameter in parameters.items()
        if option not in fixed
    }


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    return f"{meant} There are: {', '.join(known)}."
