# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a sweep to a phase diagram
#
# A leak makes a network settle, a symmetric gain makes it grow. Where is the border,
# and what lies on it? A sweep answers with hundreds of small networks in one compiled
# call, kept in a store that survives being killed, and opened as one labelled dataset.

# %%
import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np

from ctrnn_jax.experiments import EXPERIMENTS
from ctrnn_jax.plot import plot_sweep
from ctrnn_jax.sweep import open_sweep, sweep, verify

jax.config.update("jax_enable_x64", True)
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## A specification
#
# Two axes that are crossed, four networks at each point (another key each), everything
# else fixed. As a TOML file the same runs by `ctrnn sweep run spec.toml`.

# %%
spec = {
    "sweep": {"seed": 1, "repeats": 4},
    "grid": {
        "leak": {"start": 0.0, "stop": 0.4, "num": 17},
        "gain": {"start": 0.0, "stop": 0.4, "num": 17},
    },
    "fixed": {"num_neurons": 4, "steps": 1000, "dt0": 0.05},
}
oscillation = EXPERIMENTS["oscillation"]
for parameter in oscillation.parameters[:6]:
    print(f"{parameter.name:18} {parameter.default!s:8} {parameter.help}")

# %% [markdown]
# ## Run it, interrupt it, run it again
#
# A callback hears how far it is. This one stops the sweep half way, as Ctrl-C would;
# the same call goes on from there and computes nothing twice.

# %%
store = folder / "border.zarr"
heard = []


def watch(progress):
    heard.append(progress.done)
    if len(heard) == 4:
        raise KeyboardInterrupt


try:
    sweep(oscillation, spec, store=store, chunk_size=256, progress=watch)
except KeyboardInterrupt:
    kept = int((open_sweep(store).status == 0).sum())
    print(f"interrupted; {kept} runs are kept")

found = sweep(oscillation, spec, store=store, chunk_size=256)
whole = sweep(oscillation, spec, chunk_size=256)
assert (found.amplitude.values == whole.amplitude.values).all()
found[["amplitude", "period", "motion", "status"]]

# %% [markdown]
# Every file of the store carries its checksums:

# %%
report = verify(store)
assert report.okay
print(report.num_done, "chunks, all sound")

# %% [markdown]
# ## The phase diagram
#
# Below the diagonal the leak wins and the oscillation dies; above it the gain wins and
# it grows until the tanh stops it. Linear theory puts the border where both are equal:
# the eigenvalues of −γ + gI + W have real part g − γ.

# %%
figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.0), layout="constrained")
one = found.isel(repeat=0)
for ax, variable in zip(axes, ("motion", "amplitude"), strict=True):
    plot_sweep(one, variable, x="leak", y="gain", ax=ax)
    ax.plot([0, 0.4], [0, 0.4], color="white", linestyle="--", linewidth=1)
plt.show()

# %% [markdown]
# On the dashed line itself a tanh network is not linear: with g = γ > 0 the gain at
# large amplitude is smaller than the leak, so that it dies, though only slowly. At g =
# γ = 0 it is conservative, and oscillates for ever. How fast does the motion grow or
# die? The sweep measured that too, with its spread over the four networks of each
# point:

# %%
ax = plot_sweep(
    found.sel(gain=[0.0, 0.2, 0.4], method="nearest"), "growth", x="leak", lines="gain"
)
ax.axhline(0, color="0.6", linewidth=0.8)
plt.show()

# %% [markdown]
# Where the gain is 0 the rate is −γ to the last digits that the record allows: small
# oscillations only decay.

# %%
slope = np.polyfit(found.leak[4:], found.growth.sel(gain=0).mean("repeat")[4:], 1)[0]
print(f"growth = {slope:.3f} x leak")
assert abs(slope + 1) < 0.1
