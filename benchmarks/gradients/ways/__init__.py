"""The ways to differentiate, one library or idea a file."""

from ...suites import Suite
from ..problem import Problem
from . import diffrax_ways, ours, rebuilt, scans, torch_ways
from ._way import Differentiate, GradientWay

#: All rows, in the order of the tables.
WAYS: tuple[GradientWay, ...] = (
    *ours.WAYS,
    *scans.WAYS,
    *rebuilt.WAYS,
    *diffrax_ways.WAYS,
    *torch_ways.WAYS,
)

BY_KEY: dict[str, GradientWay] = {way.key: way for way in (*WAYS, ours.ORDER_6)}

SUITE = Suite(Problem, BY_KEY)

__all__ = ["BY_KEY", "SUITE", "WAYS", "Differentiate", "GradientWay"]
