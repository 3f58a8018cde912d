"""What is trained on what: the rows of the leaderboard."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ctrnn_jax.networks import network_names

#: Every model that the issue of a table names: ours, the ablations, the rivals.
ALL = network_names()
#: Ours in short, and the rivals that a task is most often published with.
FEW = ("linear-rotation", "tanh-skew", "lstm", "lru", "linoss-imex", "cornn", "exprnn")
#: Learning rates that every network of a table may choose from.
RATES = (1e-3, 3e-3, 1e-2)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained, the same for all networks of a task.

    - `num_steps`, `batch_size`: the budget.
    - `learning_rates`: Adam's highest; it warms up over a fortieth of the steps and
      falls to a hundredth along a cosine. Gradients are clipped to norm 1. Of several,
      each network has the one with the least validation loss on its first seed.
    - `weight_rate`: the share of it for recurrent weights, in the cells whose papers
      have such a share and in ours.
    - `validate_every`: steps between validations; the model with the least loss there
      is tested.
    - `solved`: share of the trivial loss at which a task counts as solved: training
      stops once a validation is below it.
    - `test_batch`: sequences tested at once.
    """

    num_steps: int
    batch_size: int
    learning_rates: tuple[float, ...] = (3e-3,)
    weight_rate: float = 0.1
    validate_every: int = 25
    solved: float | None = None
    test_batch: int = 64


@dataclasses.dataclass(frozen=True)
class Entry:
    """One task, and the networks that try it.

    - `key`: names its files.
    - `task`, `options`: what `make_task` is given.
    - `networks`: names for `make_network`; sizes follow from `parameters`.
    - `parameters`: trained numbers of every network, to within a tenth.
    - `build`: further options of `make_network`, the same for all.
    - `own`: those of one network.
    - `score`: what the table shows, and whether more is better.
    - `seeds`: how many.
    - `baselines`: forecasts of `series_baselines` that stand beside the networks.
    """

    key: str
    task: str
    options: Mapping[str, Any]
    networks: tuple[str, ...]
    parameters: int
    recipe: Recipe
    score: str
    maximise: bool
    build: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    own: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    seeds: int = 3
    baselines: tuple[str, ...] = ()


def _copy(delay: int, networks: tuple[str, ...], recipe: Recipe, size: int) -> Entry:
    return Entry(
        f"copy-{delay}",
        "copy",
        {"delay": delay},
        networks,
        size,
        dataclasses.replace(recipe, solved=5e-4),
        "recall",
        True,
        build={"hidden": 128},
    )


def _forecast(series: str) -> Entry:
    return Entry(
        f"forecast-{series}",
        f"forecast-{series}",
        {},
        ("tanh-skew-leak", "linear-skew", "lstm", "gru"),
        1_500,
        Recipe(600, 32, RATES, test_batch=1),
        "nrmse",
        False,
        # A recording is heard for ever: what was heard long ago has to be forgotten.
        own={
            "tanh-skew-leak": {"leak": 0.05, "input_scale": 0.3},
            "linear-skew": {"leak": 0.05, "input_scale": 0.3},
        },
        baselines=("seasonal", "autoregression", "echo_state"),
    )


def _adding(length: int, networks: tuple[str, ...], num_steps: int) -> Entry:
    # A state sums what it is told if it turns by at most a third of a circle over the
    # sequence, and starts so small that all of it together is of order one.
    summing = {"phases": (0.0, 2 / length), "input_scale": 30 / length}
    return Entry(
        f"adding-{length}",
        "adding",
        {"length": length},
        networks,
        2_300,
        Recipe(
            num_steps,
            50,
            learning_rates=(5e-3,),
            weight_rate=0.01,
            validate_every=50,
            solved=0.03,
            test_batch=100,
        ),
        "loss",
        False,
        build={"hidden": 32, "features": 32},
        own={"linear-rotation": summing},
    )


PLAN: tuple[Entry, ...] = (
    _copy(200, ("linear-rotation", "linear-leapfrog"), Recipe(2000, 64), 29_000),
    _copy(1000, ("linear-rotation",), Recipe(4000, 64), 29_000),
    _adding(1000, ("linear-rotation",), 2000),
    _adding(5000, ("linear-rotation",), 2000),
    Entry(
        "flip-flop",
        "flip-flop",
        {},
        ("gain-skew", "tanh-skew", "linear-rotation", "lstm", "gru"),
        500,
        Recipe(1000, 64, learning_rates=(1e-2,), weight_rate=1.0, validate_every=100),
        "loss",
        False,
        own={"gain-skew": {"input_scale": 1.0}},
    ),
    *(_forecast(series) for series in ("laser", "co2", "sunspots")),
    Entry(
        "digits-padded",
        "digits-padded",
        {},
        ("gain-skew", "linear-rotation", "tanh-skew", "lstm"),
        20_000,
        Recipe(300, 32, RATES[:2], validate_every=50),
        "accuracy",
        True,
        build={"hidden": 64},
        # Uncoupled at first and told little, each neuron falls to the side that the
        # first rows push it to, and noise does not lift it over the edge again.
        own={"gain-skew": {"input_scale": 0.05, "phases": (0.0, 0.02)}},
    ),
    Entry(
        "delayed-recall",
        "delayed-recall",
        {"delay": 200},
        FEW,
        9_000,
        Recipe(200, 32, RATES, solved=1e-3),
        "recall",
        True,
        build={"hidden": 32},
    ),
    Entry(
        "digits-permuted",
        "digits-permuted",
        {},
        ALL,
        20_000,
        Recipe(300, 32, RATES, validate_every=50),
        "accuracy",
        True,
        build={"hidden": 64},
    ),
    _copy(100, ALL, Recipe(300, 32), 37_000),
    _copy(30, ALL, Recipe(300, 32), 37_000),
    _copy(300, ALL, Recipe(300, 32), 37_000),
)
