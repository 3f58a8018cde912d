"""Experiments that take no time, and how to compare what they left."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from ctrnn_jax.sweep import AbstractExperiment, Output, Parameter


def noise(key):
    """A number in [0, 1) of a key, cheaper to compile than those of jax.random."""
    return (jr.key_data(key)[1] >> 8).astype(float) / 2**24


def wave(settings, key):
    """A number and a series that depend on every setting and on the key."""
    ts = jnp.linspace(0.0, 1.0, 5)
    size = noise(key)
    rate = settings["model"]["rate"]
    return {
        "level": jnp.tanh(settings["scale"] * size) + rate,
        "series": jnp.sin(rate * ts) * size,
    }


WAVE_GRID = {
    "scale": {"start": 0.5, "stop": 2.0, "num": 12},
    "model.rate": [0.0, 1.0, 3.0],
}


class Chain(AbstractExperiment):
    """A random chain, whose length is static."""

    name = "chain"
    summary = "Largest entries of a random chain."
    parameters = (
        Parameter("length", 2, "number of links", static=True, low=1, high=8),
        Parameter("stiffness", 1.0, "of a link", low=0.0, open=("low",)),
        Parameter("kind", "open", "how it ends", choices=("open", "closed")),
        Parameter("steps", 3, "how often it is stirred", low=0, high=100),
        Parameter("is_odd", False, "whether its sign is turned"),
    )
    outputs = (
        Output("top", "largest entry"),
        Output(
            "links",
            "entries",
            dims=("link",),
            coords=lambda static: {"link": np.arange(static["length"])},
        ),
    )

    def build(self, fixed):
        length, kind = fixed["length"], fixed["kind"]

        def one(settings, key):
            links = settings["stiffness"] * jnp.sin(noise(key) * jnp.arange(1.0, 9.0))
            links = links[:length]
            if kind == "closed":
                links = links - links.mean()
            links = jnp.where(settings["is_odd"], -links, links)
            return {
                "top": links.max(),
                "links": links,
                "status": jnp.where(settings["steps"] > 90, 1, 0),
                "num_steps": settings["steps"],
            }

        return jax.vmap(one)


class CostlyChain(Chain):
    """Tells that stiff chains cost more."""

    def cost(self, settings):
        return -settings["stiffness"]


def same(first, second):
    """Whether two datasets are equal to the last bit."""
    if first.sizes != second.sizes or {*first.variables} != {*second.variables}:
        return False
    return all(
        first[name].dims == second[name].dims
        and first[name].dtype == second[name].dtype
        and first[name].values.tobytes() == second[name].values.tobytes()
        for name in first.variables
    )


class Stop(Exception):
    """Ends a sweep as an interruption would."""


def stop_after(count):
    """Return a progress callback that ends a sweep after so many chunks."""
    seen = []

    def tell(progress):
        seen.append(progress)
        if len(seen) > count:
            raise Stop

    return tell
