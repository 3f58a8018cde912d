"""Small settings of every experiment, and one compiled run of each."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from ctrnn_jax.experiments import EXPERIMENTS

SMALL = {
    "oscillation": {"steps": 300, "transient": 40},
    "euler-drift": {"steps": 300, "num_samples": 6},
    "lyapunov": {
        "num_neurons": 3,
        "duration": 20.0,
        "transient": 5.0,
        "num_exponents": 2,
    },
    "memory-capacity": {"num_neurons": 3, "num_delays": 4, "num_sequences": 24},
    "training": {
        "network": "tanh-rnn",
        "num_neurons": 5,
        "delay": 2,
        "num_kept": 1,
        "steps": 20,
        "num_points": 5,
        "batch_size": 4,
    },
}

#: What tells the lanes apart.
VARIED = {
    "oscillation": {"scale": (1.0, 2.0), "leak": (0.0, 0.1), "gain": (0.0, 0.2)},
    "euler-drift": {"scale": (0.5, 2.0), "dt0": (0.02, 0.3)},
    "lyapunov": {"scale": (0.5, 2.0), "bias": (0.0, 0.5)},
    "memory-capacity": {"leak": (0.0, 1.0), "input_scale": (0.1, 1.0)},
    "training": {"learning_rate": (1e-3, 1e-1)},
}

#: A value that makes a lane explode, of the methods above.
EXPLODING = {
    "oscillation": {"leak": 1e5},
    "euler-drift": None,
    "lyapunov": {"leak": 1e5},
    "memory-capacity": {"leak": 1e5},
    "training": None,
}


def is_static(parameter):
    return parameter.static or isinstance(parameter.default, str)


def fixed_of(name, **chosen):
    """Return all static parameters."""
    parameters = EXPERIMENTS[name].parameters
    assert chosen.keys() <= {p.name for p in parameters}
    defaults = {p.name: p.default for p in parameters if is_static(p)}
    return defaults | SMALL[name] | chosen


def settings_of(name, batch, **chosen):
    """Return all others, each `(batch,)`, varied as said above."""
    values = {}
    for parameter in EXPERIMENTS[name].parameters:
        if not is_static(parameter):
            values[parameter.name] = jnp.full(batch, float(parameter.default))
    for axis, (low, high) in VARIED[name].items():
        values[axis] = jnp.linspace(low, high, batch)
    return values | {axis: jnp.asarray(value) for axis, value in chosen.items()}


def keys_of(batch):
    return jax.vmap(functools.partial(jr.fold_in, jr.key(7)))(jnp.arange(batch))


@functools.cache
def _compiled(name, chosen):
    return jax.jit(EXPERIMENTS[name].build(fixed_of(name, **dict(chosen))))


def run(name, settings, keys, **chosen):
    """Return the outputs as numpy arrays."""
    # Adam divides a float by an int32.
    relaxed = name == "training"
    promotion = jax.numpy_dtype_promotion("standard")
    with promotion if relaxed else contextlib.nullcontext():
        found = _compiled(name, tuple(sorted(chosen.items())))(settings, keys)
    return {key: np.asarray(value) for key, value in found.items()}


def take(tree, lanes):
    return jax.tree.map(lambda leaf: leaf[jnp.asarray(lanes)], tree)
