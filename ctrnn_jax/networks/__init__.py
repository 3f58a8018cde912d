"""Networks that remember: oscillatory ones and their rivals, under one interface."""

from ._cell import AbstractCell
from ._field_cell import FieldCell
from ._network import Generator, Readout, RecurrentNetwork, count_parameters

__all__ = [
    "AbstractCell",
    "FieldCell",
    "Generator",
    "Readout",
    "RecurrentNetwork",
    "count_parameters",
]
