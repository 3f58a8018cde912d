"""The peers, one a file. Each imports its library only when it is prepared."""

from ..problem import Problem
from ..suites import Suite
from . import (
    c_kernel,
    diffrax_peer,
    numba_peer,
    numpy_peer,
    ours,
    plain_jax,
    scipy_peer,
    torch_peer,
)
from ._way import Way

#: All rows, in the order of the tables.
WAYS: tuple[Way, ...] = (
    *c_kernel.WAYS,
    *ours.WAYS,
    *plain_jax.WAYS,
    *diffrax_peer.WAYS,
    *torch_peer.WAYS,
    *numpy_peer.WAYS,
    *numba_peer.WAYS,
    *scipy_peer.WAYS,
)

BY_KEY: dict[str, Way] = {way.key: way for way in WAYS}

SUITE = Suite(Problem, BY_KEY)

__all__ = ["BY_KEY", "SUITE", "WAYS", "Way"]
