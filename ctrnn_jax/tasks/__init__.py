"""What a network is asked to remember: one task a file."""

from .signal_school import DESCRIPTORS, Descriptor, SignalSchool, relative_error
from .sunspots import Sunspots, load_sunspots, nrmse

__all__ = [
    "DESCRIPTORS",
    "Descriptor",
    "SignalSchool",
    "Sunspots",
    "load_sunspots",
    "nrmse",
    "relative_error",
]
