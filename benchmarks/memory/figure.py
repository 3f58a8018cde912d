"""Recall against delay, for all networks."""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ctrnn_jax.networks import OSCILLATORS, network_names
from ctrnn_jax.plot import plot_score_against_delay

from .plan import PLAN
from .store import Store

#: Trained alike, so that they make one curve.
ENTRIES = ("copy-30", "copy-100", "copy-300")
#: What an answer drawn at random from the eight symbols scores.
_CHANCE = 1 / 8


def draw(store: Store, folder: Path) -> Path | None:
    """Write `memory.png` and return where it is; `None` with fewer than two delays."""
    entries = [entry for entry in PLAN if entry.key in ENTRIES]
    delays = [entry.options["delay"] for entry in entries]
    scores = {
        name: _scores(store, name, entries)
        for name in network_names()
        if any(store.of(entry.key, name) for entry in entries)
    }
    if sum(np.any([np.isfinite(s).any(0) for s in scores.values()], 0)) < 2:
        return None
    linear = [name for name in OSCILLATORS if name.startswith("linear")]
    bent = [name for name in OSCILLATORS if name not in linear]
    waves = ["exprnn", "lru", "linoss-im", "linoss-imex", "cornn", "antisymmetric"]
    rest = [n for n in network_names() if n not in (*OSCILLATORS, *waves)]
    panels = {
        "ours, linear": linear,
        "ours, nonlinear, and ablations": bent,
        "rivals that oscillate": waves,
        "other rivals": rest,
    }
    with matplotlib.rc_context({"font.size": 8}):
        figure = Figure(figsize=(8.4, 6.4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
        for ax, (title, names) in zip(axes, panels.items(), strict=True):
            for name in names:
                if name in scores:
                    plot_score_against_delay(
                        delays, scores[name], label=name, trivial=_CHANCE, ax=ax
                    )
            ax.annotate(title, (0.03, 0.04), xycoords="axes fraction", fontsize=8)
            ax.set_ylim(-0.03, 1.05)
        for ax in axes[:2]:
            ax.set_xlabel("")
        for ax in axes[1::2]:
            ax.set_ylabel("")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150, facecolor="white")
    file = folder / "memory.png"
    file.write_bytes(buffer.getvalue())
    return file


def _scores(store: Store, name: str, entries: list) -> np.ndarray:
    """Return recalls `(seeds, delays)`, NaN where there is none."""
    found = [
        [record["test"].get("recall", np.nan) for record in store.of(entry.key, name)]
        for entry in entries
    ]
    scores = np.full((max(map(len, found)), len(found)), np.nan)
    for column, values in enumerate(found):
        scores[: len(values), column] = values
    return scores
