"""A sweep that takes a second or two and can be killed at any moment."""

import sys
import time
from pathlib import Path

import jax
from small_sweep import wave

from ctrnn_jax.sweep import sweep

jax.config.update("jax_enable_x64", True)

GRID = {"scale": {"start": 0.5, "stop": 2.0, "num": 100}, "model.rate": [0.0, 1.0, 3.0]}


def run(path, pause=0.0):
    """Run it, a little slower than it could, and say how far it is."""

    def wait(progress):
        print(progress.done, flush=True)
        time.sleep(pause)

    return sweep(wave, GRID, store=path, chunk_size=8, batch_size=4, progress=wait)


if __name__ == "__main__":
    run(Path(sys.argv[1]), float(sys.argv[2]))
