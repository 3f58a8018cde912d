"""From the lots of `phase_diagram` to its numbers, its figure and its text."""

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from . import phase_diagram as diagram
from .machine import describe_machine, describe_versions, today
from .phase_diagram_page import render

KINDS = ("periodic", "quasi-periodic", "chaotic", "undecided")
#: Starts and levels of the columns of a lot, in its order.
_LEVEL = np.repeat(np.arange(len(diagram.LEVELS)), diagram.STARTS)
_LETTERS = {
    "undecided": "U",
    "fixed point": "F",
    "dying": "D",
    "periodic": "P",
    "quasi-periodic": "Q",
    "chaotic": "C",
    "diverging": "X",
}


def write(work: Path, folder: Path, command: str) -> Path:
    """Write `phase_diagram.csv`, `.json`, `.png` and `.md`; return the last one."""
    lots = diagram.read(work)
    summary = summarise(lots, command)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "phase_diagram.csv").write_text(_table(lots), encoding="utf-8")
    (folder / "phase_diagram.json").write_text(
        json.dumps(summary, indent=1) + "\n", encoding="utf-8"
    )
    draw(summary, folder / "phase_diagram.png")
    page = folder / "phase_diagram.md"
    page.write_text(render(summary), encoding="utf-8")
    return page


def summarise(lots: list[dict], command: str) -> dict[str, Any]:
    """Return all that the figure and the text show."""
    main = [lot for lot in lots if lot["protocol"] == diagram.MAIN.name]
    sizes = sorted({lot["n"] for lot in main})
    cells = [
        _cell(size, level, [lot for lot in main if lot["n"] == size])
        for size in sizes
        for level in range(len(diagram.LEVELS))
    ]
    return {
        "command": command,
        "date": today(),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "cpu_hours": round(sum(lot["cpu"] for lot in lots) / 3600, 3),
        "protocols": [
            {"name": p.name, "duration": p.duration, "step": p.step, "solver": p.solver}
            for p in (diagram.MAIN, *diagram.CHECKS)
        ],
        "orbits": sum(len(lot["code"]) for lot in main),
        "planned": sum(diagram.DRAWS.values()) * len(_LEVEL),
        "sizes": sizes,
        "levels": list(diagram.LEVELS),
        "cells": cells,
        "thresholds": [
            _threshold(size, [lot for lot in main if lot["n"] == size])
            for size in sizes
        ],
        "checks": [_check(lots, check.name) for check in diagram.CHECKS],
        "energy_drift": max(max(lot["energy_drift"]) for lot in main),
        "undecided": _reasons(main),
    }


def _names(lot: dict) -> np.ndarray:
    from ctrnn_jax.analysis import ORBIT_KINDS

    return np.asarray(ORBIT_KINDS)[lot["code"]]


def _cell(size: int, level: int, lots: list[dict]) -> dict[str, Any]:
    here = level == _LEVEL
    kinds = np.array([_names(lot)[here] for lot in lots])
    chaotic = kinds == "chaotic"
    exponents = np.array([np.asarray(lot["exponent"])[here] for lot in lots])[chaotic]
    low, high = _interval(float(chaotic.mean()), len(lots))
    return {
        "n": size,
        "energy_per_neuron": diagram.LEVELS[level],
        "networks": len(lots),
        "orbits": int(kinds.size),
        "share": {kind: round(float(np.mean(kinds == kind)), 4) for kind in KINDS}
        | {"other": round(float(np.mean(~np.isin(kinds, KINDS))), 4)},
        "chaotic_interval": [round(low, 4), round(high, 4)],
        "exponent_quartiles": [
            float(f"{value:.3g}") for value in np.quantile(exponents, (0.25, 0.5, 0.75))
        ]
        if exponents.size >= 4
        else None,
    }


