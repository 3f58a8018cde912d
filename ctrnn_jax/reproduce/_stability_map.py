"""Which steps are stable: energy after many steps, method by method."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from matplotlib.colors import TwoSlopeNorm

from ..integrate import simulate_ensemble
from ..plot import plot_spectrum
from ._claim import Picture, Table
from ._growth import energies, scaled_model
from ._methods import Method
from ._periods import rotation
from ._style import BLACK, BLUE, panels, styled

#: Largest stable h·ω on the imaginary axis, where theory gives it.
THEORY = {
    "Euler": 0.0,
    "Heun": 0.0,
    "RK4": 2 * np.sqrt(2),
    "splitting 2": 2.0,
    "implicit midpoint": np.inf,
    "discrete gradient": np.inf,
}
_CLIP = 8.0


@dataclasses.dataclass(frozen=True)
class StabilityMap:
    """log₁₀ of the final over the first energy, shape `(method, step)`."""

    methods: list[Method]
    count: int
    angle: np.ndarray
    linear: np.ndarray
    tanh: np.ndarray

    def limit(self, row: int) -> float:
        """Return the smallest h·ω whose linear energy more than doubled, or NaN."""
        grown = np.flatnonzero(self.linear[row] > np.log10(2.0))
        return float(self.angle[grown[0]]) if len(grown) else float("nan")


def stability_map(methods: list[Method], *, count: int, points: int) -> StabilityMap:
    """Step two neurons `count` times with every method, for h·ω up to 4."""
    angle = np.linspace(4.0 / points, 4.0, points)
    weight = np.tile(rotation(1.0), (points, 1, 1))
    y0 = jnp.asarray(np.tile([1.0, 0.0], (points, 1)))
    ends = np.array([0.0, count])
    table = {}
    for linear in (True, False):
        model = scaled_model(weight, angle, linear=linear)
        rows = []
        for method in methods:
            ys = simulate_ensemble(
                model, y0, ends, dt0=1.0, solver=method.solver, model_axes=0
            ).ys
            with np.errstate(over="ignore", invalid="ignore"):
                values = energies(np.asarray(ys), linear=linear)
                ratio = values[:, 1] / values[:, 0]
            ratio = np.where(np.isfinite(ratio), np.maximum(ratio, 1e-300), 1e300)
            rows.append(np.log10(ratio))
        table[linear] = np.asarray(rows)
    return StabilityMap(methods, count, angle, table[True], table[False])


def stability_table(found: StabilityMap) -> Table:
    """List where each method stops being stable, in theory and as found."""
    rows = []
    last = f"> {found.angle[-1]:g}"
    for row, method in enumerate(found.methods):
        theory = THEORY.get(method.name)
        limit = found.limit(row)
        measured = last if np.isnan(limit) else f"{limit:.2f}"
        rows.append(
            (
                method.name,
                "–"
                if theory is None
                else "all"
                if np.isinf(theory)
                else f"{theory:.2f}",
                measured,
                f"{np.clip(found.linear[row].max(), -99, 99):.1f}",
                f"{found.tanh[row].max():.1f}",
            )
        )
    return Table(
        f"Largest stable h·ω on the imaginary axis ({found.count} steps)",
        ("method", "theory", "first growth seen", "linear, worst", "tanh, worst"),
        tuple(rows),
        "First growth: the smallest of "
        f"{len(found.angle)} values of h·ω up to 4 at which the linear energy more "
        "than doubled (a split step keeps a nearby energy, and H only "
        "swings). Worst: log₁₀ of final over first energy, its largest over h·ω "
        "(99 stands for overflow). Start (1, 0).",
    )


def stability_picture(found: StabilityMap) -> Picture:
    """Draw both maps."""
    with styled():
        figure, axes = panels(1, 2, height=3.0, sharey=True)
        norm = TwoSlopeNorm(0.0, -_CLIP, _CLIP)
        mesh = None
        for ax, values, title in zip(
            axes, (found.linear, found.tanh), ("linear", "tanh"), strict=True
        ):
            mesh = ax.pcolormesh(
                found.angle,
                np.arange(len(found.methods)),
                np.clip(values, -_CLIP, _CLIP),
                cmap="PuOr_r",
                norm=norm,
                shading="nearest",
            )
            ax.set(title=title, xlabel="h·ω")
            names = [method.name for method in found.methods]
            ax.set_yticks(range(len(names)), names)
            for row, method in enumerate(found.methods):
                limit = THEORY.get(method.name, np.inf)
                if np.isfinite(limit):
                    ax.plot([limit] * 2, [row - 0.5, row + 0.5], color=BLACK, lw=1.6)
            ax.set_xlim(0, found.angle[-1])
        axes[0].invert_yaxis()
        assert mesh is not None
        figure.colorbar(mesh, ax=axes, label="log₁₀ of H after / H before")
    return Picture.from_figure(
        figure,
        name="stability_map",
        caption=f"Energy of two neurons after {found.count} steps, clipped at 10^±8: "
        "white is kept, orange grew, purple died. Bars: the limit on the imaginary "
        "axis in theory. tanh turns blow-up into slow growth for all explicit ones.",
        alt="Heat maps of energy ratio by method and step: strong growth for linear "
        "Euler and Heun at all steps, only mild growth with tanh",
    )


def spectrum_picture(*, size: int, step: float, seed: int) -> Picture:
    """Draw the spectra of a skew and an unconstrained W on the stability regions."""
    rng = np.random.default_rng([seed, size])
    dense = rng.normal(size=(size, size)) / np.sqrt(size)
    upper = np.triu(dense, 1)
    with styled():
        figure, axes = panels(1, 2, height=3.6)
        weights = {"skew": upper - upper.T, "unconstrained": dense}
        for ax, (name, weight) in zip(axes, weights.items(), strict=True):
            plot_spectrum(
                np.linalg.eigvals(weight),
                step=step,
                ax=ax,
                color=BLUE,
                label="eigenvalues",
            )
            legend = ax.get_legend()
            if legend is not None:
                legend.remove()
            ax.set_title(f"{name} W, n = {size}, h = {step:g}")
        figure.legend(
            *axes[0].get_legend_handles_labels(), ncols=3, loc="outside lower center"
        )
    return Picture.from_figure(
        figure,
        name="spectrum",
        caption="Eigenvalues of h·W on the regions where each method keeps a linear "
        "mode bounded. Those of a skew W lie on the imaginary axis, outside Euler's "
        "and Heun's regions for every h; half of an unconstrained W's grow "
        "whatever the method.",
        alt="Eigenvalues of a skew W on the imaginary axis, of an unconstrained W in a "
        "disc, over outlines of stability regions",
    )
