"""Training as an experiment: each run a small `fit`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax

from .._types import Array, Key
from ..networks import make_network, network_names
from ..sweep._experiment import AbstractExperiment, BatchedRun, Output, Parameter
from ..tasks import CopyMemory
from ..train import make_optimiser
from ..train._step import Plan, State, one_step
from ..train._trainable import split_trainable
from ._groups import in_groups
from ._outcome import DONE, NOT_FINITE, blank


def _steps(fixed: Mapping[str, Any]) -> Mapping[str, Any]:
    every = fixed["steps"] // fixed["num_points"]
    return {"step": every * np.arange(1, fixed["num_points"] + 1)}


@dataclasses.dataclass(frozen=True)
class Training(AbstractExperiment):
    """Train a network on copy memory: a seed and a learning rate a run.

    What [`fit`][ctrnn_jax.train.fit] does with the optimiser of
    [`make_optimiser`][ctrnn_jax.train.make_optimiser], for many networks side by side:
    a run's key is split for the network and for its batches. A run whose loss is no
    longer finite stands still, and ends as "not finite".
    """

    name = "training"
    summary = "networks trained on copy memory, one seed and learning rate a run"
    parameters = (
        Parameter(
            "network",
            "linear-leapfrog",
            "the cell",
            static=True,
            choices=network_names(),
        ),
        Parameter("num_neurons", 32, "neurons of the cell", static=True, low=2),
        Parameter("delay", 10, "silent samples of the task", static=True, low=1),
        Parameter("num_symbols", 4, "symbols of the task", static=True, low=2),
        Parameter("num_kept", 3, "symbols to be kept", static=True, low=1),
        Parameter("steps", 500, "optimiser steps", static=True, low=1),
        Parameter("batch_size", 32, "sequences of a step", static=True, low=1),
        Parameter(
            "num_points",
            50,
            "losses kept, each the mean of the steps since the last; divides steps",
            static=True,
            low=1,
        ),
        Parameter(
            "learning_rate", 3e-3, "the highest, of Adam", low=0.0, open=("low",)
        ),
        Parameter(
            "weight_rate",
            0.1,
            "share of it for the recurrent weights of our cells",
            static=True,
            low=0.0,
            open=("low",),
        ),
        Parameter(
            "clip", 1.0, "largest norm of a gradient", static=True, low=0.0,
            open=("low",),
        ),
    )  # fmt: skip
    outputs = (
        Output("train_loss", "mean cross-entropy (nats)", ("step",), _steps),
        Output("loss", "mean cross-entropy on held-out sequences (nats)"),
        Output("recall", "share of held-out symbols that are recalled"),
        Output("perfect", "share of held-out sequences without an error"),
    )

    def build(self, fixed: Mapping[str, Any]) -> BatchedRun:
        """Return what runs a batch.

        **Raises:** `ValueError` unless `num_points` divides `steps`.
        """
        fixed = dict(fixed)
        steps, points = fixed["steps"], fixed["num_points"]
        if steps % points:
            raise ValueError(
                f"num_points = {points} must divide steps = {steps}; choose a divisor."
            )
        task = CopyMemory(
            fixed["delay"],
            num_symbols=fixed["num_symbols"],
            num_kept=fixed["num_kept"],
        )
        held_out = task.held_out("validation")

        def run(settings: Mapping[str, Array], keys: Array) -> dict[str, Array]:
            dtype = settings["learning_rate"].dtype

            def one(rate: Array, key: Key) -> tuple[Array, dict[str, Array], Array]:
                network_key, train_key = jr.split(key)
                network = make_network(
                    fixed["network"],
                    task,
                    size=fixed["num_neurons"],
                    key=network_key,
                    dtype=dtype,
                )
                params, rest = split_trainable(network, None)
                # Adam's steps are proportional to its rate, which may thus be traced.
                unit = make_optimiser(
                    1.0, steps, weight_rate=fixed["weight_rate"], clip=fixed["clip"]
                )
                plan = Plan(
                    rest=rest,
                    task=task,
                    key=train_key,
                    optim=optax.chain(unit, optax.scale(rate)),
                    loss_fn=None,
                    batch_size=fixed["batch_size"],
                    microbatches=1,
                    capacity=1,
                    loss_dtype=dtype,
                    mesh=None,
                    precision="highest",
                )
                state = State(
                    params,
                    plan.optim.init(params),
                    jnp.zeros((), jnp.int32),
                    jnp.array(True),
                )
                dynamic, static = eqx.partition(state, eqx.is_array)

                def step(dynamic: Any, _: None) -> tuple[Any, Array]:
                    state, loss = one_step(plan, eqx.combine(dynamic, static))
                    # A step that failed is taken, and fails, again and again.
                    loss = jnp.where(state.okay, loss, jnp.nan)
                    return eqx.filter(state, eqx.is_array), loss

                dynamic, losses = jax.lax.scan(step, dynamic, length=steps)
                done = eqx.combine(dynamic, static)
                trained = eqx.combine(done.params, rest)
                scores = task.scores(jax.vmap(trained)(held_out.inputs), held_out)
                losses = jnp.mean(losses.reshape(points, -1), axis=1)
                return losses, scores, done.okay & jnp.isfinite(scores["loss"])

            losses, scores, okay = in_groups(
                jax.vmap(one),
                settings["learning_rate"],
                keys,
                on_cpu=8,
                elsewhere=64,
            )
            status = jnp.where(okay, DONE, NOT_FINITE).astype(jnp.int8)
            # The losses before the failure tell when it was.
            return {
                "train_loss": losses,
                **blank(dict(scores), status),
                "status": status,
                "num_steps": jnp.full(status.shape, steps, jnp.int32),
            }

        return run
