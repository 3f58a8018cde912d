"""Sweeps: an experiment for every setting of a design, and nothing lost."""

from ._dataset import open_sweep
from ._errors import BusyError, MismatchError, SpecificationError, SweepStorageError
from ._experiment import STATUS, AbstractExperiment, BatchedRun, Output, Parameter
from ._progress import Progress
from ._spec import Specification, read_spec
from ._sweep import sweep

__all__ = [
    "STATUS",
    "AbstractExperiment",
    "BatchedRun",
    "BusyError",
    "MismatchError",
    "Output",
    "Parameter",
    "Progress",
    "Specification",
    "SpecificationError",
    "SweepStorageError",
    "open_sweep",
    "read_spec",
    "sweep",
]
