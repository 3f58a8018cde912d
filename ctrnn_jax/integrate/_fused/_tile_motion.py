"""A motion as kernels of many neurons hold it, and what it is differentiated in."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, PyTree
from .._motion import Motion, Own, none_like
from .._storage import rounded
from ._tile_model import TileModel, TileWeight, column, is_none
from ._written_out import call_exactly


class HeldWeight(eqx.Module):
    """The weight of a motion in a kernel.

    - `matrix`: W, or its transpose: what a cotangent has the shape of.
    - `handle`: how W is read and multiplied.
    """

    matrix: Array
    handle: "Handle" = eqx.field(static=True)

    @property
    def independent_sets(self) -> tuple[int, ...] | None:
        """As many as there are; their members are marked in the model."""
        count = self.handle.model.num_sets
        return tuple(range(count)) if count else None

    def members(self, index: int) -> Array:
        """Return 1 for each neuron of a set, `(n, 1)`, else 0."""
        return self.handle.model.members(index)

    @property
    def tiles(self) -> TileWeight:
        """W as tiles are multiplied by it."""
        weight: Any = self.handle.model.field.weight
        return weight


class Handle:
    """A model and its references, equal to itself alone and never traced."""

    def __init__(self, model: TileModel, lanes: int):
        self.model, self.lanes = model, lanes


class TileMotion(Motion):
    """A motion in a kernel.

    With inputs `field.input_weight` is a tuple of the columns of B, and `inputs` has,
    for each array of theirs, a tuple of its numbers.
    """

    @classmethod
    def of(
        cls, model: TileModel, lanes: int, origin: Array, step: Array
    ) -> "TileMotion":
        """Return the motion of a model."""
        weight: Any = model.field.weight
        activation: Any = model.field.activation
        columns = inputs = None
        if model.inputs is not None:
            columns = tuple(model.columns())
            leaves = jax.tree.leaves(model.inputs.arrays)
            inputs = [tuple(leaf.reshape(-1)) for leaf in leaves]
        field = eqx.tree_at(
            lambda field: (field.weight, field.activation, field.input_weight),
            model.field,
            (
                HeldWeight(weight.whole, Handle(model, lanes)),
                activation.activation,
                columns,
            ),
            is_leaf=is_none,
        )
        return cls(field, inputs, origin, step)

    def drive(self, count: Array) -> Array | None:
        if self.inputs is None:
            return self.field.bias
        return self._send(self._channels(self._time(count)))

    def pull_drive(
        self, own: Own, count: Array
    ) -> tuple[Array | None, Callable[[Array], tuple[Own]]]:
        if self.inputs is None:
            return super().pull_drive(own, count)
        field: Any = self.field
        t = self._time(count)
        u = self._channels(t)

        def pull(of_drive: Array) -> tuple[Own]:
            arriving = [
                jnp.sum(column(wires) * of_drive, axis=0)
                for wires in field.input_weight
            ]
            of_numbers, of_t = self._pull_channels(t, arriving)
            sent = of_drive, tuple(of_drive * channel for channel in u)
            moved = of_t, count.astype(of_t.dtype) * of_t[None]
            parts = (*sent, of_numbers, *moved)
            return (_replaced(own, parts),)

        return self._send(u), pull

    @property
    def _model(self) -> TileModel:
        weight: Any = self.field.weight
        return weight.handle.model

    def _time(self, count: Array) -> Array:
        return rounded(self.origin + rounded(count.astype(self.step.dtype) * self.step))

    def _channels(self, t: Array) -> list[Array]:
        inputs = self._model.inputs
        assert inputs is not None
        return [rounded(channel) for channel in inputs(t, call_exactly)]

    def _send(self, u: list[Array]) -> Array:
        field: Any = self.field
        terms = zip(field.input_weight, u, strict=True)
        # Each product is rounded, that another kernel may add up the same.
        first, *rest = [rounded(column(wires) * channel) for wires, channel in terms]
        total = sum(rest, start=first)
        if field.bias is not None:
            total = total + column(field.bias)
        return jnp.broadcast_to(total, (len(total), field.weight.handle.lanes))

    def _pull_channels(
        self, t: Array, arriving: list[Array]
    ) -> tuple[list[tuple[Array, ...]], Array]:
        """Return the cotangents of the numbers of inputs and of time, one a lane."""
        inputs = self._model.inputs
        assert inputs is not None
        of_arrays, of_t = inputs.pull(t, arriving)
        numbers = [tuple(map(self._spread, leaf.reshape(-1))) for leaf in of_arrays]
        return numbers, self._spread(of_t[()])

    def _spread(self, number: Any) -> Array:
        weight: Any = self.field.weight
        number = jnp.asarray(number, self.step.dtype)
        return jnp.broadcast_to(number, (weight.handle.lanes,))


def _replaced(own: Own, parts: tuple) -> Own:
    """Return the cotangents of what is `own` of a drive's bias, B, inputs and time."""

    def where(motion: Any) -> tuple:
        field = motion.field
        return field.bias, field.input_weight, motion.inputs, motion.origin, motion.step

    def keep(own: PyTree, part: PyTree) -> PyTree:
        if own is None:
            return None
        return jax.tree.map(
            lambda mine, new: None if mine is None else new,
            own,
            part,
            is_leaf=is_none,
        )

    kept = tuple(keep(mine, part) for mine, part in zip(where(own), parts, strict=True))
    return eqx.tree_at(where, none_like(own), kept, is_leaf=is_none)


