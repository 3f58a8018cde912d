"""The leaderboard as Markdown: what was measured, what was not run, what is missed."""

from pathlib import Path
from typing import Any

import numpy as np

from ..tables import table
from .plan import PLAN, Entry
from .store import Store

_TITLES = {
    "copy": "Copy memory",
    "adding": "Adding",
    "flip-flop": "Flip-flop, three bits",
    "delayed-recall": "Delayed recall",
    "forecast-laser": "Forecast of the laser, 250 samples",
    "forecast-co2": "Forecast of CO₂, 105 months",
    "forecast-sunspots": "Forecast of the sunspots, 62 years",
    "digits-permuted": "Digits, pixels in a fixed random order",
    "digits-padded": "Digits, eight rows and then noise",
}


def write(store: Store, folder: Path, command: str) -> Path:
    """Write `memory.md` and return where it is."""
    parts = [_head(store, command)]
    parts += [_section(entry, store) for entry in PLAN if _records(entry, store)]
    waiting = [entry.key for entry in PLAN if not _records(entry, store)]
    if waiting:
        parts.append(f"Not run yet: {', '.join(waiting)}.")
    file = folder / "memory.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return file


def _records(entry: Entry, store: Store) -> list[dict[str, Any]]:
    return [record for name in entry.networks for record in store.of(entry.key, name)]


def _head(store: Store, command: str) -> str:
    records = list(store.records.values())
    machines = sorted({record["processor"] for record in records})
    versions = sorted(
        {", ".join(f"{k} {v}" for k, v in r["versions"].items()) for r in records}
    )
    dates = sorted({record["date"] for record in records})
    return f"""# Memory: who learns what

Written by `{command}`; do not edit.

- Dates: {dates[0]} to {dates[-1]}. One core of: {"; ".join(machines)}.
- Versions: {"; ".join(versions)}.
- Each network is sized to the same number of trained parameters (within a tenth), and
  has the same readout and the same recipe: Adam with warm-up and cosine decay,
  gradients clipped to norm 1, and the same tuning: of the learning rates named, the
  one with the least validation loss on the first seed. Recurrent weights have the
  given share of it in our cells and in those whose papers do so (expRNN, LRU); where
  the table says so, a network of ours has a start of its own. **A rival tuned further
  for the task may do better than its row.**
- A score is on test sequences that neither training nor validation has seen, of the
  model with the least validation loss: median [range] over seeds. Time is by the
  clock, compiling included; other work shared the machine."""


def _section(entry: Entry, store: Store) -> str:
    recipe, rows = entry.recipe, []
    for name in (*entry.networks, *entry.baselines):
        records = store.of(entry.key, name)
        if not records:
            rows.append([name, *["not run"] * 7])
            continue
        scores = [r["test"].get(entry.score, np.nan) for r in records]
        failed = sum(not r["test"] for r in records)
        solved = [r["steps"] for r in records if r["stop"] == "stop_when"]
        rows.append(
            [
                name,
                _interval(scores, ".4g"),
                f"{len(records)}" + (f", {failed} not finite" if failed else ""),
                f"{len(solved)}: {_interval(solved, '.0f')}" if solved else "none",
                f"{records[0]['learning_rate']:g}" if name in entry.networks else "–",
                str(records[0]["size"]),
                str(records[0]["parameters"]),
                _interval([r["seconds"] for r in records], ".0f"),
            ]
        )
    order = sorted(rows, key=lambda row: _rank(row[1], maximise=entry.maximise))
    trivial = next(iter(_records(entry, store)))["trivial_loss"]
    options = ", ".join(f"{k} = {v}" for k, v in entry.options.items())
    kind = entry.key
    for value in entry.options.values():
        kind = kind.removesuffix(f"-{value}")
    title = f"## {_TITLES.get(kind, kind)}{', ' if options else ''}{options}"
    bound = ""
    if recipe.solved is not None:
        bound = f", or until the validation loss is {recipe.solved:g} of the trivial"
    own = [
        f"{name} starts with "
        + ", ".join(f"{k} {_shown(v)}" for k, v in options.items())
        for name, options in entry.own.items()
    ]
    build = ", ".join(f"{k} {v}" for k, v in entry.build.items()) or "linear readout"
    rates = " or ".join(f"{rate:g}" for rate in recipe.learning_rates)
    text = f"""{recipe.num_steps} steps at most{bound}; batch {recipe.batch_size},
learning rate {rates}, recurrent weights at
{recipe.weight_rate:g} of it; {build}. Trivial loss {trivial:.3g}.
{"; ".join(own)}{"." if own else ""}"""
    head = [
        "network",
        f"{entry.score}, {'more' if entry.maximise else 'less'} is better",
        "seeds",
        "solved: at step",
        "rate",
        "neurons",
        "parameters",
        "seconds",
    ]
    return f"{title}\n\n{text.rstrip()}\n\n{table(head, order)}"


def _rank(cell: str, *, maximise: bool) -> float:
    try:
        value = float(cell.split()[0])
    except ValueError:
        return np.inf
    if np.isnan(value):
        return np.inf
    return -value if maximise else value


def _interval(values: list[float], form: str) -> str:
    array = np.asarray(values, float)
    low, middle, high = np.min(array), np.median(array), np.max(array)
    if len(array) == 1 or low == high:
        return f"{middle:{form}}"
    return f"{middle:{form}} [{low:{form}}–{high:{form}}]"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:g} to {value[1]:g}"
    return f"{value:g}" if isinstance(value, float) else str(value)
