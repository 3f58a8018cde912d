"""What a network is asked to remember: one task a file."""

from ._adding import Adding
from ._copy import CopyMemory
from ._delayed_recall import DelayedRecall
from ._flip_flop import FlipFlop
from ._generated import AbstractGenerated
from ._task import AbstractTask, Batch, accuracy
from .signal_school import DESCRIPTORS, Descriptor, SignalSchool, relative_error
from .sunspots import Sunspots, load_sunspots, nrmse

__all__ = [
    "DESCRIPTORS",
    "AbstractGenerated",
    "AbstractTask",
    "Adding",
    "Batch",
    "CopyMemory",
    "DelayedRecall",
    "Descriptor",
    "FlipFlop",
    "SignalSchool",
    "Sunspots",
    "accuracy",
    "load_sunspots",
    "nrmse",
    "relative_error",
]
