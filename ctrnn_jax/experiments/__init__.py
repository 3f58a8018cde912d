"""Experiments that are ready to be swept, one a file.

Each declares its parameters, with bounds and defaults, and what it measures, and runs
a whole batch in one compiled call; `ctrnn_jax.sweep` does the rest.
"""

from ..sweep._experiment import AbstractExperiment
from ._euler_drift import EulerDrift
from ._lyapunov import Lyapunov
from ._memory_capacity import RecallOfInputs
from ._oscillation import MOTIONS, Oscillation
from ._training import Training

EXPERIMENTS: dict[str, AbstractExperiment] = {
    experiment.name: experiment
    for experiment in (
        Oscillation(),
        EulerDrift(),
        Lyapunov(),
        RecallOfInputs(),
        Training(),
    )
}
"""Each experiment by its name, as `[sweep] experiment = "..."` gives it."""

__all__ = [
    "EXPERIMENTS",
    "MOTIONS",
    "EulerDrift",
    "Lyapunov",
    "Oscillation",
    "RecallOfInputs",
    "Training",
]
