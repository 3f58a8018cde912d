"""The other end of `worker`: processes on chosen cores, driven from here."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .suites import Entry, WrongAnswer
from .workbench import Prepared, Sample

_ROOT = Path(__file__).resolve().parent.parent

#: Each library reads its own; the cores allowed would do for most of them.
THREADS = (
    "OMP_NUMTHREADS",
    "OPENBLAS_NUMTHREADS",
    "MKL_NUMTHREADS",
    "NUMBA_NUMTHREADS",
)


class Remote:
    """A worker process; use it in a `with` block.

    - `cpus`: the cores it may use (`None`: as this process).
    - `devices`: host devices for JAX to show.
    - `suite`: which benchmark's problems and ways it knows.
    """

    def __init__(
        self,
        *,
        bits: int,
        cpus: tuple[int, ...] | None,
        devices: int = 1,
        suite: str = "ensembles",
    ) -> None:
        environment = dict(os.environ)
        # Everything here is a measurement of the CPU, also where there is a GPU.
        environment["JAX_PLATFORMS"] = "cpu"
        environment["XLA_FLAGS"] = (
            f"--xla_force_host_platform_device_count={devices}" if devices > 1 else ""
        )
        environment.pop("JAX_ENABLE_X64", None)
        if cpus is not None:
            environment.update(dict.fromkeys(THREADS, str(len(cpus))))
        settings = {"cpus": cpus, "x64": bits == 64, "suite": suite}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", json.dumps(settings)],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        if error[0] is not None:
            self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(
                f"a worker process ended (exit code {self._process.wait()}) at "
                f"{command}; its own message is above."
            )
        return json.loads(line)

    def prepare(self, way: Entry, problem: Any, **limits: Any) -> Prepared:
        """Prepare and check `way` over there; see `Workbench.prepare`."""
        answer = self._ask(
            do="prepare",
            key=way.key,
            problem=dataclasses.asdict(problem),
            limits=limits,
        )
        if "wrong" in answer:
            raise WrongAnswer(f"{way.label} on {problem}: {answer['wrong']}")
        run = answer.pop("run")
        return Prepared(**answer, run=None if run is None else Sample(**run))

    def time(self, key: str) -> Sample:
        """Time a prepared way over there."""
        return Sample(**self._ask(do="time", key=key))

    def clear(self) -> None:
        """Make room for the next problem."""
        self._ask(do="clear")


def allowed_cpus() -> tuple[int, ...]:
    """Return the cores this process may use, or () where that cannot be asked."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    return tuple(sorted(os.sched_getaffinity(0)))
