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
# # Perpetual oscillation
#
# When does a continuous-time recurrent network oscillate for ever instead of
# settling? This notebook builds one with skew-symmetric weights, solves it with a
# method that keeps its energy, checks it against the closed form for two neurons,
# and looks at what breaks the motion: a leak, and a careless integrator.

# %%
import diffrax
import jax
import jax.numpy as jnp
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np
import optimistix
from scipy.special import ellipk

import ctrnn_jax as cj
from ctrnn_jax import plot

# Double precision, so that what we see is the method and not rounding.
jax.config.update("jax_enable_x64", True)

# %% [markdown]
# ## Two neurons, exactly
#
# The voltage form $x' = W\tanh x$, with
# $W = \omega\begin{pmatrix}0&1\\-1&0\end{pmatrix}$,
# conserves $H(x) = \log\cosh x_1 + \log\cosh x_2$. Its orbits are the closed level
# sets of H: a *family* of periodic orbits, one for each energy, and not a limit cycle.

# %%
rotation = cj.BlockRotation.from_matrix(np.array([[0.0, 1.0], [-1.0, 0.0]]))
model = cj.VoltageCTRNN(rotation, activation=cj.Tanh())
ts = np.linspace(0.0, 30.0, 601)

fig, ax = plt.subplots(figsize=(4.5, 4.5))
plot.plot_level_sets(lambda y: cj.energy(model, y), (-4, 4), (-4, 4), ax=ax)
for amplitude in (0.5, 1.5, 3.0):
    start = np.array([amplitude, 0.0])
    orbit = cj.simulate(model, start, ts, dt0=0.05, solver=cj.Leapfrog())
    plot.plot_phase_portrait(orbit, ax=ax)

# %% [markdown]
# The period depends on the energy: $T(E) = 4K(m)/\omega$ with $m = 1 - e^{-2E}$ and K
# the complete elliptic integral. An event of diffrax locates the first zero of
# the first neuron, a quarter period after the start.


# %%
def quarter_period(amplitude):
    """Time from (amplitude, 0) to the first zero of the first neuron."""
    event = diffrax.Event(
        lambda t, y, args, **kwargs: y[0],
        root_finder=optimistix.Newton(rtol=1e-12, atol=1e-12),
    )
    solution = cj.simulate(
        model,
        np.array([amplitude, 0.0]),
        [0.0, 20.0],
        dt0=0.01,
        solver=diffrax.Dopri8(),
        event=event,
        saveat=diffrax.SaveAt(t1=True),
    )
    return float(solution.ts[0])


for amplitude in (0.1, 1.0, 2.0, 4.0):
    energy = float(np.log(np.cosh(amplitude)))
    exact = 4 * ellipk(1 - np.exp(-2 * energy))
    measured = 4 * quarter_period(amplitude)
    print(f"E = {energy:6.3f}   T = {measured:.9f}   exact {exact:.9f}")
    assert abs(measured / exact - 1) < 1e-8

# %% [markdown]
# ## Who keeps oscillating?
#
# Eight neurons, three weights, and the same start. Only the skew-symmetric one goes
# on; a leak, however small, kills every undriven orbit, since then
# $\dot H = -\gamma\sum_i x_i\tanh x_i < 0$.

# %%
key = jr.key(0)
skew = cj.SkewSymmetric(8, scale=1.0, key=key)
models = {
    "skew": cj.VoltageCTRNN(skew),
    "skew with leak 0.02": cj.VoltageCTRNN(skew, leak=0.02),
    "unconstrained, leak 0.6": cj.VoltageCTRNN(
        cj.Unconstrained(8, scale=1.0, key=key), leak=0.6
    ),
}
y0 = 2 * jr.normal(jr.key(1), (8,))
ts = np.linspace(0.0, 200.0, 801)
fig, axes = plt.subplots(3, 1, figsize=(7, 6), sharex=True, layout="constrained")
for ax, (label, each) in zip(axes, models.items(), strict=True):
    solution = cj.simulate(each, y0, ts, dt0=0.05, solver=cj.RK4())
    plot.plot_time_series(solution, neurons=[0, 1, 2], ax=ax)
    ax.set_title(label, loc="right", fontsize="medium")

# %% [markdown]
# ## The integrator matters
#
# Forward Euler pumps energy into the orbit. The bounded tanh tames it: instead of
# exponentially, the energy grows like $\sqrt{2h\omega^2 t}$. Tamed, not bounded. A
# splitting step keeps the error bounded, and the discrete gradient keeps H to rounding.

# %%
ts = np.linspace(0.0, 1000.0, 1001)
start = np.array([1.0, 0.0])
drifts = {}
for solver in (
    diffrax.Euler(),
    cj.RK4(),
    cj.CoordinateSplitting(),
    cj.DiscreteGradient(),
):
    solution = cj.simulate(model, start, ts, dt0=0.1, solver=solver)
    drifts[type(solver).__name__] = cj.drift(model, solution)
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
plot.plot_drift(drifts, envelope=True, ax=ax)
euler_end = float(drifts["Euler"].energy[-1] + drifts["Euler"].initial_energy)
print(f"Euler's energy at t = 1000: {euler_end:.2f}, theory {np.sqrt(200.0):.2f}")
# The law is asymptotic: at this energy its corrections, of order 1/H, are about 10 %.
assert abs(euler_end / np.sqrt(200.0) - 1) < 0.15
assert drifts["DiscreteGradient"].max_relative_energy < 1e-12

# %% [markdown]
# ## Many at once
#
# `simulate_ensemble` takes a batch of initial states, or a batch of models, and gives
# each lane an outcome of its own. Here one start is deliberately not a number: it
# costs its own lane and no other.

# %%
starts = np.array(jr.normal(jr.key(2), (200, 8)))
starts[17, 3] = np.nan
ts = np.linspace(0.0, 40.0, 401)
ensemble = cj.simulate_ensemble(
    models["skew"], starts, ts, dt0=0.1, solver=cj.CoordinateSplitting()
)
failed = np.flatnonzero(~np.asarray(diffrax.is_okay(ensemble.result)))
print("failed lanes:", failed)
assert failed.tolist() == [17]
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
plot.plot_ensemble_fan(ensemble, neuron=0, ax=ax)

# %% [markdown]
# ## Gradients go through all of it
#
# Solvers, models and inputs are pytrees: differentiate a loss of the trajectory with
# respect to anything. Here, which angular frequency makes the linear rotation come
# back to its start after exactly 10 time units, nearest to 0.5?


# %%
@jax.jit
def miss(omega):
    weight = cj.BlockRotation.from_matrix(omega * jnp.array([[0.0, 1.0], [-1.0, 0.0]]))
    linear = cj.VoltageCTRNN(weight, activation=cj.Linear())
    ys = cj.simulate(linear, start, np.array([0.0, 10.0]), dt0=0.05).ys
    return jnp.sum((ys[-1] - start) ** 2)


omega = jnp.asarray(0.5)
for _ in range(60):
    omega = omega - 0.003 * jax.grad(miss)(omega)
print(f"omega = {omega:.6f}, 2π/10 = {2 * np.pi / 10:.6f}")
assert abs(omega - 2 * np.pi / 10) < 1e-5
