"""From a batch as users give it (lanes first) to one the machine likes (lanes last)."""

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Bool, PyTree
from ..fields import AbstractField, materialise
from ..matrices import DenseWeight


def mark_lanes(model: AbstractField, axes: PyTree, batch: int) -> PyTree:
    """Return a pytree of the model's structure: `True` at arrays that lead with lanes.

    `axes` is `None` (all shared), 0 (every array leads with the lanes), or a pytree
    of the model's structure with 0 or `None` at its arrays.

    **Raises:** `ValueError` for another axis or a length that is not `batch`.
    """

    def mark(axis: int | None, part: PyTree) -> PyTree:
        if axis is not None and axis != 0:
            raise ValueError(f"model_axes may hold 0 and None only, got {axis!r}.")
        return jax.tree.map(lambda leaf: axis == 0 and eqx.is_array(leaf), part)

    mask = jax.tree.map(mark, axes, model, is_leaf=lambda axis: axis is None)
    lengths = {
        leaf.shape[0] if leaf.ndim else None
        for leaf in jax.tree.leaves(eqx.filter(model, mask))
    }
    if lengths - {batch}:
        raise ValueError(
            f"y0 has {batch} lanes, but the arrays of the model that model_axes calls "
            f"batched lead with {sorted(map(str, lengths))}. Build the models with "
            "jax.vmap over as many keys, or drop model_axes to share one model."
        )
    return mask


def lanes_last(field: AbstractField, mask: PyTree) -> AbstractField:
    """Return one field whose per-lane arrays have the lanes on their last axis."""
    moved = jax.tree.map(
        lambda leaf, own: jnp.moveaxis(leaf, 0, -1) if own else leaf, field, mask
    )
    if not any(jax.tree.leaves(mask.weight)):
        return materialise(moved)
    own, shared = eqx.partition(field.weight, mask.weight)
    build = eqx.filter_vmap(
        lambda part: eqx.combine(part, shared).as_matrix(), out_axes=-1
    )
    weight = DenseWeight(
        matrix=build(own),
        is_skew=field.weight.is_skew,
        has_zero_diagonal=field.weight.has_zero_diagonal,
    )
    return eqx.tree_at(lambda field: field.weight, moved, weight)


def materialise_lanes(
    field: AbstractField, mask: PyTree
) -> tuple[AbstractField, PyTree]:
    """Build the weight once, keeping the lanes first; return the field and its mask."""
    batched = any(jax.tree.leaves(mask.weight))
    if batched:
        own, shared = eqx.partition(field.weight, mask.weight)
        weight = eqx.filter_vmap(lambda part: eqx.combine(part, shared).materialise())(
            own
        )
    else:
        weight = field.weight.materialise()
    marks = jax.tree.map(lambda leaf: batched and eqx.is_array(leaf), weight)
    return (
        eqx.tree_at(lambda field: field.weight, field, weight),
        eqx.tree_at(lambda field: field.weight, mask, marks),
    )


def finite_lanes(
    field: AbstractField, mask: PyTree, y0: Array
) -> Bool[Array, " batch"]:
    """Return which lanes start from finite numbers, shape `(batch,)`."""
    ok = jnp.all(jnp.isfinite(y0), axis=-1)
    for leaf in jax.tree.leaves(eqx.filter(field, mask)):
        if eqx.is_inexact_array(leaf):
            ok = ok & jnp.all(jnp.isfinite(leaf), axis=tuple(range(1, leaf.ndim)))
    return ok


def replace_lanes(ok: Bool[Array, " batch"], leaf: PyTree, fill: float) -> PyTree:
    """Return `leaf` (lanes first) with `fill` in the lanes that are not `ok`.

    Done before the solve: masking afterwards would leave 0 · NaN in the gradients.
    """
    if not eqx.is_inexact_array(leaf):
        return leaf
    mask = ok.reshape(ok.shape + (1,) * (leaf.ndim - 1))
    return jnp.where(mask, leaf, jnp.full_like(leaf, fill))
