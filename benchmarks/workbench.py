"""Where candidates are prepared, checked and timed: one process's share of a race."""

import dataclasses
import time
from typing import Any

from .peers import Candidate, NotInstalled, Way
from .problem import Problem
from .verify import check_answer

#: Which processes and threads a race may use is a name, so that it can be printed.
ONE_CORE = "one core"


@dataclasses.dataclass(frozen=True)
class Sample:
    """Seconds of one run: by the clock, and of this process on any core."""

    wall: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What came of preparing a way.

    - `missing`: what has to be installed, or empty.
    - `first`: seconds of preparing and running once, which includes compiling.
    - `error`, `allowed`: largest difference from the reference, and its bound.
    """

    missing: str = ""
    first: float = 0.0
    error: float = 0.0
    allowed: float = 0.0


class Workbench:
    """Holds candidates of one problem in this process."""

    def __init__(self) -> None:
        self._ready: dict[str, Candidate] = {}

    def prepare(self, way: Way, problem: Problem) -> Prepared:
        """Prepare `way`, run it once and check its answer.

        **Raises:** `WrongAnswer`; a way that is wrong is never timed.
        """
        part = problem if way.lanes is None else problem.part(way.lanes)
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
        result = candidate.run()
        first = time.perf_counter() - start
        error, allowed = check_answer(
            part, way.method, lambda: candidate.states(result)
        )
        self._ready[way.key] = candidate
        return Prepared(first=first, error=error, allowed=allowed)

    def time(self, key: str) -> Sample:
        """Run a prepared way once more, timed."""
        run = self._ready[key].run
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        return Sample(time.perf_counter() - wall, time.process_time() - cpu)

    def clear(self) -> None:
        """Forget all candidates and what JAX compiled for them."""
        import sys

        self._ready.clear()
        jax: Any = sys.modules.get("jax")
        if jax is not None:
            jax.clear_caches()
