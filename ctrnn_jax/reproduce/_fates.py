"""Who keeps oscillating: skew weights against six others, linear and tanh."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from .._types import PyTree
from ..fields import AbstractField, Linear, RateCTRNN, Tanh, VoltageCTRNN
from ..integrate import RK4, ExponentialStep, simulate_ensemble
from ..matrices import Unconstrained
from ._claim import Picture, Table
from ._criteria import FATE_CRITERIA, FATES, fate, window_sizes
from ._ensembles import with_weights
from ._style import DASHES, PALETTE, interval, panels, styled


@dataclasses.dataclass(frozen=True)
class Kind:
    """A way to draw W, and the leak that goes with it.

    Entries are drawn with variance `scale`²/n, so kinds of one scale have weights of
    one size.
    """

    name: str
    shape: str
    scale: float = 0.5
    leak: float = 0.0

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return one W."""
        dense = rng.normal(size=(size, size)) * self.scale / np.sqrt(size)
        upper = np.triu(dense, 1)
        if self.shape == "skew":
            return upper - upper.T
        if self.shape == "symmetric":
            return upper + upper.T + np.diag(np.diag(dense))
        if self.shape == "similar":
            change = np.eye(size) + 0.4 * rng.normal(size=(size, size)) / np.sqrt(size)
            return change @ (upper - upper.T) @ np.linalg.inv(change)
        return dense


SKEW = Kind("skew", "skew")
KINDS = (
    SKEW,
    Kind("skew, leak 0.05", "skew", leak=0.05),
    Kind("similar to skew, PWP⁻¹", "similar"),
    Kind("symmetric", "symmetric"),
    Kind("unconstrained", "unconstrained"),
    Kind("symmetric, scale 2, leak 1", "symmetric", scale=2.0, leak=1.0),
    Kind("unconstrained, scale 2, leak 1", "unconstrained", scale=2.0, leak=1.0),
)
#: Names of the three sets of runs.
LINEAR, TANH, RATE = "linear", "tanh", "tanh, rate form"

_STEP = 0.1
_SAMPLES = 4000


@dataclasses.dataclass(frozen=True)
class Runs:
    """Trajectories of one kind: `ys` (seed, time, n) and their fates."""

    form: str
    kind: Kind
    size: int
    ts: np.ndarray
    ys: np.ndarray
    weights: np.ndarray

    @property
    def fates(self) -> list[str]:
        """Return the fate of each seed."""
        return [fate(lane) for lane in self.ys]

    @property
    def kept(self) -> np.ndarray:
        """Last swing over first, of each seed that oscillates."""
        swings = [window_sizes(y)[1] for y in self.ys if fate(y) == "oscillates"]
        return np.asarray([swing[2] / swing[0] for swing in swings])


def run_fates(
    form: str, size: int, *, seeds: int, seed: int, duration: float
) -> list[Runs]:
    """Solve every kind with `seeds` weights and initial states from N(0, 1)."""
    kinds = (SKEW,) if form == RATE else KINDS
    # The same draws for each form, so that they differ in the form alone.
    rng = np.random.default_rng([seed, size])
    y0 = rng.normal(size=(seeds, size))
    ts = np.linspace(0.0, duration, _SAMPLES + 1)
    runs = []
    for leak in dict.fromkeys(kind.leak for kind in kinds):
        here = [kind for kind in kinds if kind.leak == leak]
        weights = np.stack([kind.draw(size, rng) for kind in here for _ in y0])
        starts = jnp.asarray(np.tile(y0, (len(here), 1)))
        # The linear field is solved exactly, in steps of a sample.
        model, axes = _lanes(form, weights, leak)
        solution = simulate_ensemble(
            model,
            starts,
            ts,
            dt0=ts[1] if form == LINEAR else _STEP,
            solver=ExponentialStep() if form == LINEAR else RK4(),
            model_axes=axes,
        )
        ys = np.asarray(solution.ys)
        if form == RATE:
            # Judged by the currents W r, which obey the voltage form: r itself moves
            # freely along the kernel of W, and far along its slowest directions.
            ys = np.einsum("lij,ltj->lti", weights, ys)
        shape = (len(here), seeds)
        runs += [
            Runs(form, kind, size, ts, lanes, weight)
            for kind, lanes, weight in zip(
                here,
                ys.reshape(*shape, len(ts), size),
                weights.reshape(*shape, size, size),
                strict=True,
            )
        ]
    return sorted(runs, key=lambda run: kinds.index(run.kind))


def _lanes(form: str, weights: np.ndarray, leak: float) -> tuple[AbstractField, PyTree]:
    """Return one model for each W, with one leak, and its `model_axes`."""
    build = RateCTRNN if form == RATE else VoltageCTRNN
    activation = Linear() if form == LINEAR else Tanh()
    one = Unconstrained.from_matrix(weights[0])
    every = eqx.filter_vmap(Unconstrained.from_matrix)(jnp.asarray(weights))
    model = build(one, activation=activation, leak=leak, bias=None, input_weight=None)
    return with_weights(model, every)


