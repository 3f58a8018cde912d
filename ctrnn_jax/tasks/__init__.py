"""What a network is asked to remember: one task a file."""

from ._task import AbstractTask, Batch, accuracy
from .signal_school import DESCRIPTORS, Descriptor, SignalSchool, relative_error
from .sunspots import Sunspots, load_sunspots, nrmse

__all__ = [
    "DESCRIPTORS",
    "AbstractTask",
    "Batch",
    "Descriptor",
    "SignalSchool",
    "Sunspots",
    "accuracy",
    "load_sunspots",
    "nrmse",
    "relative_error",
]
