"""From measured numbers to Markdown."""

from collections.abc import Callable, Sequence
from typing import Any

_FLOOR, _OURS, _DIFFRAX = "c", "ours", "diffrax-rk4"


def render(results: dict[str, Any]) -> str:
    """Return the report of `ensembles` as Markdown."""
    groups = results["groups"]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for group in groups:
        by_name.setdefault(group["name"], []).append(group)
    parts = [_head(results)]
    if "one core" in by_name:
        parts += [_ONE_CORE, *_one_core(by_name["one core"])]
    if "own weights" in by_name:
        parts += [_OWN_WEIGHTS, _relative(by_name["own weights"], "diffrax-rk4-own")]
    if "two cores" in by_name:
        parts += [_TWO_CORES, _relative(by_name["two cores"], "ours-1", clock="wall")]
    parts += ["## All numbers", _LEGEND, *(_details(group) for group in groups)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


_ONE_CORE = """
## One core, one W for all lanes

Time of the same work over that of the C kernel; float32 / float64. The first row is
the C kernel's own time, in nanoseconds a lane and step. Below 1.00 is faster than C.
`–`: the peer has no such precision. Processor time, medians.
"""

_OWN_WEIGHTS = """
## One core, a different W in each lane

Time over that of vmapped diffrax; float32 / float64. The row that is 1.00 shows its
own time, in nanoseconds a lane and step. Processor time, medians.
"""

_TWO_CORES = """
## Two cores

Time over that of ours on one core; float32 / float64. The row that is 1.00 shows its
own time, in nanoseconds a lane and step. Time by the clock, medians, each row in a
process of its own, all run in turn.
"""

_LEGEND = """
Nanoseconds a lane and step. "First" is what preparing and the first run took in
seconds, compiling included. "Error" is the largest difference of a checked lane from
the float64 reference, and the largest that its error budget allows.
"""


def describe_run(results: dict[str, Any]) -> str:
    """Return what every report says of the run it shows."""
    where = results["machine"]
    versions = ", ".join(f"{name} {v}" for name, v in results["versions"].items())
    return f"""Written by `{results["command"]}`; do not edit.

- Date: {results["date"]}; the run took {results["minutes"]} minutes.
- Machine: {where["processor"]} ({where["vectors"]}), {where["cores"]} cores,
  {where["system"]}.
- Versions: {versions}."""


def _head(results: dict[str, Any]) -> str:
    plan = results["plan"]
    sizes = sorted({group["size"] for group in results["groups"]})
    steps = ", ".join(
        f"{plan['steps'].get(n, plan['steps'].get(str(n)))} (n = {n})" for n in sizes
    )
    warning = ""
    if results["quick"]:
        warning = (
            "**A quick run: few repetitions of short solves, in which the cost of a "
            "call weighs more. It shows that everything works, not how fast.**\n\n"
        )
    return f"""# Ensembles: {plan["lanes"]} lanes of x' = W tanh(x) by RK4

{warning}{describe_run(results)}
- C: `{results["c_flags"]}`, with 256-bit or 512-bit vectors preferred, one thread.
- Steps of RK4, of length 2⁻⁷: {steps}.
  Every way but the adaptive one does the same at each step; where 1000 would take
  minutes a run, fewer are run, in which the cost of a call weighs more.
- W and the initial states are arguments at run time in every row; only the final
  states are saved. Compiling is not counted.
- Single-core rows run in one process pinned to one core, and their ratios are of
  processor time: it stays steady when other programs share the machine, where the
  clock does not. All rows of a table and size run in turn, and ratios compare runs
  of the same race.
- Every answer was compared with a float64 reference before its time was taken.
- "tuned" is the fastest fair setting found for a peer, "default" what its own
  documentation shows."""


def _one_core(groups: list[dict[str, Any]]) -> list[str]:
    parts = [_relative(groups, _FLOOR)]
    if _median(groups[0], _DIFFRAX, "cpu") is not None:
        parts.append(
            "How many times faster ours is than vmapped diffrax RK4, and than the "
            "fastest other row that is not C:"
        )
        parts.append(_advantage(groups))
    return parts


def _advantage(groups: list[dict[str, Any]]) -> str:
    def against_diffrax(group: dict[str, Any]) -> str:
        ours = _median(group, _OURS, "cpu")
        other = _median(group, _DIFFRAX, "cpu")
        return f"{other / ours:.1f}" if ours and other else "–"

    def against_best(group: dict[str, Any]) -> str:
        ours = _median(group, _OURS, "cpu")
        others = [
            (row["cpu"]["median"], row["label"])
            for row in group["rows"]
            if "cpu" in row and row["setting"] in ("default", "tuned")
        ]
        if not ours or not others:
            return "–"
        time, label = min(others)
        return f"{time / ours:.2f} ({label})"

    rows = [
        ["vmapped diffrax RK4", *_cells(groups, against_diffrax)],
        ["fastest other row", *_cells(groups, against_best)],
    ]
    return table(["ours against", *_size_heads(groups)], rows)


def _relative(groups: list[dict[str, Any]], base: str, clock: str = "cpu") -> str:
    """Return one table of ratios to `base`, or of plain times where it is missing."""
    labels: dict[str, tuple[str, str]] = {}
    for group in groups:
        for row in group["rows"]:
            labels.setdefault(row["key"], (row["label"], row["setting"]))
    rows = []
    for key, (label, setting) in labels.items():

        def cell(group: dict[str, Any], key: str = key) -> str:
            time = _median(group, key, clock)
            if time is None:
                return "–" if _row(group, key) is None else "not installed"
            floor = _median(group, base, clock)
            if key == base:
                return f"1.00 ({_nanoseconds(time)})"
            return _nanoseconds(time) if floor is None else ratio(time / floor)

        rows.append([label, setting, *_cells(groups, cell)])
    return table(["way", "setting", *_size_heads(groups)], rows)


def _details(group: dict[str, Any]) -> str:
    title = f"### n = {group['size']}, float{group['bits']}, {group['name']}"
    rows = []
    for row in group["rows"]:
        if row["missing"]:
            rows.append([row["label"], f"not installed: {row['missing']}", *[""] * 6])
            continue
        cpu, wall = row["cpu"], row["wall"]
        rows.append(
            [
                row["label"],
                _nanoseconds(cpu["median"]),
                f"{_nanoseconds(cpu['low'])} – {_nanoseconds(cpu['high'])}",
                _nanoseconds(cpu["minimum"]),
                f"{_nanoseconds(wall['median'])} ({_nanoseconds(wall['minimum'])})",
                str(cpu["count"]),
                f"{row['first_seconds']:.1f}",
                f"{row['error']:.0e} ≤ {row['allowed']:.0e}",
            ]
        )
    head = [
        "way",
        "processor time",
        "quartiles",
        "minimum",
        "clock (minimum)",
        "runs",
        "first",
        "error",
    ]
    return f"{title}\n\n{table(head, rows)}"


def _row(group: dict[str, Any], key: str) -> dict[str, Any] | None:
    return next((row for row in group["rows"] if row["key"] == key), None)


def _median(group: dict[str, Any], key: str, clock: str) -> float | None:
    row = _row(group, key)
    return None if row is None or clock not in row else row[clock]["median"]


def _sizes(groups: list[dict[str, Any]]) -> list[int]:
    return sorted({group["size"] for group in groups})


def _size_heads(groups: list[dict[str, Any]]) -> list[str]:
    return [f"n = {size}" for size in _sizes(groups)]


def _cells(
    groups: list[dict[str, Any]], cell: Callable[[dict[str, Any]], str]
) -> list[str]:
    """Return one cell a size: "float32 / float64"."""
    cells = []
    for size in _sizes(groups):
        pair = sorted(
            (group for group in groups if group["size"] == size),
            key=lambda group: group["bits"],
        )
        texts = [cell(group) for group in pair]
        cells.append(texts[0] if len(set(texts)) == 1 else " / ".join(texts))
    return cells


def ratio(value: float) -> str:
    """Return a ratio, to a hundredth below ten."""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _nanoseconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
