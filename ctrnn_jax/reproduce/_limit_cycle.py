"""Gain against leak: the field that does have a limit cycle, beside the one without."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from ..fields import VoltageCTRNN
from ..integrate import RK4, simulate_ensemble
from ..matrices import GainPlusSkew, SkewSymmetric
from ._claim import Picture, Table
from ._criteria import fitted_slope, mean_period, window_sizes
from ._ensembles import with_weights
from ._periods import rotation
from ._style import BLACK, BLUE, DASHES, PALETTE, VERMILION, panels, styled

#: x' = −γx + (gI + W) tanh x
LEAK = 1.0
_STEP = 0.05
#: Sizes at which the initial states of the cycle start.
STARTS = (0.1, 1.0, 4.0)


@dataclasses.dataclass(frozen=True)
class Onset:
    """What is reached for each gain (first axis) and initial state (second).

    - `radius`: amplitude of x₁ at the end, half its range.
    - `frequency`: angular frequency at the end, NaN where nothing turns.
    """

    gain: np.ndarray
    radius: np.ndarray
    frequency: np.ndarray

    @property
    def above(self) -> np.ndarray:
        """Which gains exceed the leak."""
        return self.gain > LEAK

    @property
    def spread(self) -> np.ndarray:
        """Greatest over least radius of the initial states less one, where it turns."""
        turning = self.radius[self.turns]
        return turning.max(axis=1) / turning.min(axis=1) - 1

    @property
    def turns(self) -> np.ndarray:
        """At which gains there is a cycle: all starts keep turning."""
        return np.all(np.isfinite(self.frequency) & (self.radius > 1e-3), axis=1)


def measure_onset(
    gains: np.ndarray, *, angular_frequency: float, duration: float
) -> Onset:
    """Solve two neurons from three initial states for each gain."""
    weight, lanes = rotation(angular_frequency), np.repeat(gains, len(STARTS))
    y0 = np.tile(np.outer(STARTS, [1.0, 0.0]), (len(gains), 1))
    # A stretch to forget the start, then one to measure on.
    settled = _solve(weight, lanes, y0, np.array([0.0, duration]))[:, -1]
    span = 12 * 2 * np.pi / angular_frequency
    ts = np.linspace(0.0, span, int(np.ceil(span / _STEP)) + 1)
    ys = _solve(weight, lanes, settled, ts)
    g = lanes[:, None]
    slope = -LEAK * ys[..., 0] + g * np.tanh(ys[..., 0])
    slope = slope + angular_frequency * np.tanh(ys[..., 1])
    periods, sizes = [], []
    for lane, rate in zip(ys[..., 0], slope, strict=True):
        periods.append(mean_period(ts, lane, rate)[0])
        sizes.append(0.5 * (refined_maximum(lane) + refined_maximum(-lane)))
    shape = (len(gains), len(STARTS))
    return Onset(
        gains,
        np.reshape(sizes, shape),
        2 * np.pi / np.reshape(periods, shape),
    )


def refined_maximum(y: np.ndarray) -> float:
    """Return the peak of the parabola through the largest sample and its neighbours."""
    k = int(np.argmax(y))
    if k in (0, len(y) - 1):
        return float(y[k])
    before, peak, after = y[k - 1 : k + 2]
    bend = before - 2 * peak + after
    return float(peak if bend == 0 else peak - (after - before) ** 2 / (8 * bend))


def onset_law(onset: Onset, *, nearest: int) -> tuple[float, float, float]:
    """Fit radius = c ((g − γ)/g)^p over the `nearest` gains above γ.

    Returns p, c, and the frequency extrapolated linearly to g = γ. The averaged
    equation says p = 1/2 and c = 2.
    """
    keep = np.flatnonzero(onset.above & onset.turns)[:nearest]
    excess = onset.gain[keep] - LEAK
    x = np.log(excess / onset.gain[keep])
    y = np.log(onset.radius[keep].mean(axis=1))
    power = fitted_slope(x, y)
    factor = float(np.exp(y.mean() - power * x.mean()))
    frequency = onset.frequency[keep].mean(axis=1)
    rate = fitted_slope(excess, frequency)
    return power, factor, float(frequency.mean() - rate * excess.mean())


def amplitudes_without_gain(angular_frequency: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the amplitude at the start and late, of skew W alone from `STARTS`."""
    model = VoltageCTRNN(SkewSymmetric.from_matrix(rotation(angular_frequency)))
    y0 = jnp.asarray(np.outer(STARTS, [1.0, 0.0]))
    solution = simulate_ensemble(
        model, y0, np.linspace(0.0, 2000.0, 20001), dt0=_STEP, solver=RK4()
    )
    first = np.abs(np.asarray(solution.ys)[..., 0])
    return first[:, :1000].max(axis=1), first[:, -1000:].max(axis=1)


