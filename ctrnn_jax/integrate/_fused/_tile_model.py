"""A model of many neurons as a kernel holds it: its weight, the drive, and the rest.

Lanes are tiles `(padded, lanes)`: neurons are padded to a power of two, by some that
touch no other.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, Float, PyTree
from ...fields import AbstractActivation, AbstractField, VoltageCTRNN
from ...fields._fields import as_column
from ...fields._inputs import evaluate_inputs
from ...matrices._base import AbstractWeight
from .._lane_loop import Run
from .._splitting import CoordinateSplitting
from ._layout import Model
from ._numbers import numbers_of
from ._on_tiles import call_on_tiles
from ._written_out import call


class TileWeight(NamedTuple):
    """W of a block of lanes: one for all `(padded, padded)`, or with lanes last.

    `ref` has the columns of W first where `TileLayout` says so, and its rows else: what
    is read one at a time then lies together in memory.

    On matrix units a float32 is taken as a sum of two TensorFloat-32 numbers, and a
    product as three of theirs: as accurate as float32. The interpreter has the plain
    product.
    """

    ref: Any
    whole: Array | None
    num_neurons: int
    interpreted: bool

    @classmethod
    def of(cls, ref: Any, num_neurons: int, interpreted: bool) -> "TileWeight":
        """Take a reference; a matrix that all lanes share is read once."""
        whole = ref[...] if len(ref.shape) == 2 else None
        return cls(ref, whole, num_neurons, interpreted)

    def mv(self, x: Float[Array, "n lanes"]) -> Float[Array, "n lanes"]:
        """Return Wx."""
        if self.whole is None:

            def add(j: Array, total: Array) -> Array:
                return total + self.wire(j) * row_of(x, j)

            return jax.lax.fori_loop(0, self.num_neurons, add, jnp.zeros_like(x))
        split = jax.lax.DotAlgorithmPreset.TF32_TF32_F32_X3
        plain = self.interpreted or len(x) <= 16 or x.dtype != jnp.float32
        precision = jax.lax.Precision.HIGHEST if plain else split
        sums = (((1,), (0,)), ((), ()))
        return jax.lax.dot_general(self.whole, x, sums, precision=precision)

    def wire(self, i: Array) -> Array:
        """Return a column or row of W, `(n, 1)` or `(n, lanes)`."""
        return _column(self.ref[i])


def row_of(tile: Array, i: Array) -> Float[Array, "1 lanes"]:
    """Return row i of a tile. A kernel cannot take it apart, but it can add up."""
    index = jax.lax.broadcasted_iota(np.int32, tile.shape, 0)
    mine = jnp.where(index == i, tile, jnp.zeros_like(tile))
    return jnp.sum(mine, axis=0, keepdims=True)


class _Replayed(eqx.Module):
    """An activation on tiles, by functions that kernels have."""

    activation: AbstractActivation

    def __call__(self, x: Array) -> Array:
        arrays, static = eqx.partition(self.activation, eqx.is_array)
        return call_on_tiles(
            lambda arrays, x: eqx.combine(arrays, static)(x), arrays, x
        )


class TileModel(NamedTuple):
    """A field in a kernel, with its drive a function of time.

    - `field`: without its drive; its weight is a `TileWeight`.
    - `drive`: returns Bu(t) + b, `(n,)` or `(n, lanes)`.
    - `marks`: a reference to 1 where a neuron is of an independent set, and 0 where it
      is not, sets first; `None` if there are no sets.
    """

    field: AbstractField
    drive: Callable[[Array], Array | None]
    marks: Any
    num_sets: int
    num_neurons: int

    def at(self, t: Array) -> AbstractField:
        """Return the field at a time, with all of its drive as a bias."""
        return eqx.tree_at(
            lambda field: field.bias, self.field, self.drive(t), is_leaf=_is_none
        )

    def members(self, index: Array | int) -> Array:
        """Return the marks of an independent set, `(n, 1)` or `(n, lanes)`."""
        return _column(self.marks[index])

    def __call__(self, t: Array, y: Array, args: None = None) -> Array:
        """Return dy/dt."""
        return self.at(t)(t, y)


class TileLayout:
    """The arrays of a model laid out for `TileModel`, and how a kernel finds them."""

    def __init__(
        self,
        field: AbstractField,
        mask: PyTree,
        run: Run,
        padded: int,
        dtype: np.dtype,
    ):
        inputs = run.inputs
        one = jax.tree.map(lambda leaf, own: leaf[0] if own else leaf, field, mask)
        self._size, self._padded, self._dtype = one.weight.size, padded, dtype
        parts = lambda field: (field.weight, field.input_weight)  # noqa: E731
        bare, bare_mask = (
            eqx.tree_at(parts, tree, (None, None), is_leaf=_is_none)
            for tree in (field, mask)
        )
        arrays, self._static = eqx.partition(bare, eqx.is_array)
        own, shared = eqx.partition(arrays, bare_mask)
        own, self._own_tree = jax.tree.flatten(own)
        shared, self._shared_tree = jax.tree.flatten(shared)
        self._is_scalar = [leaf.ndim == 0 for leaf in shared]
        own = [jnp.moveaxis(leaf, 0, -1) for leaf in own]
        own = [self._pad(leaf) if leaf.ndim > 1 else leaf[None] for leaf in own]
        shared = [self._pad(leaf) if leaf.ndim else leaf[None] for leaf in shared]
        is_own_matrix = any(jax.tree.leaves(mask.weight))
        matrix = _by_lane(lambda weight: weight.as_matrix(), field.weight, mask.weight)
        sets = one.weight.independent_sets or ()
        # Those of a sparse graph are arrays, which lanes have of their own too.
        is_own_sets = is_own_matrix and any(eqx.is_array(members) for members in sets)
        self._num_sets = len(sets)
        self._inputs = _InputLayout(inputs, dtype)
        into, is_own_into = field.input_weight, bool(mask.input_weight)
        if inputs is None or into is None:
            into, is_own_into = None, False
        sweeps = isinstance(run.solver, CoordinateSplitting) and not sets
        #: Whether W is multiplied, and is one for all lanes.
        self.multiplies_one = not (sweeps or is_own_matrix)
        if isinstance(field, VoltageCTRNN) if sweeps else is_own_matrix:
            matrix = jnp.swapaxes(matrix, 0, 1)
        matrix = self._pad(matrix, 2)
        if into is not None:
            into = self._pad(jnp.moveaxis(into, 0, -1) if is_own_into else into)
        self._places = is_own_matrix, is_own_into, into is not None, is_own_sets
        marks = []
        if sets and is_own_sets:
            marks = [_by_lane(_marks_of, field.weight, mask.weight)]
        elif sets:
            marks = [_marks_of(one.weight)]
        marks = [jnp.moveaxis(self._pad(jnp.moveaxis(m, 1, 0)), 0, 1) for m in marks]
        #: Arrays that every block sees whole, and those of lanes, which are last.
        self.everywhere = [
            *([] if is_own_matrix else [matrix]),
            *([] if is_own_into or into is None else [into]),
            *([] if is_own_sets else marks),
            *self._inputs.rows.shared.pack(),
            *shared,
        ]
        self.lanes = [
            *([matrix] if is_own_matrix else []),
            *([into] if is_own_into else []),
            *(marks if is_own_sets else []),
            *own,
        ]

    def read(
        self, refs: Sequence[Any], interpreted: bool
    ) -> tuple[TileModel, list[Any]]:
        """Return the model that the first references are to, and the others."""
        rest = iter(refs)
        own_matrix, own_into, has_into, own_sets = self._places
        matrix = None if own_matrix else next(rest)
        into = None if own_into or not has_into else next(rest)
        marks: Any = next(rest) if self._num_sets and not own_sets else None
        inputs, rest = self._inputs.read(list(rest))
        count = len(self._is_scalar)
        shared = [
            ref[0] if scalar else ref[...]
            for ref, scalar in zip(rest[:count], self._is_scalar, strict=True)
        ]
        rest = iter(rest[count:])
        matrix = next(rest) if own_matrix else matrix
        into = next(rest) if own_into else into
        marks = next(rest) if own_sets else marks
        own = [next(rest) for _ in range(self._own_tree.num_leaves)]
        own = [ref[0, :] if ref.shape[0] == 1 else ref[...] for ref in own]
        field = eqx.combine(
            jax.tree.unflatten(self._shared_tree, shared),
            jax.tree.unflatten(self._own_tree, own),
            self._static,
        )
        weight = TileWeight.of(matrix, self._size, interpreted)
        field = eqx.tree_at(
            lambda field: (field.weight, field.activation),
            field,
            (weight, _Replayed(field.activation)),
            is_leaf=_is_none,
        )
        bias = field.bias

        def drive(t: Array) -> Array | None:
            if inputs is None:
                return bias
            total = _send(into, inputs(t))
            if bias is None:
                return total
            if bias.ndim > total.ndim:
                return as_column(total, bias) + bias
            return total + as_column(bias, total)

        model = TileModel(field, drive, marks, self._num_sets, self._size)
        return model, list(rest)

    def _pad(self, array: Array, axes: int = 1) -> Array:
        excess = self._padded - self._size
        widths = [(0, excess if axis < axes else 0) for axis in range(array.ndim)]
        return jnp.pad(array, widths)


class _InputLayout:
    """u(t) for a kernel, the same in all lanes: evaluated number by number."""

    def __init__(self, inputs: PyTree, dtype: np.dtype):
        arrays, self._static = eqx.partition(inputs, eqx.is_array)
        self.rows = Model.of(arrays, jax.tree.map(lambda _: False, arrays), 0)
        self._dtype = dtype
        self._is_none = inputs is None

    def read(
        self, refs: list[Any]
    ) -> tuple[Callable[[Array], list[Array]] | None, list[Any]]:
        """Return u(t) as a list of numbers, and the references that are left."""
        arrays, others = self.rows.read(refs)

        def evaluate(arrays: PyTree, t: Array) -> Array:
            return evaluate_inputs(eqx.combine(arrays, self._static), t, self._dtype)

        def inputs(t: Array) -> list[Array]:
            u = call(evaluate, arrays, numbers_of([t], ()))
            return [jnp.asarray(number, self._dtype) for number in u]

        return None if self._is_none else inputs, others


def _send(into: Any, u: list[Array]) -> Array:
    """Return Bu, `(n,)` or `(n, lanes)`, of B `(n, m)` or `(n, m, lanes)`."""
    lanes = (slice(None),) * (len(into.shape) - 2)
    terms = [into[(slice(None), k, *lanes)] * channel for k, channel in enumerate(u)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _by_lane(
    function: Callable[[AbstractWeight], Array], weight: AbstractWeight, mask: PyTree
) -> Array:
    """Return `function` of W, or of each lane's own with the lanes last."""
    if not any(jax.tree.leaves(mask)):
        return function(weight)
    own, shared = eqx.partition(weight, mask)
    build = eqx.filter_vmap(
        lambda part: function(eqx.combine(part, shared)), out_axes=-1
    )
    return build(own)


def _marks_of(weight: AbstractWeight) -> Float[Array, "sets n"]:
    """Return 1 for each member of each independent set, else 0."""
    nobody = jnp.zeros(weight.size, weight.dtype)
    sets = weight.independent_sets or ()
    return jnp.stack([nobody.at[members].set(1) for members in sets])


def _column(values: Array) -> Array:
    return values[:, None] if values.ndim == 1 else values


def _is_none(leaf: object) -> bool:
    return leaf is None
