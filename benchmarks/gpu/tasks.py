"""One row to measure, and how a process works through many."""

import contextlib
import dataclasses
import gc
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..race import say
from ..suites import NotInstalled, WrongAnswer
from .store import DONE, FAILED, SKIPPED, Store


class Skip(Exception):
    """A row that is not worth its time; the message says why."""


class Refused(Exception):
    """A row that could not be right, or not compared; the message says why."""


@dataclasses.dataclass(frozen=True)
class Task:
    """A row: its key, what it is about, and the function that measures it."""

    key: str
    about: Mapping[str, Any]
    measure: Callable[[], Mapping[str, Any]]


def work(tasks: Iterable[Task], store: Store, deadline: float) -> bool:
    """Measure what is not settled yet; return whether all is.

    `deadline` is of `time.time()`, which other processes share.
    """
    for task in tasks:
        if store.settled(task.key):
            continue
        if time.time() > deadline:
            say("time is up; run the same command again to go on")
            return False
        start = time.perf_counter()
        store.begin(task.key, task.about)
        status, found = _outcome(task)
        found["row_seconds"] = round(time.perf_counter() - start, 2)
        store.finish(task.key, status, **found)
        what = found.get("reason") or _brief(found)
        say(f"{status:8} {task.key}: {what} ({found['row_seconds']} s)")
        tidy()
    return True


def _outcome(task: Task) -> tuple[str, dict[str, Any]]:
    try:
        return DONE, dict(task.measure())
    except Skip as skip:
        return SKIPPED, {"reason": str(skip)}
    except NotInstalled as missing:
        return FAILED, {"reason": f"not installed: {missing}"}
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] in ("benchmarks", "ctrnn_jax"):
            raise
        return FAILED, {"reason": f"not installed: {missing.name}"}
    except Refused as refused:
        return FAILED, {"reason": str(refused)}
    except WrongAnswer as wrong:
        return FAILED, {"reason": f"wrong answer: {wrong}"}
    except Exception as error:  # one row's failure must not cost the others
        traceback.print_exc(file=sys.stderr)
        lines = f"{type(error).__name__}: {error}".strip().splitlines()
        return FAILED, {"reason": lines[0][:300]}


def _brief(found: Mapping[str, Any]) -> str:
    seconds = found.get("seconds")
    return f"{seconds['median']:.3g} s" if isinstance(seconds, dict) else "measured"


def tidy() -> None:
    """Give memory of the device back that the last row does not need any more."""
    gc.collect()
    cupy: Any = sys.modules.get("cupy")
    if cupy is not None:
        # Without a driver even this fails.
        with contextlib.suppress(Exception):
            cupy.get_default_memory_pool().free_all_blocks()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
