"""What a training's specification may hold, in file and flag.

No heavy import: `ctrnn train --help` is made from this table.
"""

from typing import Any

from ._keys import Key

#: Tasks by what they are told: those of `ctrnn_jax.tasks.TASKS`, which a test compares.
WITH_DELAY = ("copy", "delayed-recall")
WITH_LENGTH = ("adding", "flip-flop")
WITH_PATH = ("psmnist", "noisy-cifar", "eigenworms", "ppg")
TASK_NAMES = (
    *WITH_DELAY,
    *WITH_LENGTH,
    "digits",
    "digits-permuted",
    "digits-padded",
    "signal-school",
    "sunspots",
    "co2",
    "laser",
    "forecast-sunspots",
    "forecast-co2",
    "forecast-laser",
    "acsf1",
    "osuleaf",
    "japanese-vowels",
    *WITH_PATH,
)
OURS = (
    "linear-rotation",
    "linear-skew",
    "linear-leapfrog",
    "tanh-skew",
    "tanh-rate",
    "tanh-dense",
    "tanh-skew-leak",
    "gain-skew",
    "tanh-unconstrained",
)
NONLINEAR = tuple(name for name in OURS if not name.startswith("linear"))
#: Those with recurrent weights that may learn at a rate of their own.
WITH_WEIGHTS = (*OURS, "exprnn", "lru")
#: Tasks with an input at every sample; the others are generated from a code.
READING = tuple(
    name
    for name in TASK_NAMES
    if name not in ("signal-school", "sunspots", "co2", "laser")
)
#: All of `ctrnn_jax.networks.network_names()`, which a test compares too.
NETWORK_NAMES = (
    *OURS,
    "tanh-rnn",
    "irnn",
    "lstm",
    "gru",
    "antisymmetric",
    "lipschitz",
    "exprnn",
    "cornn",
    "lem",
    "lru",
    "linoss-im",
    "linoss-imex",
)

TRAIN_KEYS = (
    Key("task", "name", "--task", "choice", "what to learn", choices=TASK_NAMES),
    Key(
        "task", "delay", "--delay", "integer", "samples between cue and answer",
        minimum=1, only_for=("task.name", WITH_DELAY),
    ),
    Key(
        "task", "length", "--length", "integer",
        "samples of a sequence; default 64 for flip-flop", minimum=1,
        only_for=("task.name", WITH_LENGTH),
    ),
    Key(
        "task", "pulse_rate", "--pulse-rate", "number",
        "probability of a pulse at a sample; default 0.5", minimum=0.0,
        only_for=("task.name", ("flip-flop",)),
    ),
    Key(
        "task", "path", "--path", "text", "your file or folder of the data",
        only_for=("task.name", WITH_PATH),
    ),
    Key(
        "network", "name", "--network", "choice",
        "cell; default linear-rotation, or what the task needs", choices=NETWORK_NAMES,
    ),
    Key("network", "size", "--size", "integer", "neurons of a cell", 128, minimum=2),
    Key(
        "network", "hidden", "--hidden", "integer",
        "hidden units of the readout; 0 for a linear one; default by task", minimum=0,
    ),
    Key(
        "network", "features", "--features", "integer",
        "rectified features of each input; 0 for the input itself; default by task",
        minimum=0, only_for=("task.name", READING),
    ),
    Key("network", "num_cells", "--cells", "integer", "cells in a stack", 1, minimum=1),
    Key(
        "network", "phases", "--phases", "array",
        "lowest and highest phase a step at the start, rad; default by task",
        only_for=("network.name", OURS),
    ),
    Key(
        "network", "input_scale", "--input-scale", "number",
        "standard deviation of the input weights; default by task", positive=True,
        only_for=("network.name", OURS),
    ),
    Key(
        "network", "scale", "--scale", "number",
        "a in a tanh(x/a); default 10, for gain-skew 1", positive=True,
        only_for=("network.name", NONLINEAR),
    ),
    Key(
        "train", "num_steps", "--steps", "integer", "optimiser steps; default by task",
        minimum=1,
    ),
    Key(
        "train", "batch_size", "--batch", "integer", "sequences of a step", 64,
        minimum=1,
    ),
    Key(
        "train", "learning_rate", "--learning-rate", "number",
        "Adam's highest; warms up, then falls along a cosine; default by task",
        positive=True,
    ),
    Key(
        "train", "weight_rate", "--weight-rate", "number",
        "share of it for recurrent weights; default by task", positive=True,
        only_for=("network.name", WITH_WEIGHTS),
    ),
    Key(
        "train", "clip", "--clip", "number", "largest norm of a gradient", 1.0,
        positive=True,
    ),
    Key(
        "train", "validate_every", "--validate-every", "integer",
        "steps between validations; default a twentieth", minimum=1,
    ),
    Key(
        "train", "patience", "--patience", "integer",
        "stop after so many validations without a better one", minimum=1,
    ),
    Key(
        "train", "save_every", "--save-every", "integer",
        "steps between checkpoints; default: one a minute", minimum=1,
    ),
    Key(
        "train", "test_batch", "--test-batch", "integer",
        "held-out sequences at once", 64, minimum=1,
    ),
    Key("run", "seed", "--seed", "integer", "seed of all that is random", 0, minimum=0),
    Key(
        "run", "dtype", "--dtype", "choice", "precision", "float32",
        choices=("float32", "float64"),
    ),
)  # fmt: skip

_GENERAL: dict[str, Any] = {
    "network.name": "linear-rotation",
    "network.hidden": 64,
    "network.features": 0,
    "train.num_steps": 1000,
    "train.learning_rate": 3e-3,
    "train.weight_rate": 0.1,
}
#: What is known to work, task by task; see benchmarks/memory/plan.py.
BY_TASK: dict[str, dict[str, Any]] = {
    "copy": {"network.hidden": 128},
    "adding": {
        "network.hidden": 32,
        "network.features": 32,
        "network.size": 32,
        "train.num_steps": 2000,
        "train.batch_size": 50,
        "train.learning_rate": 5e-3,
        "train.weight_rate": 0.01,
    },
    **dict.fromkeys(
        ("forecast-sunspots", "forecast-co2", "forecast-laser"),
        {
            "network.name": "tanh-skew-leak",
            "network.size": 64,
            "network.hidden": 0,
            "train.num_steps": 600,
            "train.batch_size": 32,
        },
    ),
    "flip-flop": {
        "network.name": "gain-skew",
        "network.size": 16,
        "network.hidden": 0,
        "network.input_scale": 1.0,
        "train.learning_rate": 1e-2,
        "train.weight_rate": 1.0,
    },
}


def defaults_of(task: str) -> dict[str, Any]:
    """Return what a task's training starts from where nothing is given."""
    return _GENERAL | BY_TASK.get(task, {})
