"""A motion and its lanes as the numbers of a kernel."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx

from ..._types import PyTree
from .._motion import Motion
from .._scheme import Scheme
from .._storage import FixedPoint
from ._layout import Model, without_diagonal


class Kernels(NamedTuple):
    """The launch that makes a solve, and the one that undoes it."""

    make: Callable[..., tuple]
    undo: Callable[..., tuple]


class Solve(eqx.Module):
    """What a solve is made by, apart from what it is differentiated in."""

    marks: PyTree
    scheme: Scheme
    storage: FixedPoint
    kernels: Kernels = eqx.field(static=True)

    def rows(self, motion: Motion, lanes: int) -> tuple[Model, PyTree]:
        """Return the arrays of a motion, for a kernel to read, and the rest of it."""
        arrays, static = eqx.partition(motion, eqx.is_array)
        return Model.of(arrays, self.marks, lanes), static


def read_motion(
    rows: Model, motion: Motion, refs: Sequence[Any]
) -> tuple[PyTree, list[Any]]:
    """Return the numbers of a motion, and the references that are left."""
    model, others = rows.read(refs)
    field = without_diagonal(model.field, motion.field)
    model = eqx.tree_at(lambda model: model.field, model, field)
    return model, others
