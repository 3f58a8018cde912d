"""What kind of motion this is, with the evidence and its uncertainty."""

from ._gradient_norms import GradientNorms, gradient_norms
from ._lyapunov import LyapunovSpectrum, lyapunov_spectrum
from ._memory_capacity import MemoryCapacity, memory_capacity
from ._status import OUTCOMES, is_okay

__all__ = [
    "OUTCOMES",
    "GradientNorms",
    "LyapunovSpectrum",
    "MemoryCapacity",
    "gradient_norms",
    "is_okay",
    "lyapunov_spectrum",
    "memory_capacity",
]
