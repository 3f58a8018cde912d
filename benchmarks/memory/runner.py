"""One training after another, each kept as it is done: the same command goes on."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.random as jr
import numpy as np
import optax

from ctrnn_jax.networks import (
    count_parameters,
    make_network,
    matched_size,
    recurrent_weights,
)
from ctrnn_jax.tasks import AbstractTask, make_task
from ctrnn_jax.train import NonfiniteError, evaluate, fit

from ..machine import describe_machine, describe_versions, today
from .plan import PLAN, Entry, Recipe


def run(
    work: Path, seconds: float, keys: list[str], say: Callable[[str], None] = print
) -> bool:
    """Train what is missing in `work` for about so long; return whether all is done."""
    begun = time.monotonic()
    for entry in PLAN:
        if keys and entry.key not in keys:
            continue
        task = None
        for seed in range(entry.seeds):
            for name in entry.networks:
                file = work / entry.key / f"{name}-{seed}.json"
                if file.exists():
                    continue
                if time.monotonic() - begun > seconds:
                    return False
                task = make_task(entry.task, **entry.options) if task is None else task
                record = train(entry, task, name, seed)
                file.parent.mkdir(parents=True, exist_ok=True)
                part = file.with_suffix(".part")
                part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
                part.replace(file)
                say(
                    f"{entry.key} {name} seed {seed}: {entry.score} "
                    f"{record['test'].get(entry.score, float('nan')):.4g} after "
                    f"{record['steps']} steps, {record['seconds']:.0f} s"
                )
    return True


def train(entry: Entry, task: AbstractTask, name: str, seed: int) -> dict[str, Any]:
    """Train one network on one seed, and test what was best at validation."""
    recipe = entry.recipe
    build_key, train_key = jr.split(jr.fold_in(jr.key(20250413), seed))
    options = {**entry.build, **entry.own.get(name, {})}

    def build(size: int) -> eqx.Module:
        return make_network(name, task, size=max(size, 2), key=build_key, **options)

    size = matched_size(build, entry.parameters)
    network = build(size)
    begun = time.perf_counter()
    record: dict[str, Any] = {
        "network": name,
        "seed": seed,
        "size": size,
        "parameters": count_parameters(network),
    }
    stop_when = None
    if recipe.solved is not None:
        bound = recipe.solved * task.trivial_loss

        def stop_when(scores: Any) -> bool:
            return scores["loss"] <= bound

    try:
        network, history = fit(
            network,
            task,
            optim=optimiser(recipe),
            num_steps=recipe.num_steps,
            batch_size=recipe.batch_size,
            key=train_key,
            validate_every=recipe.validate_every,
            validation_batch=recipe.test_batch,
            stop_when=stop_when,
        )
    except NonfiniteError as error:
        record |= {"failed": str(error), "steps": 0, "seconds": 0.0, "test": {}}
        return record
    record |= {
        "steps": len(history.losses),
        "stop": history.stop,
        "best_step": history.best_step,
        "seconds": time.perf_counter() - begun,
        "test": evaluate(network, task, batch_size=recipe.test_batch),
        "validation_steps": history.validation_steps.tolist(),
        "validation": {
            key: np.round(values, 6).tolist()
            for key, values in history.validation_scores.items()
        },
        "trivial_loss": task.trivial_loss,
        "date": today(),
        "machine": describe_machine(),
        "versions": describe_versions(),
    }
    return record


def optimiser(recipe: Recipe) -> optax.GradientTransformation:
    """Return the optimiser of every network of a task."""
    peak, steps = recipe.learning_rate, recipe.num_steps
    schedule = optax.warmup_cosine_decay_schedule(
        0.1 * peak, peak, max(steps // 40, 1), steps, 0.01 * peak
    )
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(schedule),
        optax.masked(optax.scale(recipe.weight_rate), recurrent_weights),
    )