def differentiable(
    motion: TileMotion, perturbed: PyTree, of_inputs: list[bool]
) -> tuple[TileMotion, Own]:
    """Return a motion, and what it is differentiated in, an array for each lane.

    W is one for all: its cotangent is a product, which is summed over lanes.
    `perturbed` is of the motion outside a kernel, `of_inputs` of its inputs' arrays.
    """
    field: Any = motion.field
    marks, lanes = perturbed.field, field.weight.handle.lanes

    def across(vector: Array) -> Array:
        return jnp.broadcast_to(column(vector), (len(vector), lanes))

    def spread(leaf: Array) -> Array:
        return jnp.broadcast_to(leaf, (lanes,))

    def keep(mark: bool | None, leaf: Any) -> Any:
        return leaf if mark else None

    bias = None if field.bias is None else across(field.bias)
    if marks.bias:
        motion = eqx.tree_at(lambda motion: motion.field.bias, motion, bias)
    columns = inputs = None
    if motion.inputs is not None:
        columns = tuple(map(across, field.input_weight))
        inputs = [
            tuple(spread(number) if mark else None for number in leaf)
            for mark, leaf in zip(of_inputs, motion.inputs, strict=True)
        ]
    own = (
        keep(marks.weight.matrix, field.weight.matrix),
        jax.tree.map(spread, eqx.filter(field.activation, marks.activation)),
        jax.tree.map(spread, eqx.filter(field.leak, marks.leak)),
        keep(marks.bias, bias),
        keep(marks.input_weight, columns),
        inputs,
        keep(perturbed.origin, spread(motion.origin)),
        keep(perturbed.step, jnp.broadcast_to(motion.step, (1, lanes))),
    )
    return motion, eqx.tree_at(
        lambda motion: (
            motion.field.weight.matrix,
            motion.field.activation,
            motion.field.leak,
            motion.field.bias,
            motion.field.input_weight,
            motion.inputs,
            motion.origin,
            motion.step,
        ),
        motion,
        own,
        is_leaf=is_none,
    )


class OwnLeaf(NamedTuple):
    """An array that is differentiated in, and what a kernel has of it.

    - `rank`: 2 for W, 1 for what there is of each neuron, 0 for single numbers.
    - `number`: how many arrays of that rank a kernel has.
    - `shape`, `of_lanes`: of the array outside, without lanes, and whether it has them.
    """

    rank: int
    number: int
    shape: tuple[int, ...]
    of_lanes: bool

    def join(self, parts: list[Array], size: int, lanes: int) -> Array:
        """Return the cotangent from the sums of lanes or blocks."""
        if self.rank == 2:
            return jnp.sum(parts[0], axis=0)[:size, :size]
        cut = [part[:size, :lanes] if self.rank else part[0, :lanes] for part in parts]
        cut = [part.T if self.of_lanes else jnp.sum(part, axis=-1) for part in cut]
        whole = cut[0] if len(self.shape) == self.rank else jnp.stack(cut, axis=-1)
        return whole.reshape(*whole.shape[: self.of_lanes], *self.shape)


def own_leaves(motion: Motion, perturbed: PyTree, marks: PyTree) -> list[OwnLeaf]:
    """Return the arrays of a motion, outside a kernel, that are differentiated in.

    `marks`: those that lead with lanes.
    """
    kinds = jax.tree.map(lambda _: "whole", motion)
    kinds = eqx.tree_at(
        lambda kinds: kinds.inputs,
        kinds,
        jax.tree.map(lambda _: "numbers", motion.inputs),
        is_leaf=is_none,
    )
    if motion.field.input_weight is not None:
        kinds = eqx.tree_at(lambda kinds: kinds.field.input_weight, kinds, "columns")
    trees = (eqx.filter(tree, perturbed) for tree in (motion, marks, kinds))
    out = []
    for leaf, own, kind in zip(*map(jax.tree.leaves, trees), strict=True):
        shape = leaf.shape[1:] if own else leaf.shape
        rank = {"whole": len(shape), "columns": 1, "numbers": 0}[kind]
        count = int(np.prod(shape[rank:], dtype=int))
        out.append(OwnLeaf(rank, 1 if kind == "whole" else count, shape, bool(own)))
    return out
