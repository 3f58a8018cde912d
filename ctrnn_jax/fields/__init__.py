"""What the equation is: activations, inputs and the two vector fields."""

from ._activations import (
    Arctan,
    Erf,
    HardTanh,
    Linear,
    RectifiedTanh,
    Relu,
    Sine,
    Softsign,
    Tanh,
)
from ._activations_base import AbstractActivation, CustomActivation
from ._fields import AbstractField, RateCTRNN, VoltageCTRNN, materialise
from ._inputs import SampledInputs

__all__ = [
    "AbstractActivation",
    "AbstractField",
    "Arctan",
    "CustomActivation",
    "Erf",
    "HardTanh",
    "Linear",
    "RateCTRNN",
    "RectifiedTanh",
    "Relu",
    "SampledInputs",
    "Sine",
    "Softsign",
    "Tanh",
    "VoltageCTRNN",
    "materialise",
]
