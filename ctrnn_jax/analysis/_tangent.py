"""Follow tangent vectors along one orbit, or along lanes of orbits."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from .._types import Array, Bool, Float, PyTree
from ..integrate._fixed_steps import alive
from ._flow import Flow
from ._status import OUTCOMES, mark

Vectors = Float[Array, "n k *batch"]


def follow(
    flow: Flow,
    y0: Float[Array, "n *batch"],
    vectors: Vectors,
    renew: Callable[[Vectors], tuple[Vectors, PyTree, Bool[Array, "*batch"]]],
    *,
    intervals: int,
    steps: int,
) -> tuple[Float[Array, "n *batch"], Vectors, PyTree, OUTCOMES]:
    """Carry `vectors` through `intervals` of `steps` steps; renew them after each.

    `renew(vectors)` returns vectors of a fit size, what was observed (arrays whose
    last axis is the lanes, if any), and whether the vectors were still good.

    **Returns:** the last good state and vectors; what was observed, stacked, and 0
    from where a lane was lost; and the outcome: `nonfinite` at the start, `escaped`
    or `degenerate` on the way.
    """
    good = jnp.all(jnp.isfinite(y0) & jnp.isfinite(flow.slope(0, y0)), axis=0)
    start = choose(good, y0, 0.0)
    lost = jnp.zeros_like(good)

    def interval(state: PyTree, index: Array) -> tuple[PyTree, PyTree]:
        y, frame, escaped, degenerate = state
        y1, pushed = flow.advance_tangents(index * steps, steps, y, frame)
        frame1, seen, whole = renew(pushed)
        inside = alive(y1)
        escaped = escaped | ~inside
        degenerate = degenerate | (inside & ~whole)
        keep = ~(escaped | degenerate)
        y, frame = choose(keep, y1, y), choose(keep, frame1, frame)
        seen = jax.tree.map(lambda leaf: choose(keep, leaf, 0.0), seen)
        return (y, frame, escaped, degenerate), seen

    (y, frame, escaped, degenerate), seen = jax.lax.scan(
        interval, (start, vectors, lost, lost), jnp.arange(intervals)
    )
    result = OUTCOMES.successful
    for failed, outcome in (
        (~good, OUTCOMES.nonfinite),
        (escaped, OUTCOMES.escaped),
        (degenerate, OUTCOMES.degenerate),
    ):
        result = mark(failed, outcome, result)
    return y, frame, seen, result


def choose(
    lanes: Bool[Array, "*batch"], yes: Float[Array, "*shape"], no: Array | float
) -> Float[Array, "*shape"]:
    """Return `yes` in the lanes chosen, the last axis if there is one, else `no`."""
    mask = lanes.reshape((1,) * (yes.ndim - lanes.ndim) + lanes.shape)
    return jnp.where(mask, yes, no)
