"""What kind of motion this is, with the evidence and its uncertainty."""

from ._bifurcation import Bifurcation
from ._bifurcation_diagram import BifurcationDiagram, bifurcation_diagram
from ._chaos_indicators import ChaosIndicators, chaos_ensemble, chaos_indicators
from ._classify import classify_orbit, classify_orbits
from ._conserved import conserved_quantities
from ._covariant import CovariantVectors, covariant_vectors
from ._fixed_point_branch import FixedPointBranch, continue_fixed_points
from ._fixed_points import (
    FixedPoints,
    find_fixed_points,
    find_slow_points,
    sample_candidates,
)
from ._floquet import FloquetMultipliers, floquet_multipliers
from ._frequencies import MainFrequencies, main_frequencies
from ._frequency_map import FrequencyMap, frequency_map
from ._gradient_norms import GradientNorms, gradient_norms
from ._lyapunov import LyapunovSpectrum, lyapunov_spectrum
from ._lyapunov_ensemble import lyapunov_ensemble
from ._memory_capacity import MemoryCapacity, memory_capacity
from ._orbit_branch import OrbitBranch, continue_orbits, continue_orbits_in_energy
from ._orbit_class import OrbitClass
from ._periodic_orbit import PeriodicOrbit, find_periodic_orbit
from ._poincare import PoincareSection, poincare_section
from ._relations import FrequencyBasis, frequency_basis
from ._root import FixedPoint, refine_fixed_point
from ._status import OUTCOMES, is_okay
from ._verdict import ORBIT_KINDS
from ._zero_one import zero_one_test

__all__ = [
    "ORBIT_KINDS",
    "OUTCOMES",
    "Bifurcation",
    "BifurcationDiagram",
    "ChaosIndicators",
    "CovariantVectors",
    "FixedPoint",
    "FixedPointBranch",
    "FixedPoints",
    "FloquetMultipliers",
    "FrequencyBasis",
    "FrequencyMap",
    "GradientNorms",
    "LyapunovSpectrum",
    "MainFrequencies",
    "MemoryCapacity",
    "OrbitBranch",
    "OrbitClass",
    "PeriodicOrbit",
    "PoincareSection",
    "bifurcation_diagram",
    "chaos_ensemble",
    "chaos_indicators",
    "classify_orbit",
    "classify_orbits",
    "conserved_quantities",
    "continue_fixed_points",
    "continue_orbits",
    "continue_orbits_in_energy",
    "covariant_vectors",
    "find_fixed_points",
    "find_periodic_orbit",
    "find_slow_points",
    "floquet_multipliers",
    "frequency_basis",
    "frequency_map",
    "gradient_norms",
    "is_okay",
    "lyapunov_ensemble",
    "lyapunov_spectrum",
    "main_frequencies",
    "memory_capacity",
    "poincare_section",
    "refine_fixed_point",
    "sample_candidates",
    "zero_one_test",
]
