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
# # What is this orbit?
#
# A recurrent network with skew-symmetric weights never comes to rest. But is its motion
# periodic, quasi-periodic or chaotic, and how sure can we be? This notebook takes one
# random network of five neurons from that question to its Lyapunov exponents and its
# Poincaré section; then follows a family of periodic orbits beside its closed form, and
# a limit cycle from the bifurcation in which it is born; and asks at the end what all
# this means for memory.

# %%
import jax
import jax.numpy as jnp
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import ellipk

import ctrnn_jax as cj
from ctrnn_jax import analysis, plot

# Exponents and frequencies are limits: rounding must not be what stops them.
jax.config.update("jax_enable_x64", True)

# %% [markdown]
# ## One network, two energies
#
# $x' = W\tanh x$ keeps its energy $H = \sum_i \log\cosh x_i$, so the same network moves
# differently on different energy surfaces. `classify_orbit` follows an orbit once and
# gives a verdict with the evidence for it: the growth of a tangent vector (the MEGNO
# tends to 2 on regular orbits and grows in proportion to time on chaotic ones), the
# lines of the spectrum and whether they stay where they are, the closest return.

# %%
network = cj.VoltageCTRNN(cj.SkewSymmetric(5, key=jr.key(0)))
direction = jr.normal(jr.key(2), (5,))
starts = {"low energy": 0.8 * direction, "high energy": 3.0 * direction}
for label, y0 in starts.items():
    orbit = analysis.classify_orbit(network, y0, dt0=0.2, duration=3000.0)
    print(f"{label}, H = {cj.energy(network, y0):.2f}. {orbit}\n")
    assert orbit.kind == ("chaotic" if label == "high energy" else "quasi-periodic")

# %% [markdown]
# ## Lyapunov exponents, in pairs
#
# All five exponents of the chaotic orbit. The tangent vectors are moved by the
# derivative of the very step that moves the state, and that step keeps the Poisson
# structure of the equation. So the exponents sum to zero and come in pairs $\pm\lambda$
# to rounding, long before they have converged. Three of them are zero: the flow, the
# energy, and a Casimir, as every odd network has a $c$ with $c^\top W = 0$.

# %%
spectrum = analysis.lyapunov_spectrum(
    network, starts["high energy"], dt0=0.1, duration=10_000.0, transient=500.0
)
for value, error in zip(spectrum.exponents, spectrum.standard_error, strict=True):
    print(f"{value:9.5f} ± {error:.5f}")
pairs = spectrum.exponents + spectrum.exponents[::-1]
assert abs(spectrum.sum) < 1e-10
assert np.max(np.abs(pairs)) < 3 * np.max(spectrum.standard_error)
assert spectrum.exponents[0] > 5 * spectrum.standard_error[0]
plot.plot_lyapunov_convergence(spectrum)

# %%
plot.plot_lyapunov_spectrum(spectrum, pairing=True)

# %% [markdown]
# ## Poincaré sections
#
# Where the orbits cross $x_0 = 0$ upwards. Energy and Casimir leave three dimensions
# for the motion and two for its section: a quasi-periodic orbit draws a closed curve
# there, a chaotic one scatters over a region.

# %%
fig, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for ax, (label, y0) in zip(axes, starts.items(), strict=True):
    section = analysis.poincare_section(
        network,
        y0,
        section=(jnp.eye(5)[0], 0.0),
        dt0=0.2,
        duration=20_000.0,
        max_crossings=2000,
    )
    assert np.max(np.abs(section.points[:, 0])) < 1e-10
    plot.plot_section(section, neurons=(1, 2), ax=ax)
    ax.set_title(f"{label}: {int(section.count)} crossings", fontsize="medium")

# %% [markdown]
# ## A family of periodic orbits
#
# Two neurons have nothing but periodic orbits, one for each energy, with the period
# $T(E) = 4K(m)/\omega$, $m = 1 - e^{-2E}$. Newton's method finds one of them, once the
# energy is pinned (without that the equations are singular, as the neighbours are
# periodic too); continuation follows the family.

# %%
rotation = cj.BlockRotation.from_matrix(np.array([[0.0, 1.0], [-1.0, 0.0]]))
pair = cj.VoltageCTRNN(rotation)
first = analysis.find_periodic_orbit(pair, jnp.array([1.0, 0.0]))
family = analysis.continue_orbits_in_energy(
    pair, first, num_points=16, step=0.3, max_step=1.0, bounds=(0.0, 3.0)
)
exact = 4 * ellipk(1 - np.exp(-2 * np.asarray(family.parameters)))
error = np.max(np.abs(family.periods / exact - 1))
print(f"{len(exact)} orbits, largest relative error of the period {error:.1e}")
assert error < 1e-9
fig, ax = plt.subplots(figsize=(4.5, 3), layout="constrained")
plot.plot_branch(family, "periods", parameter_label="energy", label="continued", ax=ax)
every = slice(None, None, 3)
ax.plot(family.parameters[every], exact[every], "k+", label=r"$4K(m)/\omega$")
ax.legend(frameon=False)

