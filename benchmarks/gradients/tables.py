"""From measured gradients to Markdown."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from ..tables import describe_run, ratio, table

_OURS = "ours"
_OWN = "same states"

_LEGEND = """
## How to read the tables

- **Seconds**: processor time, medians, and in brackets the ratio to ours with exact
  states. *In italics*: not run, the number being what the way took with fewer steps,
  scaled. `off`: it rebuilt the states so badly that its gradient is wrong, and how
  wrong is in the third table; no time is given.
- **MB**: what the compiled program needs beside its arguments and results, as XLA
  reports it, also of most that was not run.
- **Error, same scheme**: relative error (2-norm, the larger of the two for W and y₀)
  against back-propagation through the same scheme in float64. What differs is
  rounding, and the states where they are not rebuilt exactly.
- **Error, converged**: against the converged gradient of the differential equation, so
  that what the scheme does not resolve at this step is in it too. At equal steps a
  scheme of order 2 is behind one of order 4; the figure compares at equal accuracy.
- **Error, same states**: against back-propagation in float64 through the very states
  that the forward pass went through, rounding of each move included: how exactly the
  backward pass undid it.
- **Lyapunov time**: 1/λ over the second half of the span; "> span" where small
  differences have not grown a hundredfold, which shear alone could do.
"""

_CHAOS = """
## Chaotic orbits: what no adjoint cures

Starts of size {amplitude:g} in place of {regular:g}: the flow stretches small
differences by e each Lyapunov time, and the gradient is such a difference. Each way
computes the gradient of its own trajectory; after some tens of Lyapunov times none of
these trajectories is the true one, and the norms say how little the gradient could
tell anyone if it were.
"""

_PRECISION = """
## At equal accuracy

The span {duration:g} in steps of several lengths, one core: error of the gradient
against processor time.

![work–precision](gradients.png)

Seconds to reach a relative error, interpolated between steps ("–": not reached by any
of the steps tried; "<": reached by the longest):
"""


def render(results: dict[str, Any]) -> str:
    """Return the report of `gradients` as Markdown."""
    groups = results["groups"]
    parts = [_head(results), _LEGEND]
    for weight in results["plan"]["weights"]:
        for bits in (32, 64):
            chosen = [
                group
                for group in groups
                if (group["name"], group["weight"], group["bits"])
                == ("steps", weight, bits)
            ]
            if chosen:
                parts += _steps(weight, bits, chosen)
    chaotic = [group for group in groups if group["name"] == "chaos"]
    if chaotic:
        regular = next(g["amplitude"] for g in groups if g["name"] == "steps")
        parts.append(_CHAOS.format(amplitude=chaotic[0]["amplitude"], regular=regular))
        parts.append(_chaos(chaotic))
    precise = [group for group in groups if group["name"] == "precision"]
    if precise:
        span = precise[0]["steps"] * precise[0]["step"]
        parts += [_PRECISION.format(duration=span), _equal_accuracy(precise)]
    parts += ["## All numbers", *(_details(group) for group in groups)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _head(results: dict[str, Any]) -> str:
    group, plan = results["groups"][0], results["plan"]
    warning = ""
    if results["quick"]:
        warning = (
            "**A quick run: few steps and few repetitions. It shows that everything "
            "works, not how fast.**\n\n"
        )
    return f"""# Gradients: {group["lanes"]} lanes of x' = W tanh(x), n = 32

{warning}{describe_run(results)}
- Work: the gradient of Σ p·x(t), p fixed and random, by the parameters of W and by the
  initial states, through T steps of length 2⁻⁵ (the shortest period has 200). W
  bipartite (leapfrog) or dense (coordinate splitting), with the same frequencies,
  0.19 to 1. Starts of size {group["amplitude"]:g}, whose orbits stay regular.
- One core; all rows of a table run in turn in one process pinned to it. Every way is
  compiled ahead, so that no time below contains a compilation.
- Every gradient was compared with float64 back-propagation before its time was taken;
  how far it may be off follows from the error budget in `gradients/verify.py`.
