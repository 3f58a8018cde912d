"""Fixed steps of an ensemble: shared out, run by an engine, and its failures marked."""

from typing import TypeAlias

import equinox as eqx
import jax

from .._results import RESULTS, mark_nonfinite, throw_unless_okay
from .._types import Array, Float, PyTree
from ..fields import AbstractField
from ._engine import derived_by, wants_kernel, with_kernel
from ._fused import run_fused
from ._lane_loop import Run, run_in_xla
from ._lanes import blank, finite_lanes, keep_finite, replace_lanes
from ._shares import chunk_size, in_chunks, shard

#: States of the lanes of one device.
Lanes: TypeAlias = Float[Array, "lanes n"]


@eqx.filter_jit
def run_fixed(
    model: AbstractField,
    mask: PyTree,
    y0: Float[Array, "batch n"],
    run: Run,
    engine: str,
    throw: bool,
    echo: PyTree,
) -> tuple[PyTree, PyTree, RESULTS, PyTree]:
    """Return what is saved, the reductions, a result a lane, and `echo` as arrays.

    All lead with the lanes. What failed is NaN.
    """
    ok = finite_lanes(model, mask, y0)
    own, shared = eqx.partition(model, mask)
    own, start = keep_finite(ok, own), replace_lanes(ok, y0, 0.0)
    per_lane = any(jax.tree.leaves(mask.weight))
    size, itemsize = start.shape[1], start.dtype.itemsize

    def fused(own: PyTree, start: Lanes, everywhere: PyTree) -> PyTree:
        shared, run = everywhere
        field = eqx.combine(own, shared)
        return run_fused(field, mask, start, run, cautious=engine == "auto")

    def plain(own: PyTree, start: Lanes, everywhere: PyTree) -> PyTree:
        shared, run = everywhere

        def chunk(own: PyTree, start: Float[Array, "chunk n"]) -> PyTree:
            return run_in_xla(eqx.combine(own, shared), mask, start, run)

        lanes = chunk_size(size, itemsize, per_lane=per_lane)
        return in_chunks(chunk, own, start, chunk=lanes)

    def share(own: PyTree, start: Lanes, everywhere: PyTree) -> PyTree:
        if wants_kernel(engine):
            kernel = derived_by(plain, fused)
            return with_kernel(engine, kernel, plain, own, start, everywhere)
        return plain(own, start, everywhere)

    ys, reduced, finite, result = shard(share, own, start, (shared, run))
    finite = ok & finite
    result = mark_nonfinite(~finite, result)
    ys, reduced = blank(finite, (ys, reduced))
    if throw:
        ys, reduced = throw_unless_okay((ys, reduced), result)
    return ys, reduced, result, echo
