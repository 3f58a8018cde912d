"""What kind of motion this is, with the evidence and its uncertainty."""

from ._status import OUTCOMES, is_okay

__all__ = [
    "OUTCOMES",
    "is_okay",
]
