"""How the energy of skew networks grows under forward Euler and other methods."""

import dataclasses

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..fields import Linear, Tanh, VoltageCTRNN
from ..integrate import simulate_ensemble
from ..matrices import SkewSymmetric
from ._claim import Picture, Table
from ._criteria import fitted_exponent, fitted_slope, mean_and_error
from ._methods import Method
from ._periods import rotation
from ._style import (
    BLACK,
    BLUE,
    DASHES,
    PALETTE,
    VERMILION,
    interval,
    panels,
    plus_minus,
    styled,
)


def scaled_model(
    weights: np.ndarray, steps: np.ndarray, *, linear: bool = False
) -> VoltageCTRNN:
    """Return one model a lane with weight h·W, for steps of length 1.

    A step h with W is a step 1 with hW, so that lanes of one ensemble may differ in
    their step; the energy does not depend on W.
    """
    activation = Linear() if linear else Tanh()

    def one(weight: jnp.ndarray) -> VoltageCTRNN:
        return VoltageCTRNN(SkewSymmetric.from_matrix(weight), activation=activation)

    return eqx.filter_vmap(one)(jnp.asarray(weights * steps[:, None, None]))


def energies(ys: np.ndarray, *, linear: bool = False) -> np.ndarray:
    """Return H = ΣΦ(xᵢ) of states `(..., n)`."""
    activation = Linear() if linear else Tanh()
    return np.asarray(activation.potential(jnp.asarray(ys)).sum(axis=-1))


@dataclasses.dataclass(frozen=True)
class LinearGrowth:
    """Rate at which Euler makes a linear amplitude grow, and ½ log(1 + h²ω²)/h."""

    step: np.ndarray
    measured: np.ndarray
    exact: np.ndarray


def linear_growth(steps: np.ndarray, *, angular_frequency: float) -> LinearGrowth:
    """Fit the rate of two linear neurons, one h a lane."""
    weight = np.tile(rotation(angular_frequency), (len(steps), 1, 1))
    model = scaled_model(weight, steps, linear=True)
    counts = np.arange(0.0, 601.0, 10.0)
    y0 = jnp.tile(jnp.array([1.0, 0.0]), (len(steps), 1))
    ys = simulate_ensemble(
        model, y0, counts, dt0=1.0, solver=diffrax.Euler(), model_axes=0
    ).ys
    logs = np.log(np.linalg.norm(np.asarray(ys), axis=-1))
    return LinearGrowth(
        steps,
        np.array(
            [fitted_slope(h * counts, y) for h, y in zip(steps, logs, strict=True)]
        ),
        0.5 * np.log1p((steps * angular_frequency) ** 2) / steps,
    )


@dataclasses.dataclass(frozen=True)
class TanhGrowth:
    """Energies of one n under Euler: `values` (step, seed, sample).

    `frequency` is the root mean square eigenfrequency of each W, (step, seed).
    """

    size: int
    steps: np.ndarray
    counts: np.ndarray
    values: np.ndarray
    frequency: np.ndarray

    @property
    def shifted(self) -> np.ndarray:
        r"""H + (n/2) log 4, whose square grows evenly for two neurons.

        Each time a neuron crosses zero, Euler adds hω to H, and a period
        T = 4(H + log 4)/ω, up to terms that vanish as H grows, holds four crossings.
        """
        return self.values + 0.5 * self.size * np.log(4)

    def exponents(self, values: np.ndarray) -> np.ndarray:
        """Return the fitted p of values ~ kᵖ in the last decade, (step, seed)."""
        late = self.counts >= self.counts[-1] / 10
        return np.array(
            [
                [fitted_exponent(self.counts[late], lane[late]) for lane in lanes]
                for lanes in values
            ]
        )

    @property
    def prefactors(self) -> np.ndarray:
        """Final shifted H of a pair of neurons over √(2hω²t), (step, seed)."""
        law = self.steps[:, None] * self.frequency * np.sqrt(2 * self.counts[-1])
        return self.shifted[..., -1] / (0.5 * self.size) / law


def tanh_growth(
    size: int, steps: np.ndarray, *, seeds: int, seed: int, count: int
) -> TanhGrowth:
    """Run `count` steps of Euler: every h with the same `seeds` weights and states.

    W = A − Aᵀ, A ~ N(0, 1)/√(2n), scaled for n = 2 to ω = 1.
    """
    rng = np.random.default_rng([seed, size])
    dense = rng.normal(size=(seeds, size, size)) / np.sqrt(2 * size)
    weights = dense - np.swapaxes(dense, 1, 2)
    if size == 2:
        weights = np.tile(rotation(1.0), (seeds, 1, 1))
    y0 = rng.normal(size=(seeds, size))
    every = np.tile(weights, (len(steps), 1, 1))
    samples = 1000
    counts = np.linspace(0.0, count, samples + 1)
    ys = simulate_ensemble(
        scaled_model(every, np.repeat(steps, seeds)),
        jnp.asarray(np.tile(y0, (len(steps), 1))),
        counts,
        dt0=1.0,
        solver=diffrax.Euler(),
        model_axes=0,
    ).ys
    values = energies(np.asarray(ys)).reshape(len(steps), seeds, -1)
    frequency = np.linalg.norm(weights, axis=(1, 2)) / np.sqrt(size)
    return TanhGrowth(
        size, steps, counts[1:], values[..., 1:], np.tile(frequency, (len(steps), 1))
    )


