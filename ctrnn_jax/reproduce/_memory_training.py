"""How the memory networks are trained: all seeds at once, with optax."""

import dataclasses
import itertools
from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from .._types import Array, Float, Int, PyTree
from ._memory_network import DTYPE, MemoryNetwork

#: Share of the steps after which the sparsity term is gone.
_SPARSE_UNTIL = 0.75
#: Times that a training says how far it is.
NUM_REPORTS = 5


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train, the same for every network.

    - `num_steps`: optimiser steps, each over the whole horizon of every signal.
    - `learning_rate`: Adam's at its highest; it warms up over a twentieth of the
      steps and falls to a hundredth along a cosine.
    - `weight_rate`: the recurrent weight's share of it. Frequencies are the delicate
      part: an error of 1/horizon is a whole turn.
    - `sparsity`: weight of the mean root of the oscillators' amplitudes at time 0,
      falling to zero at three quarters of the steps. It empties those not needed:
      without it neighbours share one line of a spectrum, agree in the horizon and
      drift apart beyond. The root makes one large amplitude cheaper than two halves.
    - `square_share`: weight of MSE/power beside its square root in the loss.
    """

    num_steps: int
    learning_rate: float = 5e-2
    weight_rate: float = 0.06
    sparsity: float = 1.2
    square_share: float = 5.0


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What is to be memorized.

    - `codes`: descriptors as numbers, shape `(signals, descriptors)`.
    - `target`: shape `(signals, time)`, no row zero throughout.
    - `ts`: times of the samples, shape `(time,)`.
    - `dt0`: longest step between them.
    """

    codes: np.ndarray
    target: np.ndarray
    ts: np.ndarray
    dt0: float

    def __post_init__(self) -> None:
        """Take on the networks' precision, so that none is promoted."""
        for name in ("codes", "target"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), DTYPE))


def errors(
    network: MemoryNetwork, problem: Problem, solver: diffrax.AbstractSolver
) -> Float[Array, " signals"]:
    """Return MSE/power of each signal."""
    ys = network.states(jnp.asarray(problem.codes), problem.ts, problem.dt0, solver)
    gap = network.read(ys) - problem.target
    return jnp.mean(gap**2, axis=1) / np.mean(problem.target**2, axis=1)


def loss(
    network: MemoryNetwork,
    problem: Problem,
    solver: diffrax.AbstractSolver,
    recipe: Recipe,
    sparsity: Float[Array, ""],
) -> tuple[Float[Array, ""], Float[Array, " signals"]]:
    r"""Return the loss and MSE/power of each signal, $e_s$.

    The mean over signals of $\sqrt{e_s} + k e_s$, plus the sparsity term. The root
    keeps pulling on a signal that is already nearly right: what is left of its error
    in the horizon is what grows beyond.
    """
    error = errors(network, problem, solver)
    fit = jnp.mean(jnp.sqrt(error + 1e-8) + recipe.square_share * error)
    positions, momenta = jnp.split(network.start, 2)
    root = (positions**2 + momenta**2 + 1e-4) ** 0.25
    return fit + sparsity * jnp.mean(root), error


def train(
    networks: MemoryNetwork,
    problem: Problem,
    solver: diffrax.AbstractSolver,
    recipe: Recipe,
    report: Callable[[str], None] = lambda text: None,
) -> MemoryNetwork:
    """Train networks that lead with a seed axis, each on its own, all at once.

    `report` is called `NUM_REPORTS` times with the step and the errors so far.
    """
    spec = _trainable(networks)
    free, fixed = eqx.partition(networks, spec)
    optimiser = _optimiser(recipe, _weights_of(free))
    state = eqx.filter_vmap(optimiser.init)(free)
    ends = np.linspace(0, recipe.num_steps, NUM_REPORTS + 1).astype(int)
    for first, last in itertools.pairwise(ends):
        # An array, as an integer would compile anew at each value.
        start, length = jnp.asarray(first), int(last - first)
        free, state, error = _train(
            free, fixed, state, start, length, problem, solver, recipe
        )
        report(f"step {last}, worst MSE/power {_worst(error)}")
    return eqx.combine(free, fixed)


def _worst(error: Float[Array, "seeds signals"]) -> str:
    worst = np.max(np.asarray(error), axis=1)
    return f"{np.median(worst):.3g}"


def _trainable(network: MemoryNetwork) -> MemoryNetwork:
    """Return what is trained: every array but those of the activation."""
    spec = jax.tree.map(eqx.is_inexact_array, network)
    fixed = jax.tree.map(lambda _: False, network.field.activation)
    return eqx.tree_at(lambda tree: tree.field.activation, spec, fixed)


def _optimiser(recipe: Recipe, weights: PyTree) -> optax.GradientTransformation:
    peak, steps = recipe.learning_rate, recipe.num_steps
    schedule = optax.warmup_cosine_decay_schedule(
        0.1 * peak, peak, max(steps // 20, 1), steps, 0.01 * peak
    )
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(schedule),
        optax.masked(optax.scale(recipe.weight_rate), weights),
    )


def _weights_of(network: PyTree) -> PyTree:
    """Return a mask that is true at the recurrent weight."""
    nothing = jax.tree.map(lambda _: False, network)
    weight = jax.tree.map(lambda _: True, network.field.weight)
    return eqx.tree_at(lambda tree: tree.field.weight, nothing, weight)


@eqx.filter_jit
def _train(
    free: PyTree,
    fixed: PyTree,
    state: optax.OptState,
    first: Int[Array, ""],
    length: int,
    problem: Problem,
    solver: diffrax.AbstractSolver,
    recipe: Recipe,
) -> tuple[PyTree, optax.OptState, Float[Array, "seeds signals"]]:
    """Take `length` steps from number `first` on; the errors are before the last."""
    optimiser = _optimiser(recipe, _weights_of(free))

    def objective(params: PyTree, rest: PyTree, sparsity: Array) -> tuple[Array, Array]:
        network = eqx.combine(params, rest)
        return loss(network, problem, solver, recipe, sparsity)

    def one_seed(
        params: PyTree, rest: PyTree, state: optax.OptState
    ) -> tuple[PyTree, optax.OptState, Array]:
        def step(
            carry: tuple[PyTree, optax.OptState], index: Array
        ) -> tuple[tuple[PyTree, optax.OptState], Array]:
            params, state = carry
            done = (first + index) / recipe.num_steps
            sparsity = recipe.sparsity * jnp.maximum(1 - done / _SPARSE_UNTIL, 0.0)
            gradient, error = jax.grad(objective, has_aux=True)(params, rest, sparsity)
            updates, state = optimiser.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), error

        (params, state), history = jax.lax.scan(
            step, (params, state), jnp.arange(length)
        )
        return params, state, history[-1]

    return eqx.filter_vmap(one_seed)(free, fixed, state)
