"""How a field is advanced in time: solvers, and the two entry points."""

from ._ensemble import simulate_ensemble
from ._implicit import DiscreteGradient, ImplicitMidpoint
from ._linear import CayleyStep, ExponentialStep
from ._reductions import (
    AbstractReduction,
    EnergyDrift,
    Every,
    MaxChange,
    Maximum,
    Mean,
    Minimum,
    Variance,
)
from ._reversible import ReversibleAdjoint
from ._runge_kutta import RK4
from ._simulate import simulate
from ._splitting import CoordinateSplitting, Leapfrog

__all__ = [
    "RK4",
    "AbstractReduction",
    "CayleyStep",
    "CoordinateSplitting",
    "DiscreteGradient",
    "EnergyDrift",
    "Every",
    "ExponentialStep",
    "ImplicitMidpoint",
    "Leapfrog",
    "MaxChange",
    "Maximum",
    "Mean",
    "Minimum",
    "ReversibleAdjoint",
    "Variance",
    "simulate",
    "simulate_ensemble",
]
