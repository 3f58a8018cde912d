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
# # Gradients through time
#
# Through how long a trajectory can a loss be differentiated? Memory need not be the
# limit: splitting steps can be undone exactly, so the backward pass rebuilds every
# state instead of keeping it. What limits a gradient is the motion itself. This
# notebook differentiates through 100 000 steps to fit a period, checks the gradient
# against a closed form, and looks at what chaos does to it.

# %%
import jax
import jax.numpy as jnp
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np
import optax
from scipy.special import ellipk

import ctrnn_jax as cj

# Double precision, so that what we see is the motion and not rounding.
jax.config.update("jax_enable_x64", True)
reversible = cj.ReversibleAdjoint()

# %% [markdown]
# ## Two neurons, and a derivative known in closed form
#
# The voltage form $x' = W\tanh x$ with
# $W = \omega\begin{pmatrix}0&1\\-1&0\end{pmatrix}$ has the period $T = 4K(m)/\omega$,
# where $m = 1 - e^{-2E}$, K is the complete elliptic integral and E the energy. Here ω
# only sets the speed at which an orbit is run through, so that at any time t
#
# $$\frac{\partial x(t)}{\partial\omega} = \frac{t}{\omega}\,x'(t).$$

# %%
START = np.array([1.5, 0.0])
DT = 0.002
STEPS = 100_000


def end(omega, duration, adjoint=reversible):
    """State at time `duration`, from START at angular frequency omega."""
    rotation = cj.BlockRotation.from_matrix(
        omega * jnp.array([[0.0, 1.0], [-1.0, 0.0]])
    )
    solution = cj.simulate(
        cj.VoltageCTRNN(rotation),
        START,
        np.array([0.0, duration]),
        dt0=DT,
        solver=cj.Leapfrog(),
        adjoint=adjoint,
    )
    return solution.ys[-1]


def miss(omega, duration):
    """Half the squared distance from the start, and the state."""
    x = end(omega, duration)
    return 0.5 * jnp.sum((x - START) ** 2), x


pull = jax.jit(jax.value_and_grad(miss, has_aux=True), static_argnums=1)
omega = jnp.asarray(1.1)
(_, x), slope = pull(omega, STEPS * DT)
motion = np.array([np.tanh(x[1]), -np.tanh(x[0])])
exact = (x - START) @ (STEPS * DT * motion)
print(f"gradient through {STEPS} steps {slope:.8f}, closed form {exact:.8f}")
assert abs(slope / exact - 1) < 1e-3

# %% [markdown]
# What is left is the error of leapfrog itself, of order $h^2 t$. The memory that the
# compiled gradient needs beside its arguments does not depend on the number of steps;
# that of checkpointing, the default, grows like its square root. (Nothing is run here.)


# %%
def temporary_bytes(adjoint, steps):
    def loss(omega):
        return jnp.sum(end(omega, steps * DT, adjoint))

    compiled = jax.jit(jax.grad(loss)).lower(omega).compile()
    return compiled.memory_analysis().temp_size_in_bytes


few, many = (temporary_bytes(reversible, steps) for steps in (1_000, STEPS))
print(f"reversible: {few} bytes for 1000 steps, {many} for {STEPS}")
assert few == many
print(f"default:    {temporary_bytes(None, STEPS)} bytes for {STEPS}")

# %% [markdown]
# ## Fit a period
#
# Which ω gives the period 8? Then the orbit from START is back there after one period,
# and after 25. The longer the horizon, the sharper the answer, and the narrower the
# valley in which descent finds it: one turn more or less is a minimum too, and those
# lie only $T/t$ apart, relative to ω. So start short, and lengthen.
#
# The loss is nearly $\frac12\left(\frac{t}{\omega}|x'|\right)^2(\omega-\omega^*)^2$
# at the start's speed, which gives the learning rate.

# %%
PERIOD = 8.0
energy = float(np.sum(np.log(np.cosh(START))))
wanted = 4 * ellipk(-np.expm1(-2 * energy)) / PERIOD

