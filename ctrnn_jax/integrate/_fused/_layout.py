"""How the numbers of a lane lie in the arrays and loops of a kernel."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, PyTree
from ...fields import AbstractField
from ...matrices._base import DenseWeight
from .._lanes import one_lane
from ._numbers import numbers_of
from ._refusal import NotFused

#: Inputs hold so many numbers at most, each of which a thread keeps.
_MOST_OF_INPUTS = 64


class Outputs(NamedTuple):
    """Arrays of one lane that a kernel writes, by the number."""

    shapes: list[jax.ShapeDtypeStruct]
    structure: Any

    @classmethod
    def of(cls, tree: PyTree) -> "Outputs":
        return cls(*jax.tree.flatten(tree))

    @property
    def sizes(self) -> list[tuple[int, np.dtype]]:
        return [
            (int(np.prod(leaf.shape, dtype=int)), stored(leaf.dtype))
            for leaf in self.shapes
        ]

    def unpack(self, arrays: Sequence[Array], *, lead: int) -> PyTree:
        """Return arrays `(*lead, size, lanes)` as the lane's, lanes first."""
        leaves = []
        for array, leaf in zip(arrays, self.shapes, strict=True):
            moved = jnp.moveaxis(array, -1, 0).astype(leaf.dtype)
            leaves.append(moved.reshape(*moved.shape[: 1 + lead], *leaf.shape))
        return jax.tree.unflatten(self.structure, leaves)


class Packed(NamedTuple):
    """Numbers of a loop as a flat tuple of vectors over the lanes of a block."""

    shapes: list[tuple[int, ...]]
    dtypes: list[Any]
    structure: Any
    block: int

    @classmethod
    def of(cls, tree: PyTree, dtype: Any, block: int) -> "Packed":
        leaves, structure = jax.tree.flatten(tree)
        dtypes = [(*(x.dtype for x in leaf.reshape(-1)), dtype)[0] for leaf in leaves]
        return cls([leaf.shape for leaf in leaves], dtypes, structure, block)

    def flatten(self, tree: PyTree) -> tuple[Array, ...]:
        return tuple(
            jnp.broadcast_to(jnp.asarray(number, dtype), (self.block,))
            for leaf, dtype in zip(jax.tree.leaves(tree), self.dtypes, strict=True)
            for number in leaf.reshape(-1)
        )

    def restore(self, flat: Sequence[Array]) -> PyTree:
        leaves, rest = [], list(flat)
        for shape in self.shapes:
            size = int(np.prod(shape, dtype=int))
            leaves.append(numbers_of(rest[:size], shape))
            rest = rest[size:]
        return jax.tree.unflatten(self.structure, leaves)


class Rows(NamedTuple):
    """A pytree of arrays as one array for each dtype, a row a number."""

    leaves: list[Array]
    structure: Any
    lanes: int | None

    @classmethod
    def of(cls, tree: PyTree, lanes: int | None = None) -> "Rows":
        leaves, structure = jax.tree.flatten(tree)
        return cls([jnp.asarray(leaf) for leaf in leaves], structure, lanes)

    @property
    def dtypes(self) -> list[np.dtype]:
        return sorted({leaf.dtype for leaf in self.leaves}, key=str)

    def pack(self) -> list[Array]:
        """Return arrays `(rows,)`, or `(rows, lanes)` if the leaves lead with lanes."""
        packed = []
        for dtype in self.dtypes:
            same = [leaf for leaf in self.leaves if leaf.dtype == dtype]
            if self.lanes is None:
                packed.append(jnp.concatenate([leaf.reshape(-1) for leaf in same]))
            else:
                rows = [leaf.reshape(self.lanes, -1).T for leaf in same]
                packed.append(jnp.concatenate(rows))
        return packed

    def take(self, refs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Return the first references, which are to these arrays, and the others."""
        count = len(self.dtypes)
        return list(refs[:count]), list(refs[count:])

    def read(self, refs: Sequence[Any], load: Any) -> PyTree:
        """Return the pytree with numbers for its arrays."""
        next_row = dict.fromkeys(self.dtypes, 0)
        out = []
        for leaf in self.leaves:
            shape = leaf.shape if self.lanes is None else leaf.shape[1:]
            ref = refs[self.dtypes.index(leaf.dtype)]
            first = next_row[leaf.dtype]
            size = int(np.prod(shape, dtype=int))
            next_row[leaf.dtype] = first + size
            out.append(numbers_of([load(ref, first + i) for i in range(size)], shape))
        return jax.tree.unflatten(self.structure, out)


class Model(NamedTuple):
    """Arrays of a model, for a kernel to read as numbers: shared ones and a lane's."""

    own: Rows
    shared: Rows

    @classmethod
    def of(cls, tree: PyTree, mask: PyTree, lanes: int) -> "Model":
        """Take arrays, which lead with the lanes where `mask` says so."""
        own, shared = eqx.partition(tree, mask)
        return cls(Rows.of(own, lanes=lanes), Rows.of(shared))

    @property
    def one_lane(self) -> PyTree:
        """The shapes of the arrays of one lane."""
        own = [_struct(leaf.shape[1:], leaf.dtype) for leaf in self.own.leaves]
        shared = [_struct(leaf.shape, leaf.dtype) for leaf in self.shared.leaves]
        return eqx.combine(
            jax.tree.unflatten(self.own.structure, own),
            jax.tree.unflatten(self.shared.structure, shared),
        )

    def read(self, refs: Sequence[Any]) -> tuple[PyTree, list[Any]]:
        """Return the numbers that the first references are to, and the others."""
        shared_refs, others = self.shared.take(refs)
        own_refs, others = self.own.take(others)
        shared = self.shared.read(shared_refs, lambda ref, i: ref[i])
        own = self.own.read(own_refs, lambda ref, i: ref[i, :])
        return eqx.combine(shared, own), others


def check_inputs(field: AbstractField, mask: PyTree, inputs: PyTree) -> None:
    """Refuse inputs that do not fit a thread, or tell lanes apart.

    **Raises:** `NotFused` saying so; `ValueError` for what no engine would take.
    """
    if inputs is None:
        return
    arrays = jax.tree.leaves(eqx.filter(inputs, eqx.is_array))
    if sum(leaf.size for leaf in arrays) > _MOST_OF_INPUTS:
        raise NotFused(f"its inputs hold more than {_MOST_OF_INPUTS} numbers")
    one = one_lane(field, mask)
    t = jax.ShapeDtypeStruct((), one.weight.dtype)
    drive = jax.eval_shape(lambda t: one.drive(t, inputs), t)
    if len(drive.shape) > 1:
        raise NotFused("its inputs return a column a lane")


def without_diagonal(field: PyTree, whole: AbstractField) -> PyTree:
    """Let a diagonal that is zero by construction be known, and so cost nothing."""
    weight = whole.weight
    if not (isinstance(weight, DenseWeight) and weight.has_zero_diagonal):
        return field
    matrix = field.weight.matrix.copy()
    np.fill_diagonal(matrix, weight.dtype.type(0))
    return eqx.tree_at(lambda field: field.weight.matrix, field, matrix)


def _struct(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


def stored(dtype: Any) -> np.dtype:
    """Return the dtype in memory: a kernel writes no single bits."""
    return np.dtype(np.int32) if np.dtype(dtype) == np.bool_ else np.dtype(dtype)
