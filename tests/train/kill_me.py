"""A training that takes a second or two and can be killed at any moment."""

import json
import sys
import time
from pathlib import Path

import jax
import numpy as np
from small import KEY, OPTIM, TASK, Net, arrays

from ctrnn_jax.train import fit

jax.config.update("jax_enable_x64", True)

STEPS = 240


def train(folder, pause=0.0):
    """Train with a checkpoint every few steps, a little slower than it could."""

    def wait(progress):
        print(progress.step, flush=True)
        time.sleep(pause)

    return fit(
        Net(),
        TASK,
        optim=OPTIM,
        num_steps=STEPS,
        batch_size=4,
        key=KEY,
        steps_per_dispatch=5,
        validate_every=12,
        save_every=4,
        callbacks=[wait],
        folder=folder,
    )


if __name__ == "__main__":
    model, history = train(Path(sys.argv[1]), float(sys.argv[2]))
    numbers = {
        "model": [np.asarray(leaf).tobytes().hex() for leaf in arrays(model)],
        "losses": history.losses.tobytes().hex(),
        "scores": history.validation_scores["loss"].tobytes().hex(),
    }
    print(json.dumps(numbers), flush=True)
