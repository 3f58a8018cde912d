"""Networks that remember: oscillatory ones and their rivals, under one interface."""

from ._cell import AbstractCell
from ._matching import matched_size
from ._network import Generator, Readout, RecurrentNetwork, count_parameters

__all__ = [
    "AbstractCell",
    "Generator",
    "Readout",
    "RecurrentNetwork",
    "count_parameters",
    "matched_size",
]
