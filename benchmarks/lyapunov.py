"""The k-exponent spectrum of 1024 orbits in one call, beside loops over orbits."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import machine
from .lyapunov_peers import QR_STEPS, STEP, WAYS, LyapunovProblem, LyapunovWay
from .race import Entrant, Spread, race
from .remote import THREADS, allowed_cpus
from .suites import Candidate, NotInstalled, WrongAnswer
from .workbench import Sample

_ROOT = Path(__file__).resolve().parent.parent

#: (neurons, exponents): all of a small system, the largest of a bigger one.
CASES = ((3, 3), (8, 2), (8, 8), (32, 2), (32, 8))

#: Lanes whose exponents are checked.
_CHECKED = 2


@dataclasses.dataclass(frozen=True)
class Plan:
    """Intervals of 8 steps; seconds of timing a race; runs of each row."""

    intervals: int
    seconds: float
    fewest: int
    most: int
    lanes: int = 1024


FULL = Plan(intervals=25, seconds=20.0, fewest=3, most=11)
QUICK = Plan(intervals=3, seconds=1.0, fewest=1, most=3)


def tolerance(problem: LyapunovProblem) -> float:
    r"""Return how far off an exponent may be.

    Every way makes the same steps, so answers differ by rounding only, u a step in
    the state and in the vectors. The differences grow with the flow, over these spans
    by less than 100, and enter the logarithm of each interval: in all
    100 · u · intervals / duration, a random sum taken as if it were coherent.
    One step too few, or a term of the Jacobian left out, is off by 1e-3 or more.
    """
    unit = float(np.finfo(problem.dtype).eps) / 2
    return 100 * unit * problem.steps / (QR_STEPS * STEP)


def reference(problem: LyapunovProblem) -> np.ndarray:
    """Return the exponents of the first lanes `(lanes, k)`, from float64 arithmetic."""
    part = problem.part(_CHECKED)
    double = dataclasses.replace(part, bits=64)
    double.__dict__.update(
        weight=part.weight.astype(np.float64),
        y0=part.y0.astype(np.float64),
        frame=part.frame.astype(np.float64),
    )
    way = next(way for way in WAYS if way.key == "numpy-loop")
    candidate = way.prepare(double)
    return candidate.answer(candidate.run())


def check_exponents(problem: LyapunovProblem, found: np.ndarray) -> tuple[float, float]:
    """Compare exponents `(lanes, k)` with the reference; return (error, allowed).

    **Raises:** `WrongAnswer`.
    """
    if found.shape != (problem.lanes, problem.count):
        raise WrongAnswer(
            f"exponents of shape {found.shape}, not {(problem.lanes, problem.count)}"
        )
    if not np.all(np.isfinite(found)):
        raise WrongAnswer("exponents that are not finite")
    expected = np.sort(reference(problem), axis=1)
    checked = np.sort(found[:_CHECKED].astype(np.float64), axis=1)
    error, allowed = float(np.abs(checked - expected).max()), tolerance(problem)
    if not error <= allowed:
        raise WrongAnswer(f"off by {error:.1e} where {allowed:.1e} is allowed")
    return error, allowed


def measure(
    plan: Plan, problem: LyapunovProblem, ways: Sequence[LyapunovWay] = WAYS
) -> dict[str, Any]:
    """Check every way, then time those that are installed, in turn.

    **Raises:** `WrongAnswer`, before any time is taken.
    """
    ready: dict[str, tuple[Candidate, LyapunovProblem]] = {}
    rows: list[dict[str, Any]] = []
    for way in ways:
        part = problem if way.lanes is None else problem.part(way.lanes)
        row: dict[str, Any] = {
            "key": way.key,
            "label": way.label,
            "setting": way.setting,
            "lanes": part.lanes,
            "missing": "",
        }
        rows.append(row)
        start = time.perf_counter()
        try:
            candidate = way.prepare(part)
        except (NotInstalled, ModuleNotFoundError) as missing:
            row["missing"] = getattr(missing, "name", None) or str(missing)
            continue
        result = candidate.run()
        row["first_seconds"] = round(time.perf_counter() - start, 2)
        row["error"], row["allowed"] = check_exponents(part, candidate.answer(result))
        ready[way.key] = candidate, part
    entrants = [
        Entrant(key, lambda run=candidate.run: _time(run))
        for key, (candidate, _) in ready.items()
    ]
    samples = race(entrants, seconds=plan.seconds, fewest=plan.fewest, most=plan.most)
    for row in rows:
        if row["key"] in samples:
            unit = 1e6 / (row["lanes"] * problem.steps)
            for clock in ("wall", "cpu"):
                values = [getattr(sample, clock) for sample in samples[row["key"]]]
                row[clock] = dataclasses.asdict(Spread.of(values).scaled(unit))
    return {**dataclasses.asdict(problem), "steps": problem.steps, "rows": rows}


def run(plan: Plan, *, command: str, quick: bool) -> dict[str, Any]:
    """Measure every case, in this process, and return the results for JSON."""
    import jax

    start = time.monotonic()
    groups = []
    for bits in (64, 32):
        jax.config.update("jax_enable_x64", bits == 64)
        for size, count in CASES:
            print(f"n = {size}, k = {count}, float{bits}", file=sys.stderr, flush=True)
            problem = LyapunovProblem(size, count, bits, plan.lanes, plan.intervals)
            groups.append(measure(plan, problem))
    return {
        "benchmark": "lyapunov",
        "quick": quick,
        "command": command,
        "date": machine.today(),
        "minutes": round((time.monotonic() - start) / 60, 1),
        "machine": machine.describe_machine(),
        "versions": machine.describe_versions(),
        "groups": groups,
    }


def render(results: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    where = results["machine"]
    versions = ", ".join(f"{name} {v}" for name, v in results["versions"].items())
    groups = results["groups"]
    heads = [f"n = {size}, k = {count}" for size, count in CASES]
    lines = [
        "# Lyapunov spectra: k exponents of 1024 orbits of x' = W tanh(x)",
        "",
        *(
            ["**A quick run: it shows that all works, not how fast.**", ""]
            if results["quick"]
            else []
        ),
        f"Written by `{results['command']}`; do not edit.",
        "",
        f"- Date: {results['date']}; the run took {results['minutes']} minutes.",
        f"- Machine: {where['processor']} ({where['vectors']}), one core of "
        f"{where['cores']}, {where['system']}.",
        f"- Versions: {versions}.",
        f"- {groups[0]['steps']} steps of RK4 of the state and k tangent vectors, "
        f"QR after each {QR_STEPS}; the same steps and first vectors in every row.",
        "- Every row's exponents were compared with a float64 reference before its "
        "time was taken.",
        "- Loops over orbits run few of the orbits; their cost is proportional.",
        "",
        "Time over that of ours; float64 / float32. The row that is 1.00 shows its own "
        "time, in microseconds an orbit and step. Processor time of a process pinned "
        "to one core, medians.",
        "",
        "| way | setting | " + " | ".join(heads) + " |",
        "| --- | --- |" + " --- |" * len(heads),
    ]
    for index, row in enumerate(groups[0]["rows"]):
        cells = []
        for size, count in CASES:
            pair = [
                group
                for group in groups
                if (group["size"], group["count"]) == (size, count)
            ]
            cells.append(" / ".join(_cell(group["rows"], index) for group in pair))
        lines.append(
            f"| {row['label']} | {row['setting']} | " + " | ".join(cells) + " |"
        )
    lines += ["", "## All numbers", "", "Microseconds an orbit and step.", ""]
    for group in groups:
        lines += [
            f"### n = {group['size']}, k = {group['count']}, float{group['bits']}",
            "",
            "| way | processor time | quartiles | clock | runs | first | error |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for row in group["rows"]:
            if row["missing"]:
                lines.append(f"| {row['label']} | not installed: {row['missing']} |")
                continue
            cpu, wall = row["cpu"], row["wall"]
            lines.append(
                f"| {row['label']} | {cpu['median']:.3f} | {cpu['low']:.3f} – "
                f"{cpu['high']:.3f} | {wall['median']:.3f} | {cpu['count']} | "
                f"{row['first_seconds']:.1f} s | {row['error']:.0e} ≤ "
                f"{row['allowed']:.0e} |"
            )
        lines.append("")
    return "\n".join(lines)


def launch(arguments: Sequence[str]) -> int:
    """Run this module in a process that is pinned to one core from its start."""
    environment = dict(os.environ)
    environment.update(dict.fromkeys(THREADS, "1"))
    environment["JAX_PLATFORMS"] = "cpu"
    command = [sys.executable, "-m", "benchmarks.lyapunov", *arguments]
    return subprocess.run(command, cwd=_ROOT, env=environment, check=False).returncode


def main(argv: Sequence[str]) -> int:
    """Measure and write; `argv` is `[--quick] FOLDER COMMAND`."""
    quick = "--quick" in argv
    folder, command = [word for word in argv if word != "--quick"]
    cpus = allowed_cpus()
    where = machine.describe_machine()
    if cpus:
        os.sched_setaffinity(0, cpus[-1:])
    try:
        results = run(QUICK if quick else FULL, command=command, quick=quick)
        results["machine"] = where
    except WrongAnswer as wrong:
        print(f"wrong answer, nothing written: {wrong}", file=sys.stderr)
        return 1
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    (target / "lyapunov.json").write_text(text, encoding="utf-8")
    (target / "lyapunov.md").write_text(render(results), encoding="utf-8")
    print(target / "lyapunov.md")
    return 0


def _time(run: Any) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Sample(time.perf_counter() - wall, time.process_time() - cpu)


def _cell(rows: Sequence[dict[str, Any]], index: int) -> str:
    row, ours = rows[index], rows[0]
    if row["missing"]:
        return "not installed"
    time = row["cpu"]["median"]
    if index == 0:
        return f"1.00 ({time:.2f})"
    ratio = time / ours["cpu"]["median"]
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
