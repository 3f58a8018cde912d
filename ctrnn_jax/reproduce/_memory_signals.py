"""Signal School: eight signals memorized, and generated ten times past the horizon."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..fields import Linear
from ..invariants import energy
from ..tasks import DESCRIPTORS, SignalSchool, relative_error
from ..tasks.signal_school import NUM_SAMPLES, SAMPLE_TIME
from ._claim import Advance, Finding, Settings, Table, Verdict
from ._memory_network import Kind, MemoryNetwork, Size, build, count_parameters, kinds
from ._memory_training import Problem, Recipe, train
from ._style import interval

#: What TASKS of this project asks for: MSE/power in the horizon, and of the sines ten
#: horizons on. Predicting zero scores 1.
IN_HORIZON, BEYOND = 0.01, 0.1
PAST = 10


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one network did, over seeds.

    - `generated`: outputs over ten horizons, shape `(seeds, signals, time)`.
    - `target`: shape `(signals, time)`.
    - `drift`: largest relative change of the energy over ten horizons, `(seeds,)`;
      `None` where there is none to keep.
    - `reach`: largest |x|/α in the horizon, `(seeds,)`; `None` if φ is linear.
    - `as_linear`: MSE/power in the horizon with φ replaced by the identity after
      training, shape `(seeds, signals)`; `None` if it is linear already.
    """

    kind: Kind
    parameters: int
    generated: np.ndarray
    target: np.ndarray
    drift: np.ndarray | None
    reach: np.ndarray | None
    as_linear: np.ndarray | None

    def error(self, start: int = 0, stop: int = NUM_SAMPLES) -> np.ndarray:
        """Return MSE/power between two samples, shape `(seeds, signals)`."""
        return relative_error(
            self.generated[..., start:stop], self.target[..., start:stop]
        )

    @property
    def beyond(self) -> np.ndarray:
        """MSE/power over all ten horizons, shape `(seeds, signals)`."""
        return self.error(0, PAST * NUM_SAMPLES)


def measure(settings: Settings, advance: Advance) -> list[Outcome]:
    """Train every network on every seed, and let each go on alone."""
    return [_measure(kind, settings, advance) for kind in kinds(settings["tanh_scale"])]


def school(settings: Settings) -> SignalSchool:
    """Return the task, with the signals that the settings name."""
    return SignalSchool(tuple(DESCRIPTORS[i] for i in settings["signals"]))


def _measure(kind: Kind, settings: Settings, advance: Advance) -> Outcome:
    task = school(settings)
    size = Size(settings["pairs"], settings["hidden"], tuple(settings["band"]))
    count = len(DESCRIPTORS)
    keys = jax.random.split(jax.random.key(settings["seed"]), settings["seeds"])
    untrained = eqx.filter_vmap(lambda key: build(kind, size, count, key=key))(keys)
    problem = Problem(task.codes(), task.signals(), task.times(), SAMPLE_TIME)
    networks = train(
        untrained,
        problem,
        kind.solver,
        Recipe(settings["num_steps"]),
        lambda text: advance(f"C4: {kind.name}: {text}"),
    )
    ts = task.times(PAST * NUM_SAMPLES)

    @eqx.filter_jit
    def go_on(network: MemoryNetwork) -> tuple[jax.Array, jax.Array]:
        ys = network.states(jnp.asarray(problem.codes), ts, SAMPLE_TIME, kind.solver)
        return ys, network.read(ys)

    ys, generated = eqx.filter_vmap(go_on)(networks)
    one = jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, networks)
    linear = isinstance(kind.activation, Linear)
    return Outcome(
        kind,
        count_parameters(one),
        np.asarray(generated),
        task.signals(len(ts)),
        _drift(networks, ys) if kind.skew else None,
        None if linear else _reach(ys, settings["tanh_scale"]),
        None if linear or not kind.skew else _as_linear(networks, problem, kind),
    )


def _drift(networks: MemoryNetwork, ys: jax.Array) -> np.ndarray:
    values = np.asarray(
        eqx.filter_vmap(lambda network, y: energy(network.field, y))(networks, ys)
    )
    first = values[..., :1]
    return np.max(np.abs(values - first) / first, axis=(1, 2))


def _reach(ys: jax.Array, scale: float) -> np.ndarray:
    return np.max(np.abs(np.asarray(ys)[:, :, :NUM_SAMPLES]), axis=(1, 2, 3)) / scale


