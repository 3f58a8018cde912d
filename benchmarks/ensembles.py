"""Many lanes of x' = W tanh(x): ours beside the peers, on one core and on two."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import machine
from .peers import BY_KEY, WAYS, Way
from .problem import Problem
from .race import Row, Spread, hold, say
from .remote import Remote, allowed_cpus
from .tables import render
from .workbench import Prepared, Sample

SIZES = (2, 8, 32, 128)
OWN_WEIGHT_SIZES = (2, 8, 32)


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much to run.

    - `steps`: of RK4, by size. Where 1000 would take minutes a run, fewer are run:
      every way but the adaptive one does the same work at each step, and what a call
      costs once weighs more, not less, on a short run.
    - `own_steps`: the same where each lane has its own W.
    - `seconds`: to spend on timing one race.
    - `fewest`, `most`: runs of each entrant.
    """

    steps: dict[int, int]
    own_steps: dict[int, int]
    seconds: float
    fewest: int
    most: int
    lanes: int = 4096


FULL = Plan(
    steps={2: 1000, 8: 1000, 32: 200, 128: 50},
    own_steps={2: 500, 8: 200, 32: 20},
    seconds=20.0,
    fewest=3,
    most=15,
)
QUICK = Plan(
    steps={2: 100, 8: 50, 32: 20, 128: 10},
    own_steps={2: 100, 8: 30, 32: 4},
    seconds=1.0,
    fewest=1,
    most=3,
)

#: Settings whose rows only ever stand beside others. What every ratio is made of,
#: the floor and ours, has more of the time of a race.
_PEERS = ("default", "tuned")

#: Rows of the table of two cores: label, way, (cores, devices).
_CORES = (
    ("ours-1", "ctrnn_jax, one core", "ours", (1, 1)),
    ("ours-2", "ctrnn_jax, two cores, one device", "ours", (2, 1)),
    ("ours-2x2", "ctrnn_jax, two cores, two host devices", "ours", (2, 2)),
    ("diffrax-2", "diffrax RK4, vmapped, two cores", "diffrax-rk4", (2, 1)),
)


def run(
    plan: Plan, sizes: Sequence[int], *, command: str, quick: bool
) -> dict[str, Any]:
    """Measure everything and return it, ready for JSON.

    **Raises:** `WrongAnswer`, before any timing of the race concerned.
    """
    start = time.monotonic()
    cpus = allowed_cpus()
    groups: list[dict[str, Any]] = []
    for bits in (32, 64):
        groups += _one_core(plan, sizes, bits, cpus)
    if len(cpus) >= 2:
        for bits in (32, 64):
            groups += _two_cores(plan, sizes, bits, cpus)
    else:
        say("one core only: no table of two cores")
    return {
        "benchmark": "ensembles",
        "quick": quick,
        "command": command,
        "date": machine.today(),
        "minutes": round((time.monotonic() - start) / 60, 1),
        "machine": machine.describe_machine(),
        "versions": machine.describe_versions(),
        "c_flags": _c_flags(),
        "plan": dataclasses.asdict(plan),
        "groups": groups,
    }


def write(results: dict[str, Any], folder: Path) -> None:
    """Write `ensembles.json` and `ensembles.md` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    (folder / "ensembles.json").write_text(text, encoding="utf-8")
    (folder / "ensembles.md").write_text(render(results), encoding="utf-8")


def _one_core(
    plan: Plan, sizes: Sequence[int], bits: int, cpus: tuple[int, ...]
) -> Iterator[dict[str, Any]]:
    # The last core: the first one serves most interrupts.
    with Remote(bits=bits, cpus=cpus[-1:] or None) as remote:
        for own in (False, True):
            for size in sizes:
                if own and size not in OWN_WEIGHT_SIZES:
                    continue
                problem = _problem(plan, size, bits, own)
                ways = [way for way in WAYS if way.takes(problem)]
                places = [(way.key, way.label, way, remote) for way in ways]
                name = "own weights" if own else "one core"
                yield _race(plan, name, problem, places)
                remote.clear()


def _two_cores(
    plan: Plan, sizes: Sequence[int], bits: int, cpus: tuple[int, ...]
) -> Iterator[dict[str, Any]]:
    with contextlib.ExitStack() as stack:
        places = {
            place: stack.enter_context(
                Remote(bits=bits, cpus=cpus[-place[0] :], devices=place[1])
            )
            for place in {row[3]: None for row in _CORES}
        }
        for size in sizes:
            problem = _problem(plan, size, bits, own=False)
            rows = [
                (key, label, BY_KEY[way], places[place])
                for key, label, way, place in _CORES
            ]
            yield _race(plan, "two cores", problem, rows)
            for remote in places.values():
                remote.clear()


def _problem(plan: Plan, size: int, bits: int, own: bool) -> Problem:
    steps = (plan.own_steps if own else plan.steps)[size]
    return Problem(size, bits, plan.lanes, steps, own_weights=own)


def _race(
    plan: Plan,
    name: str,
    problem: Problem,
    rows: Sequence[tuple[str, str, Way, Remote]],
) -> dict[str, Any]:
    """Prepare and check all rows, then time those that are installed, in turn."""
    say(f"{name}: n = {problem.size}, float{problem.bits}")
    found = hold(
        [
            Row(key, label, way, place, 1.0 if way.setting in _PEERS else 4.0)
            for key, label, way, place in rows
        ],
        problem,
        seconds=plan.seconds,
        fewest=plan.fewest,
        most=plan.most,
    )
    return {
        "name": name,
        "size": problem.size,
        "bits": problem.bits,
        "lanes": problem.lanes,
        "steps": problem.steps,
        "rows": [
            _row(key, label, way, problem, *found[key]) for key, label, way, _ in rows
        ],
    }


def _row(
    key: str,
    label: str,
    way: Way,
    problem: Problem,
    prepared: Prepared,
    samples: list[Sample],
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "key": key,
        "label": label,
        "setting": way.setting,
        "missing": prepared.missing,
    }
    if samples:
        lanes = problem.lanes if way.lanes is None else min(problem.lanes, way.lanes)
        nanoseconds = 1e9 / (lanes * problem.steps)
        for clock in ("wall", "cpu"):
            values = [getattr(sample, clock) for sample in samples]
            row[clock] = dataclasses.asdict(Spread.of(values).scaled(nanoseconds))
        row.update(
            lanes=lanes,
            first_seconds=round(prepared.first, 2),
            error=prepared.error,
            allowed=prepared.allowed,
        )
    return row


def _c_flags() -> str:
    from .peers.c_kernel import FLAGS

    return " ".join(("gcc", *FLAGS))