def _interval(share: float, networks: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval, counting a network once.

    Orbits of one network are alike, so this is on the safe side.
    """
    z = 1.96
    centre = share + z**2 / (2 * networks)
    width = z * math.sqrt(share * (1 - share) / networks + z**2 / (4 * networks**2))
    whole = 1 + z**2 / networks
    return max((centre - width) / whole, 0.0), min((centre + width) / whole, 1.0)


def _threshold(size: int, lots: list[dict]) -> dict[str, Any]:
    """Return the energy at which half of the orbits are chaotic, by resampling W."""
    shares = np.array(
        [
            [np.mean(_names(lot)[level == _LEVEL] == "chaotic") for level in
             range(len(diagram.LEVELS))]
            for lot in lots
        ]
    )  # fmt: skip
    rng = np.random.default_rng(size)
    again = [
        _crossing(shares[rng.integers(len(lots), size=len(lots))].mean(axis=0))
        for _ in range(1000)
    ]
    known = [value for value in again if value is not None]
    mean = shares.mean(axis=0)
    value, interval = _crossing(mean), None
    if value is not None and len(known) > 900:
        interval = np.quantile(known, (0.025, 0.975))
        above = int(np.flatnonzero(mean >= 0.5)[0])
        if mean[above - 1] < 0.2 and mean[above] > 0.8:
            # A jump between two levels says no more than that.
            interval = np.array(diagram.LEVELS[above - 1 : above + 1])
    return {
        "n": size,
        "energy_per_neuron": None if value is None else float(f"{value:.3g}"),
        "interval": None
        if interval is None
        else [float(f"{bound:.3g}") for bound in interval],
    }


def _crossing(shares: np.ndarray) -> float | None:
    """Return where the share first passes 1/2, on a line over the log of energy."""
    above = np.flatnonzero(shares >= 0.5)
    if above.size == 0 or above[0] == 0:
        return None
    k = above[0]
    logs = np.log(diagram.LEVELS)
    part = (0.5 - shares[k - 1]) / (shares[k] - shares[k - 1])
    return float(np.exp(logs[k - 1] + part * (logs[k] - logs[k - 1])))


def _check(lots: list[dict], name: str) -> dict[str, Any]:
    """Compare the orbits of a variant with the same ones of the main run."""
    main = {
        (lot["n"], lot["draw"]): lot
        for lot in lots
        if lot["protocol"] == diagram.MAIN.name
    }
    table: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    orbits, same, sizes, ratios = 0, 0, set(), []
    for lot in lots:
        key = (lot["n"], lot["draw"])
        if lot["protocol"] != name or key not in main:
            continue
        sizes.add(lot["n"])
        ours, theirs = _names(main[key]), _names(lot)
        for a, b in zip(ours, theirs, strict=True):
            table[str(a)][str(b)] += 1
        orbits += len(ours)
        same += int(np.sum(ours == theirs))
        both = (ours == "chaotic") & (theirs == "chaotic")
        first, second = (np.asarray(x["exponent"])[both] for x in (main[key], lot))
        ratios.extend((second / first).tolist())
    return {
        "name": name,
        "sizes": sorted(sizes),
        "orbits": orbits,
        "same": same,
        "table": {kind: dict(row) for kind, row in table.items()},
        "exponent_ratio_quartiles": [
            round(v, 3) for v in np.quantile(ratios, (0.25, 0.5, 0.75))
        ]
        if ratios
        else None,
    }


def _reasons(lots: list[dict]) -> dict[str, int]:
    from ctrnn_jax.analysis._verdict import REASONS

    found: dict[str, int] = defaultdict(int)
    for lot in lots:
        for reason in lot["reason"]:
            if reason:
                found[REASONS[reason]] += 1
    return dict(found)


def _table(lots: list[dict]) -> str:
    """Return one row an orbit of the main run."""
    rows = ["n,energy_per_neuron,network,start,kind,megno,exponent,exponent_error"]
    for lot in lots:
        if lot["protocol"] != diagram.MAIN.name:
            continue
        columns = zip(
            _LEVEL,
            _names(lot),
            lot["megno"],
            lot["exponent"],
            lot["exponent_error"],
            strict=True,
        )
        for index, (level, kind, megno, exponent, error) in enumerate(columns):
            rows.append(
                f"{lot['n']},{diagram.LEVELS[level]:g},{lot['draw']},"
                f"{index % diagram.STARTS},{_LETTERS[kind]},{megno:.3g},{exponent:.3g},"
                f"{error:.1g}"
            )
    return "\n".join(rows) + "\n"


def draw(summary: dict[str, Any], path: Path) -> None:
    """Draw the shares, the share of chaos, and the exponents."""
    from matplotlib.figure import Figure

    from ctrnn_jax.plot import plot_phase_diagram

    sizes, levels = summary["sizes"], summary["levels"]
    cells = {(c["n"], c["energy_per_neuron"]): c for c in summary["cells"]}
    figure = Figure(figsize=(11.0, 5.2), layout="constrained", dpi=160)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.5, 1.0))
    left = figure.add_subplot(grid[:, 0])
    shares = {
        kind: np.array(
            [[cells[n, level]["share"][kind] for level in levels] for n in sizes]
        )
        for kind in KINDS
    }
    # Rounded to four digits in the summary.
    total = sum(shares.values())
    plot_phase_diagram(
        sizes, levels, {kind: share / total for kind, share in shares.items()}, ax=left
    )
    upper, lower = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    from matplotlib import colormaps

    many = [n for n in sizes if n >= 4]
    for index, n in enumerate(many):
        colour = colormaps["viridis"](0.92 * index / max(len(many) - 1, 1))
        row = [cells[n, level] for level in levels]
        share = np.array([cell["share"]["chaotic"] for cell in row])
        low, high = np.array([cell["chaotic_interval"] for cell in row]).T
        style: dict[str, Any] = {"fmt": "o-", "color": colour, "lw": 1.1, "ms": 3}
        style["elinewidth"] = 0.6
        # Side by side, so that the bars can be told apart.
        aside = 10 ** (0.022 * (index - (len(many) - 1) / 2))
        upper.errorbar(
            np.multiply(levels, aside),
            share,
            yerr=(np.maximum(share - low, 0), np.maximum(high - share, 0)),
            label=f"{n}",
            **style,
        )
        known = [
            (level, *cell["exponent_quartiles"])
            for level, cell in zip(levels, row, strict=True)
            if cell["exponent_quartiles"]
        ]
        if known:
            x, first, middle, third = np.array(known).T
            spread = (middle - first, third - middle)
            lower.errorbar(x * aside, middle, yerr=spread, **style)
    upper.set(xscale="log", ylim=(-0.03, 1.03), ylabel="share of chaotic orbits")
    upper.legend(title="n", ncols=2, fontsize=7, title_fontsize=8, frameon=False)
    upper.tick_params(labelbottom=False)
    lower.set(
        xscale="log",
        yscale="log",
        xlim=upper.get_xlim(),
        xlabel="energy per neuron $H/n$",
        ylabel="largest exponent\nof chaotic orbits",
    )
    for ax in (upper, lower):
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
