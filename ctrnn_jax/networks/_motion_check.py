"""Whether a network starts in chaos, where a gradient over the horizon is lost."""

import dataclasses
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, Float, Key, PyTree
from ..tasks import AbstractTask
from ._network import Generator, RecurrentNetwork

#: e-folds in the second half of the horizon, beyond those of regular motion: there a
#: small difference grows in proportion to time, by log 2 from its middle to its end.
_CHAOTIC = 3.0


class ChaoticStart(UserWarning):
    """A network whose motion is chaotic over the horizon of its task, as it starts."""


@dataclasses.dataclass(frozen=True)
class InitialMotion:
    """How small differences grow along the motion of an untrained network.

    - `growth`: log of the growth over the whole horizon, shape `(sequences,)`.
    - `late_growth`: of the second half alone, shape `(sequences,)`.
    - `horizon`: samples followed.
    - `is_chaotic`: whether more than half the sequences grow by 3 e-folds more in the
      second half than the log 2 of regular motion; where differences die away, not.
    """

    growth: np.ndarray
    late_growth: np.ndarray
    horizon: int

    @property
    def is_chaotic(self) -> bool:
        """Whether differences grow exponentially over the horizon."""
        return bool(np.median(self.late_growth) > np.log(2) + _CHAOTIC)

    @property
    def exponent(self) -> float:
        """Largest Lyapunov exponent a sample, over the second half; median."""
        return float(np.median(self.late_growth) / max(self.horizon // 2, 1))


def initial_motion(
    network: RecurrentNetwork | Generator,
    task: AbstractTask,
    *,
    num_sequences: int = 8,
    key: Key,
    warn: bool = True,
) -> InitialMotion:
    r"""Follow a random small difference along a network's own motion on a task.

    The tangent of the cells' joint states, renormalised at each sample, so that it
    neither overflows nor underflows: $\log \lVert \delta_T \rVert / \lVert \delta_0
    \rVert$ and the same from $T/2$ on. Where the second is large, what an output says
    of an early input is lost in the growth of everything else, and the gradient
    explodes; clipping it leaves only noise.

    **Arguments:**

    - `network`, `task`: that reads the task's inputs, or its codes.
    - `num_sequences`: training sequences followed.
    - `key`: a `jax.random` key, for them and for the differences.
    - `warn`: give a `ChaoticStart` warning that says what to change.

    **Returns:** an `InitialMotion`.
    """
    sample_key, tangent_key = jr.split(key)
    batch = task.sample(num_sequences, key=sample_key)
    keys = jr.split(tangent_key, num_sequences)
    logs = np.asarray(_growth(network, batch.inputs, keys, task.num_samples))
    half = logs.shape[1] // 2
    motion = InitialMotion(logs.sum(1), logs[:, half:].sum(1), logs.shape[1])
    if warn and motion.is_chaotic:
        warnings.warn(
            f"the network starts in chaos: over the second half of {motion.horizon} "
            f"samples of {task.name} small differences grow by a factor of "
            f"e^{np.median(motion.late_growth):.0f}. It will hardly train. Make its "
            "state smaller (input_scale) or nearer to linear (scale), keep its phases "
            "below π, or shorten the step.",
            ChaoticStart,
            stacklevel=2,
        )
    return motion


@eqx.filter_jit
def _growth(
    network: RecurrentNetwork | Generator,
    inputs: Float[Array, "batch *shape"],
    keys: Array,
    num_samples: int,
) -> Float[Array, "batch time"]:
    """Return the log of the growth at each sample."""
    cells = (network.cell,) if isinstance(network, Generator) else network.cells
    cells = tuple(cell.prepare() for cell in cells)

    def advance(states: PyTree, u: Array) -> PyTree:
        new = []
        for cell, state in zip(cells, states, strict=True):
            state = cell.step(state, u)
            u = cell.output(state)
            new.append(state)
        return tuple(new)

    def follow(sequence: Array, key: Key) -> Array:
        if isinstance(network, Generator):
            start = (network.initial_state(sequence),)
            width = network.cell.input_size
            sequence = jnp.zeros((num_samples, width), sequence.dtype)
        else:
            start = tuple(cell.initial_state() for cell in cells)
            if network.encoder is not None:
                sequence = jax.vmap(network.encoder)(sequence)
        leaves, shape = jax.tree.flatten(start)
        tangent = _normalised(
            jax.tree.unflatten(
                shape,
                [
                    jr.normal(jr.fold_in(key, i), leaf.shape, leaf.dtype)
                    for i, leaf in enumerate(leaves)
                ],
            )
        )[0]

        def body(carry: PyTree, u: Array) -> tuple[PyTree, Array]:
            states, tangent = carry
            states, tangent = jax.jvp(
                lambda states: advance(states, u), (states,), (tangent,)
            )
            tangent, size = _normalised(tangent)
            return (states, tangent), jnp.log(size)

        return jax.lax.scan(body, (start, tangent), sequence)[1]

    return jax.vmap(follow)(inputs, keys)


def _normalised(tangent: PyTree) -> tuple[PyTree, Array]:
    """Return a tangent of length one, and the length it had."""
    squares = [jnp.sum(jnp.abs(leaf) ** 2) for leaf in jax.tree.leaves(tangent)]
    total = sum(squares[1:], squares[0])
    size = jnp.sqrt(jnp.maximum(total, jnp.finfo(total.dtype).tiny))
    return jax.tree.map(lambda leaf: leaf / size.astype(leaf.real.dtype), tangent), size
