"""The work of `overhead`, where worker processes can import it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

#: What the parameters of all sizes are read from.
SMALL = 100


def grid(runs: int) -> dict[str, Any]:
    """Return the sweep: gains and leaks in equal numbers."""
    side = int(runs**0.5)
    return {
        "sweep": {"seed": 3},
        "grid": {
            "leak": {"start": 0.0, "stop": 0.2, "num": side},
            "scale": {"start": 0.5, "stop": 2.0, "num": runs // side},
        },
        "fixed": {"num_neurons": 2, "steps": 1000, "dt0": 0.05},
    }


@functools.cache
def experiment() -> tuple[dict[str, Any], Any]:
    """Return what all runs share, and the batched function, not compiled yet."""
    from ctrnn_jax.experiments import EXPERIMENTS

    chosen = EXPERIMENTS["oscillation"]
    swept = grid(SMALL)["grid"]
    fixed = {p.name: p.default for p in chosen.parameters if p.name not in swept}
    fixed |= grid(SMALL)["fixed"]
    return fixed, chosen.build(fixed)


def settings_of(leak: Any, scale: Any) -> dict[str, Any]:
    """Return every setting that may differ between runs."""
    fixed, _ = experiment()
    shared = {k: v for k, v in fixed.items() if isinstance(v, float) and k != "dt0"}
    settings = {k: jnp.full(leak.shape, v, jnp.float32) for k, v in shared.items()}
    return settings | {"leak": leak, "scale": scale}


@functools.cache
def compiled() -> Any:
    """Return the batched function, compiled in this process when it is first called."""
    _, run = experiment()

    def call(ids: Any, leak: Any, scale: Any) -> Any:
        keys = jax.vmap(lambda i: jr.fold_in(jr.key(3), i))(ids)
        return run(settings_of(leak, scale), keys)

    return jax.jit(call)


def task(ids: np.ndarray, leak: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
    """Run a batch, here or in a worker."""
    return jax.device_get(compiled()(ids, leak, scale))


def lanes(runs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids, leaks and scales of all runs, in the order of the sweep."""
    axes = grid(runs)["grid"]
    leak, scale = (
        np.linspace(a["start"], a["stop"], a["num"], dtype=np.float32)
        for a in axes.values()
    )
    ids = np.arange(leak.size * scale.size, dtype=np.uint32)
    return ids, np.repeat(leak, scale.size), np.tile(scale, leak.size)