def growth_table(growths: list[TanhGrowth]) -> Table:
    """List the fitted exponents over h and n."""
    rows = []
    for growth in growths:
        plain, shifted = map(growth.exponents, (growth.values, growth.shifted))
        for index, h in enumerate(growth.steps):
            rows.append(
                (
                    f"{growth.size}",
                    f"{h:g}",
                    f"{growth.counts[-1]:.0e}",
                    interval(growth.values[index, :, -1]),
                    plus_minus(*mean_and_error(plain[index]), ".4f"),
                    plus_minus(*mean_and_error(shifted[index]), ".4f"),
                    plus_minus(*mean_and_error(growth.prefactors[index]), ".4f"),
                )
            )
    seeds = growths[0].values.shape[1]
    return Table(
        "Forward Euler on tanh: exponent p of H ~ tᵖ",
        ("n", "h", "steps", "final H", "p of H", "p of shifted H", "over the law"),
        tuple(rows),
        f"{seeds} seeds a row, mean ± standard error (final H: median [least, "
        "greatest]); p fitted over the last decade at points even in log t. Shifted: H "
        "+ (n/2) log 4, which removes the leading correction to the law at finite H. "
        "Over the law: final shifted H for each pair of neurons over √(2hω²t), with ω "
        "the root mean square eigenfrequency.",
    )


@dataclasses.dataclass(frozen=True)
class LongRun:
    """Relative energy error of one method, `error` (sample)."""

    method: Method
    counts: np.ndarray
    error: np.ndarray


def long_runs(
    methods: list[Method], step: float, *, count: int, implicit_count: int
) -> list[LongRun]:
    """Follow two tanh neurons, ω = 1, from energy 1.5 with every method."""
    start = np.arcsinh(np.sqrt(np.expm1(3.0)))
    runs = []
    for method in methods:
        samples = 1000
        total = implicit_count if method.implicit else count
        counts = np.linspace(0.0, total, samples + 1)
        model = scaled_model(rotation(1.0)[None], np.array([step]))
        ys = simulate_ensemble(
            model,
            jnp.array([[start, 0.0]]),
            counts,
            dt0=1.0,
            solver=method.solver,
            model_axes=0,
        ).ys
        values = energies(np.asarray(ys))[0]
        runs.append(LongRun(method, counts[1:], np.abs(values[1:] / values[0] - 1)))
    return runs


def growth_picture(growths: list[TanhGrowth], linear: LinearGrowth) -> Picture:
    """Draw Euler's growth: exponential for linear, a square root for tanh."""
    with styled():
        figure, (left, right) = panels(1, 2, height=2.9)
        left.loglog(linear.step, linear.exact, color=BLUE, label="½ log(1 + h²ω²)/h")
        left.loglog(
            linear.step, linear.measured, "o", color=VERMILION, label="measured"
        )
        left.set(xlabel="step h", ylabel="growth rate of the amplitude")
        left.set_title("linear: exponential")
        left.legend()
        for index, growth in enumerate(growths):
            for row, h in enumerate(growth.steps):
                scale = h * growth.frequency[row][:, None]
                pair = growth.values[row] / (0.5 * growth.size)
                for lane, line in enumerate(pair / scale):
                    right.loglog(
                        growth.counts,
                        line,
                        color=PALETTE[index],
                        ls=DASHES[index],
                        lw=0.6,
                        label=f"n = {growth.size}" if row == lane == 0 else None,
                    )
        counts = growths[0].counts
        right.loglog(counts, np.sqrt(2 * counts), color=BLACK, lw=1.6, label="√(2k)")
        right.set(xlabel="steps k", ylabel="H of a pair of neurons / (hω)")
        right.set_title("tanh: a square root")
        right.legend()
    return Picture.from_figure(
        figure,
        name="euler_growth",
        caption="Forward Euler. Left: growth rate of two linear neurons against the "
        "exact one. Right: energy of tanh networks, for each pair of neurons and "
        "over hω, against the number of steps, all h and seeds, with the law √(2k) of "
        "two neurons, that is H = √(2hω²t).",
        alt="Growth rates on their line; energies of all tanh networks run along the "
        "square root of the number of steps",
    )


def long_runs_picture(runs: list[LongRun], step: float) -> Picture:
    """Draw the energy error of every method over up to a million steps."""
    with styled():
        figure, (ax,) = panels(1, 1, height=3.4, width=6.0)
        for index, run in enumerate(runs):
            envelope = np.maximum.accumulate(np.maximum(run.error, 1e-16))
            ax.loglog(
                run.counts,
                envelope,
                color=PALETTE[index % len(PALETTE)],
                ls=DASHES[index % len(DASHES)],
                label=run.method.name,
            )
        ax.set(xlabel=f"steps of h = {step:g}", ylabel="largest |H/H₀ − 1| so far")
        figure.legend(*ax.get_legend_handles_labels(), loc="outside right upper")
    return Picture.from_figure(
        figure,
        name="energy_error",
        caption=f"Relative energy error of two tanh neurons, h = {step:g}, ω = 1, "
        "E = 1.5: largest so far. Euler grows as a square root, Heun and RK4 drift, "
        "the splittings and the implicit midpoint rule stay level, and the discrete "
        "gradient keeps H to rounding.",
        alt="Log-log curves of energy error against steps; only Euler, Heun and RK4 "
        "rise steadily",
    )
