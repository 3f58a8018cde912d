"""Where candidates are prepared, checked and timed: one process's share of a race."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from .suites import Candidate, Entry, NotInstalled


@dataclasses.dataclass(frozen=True)
class Sample:
    """Seconds of one run: by the clock, and of this process on any core."""

    wall: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What came of preparing a way.

    - `missing`: what has to be installed, or empty.
    - `skipped`: why it may not be timed, or empty: it would need too much "memory" or
      "time", or its answer is "wrong" in a way that its check expects of it.
    - `first`: seconds of preparing and running once, which includes compiling.
    - `error`, `allowed`: largest difference from the reference, and its bound.
    - `details`: what else the way, and the check of its answer, told.
    - `run`: the first run by itself, without preparing.
    """

    missing: str = ""
    skipped: str = ""
    first: float = 0.0
    error: float = 0.0
    allowed: float = 0.0
    details: dict[str, float] = dataclasses.field(default_factory=dict)
    run: Sample | None = None


class Workbench:
    """Holds candidates of one problem in this process."""

    def __init__(self) -> None:
        self._ready: dict[str, Candidate] = {}

    def prepare(
        self,
        way: Entry,
        problem: Any,
        *,
        run: bool = True,
        most_bytes: float | None = None,
    ) -> Prepared:
        """Prepare `way`, run it once and check its answer.

        With `run=False`, or if it says that it needs more than `most_bytes`, it is
        only prepared.

        **Raises:** `WrongAnswer`; a way that is wrong is never timed.
        """
        part = way.share(problem)
        start = time.perf_counter()
        try:
            candidate = way.prepare(part)
        except NotInstalled as missing:
            return Prepared(missing=str(missing))
        except ModuleNotFoundError as missing:
            # A module of our own that is missing is our error.
            if (missing.name or "").split(".")[0] in ("benchmarks", "ctrnn_jax"):
                raise
            return Prepared(missing=missing.name or str(missing))
        details = dict(candidate.details)
        if most_bytes is not None and details.get("temporary", 0.0) > most_bytes:
            return Prepared(skipped="memory", details=details)
        if not run:
            return Prepared(skipped="time", details=details)
        result, sample = _timed(candidate.run)
        first = time.perf_counter() - start
        verdict = way.check(part, lambda: candidate.answer(result))
        wrong = not verdict.error <= verdict.allowed
        if not wrong:
            self._ready[way.key] = candidate
        return Prepared(
            skipped="wrong" if wrong else "",
            first=first,
            error=verdict.error,
            allowed=verdict.allowed,
            details=details | verdict.details,
            run=sample,
        )

    def time(self, key: str) -> Sample:
        """Run a prepared way once more, timed."""
        return _timed(self._ready[key].run)[1]

    def clear(self) -> None:
        """Forget all candidates and what JAX compiled for them."""
        import sys

        self._ready.clear()
        jax: Any = sys.modules.get("jax")
        if jax is not None:
            jax.clear_caches()


def _timed(run: Callable[[], Any]) -> tuple[Any, Sample]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    sample = Sample(time.perf_counter() - wall, time.process_time() - cpu)
    return result, sample
