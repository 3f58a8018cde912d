"""From a batch as users give it (lanes first) to one the machine likes (lanes last)."""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Bool, Float, PyTree, State
from ..fields import AbstractField
from ..matrices import DenseWeight
from ..matrices._base import UNROLL_PER_LANE, AbstractWeight, contract


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


def one_lane(model: AbstractField, mask: PyTree) -> AbstractField:
    """Return the model of the first lane, for checks of shape and structure."""
    return jax.tree.map(lambda leaf, own: leaf[0] if own else leaf, model, mask)


class WeightPerLane(AbstractWeight):
    """A matrix for each lane, stored `(batch, n, n)`: for those too large to unroll.

    Each lane's matrix is then contiguous, and the product of all lanes reads it in
    order. To its users the lanes are last, as everywhere.
    """

    matrix: Float[Array, "batch n n"] | Float[Array, "n n"]
    is_skew: bool = eqx.field(static=True)
    has_zero_diagonal: bool = eqx.field(static=True)

    @property
    def size(self) -> int:
        return self.matrix.shape[-1]

    def as_matrix(self) -> Float[Array, "n n *batch"]:
        # Two axes are left where the lanes are mapped over.
        return (
            self.matrix if self.matrix.ndim == 2 else jnp.moveaxis(self.matrix, 0, -1)
        )

    def mv(self, x: State) -> State:
        self._check_operand(x)
        return contract(self.as_matrix(), x)

    def materialise(self) -> "WeightPerLane":
        return self


class LaneField(eqx.Module):
    """A field with its weight built, and where the lanes are in its arrays.

    - `mask`: of the field's structure, `True` at arrays with an axis of lanes.
    - `axis`, `weight_axis`: which axis that is, in the weight and elsewhere.
    """

    field: AbstractField
    mask: PyTree
    axis: int = eqx.field(static=True)
    weight_axis: int = eqx.field(static=True)

    def map(
        self,
        function: Callable,
        in_axes: tuple[int | None, ...],
        out_axes: int | tuple[int, ...],
    ) -> Callable:
        """Return `function(field, *arguments)` of one lane, mapped over all lanes."""
        own, shared = eqx.partition(self.field, self.mask)
        axes = jax.tree.map(lambda _: self.axis, own)
        if jax.tree.leaves(own.weight):
            weight_axes = jax.tree.map(lambda _: self.weight_axis, own.weight)
            axes = eqx.tree_at(lambda field: field.weight, axes, weight_axes)

        def one(own: PyTree, *arguments: PyTree) -> PyTree:
            return function(eqx.combine(own, shared), *arguments)

        return partial(jax.vmap(one, in_axes=(axes, *in_axes), out_axes=out_axes), own)


def lanes_last(field: AbstractField, mask: PyTree) -> LaneField:
    """Return a field that steps all lanes `(n, batch)` together."""
    moved = jax.tree.map(
        lambda leaf, own: jnp.moveaxis(leaf, 0, -1) if own else leaf, field, mask
    )
    if not any(jax.tree.leaves(mask.weight)):
        return _with_weight(moved, mask, field.weight.materialise(), False, -1, -1)
    own, shared = eqx.partition(field.weight, mask.weight)
    unrolled = field.weight.size <= UNROLL_PER_LANE
    axis = -1 if unrolled else 0
    build = eqx.filter_vmap(
        lambda part: eqx.combine(part, shared).as_matrix(), out_axes=axis
    )
    weight = (DenseWeight if unrolled else WeightPerLane)(
        matrix=build(own),
        is_skew=field.weight.is_skew,
        has_zero_diagonal=field.weight.has_zero_diagonal,
    )
    return _with_weight(moved, mask, weight, True, -1, axis)


def lanes_first(field: AbstractField, mask: PyTree) -> LaneField:
    """Return a field to step each lane by itself, by `LaneField.map`."""
    batched = any(jax.tree.leaves(mask.weight))
    weight = field.weight
    if batched:
        own, shared = eqx.partition(weight, mask.weight)
        build = eqx.filter_vmap(lambda part: eqx.combine(part, shared).materialise())
        weight = build(own)
    else:
        weight = weight.materialise()
    return _with_weight(field, mask, weight, batched, 0, 0)


def _with_weight(
    field: AbstractField,
    mask: PyTree,
    weight: AbstractWeight,
    batched: bool,
    axis: int,
    weight_axis: int,
) -> LaneField:
    marks = jax.tree.map(lambda leaf: batched and eqx.is_array(leaf), weight)
    replace = partial(eqx.tree_at, lambda field: field.weight)
    return LaneField(replace(field, weight), replace(mask, marks), axis, weight_axis)


def keep_finite(ok: Bool[Array, " batch"], own: AbstractField) -> AbstractField:
    """Return the arrays of `own` (lanes first) with harmless numbers where not `ok`."""
    filled = jax.tree.map(partial(replace_lanes, ok, fill=1.0), own)
    if own.bias is None:
        return filled
    # No bias is in the range of any W, and so has an energy.
    bias = replace_lanes(ok, own.bias, 0.0)
    return eqx.tree_at(lambda field: field.bias, filled, bias)


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


def blank(okay: Bool[Array, " batch"], values: PyTree) -> PyTree:
    """Return `values`, which lead with the lanes, with NaN where not `okay`."""
    return jax.tree.map(lambda leaf: replace_lanes(okay, leaf, jnp.nan), values)
