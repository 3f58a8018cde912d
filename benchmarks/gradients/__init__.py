"""Gradients through many steps: time, memory and error of every way to have them."""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import machine
from ..race import Row, Spread, hold, say
from ..remote import Remote, allowed_cpus
from ..workbench import Prepared, Sample
from .figure import draw
from .problem import CHAOTIC, REGULAR, STEP, Problem, Weight
from .reference import growth
from .tables import render
from .ways import BY_KEY, WAYS, GradientWay


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much to run.

    - `steps`: of the tables, ascending, by precision.
    - `chaos`: steps of the chaotic example.
    - `duration`, `step_logs`: of the work–precision figure: a span, and the binary
      logarithms of the steps it is divided into.
    - `seconds`: to spend on timing one race, beyond the first run of each.
    - `fewest`, `most`: runs of each entrant; of more than 10⁴ steps one will do.
    - `longest`: seconds that a run may take, by what it took with fewer steps. What
      would take longer is compiled, for its memory, but not run.
    - `patience`: seconds of compiling beyond which that is not done either.
    - `most_bytes`: that a compiled way may need beside arguments and results.
    """

    weights: tuple[Weight, ...] = ("bipartite", "dense")
    steps: dict[int, tuple[int, ...]] = dataclasses.field(
        default_factory=lambda: dict.fromkeys((32, 64), (10**3, 10**4, 10**5, 10**6))
    )
    chaos: tuple[int, ...] = (10**3, 10**4, 3 * 10**4)
    duration: float = 10 * 2**10 * STEP
    step_logs: tuple[int, ...] = (-1, -2, -3, -4, -5)
    seconds: float = 5.0
    fewest: int = 3
    most: int = 9
    longest: float = 20.0
    patience: float = 3.0
    most_bytes: float = 4e9


FULL = Plan()
QUICK = Plan(
    steps={32: (1000,), 64: (1000,)},
    chaos=(1000,),
    duration=2**10 * STEP,
    step_logs=(-1, -3),
    seconds=1.0,
    fewest=1,
    most=3,
)

#: What the chaotic example shows, and what the figure does.
_CHAOS = ("ours", "ours-float", "levels-rk4", "diffrax", "rebuilt-rk4")
_PRECISION = ("ours", "ours-4", "ours-6", "levels-rk4", "diffrax")


def run(plan: Plan, *, command: str, quick: bool) -> dict[str, Any]:
    """Measure everything and return it, ready for JSON.

    **Raises:** `WrongAnswer`, before any timing of the race concerned.
    """
    start = time.monotonic()
    groups: list[dict[str, Any]] = []
    # The last core: the first one serves most interrupts.
    cpus = allowed_cpus()[-1:] or None
    for bits in (32, 64):
        with Remote(bits=bits, cpus=cpus, suite="gradients") as remote:
            bench = _Bench(plan, remote)
            for weight in plan.weights:
                groups += bench.steps(weight, bits)
            groups += bench.chaos(bits)
            groups += bench.precision(bits)
    return {
        "benchmark": "gradients",
        "quick": quick,
        "command": command,
        "date": machine.today(),
        "minutes": round((time.monotonic() - start) / 60, 1),
        "machine": machine.describe_machine(),
        "versions": machine.describe_versions(),
        "plan": dataclasses.asdict(plan),
        "groups": groups,
    }


def write(results: dict[str, Any], folder: Path) -> None:
    """Write `gradients.json`, `gradients.md` and `gradients.png` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / "gradients.json").write_text(text, encoding="utf-8")
    (folder / "gradients.md").write_text(render(results), encoding="utf-8")
    draw(results, folder / "gradients.png")


@dataclasses.dataclass(frozen=True)
class _Past:
    """Seconds a step that a way took with fewer steps, and of compiling it."""

    pace: float | None
    compiling: float


#: What comes of a way that is neither run nor compiled.
_UNASKED: tuple[Prepared, list[Sample]] = (Prepared(skipped="time"), [])


