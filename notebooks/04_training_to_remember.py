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
# # Training to remember, and looking inside
#
# There are two ways to keep what one was told. A network with *attractors* falls into
# one of several states and stays. A *conservative* one falls nowhere: it keeps what it
# was told in amplitudes and phases that never decay. This notebook trains one of each,
# on the task that suits it, and then opens both with the analysis suite.

# %%
import jax
import jax.numpy as jnp
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np

from ctrnn_jax.analysis import find_fixed_points
from ctrnn_jax.networks import initial_motion, make_network
from ctrnn_jax.plot import plot_fixed_points
from ctrnn_jax.tasks import CopyMemory, FlipFlop
from ctrnn_jax.train import evaluate, fit, make_optimiser

# %% [markdown]
# ## Three bits to hold: a network with attractors
#
# In the flip-flop task pulses of ±1 arrive on three channels, and the network must
# always show the latest on each. `"gain-skew"` is
# $x' = -\gamma x + (gI + W)\tanh x + Bu + b$ with skew W and $g > \gamma$: each neuron
# alone has two stable states, and W couples them. Three neurons could hold three bits;
# whether training finds how is another matter.

# %%
flip_flop = FlipFlop()
network = make_network("gain-skew", flip_flop, size=3, input_scale=1.0, key=jr.key(0))
keeper, history = fit(
    network,
    flip_flop,
    optim=make_optimiser(1e-2, 800, weight_rate=1.0),
    num_steps=800,
    batch_size=64,
    key=jr.key(1),
    validate_every=100,
)
print(evaluate(keeper, flip_flop))

# %% [markdown]
# The mean squared error is near zero; predicting nothing would leave 1. Where do the
# trials come to rest without input? Candidates are the states that test trials visit.
# Newton's method then finds the fixed points, and the eigenvalues of the Jacobian say
# which of them attract.

# %%
cell = keeper.cells[0]
trials = flip_flop.held_out("test").inputs
visited = jax.vmap(lambda u: cell.scan(cell.initial_state(), u)[1])(trials)
candidates = np.asarray(visited[:, 7::8]).reshape(-1, cell.output_size)
points = find_fixed_points(cell.field, candidates[:512])
stable = np.array([kind == "stable" for kind in points.kinds])
print(f"{len(stable)} fixed points, {stable.sum()} of them stable")

# %% [markdown]
# What does the readout say at the stable ones? One for each of the eight settings of
# three bits:

# %%
answers = np.asarray(jax.vmap(keeper.readout)(jnp.asarray(points.points)[stable]))
settings = {tuple(np.sign(answer).astype(int)) for answer in answers}
print(np.round(answers, 2))
assert len(settings) == stable.sum() == 8

# %% [markdown]
# Eight stable points, one for each answer, and no other point that trials lead to. More
# neurons than bits leave room for more: with eight neurons training ends with
# attractors to spare, several for one answer, or, where pulses come so fast that
# nothing need be kept for long, with slow orbits instead of stable points.

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].semilogy(history.validation_steps, history.validation_scores["loss"], "o-")
axes[0].axhline(1.0, color="0.5", ls="--")
axes[0].set_xlabel("step")
axes[0].set_ylabel("validation MSE; dashed: predicting 0")
axes[1].plot(*np.asarray(visited[:24, :, :2]).T, color="0.8", lw=0.6)
plot_fixed_points(points, ax=axes[1])
plt.show()

# %% [markdown]
# A conservative network on the same task, with five times the neurons, has nothing to
# fall into: each pulse moves it to another orbit, the pulses before never fade, and no
# orbit shows a constant. It stays far from zero error.

# %%
keeper_of_energy, _ = fit(
    make_network("tanh-skew", flip_flop, size=16, key=jr.key(0)),
    flip_flop,
    optim=make_optimiser(1e-2, 800, weight_rate=1.0),
    num_steps=800,
    batch_size=64,
    key=jr.key(1),
    validate_every=100,
)
print(evaluate(keeper_of_energy, flip_flop))

# %% [markdown]
# ## Ten symbols through a delay: a network that never forgets
#
# In copy memory ten symbols are shown, and asked for after a hundred silent samples.
# `"linear-rotation"` turns n/2 planes by phases spread round the circle. Its state
# neither grows nor decays, and differences between two sequences never do either:

# %%
copy = CopyMemory(100)
untrained = make_network("linear-rotation", copy, size=128, hidden=128, key=jr.key(2))
motion = initial_motion(untrained, copy, key=jr.key(3))
print("log growth of a small difference:", motion.growth.round(4))

# %%
copier, copying = fit(
    untrained,
    copy,
    optim=make_optimiser(3e-3, 150, weight_rate=1.0),
    num_steps=150,
    batch_size=32,
    key=jr.key(4),
    validate_every=25,
)
print(evaluate(copier, copy))

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].plot(copying.validation_steps, copying.validation_scores["recall"], "o-")
axes[0].axhline(1 / 8, color="0.5", ls="--")
axes[0].set_xlabel("step")
axes[0].set_ylabel("recall of ten symbols; dashed: guessing")
before, after = (
    np.asarray(one.cells[0].field.weight.angular_frequency)
    for one in (untrained, copier)
)
axes[1].plot(before, after - before, ".")
axes[1].axhline(0.0, color="0.5", lw=0.8)
axes[1].set_xlabel("phase at the start (rad a step)")
axes[1].set_ylabel("what training changed (rad a step)")
plt.show()

# %% [markdown]
# The spectrum hardly moves, by a hundredth of a radian a step: what is learned is what
# to write into the planes and how to read them. What made it learnable was the spectrum
# it started with. Start a nonlinear state at full size and with phases up to the half
# turn, and it is chaotic before it has learned anything; the library says so:

# %%
chaotic = make_network(
    "tanh-skew", copy, size=128, phases=(0, np.pi), input_scale=1.0, key=jr.key(2)
)
motion = initial_motion(chaotic, copy, key=jr.key(3), warn=False)
print(motion.is_chaotic, "growth e^", np.median(motion.growth).round(1))
