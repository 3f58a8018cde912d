"""Sweeps: an experiment for every setting of a design, and nothing lost."""

from ._dataset import open_sweep
from ._errors import BusyError, MismatchError, SpecificationError, SweepStorageError
from ._estimate import Estimate, estimate
from ._experiment import STATUS, AbstractExperiment, BatchedRun, Output, Parameter
from ._export import export
from ._progress import Progress
from ._spec import Specification, read_spec
from ._sweep import sweep
from ._table import to_frame
from ._verify import Verification, repair, verify

__all__ = [
    "STATUS",
    "AbstractExperiment",
    "BatchedRun",
    "BusyError",
    "Estimate",
    "MismatchError",
    "Output",
    "Parameter",
    "Progress",
    "Specification",
    "SpecificationError",
    "SweepStorageError",
    "Verification",
    "estimate",
    "export",
    "open_sweep",
    "read_spec",
    "repair",
    "sweep",
    "to_frame",
    "verify",
]
