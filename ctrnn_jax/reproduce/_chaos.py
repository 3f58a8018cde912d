"""The largest Lyapunov exponent of skew tanh networks, by size."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from ..fields import VoltageCTRNN, materialise
from ..integrate import CoordinateSplitting
from ..invariants import energy
from ..matrices import SkewSymmetric
from ._claim import Picture, Table
from ._criteria import mean_and_error
from ._style import BLACK, BLUE, PALETTE, VERMILION, interval, panels, styled

_STEP = 0.05
#: Time between normalisations of the tangent vector.
_STRETCH = 1.0


@dataclasses.dataclass(frozen=True)
class Exponents:
    """Largest exponents of one size and one scale of initial states, a seed each.

    - `value`, `error`: mean growth rate over the second part of the run, and its
      standard error from `blocks` of it.
    - `rates`: growth rate in each stretch, shape `(seed, stretch)`.
    """

    size: int
    scale: float
    value: np.ndarray
    error: np.ndarray
    energy: np.ndarray
    energy_drift: np.ndarray
    rates: np.ndarray


def largest_exponents(
    size: int, scale: float, *, seeds: int, seed: int, duration: float, blocks: int = 10
) -> Exponents:
    """Follow one tangent vector for each seed (Benettin et al., 1980).

    W = A − Aᵀ with A ~ N(0, 1)/√n, initial states `scale`·N(0, 1). The vector is
    carried by the derivative of the splitting step itself, which keeps volume, so
    that the integrator adds no growth of its own.
    """
    rng = np.random.default_rng([seed, size])
    dense = rng.normal(size=(seeds, size, size)) / np.sqrt(size)
    weights = jnp.asarray(dense - np.swapaxes(dense, 1, 2))
    y0 = jnp.asarray(scale * rng.normal(size=(seeds, size)))
    tangent = jnp.asarray(rng.normal(size=(seeds, size)))
    rates, final = _follow(
        weights, y0, tangent, jnp.asarray(_STEP), round(duration / _STRETCH)
    )
    rates = np.asarray(rates) / _STRETCH
    # The first tenth, in which the vector turns to the direction that grows, is left.
    kept = rates[:, rates.shape[1] // 10 :]
    kept = kept[:, : kept.shape[1] // blocks * blocks]
    means = kept.reshape(seeds, blocks, -1).mean(axis=2)
    value, error = zip(*(mean_and_error(lane) for lane in means), strict=True)
    # H = ΣΦ(xᵢ) does not depend on W, so that any lane's model gives it.
    model = VoltageCTRNN(SkewSymmetric.from_matrix(weights[0]))
    first, last = np.asarray(energy(model, jnp.stack([y0, final])))
    return Exponents(
        size,
        scale,
        np.asarray(value),
        np.asarray(error),
        first,
        np.abs(last / first - 1),
        rates,
    )


def _follow(
    weights: jax.Array, y0: jax.Array, tangent: jax.Array, step: jax.Array, count: int
) -> tuple[jax.Array, jax.Array]:
    """Return the logarithm of the growth in each stretch, and the final states."""
    solver = CoordinateSplitting(2)
    steps = round(_STRETCH / _STEP)

    def one(
        weight: jax.Array, y: jax.Array, vector: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        field = materialise(VoltageCTRNN(SkewSymmetric.from_matrix(weight)))

        def advance(y: jax.Array) -> jax.Array:
            return solver.advance(field, jnp.zeros_like(step), step, y, None, None)[0]

        def stretch(
            state: tuple[jax.Array, jax.Array], _: None
        ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            y, vector = jax.lax.fori_loop(
                0, steps, lambda _, pair: jax.jvp(advance, pair[:1], pair[1:]), state
            )
            length = jnp.linalg.norm(vector)
            return (y, vector / length), jnp.log(length)

        start = (y, vector / jnp.linalg.norm(vector))
        (final, _), growth = jax.lax.scan(stretch, start, None, length=count)
        return growth, final

    return jax.jit(jax.vmap(one))(weights, y0, tangent)


def resolution(runs: list[Exponents]) -> float:
    """Return the largest |exponent| of the sizes whose true exponent is 0 (n ≤ 3)."""
    known = [np.abs(run.value).max() for run in runs if run.size <= 3]
    return float(max(known))


def is_chaotic(run: Exponents, floor: float) -> np.ndarray:
    """Whether each exponent is clear of zero: 5 times `floor` and 5 errors."""
    return (run.value > 5 * floor) & (run.value > 5 * run.error)


def exponents_table(runs: list[Exponents], duration: float) -> Table:
    """List the exponents by size and scale."""
    floor = resolution(runs)
    rows = [
        (
            f"{run.size}",
            f"{run.scale:g}",
            interval(run.energy),
            interval(run.value, ".4f"),
            f"{run.error.max():.4f}",
            f"{is_chaotic(run, floor).sum()} of {len(run.value)}",
            f"{run.energy_drift.max():.1e}",
        )
        for run in runs
    ]
    return Table(
        "Largest Lyapunov exponent, skew W, tanh",
        ("n", "|x₀| scale", "E", "exponent", "largest error", "chaotic", "ΔE/E"),
        tuple(rows),
        f"Benettin's method over t = {duration:g}, first tenth left out; median "
        "[least, greatest] over seeds; errors from ten blocks. n = 2 and 3 are "
        f"integrable, so what they show, up to {floor:.1e}, is the resolution. "
        "Chaotic: above five times that and five errors; weaker chaos would go unseen.",
    )


def exponents_picture(runs: list[Exponents]) -> Picture:
    """Draw running estimates and the final ones."""
    floor = resolution(runs)
    scale = max(run.scale for run in runs)
    sizes = sorted({run.size for run in runs})
    with styled():
        figure, (left, right) = panels(1, 2, height=2.9)
        for index, size in enumerate(sizes):
            run = next(r for r in runs if r.size == size and r.scale == scale)
            t = np.arange(1, run.rates.shape[1] + 1) * _STRETCH
            mean = np.abs(np.cumsum(run.rates, axis=1)) * _STRETCH / t
            for lane, line in enumerate(mean):
                left.loglog(
                    t[9::10],
                    line[9::10],
                    color=PALETTE[index],
                    lw=0.7,
                    label=f"n = {size}" if lane == 0 else None,
                )
        left.set(xlabel="time t", ylabel="running estimate", ylim=(1e-5, 1))
        left.set_title(f"initial states {scale:g}·N(0, 1)")
        left.legend(ncols=2)
        for run in runs:
            small = run.scale < scale
            x = sizes.index(run.size) + (-0.12 if small else 0.12)
            right.errorbar(
                np.full(len(run.value), x),
                np.maximum(run.value, 1e-5),
                yerr=run.error,
                fmt="s" if small else "o",
                color=BLUE if small else VERMILION,
                mfc="none",
                ms=4,
                lw=0.6,
                label=f"x₀ ~ {run.scale:g}·N(0, 1)" if run.size == sizes[-1] else None,
            )
        right.axhline(5 * floor, color=BLACK, ls=":", lw=0.8)
        right.set(
            yscale="log",
            ylim=(8e-6, 0.3),
            xticks=range(len(sizes)),
            xticklabels=sizes,
            xlabel="neurons n",
            ylabel="largest Lyapunov exponent",
        )
        right.legend()
    return Picture.from_figure(
        figure,
        name="chaos",
        caption="Largest Lyapunov exponent of skew tanh networks. Left: running "
        "estimates fall as log t / t where motion is regular and level off where it is "
        "chaotic. Right: final estimates, one mark a seed (those below 1e-5 drawn "
        "there); dotted, the threshold for calling it chaos.",
        alt="Estimates for n = 2, 3 fall towards zero; most of n = 5 and 8 level off "
        "near 0.01 to 0.1",
    )
