"""Draw the README's figure: `python docs/images/readme.py` writes readme.png here."""

from pathlib import Path

import diffrax
import jax
import matplotlib.pyplot as plt
import numpy as np

import ctrnn_jax as cj
from ctrnn_jax import plot

jax.config.update("jax_enable_x64", True)

model = cj.VoltageCTRNN(cj.BlockRotation.from_matrix(np.array([[0.0, 1], [-1, 0]])))
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")

plot.plot_vector_field(model, (-4, 4), (-4, 4), ax=left, color="0.8")
plot.plot_level_sets(lambda y: cj.energy(model, y), (-4, 4), (-4, 4), ax=left)
ts = np.linspace(0.0, 25.0, 501)
for amplitude in (0.7, 1.8, 3.0):
    start = np.array([amplitude, 0.0])
    orbit = cj.simulate(model, start, ts, dt0=0.05, solver=cj.Leapfrog())
    plot.plot_phase_portrait(orbit, ax=left)

ts = np.linspace(0.0, 10_000.0, 2001)
drifts = {}
for solver in (
    diffrax.Euler(),
    diffrax.Heun(),
    cj.RK4(),
    cj.CoordinateSplitting(),
    cj.CoordinateSplitting(4),
    cj.DiscreteGradient(),
):
    order = f", order {solver._order}" if hasattr(solver, "_order") else ""
    solution = cj.simulate(model, np.array([1.0, 0.0]), ts, dt0=0.1, solver=solver)
    drifts[type(solver).__name__ + order] = cj.drift(model, solution)
plot.plot_drift(drifts, envelope=True, ax=right)

fig.savefig(Path(__file__).with_name("readme.png"), dpi=130)
