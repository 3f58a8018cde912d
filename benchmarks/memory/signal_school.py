"""Signal School: all eight signals, and seven with the eighth from its description."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ctrnn_jax.reproduce._memory_network import Kind, Size, build, kinds
from ctrnn_jax.reproduce._memory_training import Problem, Recipe, train
from ctrnn_jax.reproduce._precision import experiment_settings
from ctrnn_jax.reproduce._style import interval
from ctrnn_jax.reproduce.memory import settings as claim_settings
from ctrnn_jax.tasks import SignalSchoolTask, relative_error
from ctrnn_jax.tasks.signal_school import NUM_SAMPLES, SAMPLE_TIME

from ..machine import describe_machine, describe_versions, today
from ..tables import table

_PACKAGES = ("python", "jax", "equinox", "optax", "numpy")
_HORIZONS = 10
_SIGNALS = ("sines", "squares", "held-out square")


def run(
    folder: Path,
    command: str,
    seeds: int = 5,
    num_steps: int | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train every network on every seed, write the table, and return where it is."""
    groups = {
        "Eight signals, each told by a channel of its own": SignalSchoolTask(),
        "Seven signals told by their properties; the eighth never heard": (
            SignalSchoolTask(hold_out=True, code="properties")
        ),
    }
    chosen = claim_settings(quick=False)
    rows = []
    for title, task in groups.items():
        for kind in kinds(chosen["tanh_scale"]):
            begun = time.perf_counter()
            with experiment_settings():
                found = measure(task, kind, seeds, num_steps or chosen["num_steps"])
            seconds = round(time.perf_counter() - begun)
            rows.append(
                {"group": title, "network": kind.name, "seconds": seconds} | found
            )
            say(f"{title}: {kind.name}, {seconds} s")
    versions = describe_versions()
    results = {
        "date": today(),
        "processor": describe_machine()["processor"],
        "versions": {package: versions[package] for package in _PACKAGES},
        "seeds": seeds,
        "num_steps": num_steps or chosen["num_steps"],
        "rows": rows,
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1) + "\n"
    (folder / "signal_school.json").write_text(text, encoding="utf-8")
    page = folder / "signal_school.md"
    page.write_text(_page(results, command), encoding="utf-8")
    return page


def measure(
    task: SignalSchoolTask, kind: Kind, seeds: int, num_steps: int
) -> dict[str, Any]:
    """Return MSE/power of the worst signal of each sort, by seed."""
    chosen = claim_settings(quick=False)
    batch = task.held_out("test")
    codes = np.asarray(batch.inputs, np.float32)
    targets = np.asarray(batch.targets[..., 0])
    count = len(task.trained)
    ts = SAMPLE_TIME * np.arange(_HORIZONS * NUM_SAMPLES)
    size = Size(chosen["pairs"], chosen["hidden"], tuple(chosen["band"]))
    keys = jax.random.split(jax.random.key(chosen["seed"]), seeds)
    untrained = eqx.filter_vmap(lambda key: build(kind, size, codes.shape[1], key=key))(
        keys
    )
    problem = Problem(
        codes[:count], targets[:count, :NUM_SAMPLES], ts[:NUM_SAMPLES], SAMPLE_TIME
    )
    networks = train(
        untrained, problem, kind.solver, Recipe(num_steps), lambda text: None
    )

    @eqx.filter_jit
    def go_on(network: Any) -> jax.Array:
        states = network.states(jnp.asarray(codes), ts, SAMPLE_TIME, kind.solver)
        return network.read(states)

    made = np.asarray(eqx.filter_vmap(go_on)(networks))
    shapes = np.array([descriptor.shape for descriptor in task.trained])
    places = {
        "sines": np.flatnonzero(shapes == "sines"),
        "squares": np.flatnonzero(shapes == "square"),
        "held-out square": np.arange(count, len(codes)),
    }
    found: dict[str, Any] = {}
    for sort, among in places.items():
        for span, stop in (("horizon", NUM_SAMPLES), ("ten horizons", len(ts))):
            errors = relative_error(made[:, among, :stop], targets[among, :stop])
            worst = errors.max(axis=1) if among.size else np.zeros(0)
            found[f"{sort}, {span}"] = [float(f"{value:.4g}") for value in worst]
    return found


def _page(results: dict[str, Any], command: str) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in results["versions"].items())
    head = f"""# Signal School

Written by `{command}`; do not edit.

- {results["date"]}, {results["processor"]}; {versions}.
- MSE/power of the worst signal of its sort: median [range] over {results["seeds"]}
  seeds. Silence scores 1. Trained for {results["num_steps"]} steps on the horizon of
  1 000 samples, then run for ten, as in C4 of `ctrnn reproduce`.
- Asked for: below 0.01 in the horizon, and below 0.1 on the sines over ten horizons.
"""
    spans = ("horizon", "ten horizons")
    parts = [head]
    for group in dict.fromkeys(row["group"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["group"] == group]
        columns = [
            f"{sort}, {span}"
            for span in spans
            for sort in _SIGNALS
            if rows[0][f"{sort}, {span}"]
        ]
        cells = [
            [row["network"], *(interval(np.array(row[c])) for c in columns)]
            + [str(row["seconds"])]
            for row in rows
        ]
        parts.append(
            f"## {group}\n\n{table(['network', *columns, 'seconds'], cells)}\n"
        )
    return "\n".join(parts)
