"""Oscillatory continuous-time recurrent networks in JAX.

Build a CTRNN with skew-symmetric weights, solve it, know what it conserves,
differentiate through it, and see it. Importing this package loads no matplotlib
and changes no JAX setting.
"""

from ._results import RESULTS
from .fields import (
    AbstractActivation,
    Arctan,
    CustomActivation,
    Erf,
    HardTanh,
    Linear,
    RateCTRNN,
    RectifiedTanh,
    Relu,
    SampledInputs,
    Sine,
    Softsign,
    Tanh,
    VoltageCTRNN,
    materialise,
)
from .integrate import (
    RK4,
    CayleyStep,
    CoordinateSplitting,
    DiscreteGradient,
    ExponentialStep,
    ImplicitMidpoint,
    Leapfrog,
    simulate,
    simulate_ensemble,
)
from .invariants import Drift, casimirs, drift, energy, is_conservative
from .matrices import (
    BipartiteSkew,
    BlockRotation,
    GainPlusSkew,
    LowRankSkew,
    SkewSymmetric,
    SparseSkew,
    Unconstrained,
)

__version__ = "0.1.0"

__all__ = [
    "RESULTS",
    "RK4",
    "AbstractActivation",
    "Arctan",
    "BipartiteSkew",
    "BlockRotation",
    "CayleyStep",
    "CoordinateSplitting",
    "CustomActivation",
    "DiscreteGradient",
    "Drift",
    "Erf",
    "ExponentialStep",
    "GainPlusSkew",
    "HardTanh",
    "ImplicitMidpoint",
    "Leapfrog",
    "Linear",
    "LowRankSkew",
    "RateCTRNN",
    "RectifiedTanh",
    "Relu",
    "SampledInputs",
    "Sine",
    "SkewSymmetric",
    "Softsign",
    "SparseSkew",
    "Tanh",
    "Unconstrained",
    "VoltageCTRNN",
    "casimirs",
    "drift",
    "energy",
    "is_conservative",
    "materialise",
    "simulate",
    "simulate_ensemble",
]
