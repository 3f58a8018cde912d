"""What every kind of figure has in common."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from analysis_results import (
    CAPACITY,
    DIAGRAM,
    FAMILY,
    FIXED,
    INDICATORS,
    LEARNING,
    LINES,
    MAP,
    NORMS,
    POINTS,
    SHARES,
    SPECTRUM,
)
from matplotlib import pyplot as plt

from ctrnn_jax import plot

TS = np.linspace(0.0, 9.0, 100)
YS = np.stack([np.cos(TS), -np.sin(TS)], axis=-1)
WAVES = np.sin(np.outer(TS, np.arange(1, 13)))
ORBIT = SimpleNamespace(ts=TS, ys=YS)
STACK = SimpleNamespace(ts=TS, ys=WAVES)
LANES = SimpleNamespace(ts=TS, ys=np.arange(1.0, 5.0)[:, None, None] * YS)
DRIFT = SimpleNamespace(ts=TS, energy=1e-6 * TS, initial_energy=np.array(1.0))
LABELS = ("forward Euler", "Heun", "RK4", "splitting, order 2", "discrete gradient")
RUNS = {label: (10.0 ** np.arange(1, 5), 10.0 ** -np.arange(4)) for label in LABELS}
WINDOW = (-2.0, 2.0)

KINDS = {
    "orbit": lambda ax: plot.plot_phase_portrait(ORBIT, ax=ax),
    "levels": lambda ax: plot.plot_level_sets(
        lambda y: (y**2).sum(-1), WINDOW, WINDOW, ax=ax
    ),
    "streamlines": lambda ax: plot.plot_vector_field(
        lambda t, y, args: -y, WINDOW, WINDOW, ax=ax
    ),
    "arrows": lambda ax: plot.plot_vector_field(
        lambda t, y, args: -y, WINDOW, WINDOW, kind="arrows", ax=ax
    ),
    "series": lambda ax: plot.plot_time_series(ORBIT, ax=ax),
    "stack": lambda ax: plot.plot_time_series(STACK, ax=ax),
    "fan": lambda ax: plot.plot_ensemble_fan(LANES, ax=ax),
    "drift": lambda ax: plot.plot_drift(dict.fromkeys(LABELS, DRIFT), ax=ax),
    "spectrum": lambda ax: plot.plot_spectrum(np.array([1j, -1j]), step=0.01, ax=ax),
    "far spectrum": lambda ax: plot.plot_spectrum(
        np.array([99j, -99j, -1.0]), step=1, methods=("tsit5", "leapfrog"), ax=ax
    ),
    "work": lambda ax: plot.plot_work_precision(RUNS, ax=ax),
    "convergence": lambda ax: plot.plot_lyapunov_convergence(SPECTRUM, ax=ax),
    "exponents": lambda ax: plot.plot_lyapunov_spectrum(SPECTRUM, pairing=True, ax=ax),
    "norms": lambda ax: plot.plot_gradient_norms(NORMS, label="a network", ax=ax),
    "capacity": lambda ax: plot.plot_memory_capacity(CAPACITY, label="skew", ax=ax),
    "learning": lambda ax: plot.plot_learning_curve(
        LEARNING, trivial_loss=0.5, label="a network", ax=ax
    ),
    "recall": lambda ax: plot.plot_score_against_delay(
        [30, 100, 300], [[1.0, 0.9, 0.2], [1.0, 0.7, 0.1]], label="a network", ax=ax
    ),
    "fixed points": lambda ax: plot.plot_fixed_points(POINTS, ax=ax),
    "multipliers": lambda ax: plot.plot_multipliers([1, 1, 0.5j, -0.5j, 2], ax=ax),
    "section": lambda ax: plot.plot_section(WAVES, ax=ax),
    "branch": lambda ax: plot.plot_branch(FIXED, "points", label="rest", ax=ax),
    "family": lambda ax: plot.plot_branch(FAMILY, "periods", ax=ax),
    "motions": lambda ax: plot.plot_bifurcation_diagram(DIAGRAM, ax=ax),
    "phases": lambda ax: plot.plot_phase_diagram([4, 8], [0.1, 1], SHARES, ax=ax),
    "frequency map": lambda ax: plot.plot_frequency_map(MAP, range(3), ax=ax),
    "megno": lambda ax: plot.plot_chaos_indicators(INDICATORS, label="one", ax=ax),
    "lines": lambda ax: plot.plot_frequencies(LINES, label="orbit", ax=ax),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_nothing_is_cut_off_and_the_legend_covers_no_data(kind):
    ax = KINDS[kind](None)
    figure = ax.figure
    figure.canvas.draw()
    drawn, page = ax.get_tightbbox(), figure.bbox
    assert drawn.x0 >= -0.5
    assert drawn.y0 >= -0.5
    assert drawn.x1 <= page.x1 + 0.5
    assert drawn.y1 <= page.y1 + 0.5
    if ax.get_legend() is not None:
        assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1
    assert figure.get_figwidth() <= 7.2
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert ax.get_title() == ""


@pytest.mark.parametrize("kind", list(KINDS))
def test_given_axes_are_drawn_into_and_nothing_else_is_touched(kind):
    before = dict(mpl.rcParams)
    _, (left, right) = plt.subplots(1, 2)
    assert KINDS[kind](right) is right
    assert right.has_data()
    assert not left.has_data()
    assert len(plt.get_fignums()) == 1
    assert dict(mpl.rcParams) == before
