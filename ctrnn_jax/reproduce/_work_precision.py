"""What accuracy costs: error against products with W, for every method."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from ..fields import VoltageCTRNN
from ..integrate import simulate_ensemble
from ..matrices import SkewSymmetric
from ..plot import plot_work_precision
from ._claim import Picture, Table
from ._criteria import fitted_slope
from ._growth import energies, scaled_model
from ._methods import Method, products_a_step
from ._periods import exact_period, rotation, start_at_energy
from ._style import panels, styled

_LEAST_LOG = 7  # 2⁷ steps are the fewest


@dataclasses.dataclass(frozen=True)
class WorkPrecision:
    """Errors of one method over the number of steps, fewest first.

    - `work`: products with W in the whole run.
    - `state_error`: distance from the exact final state (two neurons).
    - `energy_error`: largest |H/H₀ − 1|, for `size` neurons.
    """

    method: Method
    size: int
    step: np.ndarray
    work: np.ndarray
    state_error: np.ndarray
    energy_error: np.ndarray

    @property
    def order(self) -> float:
        """Observed order: slope of the state error between 1e-10 and 0.01."""
        use = (self.state_error < 1e-2) & (self.state_error > 1e-10)
        if np.sum(use) < 2:
            return float("nan")
        return fitted_slope(np.log(self.step[use]), np.log(self.state_error[use]))


def work_precision(
    methods: list[Method], *, size: int, seed: int, periods: int, most_log: int
) -> list[WorkPrecision]:
    """Run every method with 2⁷, 2⁸, … 2^`most_log` steps over the same time.

    Two neurons (ω = 1, E = 2) over whole periods, after which the exact state is the
    first one; or a random skew network over the same time, judged by its energy. All
    numbers of steps run side by side as lanes with weights hW, each read off when it
    is there.
    """
    duration = periods * exact_period(np.array([2.0]))[0]
    if size == 2:
        weight, y0 = rotation(1.0), start_at_energy(np.array([2.0]))[0]
    else:
        rng = np.random.default_rng([seed, size])
        dense = rng.normal(size=(size, size)) / np.sqrt(2 * size)
        weight, y0 = dense - dense.T, rng.normal(size=size)
    return [
        _run_method(
            method,
            weight,
            y0,
            duration,
            # Second-order methods whose steps cost most get the fewest.
            most_log - 2 if method.implicit else most_log,
        )
        for method in methods
    ]


def _run_method(
    method: Method, weight: np.ndarray, y0: np.ndarray, duration: float, most_log: int
) -> WorkPrecision:
    logs = np.arange(_LEAST_LOG, most_log + 1)
    steps = duration / 2.0**logs
    # Sampled 32 times in the shortest run, which is not in step with the period.
    ends = 2 ** (logs - _LEAST_LOG + 5)
    counts = np.linspace(0.0, 2.0**most_log, ends[-1] + 1)
    solution = simulate_ensemble(
        scaled_model(np.tile(weight, (len(logs), 1, 1)), steps),
        jnp.asarray(np.tile(y0, (len(logs), 1))),
        counts,
        dt0=1.0,
        solver=method.solver,
        model_axes=0,
    )
    # Each lane while it runs; what it does after its end is left.
    lanes = [
        ys[: end + 1] for ys, end in zip(np.asarray(solution.ys), ends, strict=True)
    ]
    field = VoltageCTRNN(SkewSymmetric.from_matrix(weight))
    costs, errors = [], []
    for ys, step in zip(lanes, steps, strict=True):
        some = ys[np.linspace(0, len(ys) - 1, 16).astype(int)]
        costs.append(products_a_step(method, field, some, float(step)))
        values = energies(ys)
        errors.append(np.abs(values / values[0] - 1).max())
    return WorkPrecision(
        method,
        len(y0),
        steps,
        np.asarray(costs) * 2.0**logs,
        np.array([np.linalg.norm(ys[-1] - y0) for ys in lanes]),
        np.asarray(errors),
    )


def work_table(plane: list[WorkPrecision]) -> Table:
    """List orders, and costs and errors at the step nearest to 0.1."""
    rows = []
    for run in plane:
        index = int(np.argmin(np.abs(run.step - 0.1)))
        rows.append(
            (
                run.method.name,
                f"{run.method.order}",
                f"{run.order:.2f}",
                f"{run.step[index]:.3f}",
                f"{run.work[index] * run.step[index] / _duration(run):.1f}",
                f"{run.state_error[index]:.1e}",
                f"{run.energy_error[index]:.1e}",
            )
        )
    return Table(
        "Two tanh neurons at one step size",
        ("method", "order", "observed", "h", "products a step", "state error", "ΔH/H"),
        tuple(rows),
        f"E = 2, ω = 1, t = {_duration(plane[0]):.1f}: whole periods, so that the "
        "exact final state is the first. A product is one with W and its evaluation "
        "of φ; an implicit iteration counts 1 + n of them. Observed order: slope of "
        "the state error between 0.01 and 1e-10.",
    )


def _duration(run: WorkPrecision) -> float:
    return float(run.step[0] * 2**_LEAST_LOG)


def work_picture(plane: list[WorkPrecision], many: list[WorkPrecision]) -> Picture:
    """Draw state error for two neurons, and energy error for more."""
    with styled():
        figure, (left, right) = panels(1, 2, height=3.6, width=7.4)
        label = "work: products with W"
        plot_work_precision(
            {
                run.method.name: (run.work, np.maximum(run.state_error, 1e-16))
                for run in plane
            },
            work_label=label,
            error_label="error of the final state",
            ax=left,
        )
        plot_work_precision(
            {
                run.method.name: (run.work, np.maximum(run.energy_error, 1e-16))
                for run in many
            },
            orders=(),
            work_label=label,
            error_label="largest |H/H₀ − 1|",
            ax=right,
        )
        for ax, size in ((left, 2), (right, many[0].size)):
            legend = ax.get_legend()
            if legend is not None:
                legend.remove()
            ax.set_title(f"n = {size}")
        handles, labels = left.get_legend_handles_labels()
        shown = [
            (h, text)
            for h, text in zip(handles, labels, strict=True)
            if not text.startswith("_")
        ]
        figure.legend(*zip(*shown, strict=True), ncols=4, loc="outside lower center")
    return Picture.from_figure(
        figure,
        name="work_precision",
        caption="Error against work, tanh, skew W. Left: two neurons against the exact "
        "solution. Right: energy error of a random network. Work is counted in "
        "products with W (and evaluations of φ), which is the same on every machine.",
        alt="Log-log curves: higher orders fall faster; the discrete gradient's energy "
        "error stays at rounding for all steps",
    )
