"""The period of two tanh neurons against its closed form, over the energy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ellipkm1

from ..fields import VoltageCTRNN
from ..integrate import CoordinateSplitting, simulate_ensemble
from ..invariants import drift
from ..matrices import SkewSymmetric
from ._claim import Picture, Table
from ._criteria import mean_period
from ._style import BLACK, BLUE, VERMILION, panels, styled

_STEP = 0.02


def exact_period(energy: np.ndarray, angular_frequency: float = 1.0) -> np.ndarray:
    r"""Return $4K(m)/\omega$ with $m = 1 - e^{-2E}$, of two tanh neurons."""
    return 4 * ellipkm1(np.exp(-2 * np.asarray(energy))) / angular_frequency


def start_at_energy(energy: np.ndarray) -> np.ndarray:
    """Return states `(batch, 2)` on the first axis with the given energies."""
    first = np.arcsinh(np.sqrt(np.expm1(2 * np.asarray(energy))))
    return np.stack([first, np.zeros_like(first)], axis=-1)


def rotation(angular_frequency: float) -> np.ndarray:
    """Return ω [[0, 1], [−1, 0]]."""
    return angular_frequency * np.array([[0.0, 1.0], [-1.0, 0.0]])


@dataclasses.dataclass(frozen=True)
class Periods:
    """Measured and exact periods, with one entry for each energy."""

    energy: np.ndarray
    measured: np.ndarray
    exact: np.ndarray
    counts: np.ndarray
    energy_drift: np.ndarray

    @property
    def relative_error(self) -> np.ndarray:
        """|measured − exact| / exact."""
        return np.abs(self.measured / self.exact - 1)


def measure_periods(
    energies: np.ndarray, *, angular_frequency: float, least_periods: int
) -> Periods:
    """Measure periods by zero crossings of the first neuron."""
    exact = exact_period(energies, angular_frequency)
    intervals = int(np.ceil((least_periods + 1.5) * exact.max() / _STEP))
    ts = np.arange(intervals + 1) * _STEP
    model = VoltageCTRNN(SkewSymmetric.from_matrix(rotation(angular_frequency)))
    starts = jnp.asarray(start_at_energy(energies))
    solution = simulate_ensemble(
        model, starts, ts, dt0=_STEP, solver=CoordinateSplitting(6)
    )
    ys = np.asarray(solution.ys)
    slopes = angular_frequency * np.tanh(ys[:, :, 1])
    found = [
        mean_period(ts, lane, slope)
        for lane, slope in zip(ys[:, :, 0], slopes, strict=True)
    ]
    measured, counts = zip(*found, strict=True)
    return Periods(
        energies,
        np.asarray(measured),
        exact,
        np.asarray(counts),
        np.asarray(jax.device_get(drift(model, solution).max_relative_energy)),
    )


def periods_table(periods: Periods) -> Table:
    """List measured against exact periods."""
    rows = [
        (f"{e:.4g}", f"{t:.10f}", f"{x:.10f}", f"{r:.1e}", f"{c}", f"{d:.1e}")
        for e, t, x, r, c, d in zip(
            periods.energy,
            periods.measured,
            periods.exact,
            periods.relative_error,
            periods.counts,
            periods.energy_drift,
            strict=True,
        )
    ]
    return Table(
        "Period of two tanh neurons",
        ("E", "measured", "4K(m)/ω", "relative error", "periods", "energy drift"),
        tuple(rows),
        "Splitting of order 6, h = 0.02; upward zero crossings of the first neuron on "
        "the cubic through values and slopes. Energy drift: relative, its largest.",
    )


def periods_picture(periods: Periods, angular_frequency: float) -> Picture:
    """Draw T(E) and the errors."""
    with styled():
        figure, (left, right) = panels(1, 2, height=2.7)
        line = np.geomspace(periods.energy[0], periods.energy[-1], 200)
        left.plot(
            line, exact_period(line, angular_frequency), color=BLUE, label="4K(m)/ω"
        )
        left.plot(
            periods.energy,
            periods.measured,
            "o",
            color=VERMILION,
            ms=4,
            label="measured",
        )
        left.axhline(2 * np.pi / angular_frequency, color=BLACK, ls=":", lw=0.8)
        left.text(
            line[-1],
            2 * np.pi / angular_frequency,
            "linear, 2π/ω",
            ha="right",
            va="bottom",
        )
        left.set(xscale="log", yscale="log", xlabel="energy E", ylabel="period T")
        left.legend()
        right.loglog(
            periods.energy,
            np.maximum(periods.relative_error, 1e-17),
            "o",
            color=VERMILION,
        )
        right.axhline(1e-8, color=BLACK, ls=":", lw=0.8)
        right.set(
            xlabel="energy E", ylabel="relative error of the period", ylim=(1e-16, 1e-7)
        )
    return Picture.from_figure(
        figure,
        name="period",
        caption="Period of two tanh neurons against energy: measured (points) and "
        "exact (line), and their relative difference; dotted at 1e-8. The period "
        "depends on the orbit: a family of orbits, not one limit cycle.",
        alt="Measured periods lie on the exact curve, which rises from 2 pi over omega",
    )
