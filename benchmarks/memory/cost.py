"""What one training step costs: ours, equinox's GRU, and PyTorch, on the same work."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax

from ctrnn_jax.networks import make_network
from ctrnn_jax.tasks import Batch, CopyMemory
from ctrnn_jax.train._step import Plan, State, advance
from ctrnn_jax.train._trainable import split_trainable

from ..machine import describe_machine, describe_versions, today
from ..suites import WrongAnswer
from ..tables import describe_run, ratio, table

#: The task of every step, and the networks' size.
DELAY, BATCH, SIZE = 100, 64, 128
RATE = 1e-3
#: Rounds of the race, each of so many steps a way, one way after another.
ROUNDS, STEPS = 7, 10
#: How far a first loss may be from that of the same network in PyTorch.
ALLOWED = 1e-5

#: A way: from the loss of its first step to a function that makes `STEPS` steps.
Way = tuple[float, Callable[[], None]]


def run(command: str) -> dict[str, Any]:
    """Check that the networks agree, then time them in turn."""
    begun = time.monotonic()
    task = CopyMemory(DELAY)
    first = task.sample(BATCH, key=jr.key(2))
    networks = {
        name: make_network(name, task, size=SIZE, key=jr.key(0))
        for name in ("tanh-skew", "linear-rotation", "gru")
    }
    ways = {
        f"ctrnn_jax, {name}": ours(task, network, first)
        for name, network in networks.items()
    }
    peers = _theirs(task, networks, first)
    for label, way in peers.items():
        wanted = ways[f"ctrnn_jax, {label.split(', ')[1]}"][0]
        if not abs(way[0] - wanted) <= ALLOWED * abs(wanted):
            raise WrongAnswer(f"{label}: first loss {way[0]}, ours {wanted}")
    ways |= peers
    times: dict[str, list[float]] = {label: [] for label in ways}
    for _ in range(ROUNDS):
        for label, (_, steps) in ways.items():
            start = time.process_time()
            steps()
            times[label].append((time.process_time() - start) / STEPS)
    return {
        "benchmark": "training",
        "command": command,
        "date": today(),
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "rows": [
            {
                "way": label,
                "first_loss": ways[label][0],
                "milliseconds": [1e3 * value for value in values],
            }
            for label, values in times.items()
        ],
    }


def write(results: dict[str, Any], folder: Path) -> None:
    """Write `training.md` and `training.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    medians = {
        row["way"]: statistics.median(row["milliseconds"]) for row in results["rows"]
    }
    rows = []
    for row in results["rows"]:
        label, values = row["way"], sorted(row["milliseconds"])
        base = medians["ctrnn_jax, " + label.split(", ")[1]]
        rows.append(
            [
                label,
                f"{medians[label]:.1f}",
                f"{values[0]:.1f}–{values[-1]:.1f}",
                ratio(medians[label] / base),
                f"{row['first_loss']:.6f}",
            ]
        )
    head = ["way", "ms a step", "range", "times ours", "first loss"]
    text = f"""# A training step: copy memory, delay {DELAY}

{describe_run(results)}
- {SIZE} neurons, batch {BATCH}, {DELAY + 20} samples, float32, linear readout; forward
  pass, gradient, Adam. Batches are made inside the step in both libraries.
- One thread; processor time, medians of {ROUNDS} rounds of {STEPS} steps, all ways in
  turn in one process. Compiling is not counted.
- The same weights and batch gave the same first loss to {ALLOWED:g} before any time was
  taken.
- PyTorch: cells written by hand as a Python loop over time, eager, and with the cell
  compiled by `torch.compile`; `torch.nn.GRU` is its own fused layer.

{table(head, rows)}
"""
    (folder / "training.md").write_text(text, encoding="utf-8")
    dump = json.dumps(results, indent=1)
    (folder / "training.json").write_text(dump + "\n", encoding="utf-8")


def ours(
    task: CopyMemory, network: Any, first: Batch, *, precision: str | None = None
) -> Way:
    """Return the loss of the first batch, and the very steps that `fit` makes.

    Their batches are as large as the first; `precision` is that of `fit`.
    """
    with jax.default_matmul_precision(precision):
        loss = float(task.loss(jax.vmap(network)(first.inputs), first))
    params, rest = split_trainable(network, None)
    # A copy: a step gives its buffers away.
    params = jax.tree.map(jnp.copy, params)
    optim = optax.adam(RATE)
    plan = Plan(
        rest=rest,
        task=task,
        key=jr.key(1),
        optim=optim,
        loss_fn=None,
        batch_size=len(first.inputs),
        microbatches=1,
        capacity=STEPS,
        loss_dtype=jnp.dtype(jnp.float32),
        mesh=None,
        precision=precision or "default",
    )
    count = jnp.asarray(STEPS, jnp.int32)
    at = [State(params, optim.init(params), jnp.zeros((), jnp.int32), jnp.array(True))]

    def steps() -> None:
        at[0], losses = advance((plan, count), at[0])
        jax.block_until_ready(losses)

    steps()
    return loss, steps


def _theirs(task: CopyMemory, networks: dict[str, Any], first: Batch) -> dict[str, Way]:
    import torch

    from . import torch_cells as cells

    torch.set_num_threads(1)
    modules = {
        "PyTorch by hand, tanh-skew": cells.TanhSkew(networks["tanh-skew"], False),
        "PyTorch compiled, tanh-skew": cells.TanhSkew(networks["tanh-skew"], True),
        "PyTorch by hand, linear-rotation": cells.LinearRotation(
            networks["linear-rotation"], False
        ),
        "PyTorch compiled, linear-rotation": cells.LinearRotation(
            networks["linear-rotation"], True
        ),
        "torch.nn.GRU, gru": cells.FusedGRU(networks["gru"]),
    }
    inputs = torch.tensor(np.asarray(first.inputs))
    targets = torch.tensor(np.asarray(first.targets)).long()
    ways = {}
    for label, module in modules.items():
        loss = float(cells.loss_of(module, inputs, targets).detach())
        step = cells.training_step(module, RATE, BATCH, DELAY)

        def steps(step: Callable[[], None] = step) -> None:
            for _ in range(STEPS):
                step()

        steps()
        ways[label] = loss, steps
    return ways