def attractors(size: int, *, gain: float, seeds: int, states: int, seed: int) -> Table:
    """Count what a network with many frequencies settles to above onset."""
    rng = np.random.default_rng([seed, size])
    rows = []
    for index in range(seeds):
        weight = np.triu(rng.normal(size=(size, size)) / np.sqrt(size), 1)
        y0 = 2 * rng.normal(size=(states, size))
        ts = np.linspace(0.0, 4000.0, 8001)
        ys = _solve(weight - weight.T, np.full(states, gain), y0, ts)
        sizes = np.array([window_sizes(lane)[0][2] for lane in ys])
        groups = 1 + np.count_nonzero(np.diff(np.sort(np.log(sizes))) > 0.01)
        rows.append(
            (
                f"{index}",
                f"{sizes.min():.4f} to {sizes.max():.4f}",
                f"{groups}",
            )
        )
    return Table(
        f"Where {states} initial states end: n = {size}, g = {gain:g}, γ = {LEAK:g}",
        ("seed", "final size", "groups more than 1 % apart"),
        tuple(rows),
        "All eigenvalues of gI + W − γI cross the axis together, so above onset the "
        "modes compete; initial states 2·N(0, 1), t = 4000.",
    )


def onset_picture(
    onset: Onset, law: tuple[float, float, float], angular_frequency: float
) -> Picture:
    """Draw the bifurcation, the cycle that attracts, and the family that does not."""
    with styled():
        figure, (left, pace, middle, right) = panels(2, 2, height=2.6)
        gains = np.linspace(LEAK, onset.gain[-1], 200)
        left.plot(
            gains, 2 * np.sqrt((gains - LEAK) / gains), color=BLUE, label="2√((g−γ)/g)"
        )
        left.plot([onset.gain[0], LEAK], [0, 0], color=BLUE)
        for index, start in enumerate(STARTS):
            left.plot(
                onset.gain,
                onset.radius[:, index],
                "osD"[index],
                color=PALETTE[index + 1],
                ms=6 - 2 * index,
                mfc="none",
                label=f"from |x| = {start:g}",
            )
        left.set(xlabel="gain g (leak γ = 1)", ylabel="amplitude of x₁")
        left.set_title("Hopf point at g = γ")
        left.legend()
        turns = onset.turns
        pace.plot(onset.gain[turns], onset.frequency[turns, 0], "o-", color=VERMILION)
        pace.axhline(angular_frequency, color=BLACK, ls=":", lw=0.8)
        pace.text(
            onset.gain[-1],
            angular_frequency,
            "eigenfrequency of W",
            ha="right",
            va="bottom",
        )
        pace.set(xlabel="gain g (leak γ = 1)", ylabel="angular frequency of the cycle")
        pace.set(xlim=left.get_xlim(), ylim=(0, 1.15 * angular_frequency))
        pace.set_title("from W's frequency at onset down to a stop")
        _draw_orbits(middle, angular_frequency, gain=1.5)
        _draw_orbits(right, angular_frequency, gain=None)
        middle.set_title("gain + skew: a limit cycle")
        right.set_title("skew alone: a family")
    return Picture.from_figure(
        figure,
        name="limit_cycle",
        caption="Top left: amplitude reached by x' = −γx + (gI + W) tanh x from three "
        f"initial states; near onset it grows as (g − γ)^{law[0]:.3f}. Top right: its "
        "frequency. Bottom left: at g = 1.5 all starts end on one cycle, isolated and "
        "attracting. Bottom right: skew W without leak keeps each start on an orbit of "
        "its own. Dots: initial states.",
        alt="Amplitude rises as a square root from the Hopf point; phase portraits of "
        "one attracting cycle and of three nested orbits",
    )


def _draw_orbits(ax: Axes, angular_frequency: float, *, gain: float | None) -> None:
    weight = rotation(angular_frequency)
    y0 = jnp.asarray(np.outer((0.3, 1.5, 3.0), [1.0, 0.0]))
    ts = np.linspace(0.0, 40.0, 2001)
    if gain is None:
        model = VoltageCTRNN(SkewSymmetric.from_matrix(weight))
        ys = simulate_ensemble(model, y0, ts, dt0=_STEP, solver=RK4()).ys
    else:
        ys = _solve(weight, np.full(3, gain), y0, ts)
        late = ys[1, -900:]
        ax.plot(late[:, 0], late[:, 1], color=BLACK, lw=2.2, zorder=3)
    for index, lane in enumerate(np.asarray(ys)):
        color = (BLUE, VERMILION, PALETTE[2])[index]
        ax.plot(lane[:, 0], lane[:, 1], color=color, ls=DASHES[index], lw=0.9)
        ax.plot(*lane[0], "o", color=color, ms=3.5)
    ax.set(xlabel="x₁", ylabel="x₂", aspect="equal")


def _solve(
    weight: np.ndarray, gains: np.ndarray, y0: object, ts: np.ndarray
) -> np.ndarray:
    """Return the states `(lane, time, n)` of the field with a gain for each lane."""
    skew = SkewSymmetric.from_matrix(weight)
    one = VoltageCTRNN(GainPlusSkew(skew, 0.0), leak=LEAK)
    every = eqx.filter_vmap(
        lambda gain: GainPlusSkew(skew, gain), out_axes=eqx.if_array(0)
    )(jnp.asarray(gains))
    model, axes = with_weights(one, every)
    solution = simulate_ensemble(
        model, jnp.asarray(y0), ts, dt0=_STEP, solver=RK4(), model_axes=axes
    )
    return np.asarray(solution.ys)
