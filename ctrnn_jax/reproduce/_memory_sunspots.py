"""The yearly sunspot numbers: memorized, continued for centuries, forecast."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..tasks import load_sunspots, nrmse, relative_error
from ._claim import Advance, Finding, Settings, Table
from ._memory_network import Kind, MemoryNetwork, Size, build, count_parameters, kinds
from ._memory_signals import IN_HORIZON, PAST, judge
from ._memory_training import Problem, Recipe, train
from ._style import interval

#: Steps a year: at most 0.4 rad of the fastest oscillator at the start.
_STEPS_A_YEAR = 4
#: Part of the record that is fitted where the rest is forecast.
_FITTED = 0.8


@dataclasses.dataclass(frozen=True)
class Recording:
    """What one network made of the sunspot numbers, in sunspot numbers.

    - `generated`: shape `(seeds, years)`, over ten times the years fitted.
    - `numbers`: the whole record, shape `(309,)`.
    - `fitted`: how many years of it were fitted.
    """

    kind: Kind
    parameters: int
    generated: np.ndarray
    numbers: np.ndarray
    fitted: int

    @property
    def error(self) -> np.ndarray:
        """MSE/variance over the years fitted, shape `(seeds,)`."""
        known = self.numbers[: self.fitted]
        mean = known.mean()
        return relative_error(self.generated[:, : self.fitted] - mean, known - mean)

    @property
    def swing(self) -> np.ndarray:
        """Standard deviation in the tenth horizon over that of the record, `(seeds,)`.

        Infinite where the output is not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            last = np.std(self.generated[:, (PAST - 1) * self.fitted :], axis=1)
        ratio = last / np.std(self.numbers[: self.fitted])
        return np.where(np.isnan(ratio), np.inf, ratio)

    @property
    def forecast(self) -> np.ndarray:
        """NRMSE over the years not fitted, against the mean of those fitted."""
        known, rest = self.numbers[: self.fitted], self.numbers[self.fitted :]
        ahead = self.generated[:, self.fitted : len(self.numbers)]
        return np.array([nrmse(one, rest, mean=known.mean()) for one in ahead])


def measure(settings: Settings, advance: Advance) -> list[Recording]:
    """Memorize the record, skew and unconstrained; then fit a part and forecast."""
    _, skew, free = kinds(settings["tanh_scale"])
    numbers = load_sunspots().numbers
    part = int(_FITTED * len(numbers))
    plan = ((skew, len(numbers)), (free, len(numbers)), (skew, part))
    return [_measure(kind, fitted, settings, advance) for kind, fitted in plan]


def _measure(
    kind: Kind, fitted: int, settings: Settings, advance: Advance
) -> Recording:
    numbers = load_sunspots().numbers
    mean, spread = numbers[:fitted].mean(), numbers[:fitted].std()
    own = settings["sunspots"]
    size = Size(own["pairs"], own["hidden"], tuple(own["band"]))
    keys = jax.random.split(jax.random.key(settings["seed"]), settings["seeds"])
    untrained = eqx.filter_vmap(lambda key: build(kind, size, 1, key=key))(keys)
    problem = Problem(
        np.ones((1, 1)),
        (numbers[None, :fitted] - mean) / spread,
        np.arange(fitted) * 1.0,
        1 / _STEPS_A_YEAR,
    )
    recipe = Recipe(
        own["num_steps"],
        learning_rate=own["learning_rate"],
        sparsity=own["sparsity"],
    )
    networks = train(
        untrained,
        problem,
        kind.solver,
        recipe,
        lambda text: advance(f"C4: sunspots, {kind.name}, {fitted} years: {text}"),
    )
    ts = np.arange(PAST * fitted) * 1.0

    @eqx.filter_jit
    def go_on(network: MemoryNetwork) -> jax.Array:
        codes = jnp.asarray(problem.codes)
        return network.read(network.states(codes, ts, problem.dt0, kind.solver))[0]

    generated = np.asarray(eqx.filter_vmap(go_on)(networks))
    one = jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, networks)
    return Recording(
        kind, count_parameters(one), mean + spread * generated, numbers, fitted
    )


def findings(recordings: list[Recording]) -> list[Finding]:
    """Return what the sunspot numbers show."""
    skew, free, part = recordings
    error, swing = skew.error, skew.swing
    steady = (swing > 0.5) & (swing < 2)
    away = free.swing
    return [
        Finding(
            f"A {skew.kind.name} network memorizes the {skew.fitted} yearly sunspot "
            f"numbers (MSE/variance < {IN_HORIZON:g}).",
            judge(error[:, None], IN_HORIZON),
            f"MSE/variance {interval(error)} over seeds, with {skew.parameters} "
            f"parameters for {skew.fitted} numbers",
        ),
        Finding(
            f"It goes on oscillating for {(PAST - 1) * skew.fitted} years more, its "
            "swing within a factor two of the sun's.",
            judge(np.where(steady, 0.0, 2.0)[:, None], 1.0),
            f"standard deviation in the tenth horizon over the record's: "
            f"{interval(swing)}; unconstrained: {interval(away)}, having memorized to "
            f"{interval(free.error)}",
        ),
        Finding(
            f"Fitted to the first {part.fitted} years, it forecasts the other "
            f"{len(part.numbers) - part.fitted} better than their mean so far "
            "(NRMSE < 1).",
            judge(part.forecast[:, None], 1.0),
            f"NRMSE {interval(part.forecast)} over seeds",
        ),
    ]


def table(recordings: list[Recording], settings: Settings) -> Table:
    """Return the scores of every run on the sunspot numbers."""
    own = settings["sunspots"]
    return Table(
        "Yearly sunspot numbers, 1700–2008",
        (
            "network",
            "parameters",
            "years fitted",
            "MSE/variance, fitted",
            "swing, tenth horizon",
            "NRMSE, years ahead",
        ),
        tuple(
            (
                one.kind.name,
                str(one.parameters),
                str(one.fitted),
                interval(one.error),
                interval(one.swing),
                interval(one.forecast) if one.fitted < len(one.numbers) else "–",
            )
            for one in recordings
        ),
        f"Median [range] over {settings['seeds']} seeds. n = {2 * own['pairs']} "
        f"neurons, a year is a unit of time, h = 1/{_STEPS_A_YEAR}, "
        f"{own['num_steps']} steps of Adam. Swing: standard deviation in the tenth "
        "horizon over that of the years fitted. NRMSE: 1 is the mean of the years "
        "fitted. Source: NOAA/NGDC, public domain.",
    )
