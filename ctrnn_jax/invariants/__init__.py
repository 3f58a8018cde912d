"""What a field conserves, and how well a solution keeps it."""

from ._casimirs import casimirs
from ._drift import Drift, drift
from ._energy import energy, is_conservative

__all__ = ["Drift", "casimirs", "drift", "energy", "is_conservative"]
