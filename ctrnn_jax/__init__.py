"""Oscillatory continuous-time recurrent networks in JAX.

Build a CTRNN with skew-symmetric weights, solve it, know what it conserves,
differentiate through it, and see it. Importing this package loads no matplotlib
and changes no JAX setting; a name loads its room when it is first asked for, so
that `ctrnn --help` need not wait for JAX.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._results import RESULTS
    from .analysis import LyapunovSpectrum, lyapunov_spectrum
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
        EnergyDrift,
        Every,
        ExponentialStep,
        ImplicitMidpoint,
        Leapfrog,
        MaxChange,
        Maximum,
        Mean,
        Minimum,
        ReversibleAdjoint,
        Variance,
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
    "EnergyDrift",
    "Erf",
    "Every",
    "ExponentialStep",
    "GainPlusSkew",
    "HardTanh",
    "ImplicitMidpoint",
    "Leapfrog",
    "Linear",
    "LowRankSkew",
    "LyapunovSpectrum",
    "MaxChange",
    "Maximum",
    "Mean",
    "Minimum",
    "RateCTRNN",
    "RectifiedTanh",
    "Relu",
    "ReversibleAdjoint",
    "SampledInputs",
    "Sine",
    "SkewSymmetric",
    "Softsign",
    "SparseSkew",
    "Tanh",
    "Unconstrained",
    "Variance",
    "VoltageCTRNN",
    "casimirs",
    "drift",
    "energy",
    "is_conservative",
    "lyapunov_spectrum",
    "materialise",
    "simulate",
    "simulate_ensemble",
]

if not TYPE_CHECKING:
    # Where the names above live, searched in this order.
    _ROOMS = (
        "_results",
        "matrices",
        "fields",
        "integrate",
        "invariants",
        "analysis",
        "tasks",
        "networks",
        "train",
        "sweep",
        "experiments",
    )

    def __getattr__(name):
        if name not in __all__ and name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        import jax

        # The first use may be inside a function that JAX traces: constants made
        # by the imported modules must not become part of that trace.
        with jax.ensure_compile_time_eval():
            rooms = [import_module(f".{room}", __name__) for room in _ROOMS]
        for module in rooms:
            for exported in module.__all__:
                if exported in __all__:
                    globals()[exported] = getattr(module, exported)
        return globals()[name]

    def __dir__():
        return sorted({*globals(), *__all__, *_ROOMS})
