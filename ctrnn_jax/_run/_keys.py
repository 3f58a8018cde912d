"""What a simulation's specification may hold: one entry a key, in file and flag.

No heavy import: `ctrnn simulate --help` is made from this table.
"""

from dataclasses import dataclass
from typing import Literal

SKEW_BY_SCALE = ("skew_symmetric", "sparse_skew", "unconstrained", "gain_plus_skew")
BY_FREQUENCY = ("bipartite_skew", "block_rotation", "low_rank_skew")
WEIGHTS = (
    "skew_symmetric",
    "bipartite_skew",
    "block_rotation",
    "low_rank_skew",
    "sparse_skew",
    "gain_plus_skew",
    "unconstrained",
)
SCALED_ACTIVATIONS = (
    "tanh",
    "hard_tanh",
    "arctan",
    "erf",
    "softsign",
    "sine",
    "rectified_tanh",
)
ACTIVATIONS = (*SCALED_ACTIVATIONS, "linear", "relu")
ADAPTIVE_SOLVERS = ("heun", "tsit5", "dopri5", "dopri8")
SOLVERS = (
    "coordinate_splitting",
    "leapfrog",
    "discrete_gradient",
    "implicit_midpoint",
    "cayley_step",
    "exponential_step",
    "euler",
    "rk4",
    *ADAPTIVE_SOLVERS,
)


@dataclass(frozen=True)
class Key:
    """One key of the specification.

    - `section`, `name`: where it stands in the TOML file.
    - `flag`: the same on the command line.
    - `kind`: type of the value; an array is a nested list or the path of a .npy file;
      a switch is true or false, and its flag alone is true; a text may be anything.
    - `help`: one line for `--help`.
    - `default`: `None` if there is none or it depends on other keys (`help` says so).
    - `choices`: values that a choice may take.
    - `minimum`: smallest value allowed, or excluded if `positive`.
    - `only_for`: another key and the values of it for which this one means something.
    """

    section: str
    name: str
    flag: str
    kind: Literal["choice", "integer", "number", "array", "switch", "text"]
    help: str
    default: str | int | float | None = None
    choices: tuple[str, ...] = ()
    minimum: int | float | None = None
    positive: bool = False
    only_for: tuple[str, tuple[str | bool, ...]] | None = None

    @property
    def path(self) -> str:
        """Dotted name, as messages show it."""
        return f"{self.section}.{self.name}"


KEYS = (
    Key(
        "model", "form", "--form", "choice", "equation: x' = -leak x + "
        "W phi(x) + b (voltage) or r' = -leak r + phi(W r + b) (rate)",
        "voltage", choices=("voltage", "rate"),
    ),
    Key(
        "model", "activation", "--activation", "choice", "phi",
        "tanh", choices=ACTIVATIONS,
    ),
    Key(
        "model", "activation_scale", "--activation-scale", "number",
        "a in a phi(x/a)", 1.0, positive=True,
        only_for=("model.activation", SCALED_ACTIVATIONS),
    ),
    Key(
        "model", "leak", "--leak", "number", "per unit time", 0.0, minimum=0.0
    ),
    Key("model", "bias", "--bias", "array", "b, n numbers; default none"),
    Key(
        "weight", "kind", "--weight", "choice", "how W is parametrised",
        "skew_symmetric", choices=WEIGHTS,
    ),
    Key(
        "weight", "size", "--size", "integer",
        "number of neurons n; default 8, or as --matrix says", minimum=1,
    ),
    Key(
        "weight", "scale", "--weight-scale", "number",
        "scale of random entries: half the largest eigenfrequency of a skew W", 1.0,
        positive=True, only_for=("weight.kind", SKEW_BY_SCALE),
    ),
    Key(
        "weight", "angular_frequency_range", "--angular-frequency-range", "array",
        "lowest and highest eigenfrequency, rad per unit time; default [0.1, 1.0]",
        only_for=("weight.kind", BY_FREQUENCY),
    ),
    Key(
        "weight", "rank", "--rank", "integer", "number of modes; default n//4, or 1",
        minimum=1, only_for=("weight.kind", ("low_rank_skew",)),
    ),
    Key(
        "weight", "num_edges", "--num-edges", "integer",
        "edges of the random graph; default 10 n, or all pairs if fewer", minimum=1,
        only_for=("weight.kind", ("sparse_skew",)),
    ),
    Key(
        "weight", "gain", "--gain", "number", "g of g I + W", 1.0,
        only_for=("weight.kind", ("gain_plus_skew",)),
    ),
    Key(
        "weight", "seed", "--weight-seed", "integer", "seed of random entries", 0,
        minimum=0,
    ),
    Key(
        "weight", "matrix", "--matrix", "array",
        "W itself, (n, n), instead of a random one; must have the structure of kind",
    ),
    Key(
        "initial", "y0", "--y0", "array",
        "initial states, (n,) or (batch, n), instead of random ones",
    ),
    Key(
        "initial", "batch", "--batch", "integer", "number of random initial states", 1,
        minimum=1,
    ),
    Key(
        "initial", "scale", "--y0-scale", "number",
        "standard deviation of random initial states", 1.0, minimum=0.0,
    ),
    Key(
        "initial", "seed", "--y0-seed", "integer", "seed of random initial states", 0,
        minimum=0,
    ),
    Key("time", "t0", "--t0", "number", "start", 0.0),
    Key("time", "t1", "--t1", "number", "end", 100.0),
    Key(
        "time", "saves", "--saves", "integer",
        "number of saved samples, evenly spaced, both ends included", 1001, minimum=2,
    ),
    Key(
        "time", "dt0", "--dt0", "number",
        "longest step (the first one, if steps adapt)", 0.05, positive=True,
    ),
    Key(
        "solver", "name", "--solver", "choice", "integration method; default "
        "coordinate_splitting, or tsit5 where W may have a diagonal",
        choices=SOLVERS,
    ),
    Key(
        "solver", "order", "--order", "integer", "2, 4 or 6", 2,
        only_for=("solver.name", ("coordinate_splitting",)),
    ),
    Key(
        "solver", "rtol", "--rtol", "number",
        "adapt the step to this relative tolerance; default: constant steps",
        positive=True, only_for=("solver.name", ADAPTIVE_SOLVERS),
    ),
    Key(
        "solver", "atol", "--atol", "number",
        "and this absolute one; default: as rtol",
        positive=True, only_for=("solver.name", ADAPTIVE_SOLVERS),
    ),
    Key(
        "run", "dtype", "--dtype", "choice", "precision", "float64",
        choices=("float64", "float32"),
    ),
    Key(
        "run", "segment", "--segment", "integer",
        "samples between two checkpoints; default: a fiftieth of them", minimum=1,
    ),
)  # fmt: skip


def by_path(keys: tuple[Key, ...]) -> dict[str, Key]:
    """Return keys by their dotted names."""
    return {key.path: key for key in keys}


def sections(keys: tuple[Key, ...]) -> tuple[str, ...]:
    """Return the sections that keys stand in, in order."""
    return tuple(dict.fromkeys(key.section for key in keys))
