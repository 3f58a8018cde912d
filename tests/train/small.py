"""A task and a network that train in a blink."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax

from ctrnn_jax.fields import Tanh
from ctrnn_jax.tasks import AbstractTask, Batch
from ctrnn_jax.tasks._task import split_key

KEY = jr.key(7)


class MeanTask(AbstractTask):
    """Say the mean of what was seen."""

    seed: int = eqx.field(static=True, default=0)

    name = "mean"
    input_size = 1
    output_size = 1
    num_samples = 5
    reads = "last"
    trivial_loss = 0.2

    def sample(self, batch_size, *, key):
        inputs = jr.normal(key, (batch_size, self.num_samples, 1))
        return Batch(inputs, jnp.mean(inputs, axis=1))

    def held_out(self, split="validation"):
        return self.sample(12, key=split_key(jr.key(self.seed), split))


class Net(eqx.Module):
    """x' = φ(Wx + Bu), read by C; the step count is no array."""

    weight: jax.Array
    drive: jax.Array
    read: jax.Array
    activation: Tanh
    name: str = eqx.field(static=True, default="net")

    def __init__(self, size=4, *, key=KEY, name="net", scale=2.0):
        keys = jr.split(key, 3)
        self.weight = 0.3 * jr.normal(keys[0], (size, size))
        self.drive = 0.3 * jr.normal(keys[1], (size, 1))
        self.read = 0.3 * jr.normal(keys[2], (1, size))
        self.activation = Tanh(scale)
        self.name = name

    def __call__(self, inputs):
        def step(y, u):
            return self.activation(self.weight @ y + self.drive @ u), None

        y, _ = jax.lax.scan(step, jnp.zeros(len(self.weight)), inputs)
        return self.read @ y


TASK = MeanTask()
OPTIM = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))


def arrays(tree):
    return jax.tree.leaves(eqx.filter(tree, eqx.is_array))


def same(a, b):
    """Whether two trees hold the same arrays bit for bit."""
    pairs = list(zip(arrays(a), arrays(b), strict=True))
    return bool(pairs) and all((x == y).all() for x, y in pairs)
