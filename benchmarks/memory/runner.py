"""One training after another, each kept as it is done: the same command goes on."""

import platform
import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np

from ctrnn_jax.networks import (
    count_parameters,
    make_network,
    matched_size,
)
from ctrnn_jax.tasks import AbstractTask, Forecast, make_task, series_baselines
from ctrnn_jax.train import NonfiniteError, evaluate, fit, make_optimiser

from ..machine import describe_machine, describe_versions, today
from .plan import PLAN, Entry
from .store import Store

_PACKAGES = ("python", "jax", "equinox", "optax", "numpy")


def run(
    store: Store,
    seconds: float,
    keys: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> bool:
    """Train what the store lacks for about so long; return whether all is done.

    First every network on one seed, then on the next. A task whose data is not
    installed is passed over, and said to be.
    """
    begun = time.monotonic()
    for entry in PLAN:
        if keys and entry.key not in keys:
            continue
        try:
            task = make_task(entry.task, **entry.options)
        except ImportError as missing:
            say(f"{entry.key}: {missing}")
            continue
        for record in _baselines(entry, task, store):
            store.add(record)
        for seed in range(entry.seeds):
            for name in entry.networks:
                for rate in _rates(entry, store, name, seed):
                    if (entry.key, name, seed, rate) in store.records:
                        continue
                    if time.monotonic() - begun > seconds:
                        return False
                    record = train(entry, task, name, seed, rate)
                    store.add(record)
                    say(
                        f"{entry.key} {name} seed {seed} rate {rate:g}: {entry.score} "
                        f"{record['test'].get(entry.score, float('nan')):.4g} after "
                        f"{record['steps']} steps, {record['seconds']:.0f} s"
                    )
    return True


def _baselines(entry: Entry, task: AbstractTask, store: Store) -> list[dict[str, Any]]:
    """Return a record of each seed of each baseline, unless they are there."""
    if all(store.of(entry.key, name) for name in entry.baselines):
        return []
    assert isinstance(task, Forecast)
    begun = time.perf_counter()
    found = series_baselines(task.series)
    spent = round(time.perf_counter() - begun, 1)
    return [
        {
            **_made_with(),
            "task": entry.key,
            "network": name,
            "seed": seed,
            "learning_rate": 0.0,
            "size": "–",
            "parameters": "–",
            "trivial_loss": task.trivial_loss,
            "stop": found[name].setting,
            "steps": 0,
            "seconds": spent,
            "test": {"nrmse": value},
        }
        for name in entry.baselines
        for seed, value in enumerate(found[name].all_nrmse)
    ]


def _made_with() -> dict[str, Any]:
    versions = describe_versions()
    return {
        "date": today(),
        "processor": describe_machine()["processor"],
        "system": platform.machine(),
        "versions": {package: versions[package] for package in _PACKAGES},
    }


def _rates(entry: Entry, store: Store, name: str, seed: int) -> tuple[float, ...]:
    """Return the learning rates to train with: all on the first seed, then the best."""
    if seed == 0:
        return entry.recipe.learning_rates
    best = store.best_rate(entry.key, name)
    assert best is not None  # The first seed comes first.
    return (best,)


def train(
    entry: Entry, task: AbstractTask, name: str, seed: int, learning_rate: float
) -> dict[str, Any]:
    """Train one network on one seed, and test what was best at validation."""
    recipe = entry.recipe
    build_key, train_key = jr.split(jr.fold_in(jr.key(20250413), seed))
    options: dict[str, Any] = {**entry.build, **entry.own.get(name, {})}

    def build(size: int) -> eqx.Module:
        return make_network(name, task, size=max(size, 2), key=build_key, **options)

    size = matched_size(build, entry.parameters)
    network = build(size)
    record: dict[str, Any] = {
        **_made_with(),
        "task": entry.key,
        "network": name,
        "seed": seed,
        "learning_rate": learning_rate,
        "size": size,
        "parameters": count_parameters(network),
        "trivial_loss": task.trivial_loss,
    }
    bound = None if recipe.solved is None else recipe.solved * task.trivial_loss
    begun = time.perf_counter()
    try:
        network, history = fit(
            network,
            task,
            optim=make_optimiser(
                learning_rate, recipe.num_steps, weight_rate=recipe.weight_rate
            ),
            num_steps=recipe.num_steps,
            batch_size=recipe.batch_size,
            key=train_key,
            validate_every=recipe.validate_every,
            validation_batch=recipe.test_batch,
            stop_when=None if bound is None else lambda s: s["loss"] <= bound,
        )
    except NonfiniteError as error:
        spent = time.perf_counter() - begun
        return record | {
            "stop": str(error).split(".")[0],
            "steps": 0,
            "seconds": spent,
            "test": {},
        }
    spent = time.perf_counter() - begun
    return record | {
        "stop": history.stop,
        "steps": len(history.losses),
        "best_step": history.best_step,
        "seconds": round(spent, 1),
        "test": evaluate(network, task, batch_size=recipe.test_batch),
        "validation_steps": history.validation_steps.tolist(),
        "validation": {
            key: np.round(values, 6).tolist()
            for key, values in history.validation_scores.items()
        },
        "device": jax.devices()[0].device_kind,
    }
