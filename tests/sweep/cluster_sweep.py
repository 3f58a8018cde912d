"""Sweeps for a cluster: slow enough to be killed, or killing their workers."""

import os
import signal
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp

from ctrnn_jax.sweep import sweep

GRID = {"a": {"start": 0.0, "stop": 1.0, "num": 16}}
OPTIONS = {"chunk_size": 2}


def _through(callback, a):
    shape = jax.ShapeDtypeStruct((), jnp.float64)
    return jax.pure_callback(callback, shape, a, vmap_method="expand_dims")


def slow(settings, key):
    """Take a fifth of a second a chunk."""

    def wait(a):
        time.sleep(0.2)
        return a

    return {"out": jnp.sin(_through(wait, settings["a"])) + jax.random.uniform(key)}


def poisonous(settings, key):
    """Kill the process at one setting."""

    def check(a):
        if (abs(a - 0.4) < 0.01).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return a

    return {"out": _through(check, settings["a"])}


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)

    def tell(progress):
        print(progress.done, flush=True)

    sweep(
        slow, GRID, store=Path(sys.argv[1]), cluster="local:2", progress=tell, **OPTIONS
    )
