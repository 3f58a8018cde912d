"""Uniform numbers for random and Sobol designs."""

import inspect
import warnings
import zlib

import numpy as np

from ._errors import load


def unit_samples(
    kind: str, names: tuple[str, ...], num: int, seed: int
) -> dict[str, np.ndarray]:
    """Return numbers in [0, 1), `(num,)` by name.

    **Arguments:**

    - `kind`: `"random"`, independent numbers that depend on no other axis; or
      `"sobol"`, scrambled Sobol points, which fill the cube more evenly.
    - `names`: the axes.
    - `num`: how many.
    - `seed`: of both kinds.
    """
    if kind == "random":
        return {
            name: np.random.default_rng([seed, zlib.crc32(name.encode())]).random(num)
            for name in names
        }
    qmc = load("scipy.stats.qmc")
    # scipy 1.15 has renamed the argument.
    word = "rng" if "rng" in inspect.signature(qmc.Sobol).parameters else "seed"
    sampler = qmc.Sobol(
        len(names), scramble=True, **{word: np.random.default_rng(seed)}
    )
    with warnings.catch_warnings():
        # Any number is allowed; only powers of two are perfectly balanced.
        warnings.filterwarnings("ignore", message=".*balance properties.*")
        points = sampler.random(num)
    return {name: np.ascontiguousarray(points[:, i]) for i, name in enumerate(names)}
