"""Networks that remember: oscillatory ones and their rivals, under one interface."""

from ._cell import AbstractCell
from ._field_cell import FieldCell
from ._matching import matched_size
from ._motion_check import ChaoticStart, InitialMotion, initial_motion
from ._network import Features, Generator, Readout, RecurrentNetwork, count_parameters
from ._oscillators import OSCILLATORS, oscillator
from ._phases import angular_frequency_of
from ._registry import make_network, network_names, recurrent_weights
from .rivals import CELLS

__all__ = [
    "CELLS",
    "OSCILLATORS",
    "AbstractCell",
    "ChaoticStart",
    "Features",
    "FieldCell",
    "Generator",
    "InitialMotion",
    "Readout",
    "RecurrentNetwork",
    "angular_frequency_of",
    "count_parameters",
    "initial_motion",
    "make_network",
    "matched_size",
    "network_names",
    "oscillator",
    "recurrent_weights",
]