def _as_linear(networks: MemoryNetwork, problem: Problem, kind: Kind) -> np.ndarray:
    changed = eqx.tree_at(
        lambda tree: tree.field.activation, networks, Linear(), is_leaf=lambda x: False
    )

    def outputs(network: MemoryNetwork) -> jax.Array:
        codes = jnp.asarray(problem.codes)
        return network.read(network.states(codes, problem.ts, problem.dt0, kind.solver))

    return relative_error(np.asarray(eqx.filter_vmap(outputs)(changed)), problem.target)


def judge(errors: np.ndarray, bound: float) -> Verdict:
    """Judge errors `(seeds, signals)`: all below the bound, some medians, or none."""
    if np.all(errors < bound):
        return "holds"
    return "holds where" if np.any(np.median(errors, axis=0) < bound) else "fails"


def _counted(errors: np.ndarray, bound: float) -> str:
    worst = np.max(errors, axis=1)
    return (
        f"{np.count_nonzero(errors < bound)} of {errors.size} (seed × signal) below "
        f"{bound:g}; worst signal, median [range] over seeds: {interval(worst)}"
    )


def findings(outcomes: list[Outcome], settings: Settings) -> list[Finding]:
    """Return what Signal School shows."""
    sines = [d.shape == "sines" for d in school(settings).descriptors]
    found = []
    for outcome in outcomes[:2]:
        inside, beyond = outcome.error(), outcome.beyond[:, sines]
        found += [
            Finding(
                f"A {outcome.kind.name} network memorizes every signal "
                f"(MSE/power < {IN_HORIZON:g}).",
                judge(inside, IN_HORIZON),
                _counted(inside, IN_HORIZON),
            ),
            Finding(
                f"A {outcome.kind.name} network goes on with the sines for ten "
                f"horizons (MSE/power < {BEYOND:g}).",
                judge(beyond, BEYOND),
                _counted(beyond, BEYOND),
            ),
        ]
    rival = outcomes[-1]
    lost = 1 / np.maximum(rival.beyond, 1e-300)
    found.append(
        Finding(
            "Without the constraint, the same network memorizes, then is worse than "
            "silence over ten horizons (MSE/power > 1).",
            judge(lost, 1.0),
            f"in the horizon: {_counted(rival.error(), IN_HORIZON)}; over ten: "
            f"{interval(np.median(rival.beyond, axis=1))} (median signal), least "
            f"{rival.beyond.min():.3g}",
        )
    )
    return found


def table(outcomes: list[Outcome], settings: Settings) -> Table:
    """Return MSE/power of every network, by kind of signal."""
    shapes = np.array([d.shape for d in school(settings).descriptors])
    rows = []
    for outcome in outcomes:
        cells = [outcome.kind.name, str(outcome.parameters)]
        for error in (outcome.error(), outcome.beyond):
            for shape in ("sines", "square"):
                chosen = error[:, shapes == shape]
                cells.append(interval(chosen.max(axis=1)) if chosen.size else "–")
        cells.append("–" if outcome.drift is None else interval(outcome.drift, ".1e"))
        cells.append("–" if outcome.reach is None else interval(outcome.reach, ".2f"))
        other = outcome.as_linear
        cells.append("–" if other is None else interval(np.median(other, axis=1)))
        rows.append(tuple(cells))
    return Table(
        "Signal School: MSE/power of the worst signal",
        (
            "network",
            "parameters",
            "sines, horizon",
            "squares, horizon",
            "sines, ten horizons",
            "squares, ten horizons",
            "drift of H",
            "largest |x|/α",
            "with φ made linear",
        ),
        tuple(rows),
        f"Median [range] over {settings['seeds']} seeds; predicting zero scores 1. "
        f"n = {2 * settings['pairs']} neurons, h = {SAMPLE_TIME:g}, "
        f"{settings['num_steps']} steps of Adam over {NUM_SAMPLES} samples, the same "
        f"recipe for all; α = {settings['tanh_scale']:g}. Skew: leapfrog. "
        "Unconstrained: Heun, from the same initial W, with fewer hidden units of the "
        "readout to match parameters. Drift of H: largest relative change of the "
        "energy over ten horizons. With φ made linear: the trained tanh network in the "
        "horizon, its activation replaced by the identity (median signal): what the "
        "saturation contributes.",
    )