- Not run: what needs more than {plan["most_bytes"] / 1e9:g} GB, or would take more than
  {plan["longest"]:g} s."""


def _steps(weight: str, bits: int, groups: list[dict[str, Any]]) -> list[str]:
    heads = [f"T = {_power(group['steps'])}" for group in groups]
    times = [
        ["*time of the span*", *(f"{_span(g):.4g}" for g in groups)],
        ["*Lyapunov time*", *(_lyapunov_time(group) for group in groups)],
        ["*growth of small differences*", *(f"× {_two(g['growth'])}" for g in groups)],
    ]

    def part(title: str, cell: Callable[[dict, dict], str], extra: list) -> str:
        rows = [
            [label, *(_cell(group, key, cell) for group in groups)]
            for key, label in _labels(groups)
        ]
        return table([title, *heads], [*extra, *rows])

    return [
        f"## {weight.capitalize()} W, float{bits}",
        part("seconds (over ours)", _seconds, times),
        part("MB", lambda group, row: _megabytes(row), []),
        part("error, same scheme", lambda group, row: _error(row, "error"), []),
        part("error, converged", lambda group, row: _error(row, "converged"), []),
        *_same_states(groups, heads),
    ]


def _same_states(groups: list[dict[str, Any]], heads: list[str]) -> list[str]:
    rows = [
        [
            label,
            *(_cell(group, key, lambda _, row: _error(row, _OWN)) for group in groups),
        ]
        for key, label in _labels(groups)
        if any(_OWN in (_row(group, key) or {}) for group in groups)
    ]
    return [table(["error, same states", *heads], rows)] if rows else []


def _seconds(group: dict[str, Any], row: dict[str, Any]) -> str:
    if row["skipped"] == "wrong":
        return "off"
    if "cpu" not in row:
        seconds = row.get("foretold_seconds")
        return "not run" if seconds is None else f"*{_two(seconds)}*"
    text = _two(row["cpu"]["median"])
    ours = _row(group, _OURS)
    if ours is None or "cpu" not in ours:
        return text
    return f"{text} ({ratio(row['cpu']['median'] / ours['cpu']['median'])})"


def _megabytes(row: dict[str, Any]) -> str:
    size = row.get("temporary")
    return "–" if size is None else _two(size / 1e6)


def _error(row: dict[str, Any], name: str) -> str:
    if name not in row:
        return "–"
    return "not finite" if row[name] is None else f"{row[name]:.0e}"


def _chaos(groups: list[dict[str, Any]]) -> str:
    rows = []
    for group in groups:
        for row in group["rows"]:
            norm = row.get("norm")
            rows.append(
                [
                    f"float{group['bits']}",
                    f"{_power(group['steps'])} ({_span(group):.4g})",
                    f"{1 / group['exponent']:.2g}",
                    row["label"],
                    "–" if norm is None else f"{norm:.1e}",
                    _error(row, "error"),
                    _error(row, "converged"),
                ]
            )
    head = [
        "precision",
        "steps (span)",
        "Lyapunov time",
        "way",
        "norm",
        "error, same scheme",
        "error, converged",
    ]
    return table(head, rows)


def _equal_accuracy(groups: list[dict[str, Any]]) -> str:
    targets = {32: (1e-2, 1e-3, 1e-4), 64: (1e-2, 1e-4, 1e-6, 1e-8)}
    heads, columns = [], []
    for bits, errors in targets.items():
        chosen = [group for group in groups if group["bits"] == bits]
        if chosen:
            for target in errors:
                heads.append(f"float{bits}, {target:.0e}")
                columns.append((chosen, target))
    rows = [
        [label, *(_time_to(key, chosen, target) for chosen, target in columns)]
        for key, label in _labels(groups)
    ]
    return table(["way", *heads], rows)


def _time_to(key: str, groups: list[dict[str, Any]], target: float) -> str:
    """Return when the error falls below the target, on lines between the points."""
    points = sorted(
        (row["cpu"]["median"], row["converged"])
        for group in groups
        if (row := _row(group, key)) and "cpu" in row and row["converged"]
    )
    for index, (seconds, error) in enumerate(points):
        if error > target:
            continue
        if index == 0:
            return f"< {_two(seconds)}"
        before, coarse = points[index - 1]
        part = math.log(coarse / target) / math.log(coarse / error)
        return _two(before * (seconds / before) ** part)
    return "–"


def _details(group: dict[str, Any]) -> str:
    kind = {"steps": "", "chaos": ", chaotic", "precision": ", work–precision"}
    title = (
        f"### {group['weight'].capitalize()} W, float{group['bits']}, "
        f"{group['steps']} steps of {group['step']:g}{kind[group['name']]}"
    )
    rows = []
    for row in group["rows"]:
        cells = [row["label"]]
        if "cpu" in row:
            cpu, wall = row["cpu"], row["wall"]
            cells += [
                _two(cpu["median"]),
                f"{_two(cpu['low'])} – {_two(cpu['high'])}",
                f"{_two(wall['median'])} ({_two(wall['minimum'])})",
                str(cpu["count"]),
            ]
        else:
            why = f"not installed: {row['missing']}" if row["missing"] else ""
            cells += [why or f"not timed: {row['skipped']}", "", "", ""]
        allowed = f" ≤ {row['allowed']:.0e}" if "allowed" in row else ""
        compiling = row.get("compile")
        cells += [
            _megabytes(row),
            "–" if compiling is None else f"{compiling:.1f}",
            _error(row, "error") + (allowed if row["skipped"] != "wrong" else ""),
            _error(row, "converged"),
        ]
        rows.append(cells)
    head = [
        "way", "processor time (s)", "quartiles", "clock (minimum)", "runs", "MB",
        "compiling (s)", "error", "converged",
    ]  # fmt: skip
    return f"{title}\n\n{table(head, rows)}"


def _labels(groups: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for group in groups:
        for row in group["rows"]:
            found.setdefault(row["key"], row["label"])
    return list(found.items())


def _row(group: dict[str, Any], key: str) -> dict[str, Any] | None:
    return next((row for row in group["rows"] if row["key"] == key), None)


def _cell(group: dict[str, Any], key: str, cell: Callable[[dict, dict], str]) -> str:
    row = _row(group, key)
    if row is None:
        return "–"
    return "not installed" if row["missing"] else cell(group, row)


def _span(group: dict[str, Any]) -> float:
    return group["steps"] * group["step"]


def _lyapunov_time(group: dict[str, Any]) -> str:
    """Return 1/λ, or that the span is too short to tell one from mere shear."""
    if group["growth"] < 100:
        return "> span"
    return f"{1 / group['exponent']:.2g}"


def _power(count: int) -> str:
    exponent = round(math.log10(count))
    if 10**exponent != count:
        return str(count)
    return "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _two(value: float) -> str:
    """Return a number to two digits, without an exponent."""
    if value == 0:
        return "0"
    digits = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"