omega = jnp.asarray(1.0)
for turns, iterations in ((1, 1), (5, 2), (25, 2)):
    duration = turns * PERIOD
    optimiser = optax.sgd(1.0 / (duration * np.tanh(START[0])) ** 2)
    state = optimiser.init(omega)
    for _ in range(iterations):
        (loss, _), slope = pull(omega, duration)
        step, state = optimiser.update(slope, state)
        omega = optax.apply_updates(omega, step)
    period = wanted * PERIOD / omega
    print(f"{duration / DT:7.0f} steps   ω = {omega:.8f}   period {period:.8f}")
print(f"closed form      ω = {wanted:.8f}")
assert abs(omega / wanted - 1) < 1e-5

# %% [markdown]
# ## What chaos does to a gradient
#
# With five neurons and more, orbits of some size are chaotic: small differences grow
# like $e^{\lambda t}$, and so does every gradient, whatever computes it. Sixteen
# starts each of a network of 32 neurons, small and large; the loss is a fixed
# combination of the final state.

# %%
weight = cj.BipartiteSkew(32, angular_frequency_range=(0.2, 1.0), key=jr.key(0))
model = cj.VoltageCTRNN(weight)
directions = jr.normal(jr.key(1), (16, 32))
combination = jr.normal(jr.key(2), (16, 32))
STEP = 0.1


@jax.jit(static_argnums=1)
def gradient_norms(y0, duration):
    """Size of the gradient by the initial state, of every lane."""

    def loss(y0):
        ys = cj.simulate_ensemble(
            model,
            y0,
            np.array([0.0, duration]),
            dt0=STEP,
            solver=cj.Leapfrog(),
            adjoint=reversible,
        ).ys
        return jnp.sum(combination * ys[:, -1])

    return jnp.linalg.norm(jax.grad(loss)(y0), axis=1)


durations = np.array([25.0, 100.0, 200.0, 400.0, 600.0])
sizes = {"regular": 0.1, "chaotic": 1.0}
norms = {
    label: np.array([gradient_norms(size * directions, float(t)) for t in durations])
    for label, size in sizes.items()
}
typical = {label: np.median(found, axis=1) for label, found in norms.items()}
exponent, offset = np.polyfit(durations, np.log(typical["chaotic"]), 1)
print(f"gradients grow like exp({exponent:.3f} t): Lyapunov time {1 / exponent:.0f}")
print(
    f"at t = {durations[-1]:.0f} their norm is {typical['chaotic'][-1]:.1e} on chaotic "
    f"orbits, {typical['regular'][-1]:.1f} on regular ones"
)
assert 0.01 < exponent < 0.06
assert typical["regular"][-1] < 100

# %% [markdown]
# Each of these gradients is right. On the right is why the large ones are of no use:
# the loss along a line of initial states. After one Lyapunov time it is smooth; after
# twenty it jumps between any two of 401 points, and the slope at one says nothing of
# the next.

# %%
line = np.linspace(-0.05, 0.05, 401)
seen = np.array([0.0, 25.0, 600.0])
fig, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
for label, colour in (("regular", "C0"), ("chaotic", "C3")):
    axes[0].semilogy(durations, norms[label], color=colour, alpha=0.25, linewidth=0.7)
    axes[0].semilogy(durations, typical[label], "o-", color=colour, label=label)
    size = sizes[label]
    starts = size * (directions[0] + line[:, None] * directions[1])
    ys = cj.simulate_ensemble(model, starts, seen, dt0=STEP, solver=cj.Leapfrog()).ys
    for ax, index in zip(axes[1:], (1, 2), strict=True):
        ax.plot(line, ys[:, index] @ combination[0] / size, color=colour)
        ax.set(
            title=f"t = {seen[index]:.0f}", xlabel="place on the line", ylabel="loss"
        )
axes[0].semilogy(
    durations, np.exp(offset + exponent * durations), "k:", label=r"$e^{\lambda t}$"
)
axes[0].set(xlabel="horizon t", ylabel="norm of the gradient")
axes[0].legend(loc="upper left")

# %% [markdown]
# So before you differentiate through a long time, look at the Lyapunov time of your
# orbits. Several of them are a horizon; hundreds are a lottery, and no adjoint changes
# that. Shorter pieces (multiple shooting), losses of averages, or smaller orbits do.