class _Bench:
    """The races of one worker process, and what earlier ones tell of later."""

    def __init__(self, plan: Plan, remote: Remote) -> None:
        self._plan = plan
        self._remote = remote

    def steps(self, weight: Weight, bits: int) -> Iterator[dict[str, Any]]:
        """Race every way at each number of steps."""
        past: dict[str, _Past] = {}
        for count in self._plan.steps[bits]:
            problem = Problem(weight, bits, count, amplitude=REGULAR)
            yield self._race("steps", problem, WAYS, past)

    def chaos(self, bits: int) -> Iterator[dict[str, Any]]:
        """Show what the gradient itself becomes on chaotic orbits."""
        past: dict[str, _Past] = {}
        ways = [BY_KEY[key] for key in _CHAOS]
        for count in self._plan.chaos:
            problem = Problem("bipartite", bits, count, amplitude=CHAOTIC)
            yield self._race("chaos", problem, ways, past)

    def precision(self, bits: int) -> Iterator[dict[str, Any]]:
        """Solve one span in steps of several lengths."""
        ways = [BY_KEY[key] for key in _PRECISION]
        for log in self._plan.step_logs:
            step = 2.0**log
            problem = Problem(
                "bipartite", bits, round(self._plan.duration / step), step=step
            )
            yield self._race("precision", problem, ways, {})

    def _race(
        self,
        name: str,
        problem: Problem,
        ways: Sequence[GradientWay],
        past: dict[str, _Past],
    ) -> dict[str, Any]:
        """Race `ways`; `past` has what they took before, and learns from this."""
        plan = self._plan
        say(
            f"{name}: {problem.weight} W, float{problem.bits}, {problem.steps} steps "
            f"of {problem.step}"
        )
        ways = [way for way in ways if way.takes(problem)]
        foretold = {
            key: each.pace * problem.steps
            for key, each in past.items()
            if each.pace is not None
        }
        rows = []
        for way in ways:
            run = foretold.get(way.key, 0.0) <= plan.longest
            if run or past[way.key].compiling <= plan.patience:
                limits = {"most_bytes": plan.most_bytes, "run": run}
                # Every ratio is to ours.
                share = 4.0 if way.key == "ours" else 1.0
                rows.append(Row(way.key, way.label, way, self._remote, share, limits))
        found = hold(
            rows,
            problem,
            seconds=plan.seconds,
            fewest=plan.fewest if problem.steps <= 10**4 else 1,
            most=plan.most,
            count_first=True,
        )
        for key, (done, samples) in found.items():
            pace = past[key].pace if key in past else None
            if samples:
                pace = min(sample.wall for sample in samples) / problem.steps
            past[key] = _Past(pace, done.details.get("compile", 0.0))
        self._remote.clear()
        return {
            "name": name,
            **dataclasses.asdict(problem),
            **_growth(problem),
            "rows": [
                _row(way, *found.get(way.key, _UNASKED), foretold.get(way.key))
                for way in ways
            ],
        }


def _growth(problem: Problem) -> dict[str, float]:
    found = growth(problem)
    return {
        "growth": float(np.median(found.factor)),
        "largest_growth": float(np.max(found.factor)),
        "exponent": float(np.median(found.exponent)),
    }


def _row(
    way: GradientWay, done: Prepared, samples: list[Sample], foretold: float | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "key": way.key,
        "label": way.label,
        "setting": way.setting,
        "missing": done.missing,
        "skipped": done.skipped,
    }
    if done.skipped in ("time", "memory") and foretold is not None:
        row["foretold_seconds"] = foretold
    if done.run is not None:
        row |= {"error": _finite(done.error), "allowed": done.allowed}
    row |= {name: _finite(value) for name, value in done.details.items()}
    if samples:
        clocks: dict[str, Callable[[Sample], float]] = {
            "cpu": lambda sample: sample.cpu,
            "wall": lambda sample: sample.wall,
        }
        for clock, read in clocks.items():
            spread = Spread.of([read(sample) for sample in samples])
            row[clock] = dataclasses.asdict(spread)
    return row


def _finite(value: float) -> float | None:
    """Return the number, or None for one that JSON does not know."""
    return value if math.isfinite(value) else None