def fates_table(runs: list[Runs], duration: float) -> Table:
    """Count the fates: a row for each kind, a column for each n."""
    sizes = sorted({run.size for run in runs})
    rows = []
    for form in (LINEAR, TANH, RATE):
        for kind in KINDS:
            here = {r.size: r for r in runs if r.form == form and r.kind == kind}
            if here:
                cells = [_count(here[n].fates) if n in here else "–" for n in sizes]
                kept = [here[n].kept for n in sizes if n in here]
                ratios = np.concatenate(kept)
                spread = interval(ratios) if len(ratios) else "–"
                rows.append((form, kind.name, *cells, spread))
    return Table(
        f"What becomes of it by t = {duration:g}",
        ("field", "W", *(f"n = {n}" for n in sizes), "swing kept"),
        tuple(rows),
        f"Seeds by fate. {FATE_CRITERIA} Swing kept: last over first tenth, median "
        "[least, greatest] over the oscillating runs of all n. Entries of W have "
        "variance scale²/n, scale 0.5 unless named; initial states N(0, 1). tanh: RK4, "
        f"h = {_STEP}; linear: exact exponential. The rate form is judged by its "
        "currents W r.",
    )


def _count(fates: list[str]) -> str:
    found = [(fates.count(name), name) for name in FATES if name in fates]
    if len(found) == 1:
        return f"all {found[0][0]} {_plural(found[0][1])}"
    return ", ".join(f"{count} {_plural(name, count)}" for count, name in found)


def _plural(name: str, count: int = 2) -> str:
    verbs = {"oscillates": "oscillate", "settles": "settle"}
    verbs |= {"dies": "die", "diverges": "diverge", "unclear": "unclear"}
    return verbs[name] if count > 1 else name


def swings_picture(runs: list[Runs], size: int) -> Picture:
    """Draw the swing of each run over time, for one n."""
    with styled():
        figure, axes = panels(1, 2, height=3.3, sharey=True)
        for ax, form in zip(axes, (LINEAR, TANH), strict=True):
            for index, kind in enumerate(KINDS):
                for run in runs:
                    if (run.form, run.kind, run.size) == (form, kind, size):
                        _draw_swings(ax, run, index)
            ax.set(xscale="log", yscale="log", ylim=(1e-6, 1e6))
            ax.set(title=f"{form}, n = {size}", xlabel="time t (units of tau)")
        axes[0].set_ylabel("swing: rms of x − mean, by window")
        figure.legend(
            *axes[1].get_legend_handles_labels(), ncols=3, loc="outside lower center"
        )
    return Picture.from_figure(
        figure,
        name="who_keeps_oscillating",
        caption=f"Swing of the activity over time for n = {size}, all seeds (what "
        "grows fast is off the scale from the start). While linear, only a skew W "
        "or one similar to it stays level. With tanh the skew "
        "ones stay level; a similar one is no longer safe, and some unconstrained "
        "networks with gain against their leak keep swinging by saturation.",
        alt="Two log-log panels of the swing of activity against time, linear and "
        "tanh: skew runs stay level, leaky ones die, symmetric and unconstrained ones "
        "grow, die or settle",
    )


def _draw_swings(ax: Axes, run: Runs, index: int) -> None:
    # Windows of equal length in log t, the last of which are long.
    edges = np.unique(np.geomspace(16, len(run.ts), 24).astype(int))
    edges = np.concatenate([[0], edges])
    for lane, ys in enumerate(run.ys):
        with np.errstate(over="ignore", invalid="ignore"):
            swing = [
                np.sqrt(np.sum(ys[a:b].var(axis=0)))
                for a, b in zip(edges[:-1], edges[1:], strict=True)
            ]
        swing = np.where(np.isfinite(swing), swing, np.inf)
        ax.plot(
            run.ts[edges[1:] - 1],
            np.clip(swing, 1e-12, 1e12),
            color=PALETTE[index],
            ls=DASHES[index],
            lw=0.9,
            label=run.kind.name if lane == 0 else None,
        )


def first_and_last_picture(runs: list[Runs], size: int, span: float) -> Picture:
    """Draw two neurons at the start and, solved on from the end, of one tanh run."""
    wanted = [r for r in runs if r.form == TANH and r.size == size]
    ts = np.linspace(0.0, span, 601)
    duration = wanted[0].ts[-1]
    with styled():
        figure, grid = panels(len(wanted), 2, height=0.85, sharex="col")  # pyright: ignore[reportArgumentType]
        for row, run in enumerate(wanted):
            model, axes = _lanes(TANH, run.weights[[0, 0]], run.kind.leak)
            starts = jnp.asarray(run.ys[0, [0, -1]])
            solution = simulate_ensemble(
                model,
                starts,
                ts,
                dt0=_STEP / 2,
                solver=RK4(),
                model_axes=axes,
            )
            for column, ys in enumerate(np.asarray(solution.ys)):
                ax = grid[2 * row + column]
                for neuron in range(2):
                    ax.plot(
                        ts + column * duration,
                        ys[:, neuron],
                        color=PALETTE[neuron],
                        ls=DASHES[neuron],
                    )
                ax.set_title(
                    f"{run.kind.name}: {fate(run.ys[0])}" if column == 0 else "",
                    loc="left",
                    fontsize=8,
                )
        grid[-2].set_xlabel("time, from the start")
        grid[-1].set_xlabel(f"time, from t = {duration:g}")
    return Picture.from_figure(
        figure,
        name="first_and_last",
        caption=f"Two neurons (solid, dashed) of one tanh network for each kind of W, "
        f"n = {size}: the first {span:g} and the last {span:g} time units. Mind the "
        "scales.",
        alt="Time series at the start and at the end of the run for each kind of W; "
        "only skew W looks alike in both without leak and gain",
    )