# %% [markdown]
# ## The birth of a limit cycle
#
# A skew-symmetric network has families, not limit cycles. With a symmetric gain g
# against a leak, $x' = -x + (gI + W)\tanh x$, it has one: at g = 1 the origin loses
# its stability in a Hopf bifurcation, at the eigenfrequency of W, and a stable cycle
# leaves.


# %%
def driven(gain):
    """Return the field of one gain."""
    return cj.VoltageCTRNN(cj.GainPlusSkew(rotation, gain), leak=1.0)


rest = analysis.continue_fixed_points(driven, jnp.zeros(2), 0.5, bounds=(0.5, 1.6))
(hopf,) = (special for special in rest.bifurcations if special.kind == "hopf")
print(f"Hopf at g = {hopf.parameter:.10f}, ω = {hopf.angular_frequencies[0]:.10f}")
assert abs(hopf.parameter - 1) < 1e-8
cycles = analysis.continue_orbits(driven, hopf, num_points=30, bounds=(0.5, 1.6))
assert np.all(cycles.stable[1:])
fig, ax = plt.subplots(figsize=(4.5, 3), layout="constrained")
plot.plot_branch(rest, "points", label="rest", ax=ax)
plot.plot_branch(cycles, parameter_label="gain g", label="limit cycle", ax=ax)

# %% [markdown]
# A perturbation is multiplied, at each turn, by the Floquet multipliers of the orbit.
# On the conservative family both are 1: nothing grows and nothing is forgotten. On the
# cycle one is 1, along the orbit, and the other falls from 1 at its birth: the further
# from the bifurcation, the faster every other direction is forgotten.

# %%
multipliers = analysis.floquet_multipliers(pair, first)
assert multipliers.trivial_error < 1e-9
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
plot.plot_multipliers(multipliers, ax=left)
right.plot(cycles.parameters, np.abs(cycles.multipliers[:, 0]))
right.set(xlabel="gain g", ylabel="second multiplier of the cycle", ylim=(0, 1.05))

# %% [markdown]
# ## What it means for memory
#
# A gradient that travels back over a delay τ is multiplied by
# $\partial x(t)/\partial x(t-\tau)$. A leak makes it vanish at the rate of the leak;
# this unconstrained network is chaotic and makes it explode; the undamped skew network
# keeps it, up to the slow growth that regular motion has too.

# %%
weight = cj.SkewSymmetric(8, key=jr.key(1))
loose = cj.Unconstrained(8, scale=8.0, key=jr.key(10))
drive = jr.normal(jr.key(4), (8, 1))
networks = {
    "skew": cj.VoltageCTRNN(weight, input_weight=drive),
    "skew, leak 0.1": cj.VoltageCTRNN(weight, leak=0.1, input_weight=drive),
    "unconstrained, leak 1": cj.VoltageCTRNN(loose, leak=1.0, input_weight=drive),
}
trends, ax = {}, None
for label, field in networks.items():
    norms = analysis.gradient_norms(
        field, jr.normal(jr.key(2), (8,)), dt0=0.1, duration=100.0, transient=100.0
    )
    print(f"{label}: {norms.trend}, rate {norms.rate:.4f} ± {norms.standard_error:.4f}")
    trends[label] = norms.trend
    ax = plot.plot_gradient_norms(norms, label=label, ax=ax)
assert list(trends.values()) == ["neither", "vanish", "explode"]

# %% [markdown]
# How much of a random input can be read back by a linear readout? Of n neurons, at most
# n inputs' worth in all. A network that forgets nothing spreads what it holds over its
# whole past, 80 inputs here, and its nonlinearity costs it most of that; one with a
# small leak keeps the most recent inputs and keeps them well; chaos loses them at once.

# %%
ax = None
for label, field in networks.items():
    capacity = analysis.memory_capacity(
        field, jnp.zeros(8), dt0=0.1, num_delays=40, amplitude=0.2, key=jr.key(5)
    )
    assert capacity.total < 8 + 3 * capacity.total_standard_error
    ax = plot.plot_memory_capacity(capacity, label=label, ax=ax)
