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

from ..._types import Array, Float, Int, PyTree, State
from ...fields import AbstractActivation, AbstractField, VoltageCTRNN
from ...fields._fields import add_bias
from ...fields._inputs import evaluate_inputs
from ...matrices._base import AbstractWeight, contract
from .._lanes import one_lane
from ._layout import Model
from ._numbers import Numbers, numbers_of, scalar
from ._on_tiles import call_on_tiles
from ._written_out import call

#: Matrices of so many rows are multiplied without matrix units.
_SMALLEST_SPLIT = 16


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
        return self.product(self.whole, x)

    def mv_transposed(self, x: Float[Array, "n lanes"]) -> Float[Array, "n lanes"]:
        """Return Wᵀx, of one W for all lanes."""
        assert self.whole is not None
        return self.product(self.whole, x, (0, 0))

    def product(
        self, left: Array, right: Array, axes: tuple[int, int] = (1, 0)
    ) -> Float[Array, "rows columns"]:
        """Return a product of matrices, summed over one axis of each."""
        split = jax.lax.DotAlgorithmPreset.TF32_TF32_F32_X3
        plain = self.interpreted or len(left) <= _SMALLEST_SPLIT
        plain = plain or left.dtype != jnp.float32
        precision = jax.lax.Precision.HIGHEST if plain else split
        sums = (((axes[0],), (axes[1],)), ((), ()))
        return jax.lax.dot_general(left, right, sums, precision=precision)

    def wire(self, i: Array) -> Array:
        """Return a column or row of W, `(n, 1)` or `(n, lanes)`."""
        return column(self.ref[i])


class WholeWeight(AbstractWeight):
    """A weight with its matrix built and the members of its sets as numbers."""

    matrix: Float[Array, "n n"]
    sets: tuple[Int[Array, " _"], ...] | None
    is_skew: bool = eqx.field(static=True)
    has_zero_diagonal: bool = eqx.field(static=True)

    @classmethod
    def of(cls, weight: AbstractWeight) -> "WholeWeight":
        """Build a weight."""
        sets = weight.independent_sets
        if sets is not None:
            everyone = jnp.arange(weight.size, dtype=np.int32)
            sets = tuple(everyone[members] for members in sets)
        return cls(
            matrix=weight.as_matrix(),
            sets=sets,
            is_skew=weight.is_skew,
            has_zero_diagonal=weight.has_zero_diagonal,
        )

    @property
    def size(self) -> int:
        return self.matrix.shape[0]

    @property
    def independent_sets(self) -> tuple[Array, ...] | None:
        return self.sets

    def as_matrix(self) -> Float[Array, "n n"]:
        return self.matrix

    def mv(self, x: State) -> State:
        self._check_operand(x)
        return contract(self.matrix, x)

    def materialise(self) -> "WholeWeight":
        return self


def row_of(tile: Array, i: Array) -> Array:
    """Return row i of a tile, `(1, lanes)`: a kernel takes none apart, but adds up."""
    index = jax.lax.broadcasted_iota(np.int32, tile.shape, 0)
    mine = jnp.where(index == i, tile, jnp.zeros_like(tile))
    return jnp.sum(mine, axis=0, keepdims=True, dtype=tile.dtype)


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

    - `field`: without its inputs; its weight is a `TileWeight`.
    - `into`: a reference to B, `(n, m)` or `(n, m, lanes)`, and `inputs`: u(t); `None`
      without inputs.
    - `marks`: a reference to 1 where a neuron is of an independent set, and 0 where it
      is not, sets first; `None` if there are no sets.
    """

    field: AbstractField
    into: Any
    inputs: "TileInputs | None"
    marks: Any
    num_sets: int
    num_neurons: int

    def drive(self, t: Array) -> Array | None:
        """Return Bu(t) + b, `(n,)` or `(n, lanes)`."""
        if self.inputs is None:
            return self.field.bias
        terms = zip(self.columns(), self.inputs(t), strict=True)
        first, *rest = [wires * channel for wires, channel in terms]
        return add_bias(sum(rest, start=first), self.field.bias)

    def columns(self) -> list[Array]:
        """Return what each channel is sent by, `(n,)` or `(n, lanes)`."""
        lanes = (slice(None),) * (len(self.into.shape) - 2)
        channels = range(self.into.shape[1])
        return [self.into[(slice(None), k, *lanes)] for k in channels]

    def at(self, t: Array) -> AbstractField:
        """Return the field at a time, with all of its drive as a bias."""
        return eqx.tree_at(
            lambda field: field.bias, self.field, self.drive(t), is_leaf=is_none
        )

    def members(self, index: Array | int) -> Array:
        """Return the marks of an independent set, `(n, 1)` or `(n, lanes)`."""
        return column(self.marks[index])

    def __call__(self, t: Array, y: Array, args: None = None) -> Array:
        """Return dy/dt."""
        return self.at(t)(t, y)


class TileLayout:
    """The arrays of a model laid out for `TileModel`, and how a kernel finds them.

    `splits`: whether its solver kicks neuron by neuron where W has no sets.
    """

    def __init__(
        self,
        field: AbstractField,
        mask: PyTree,
        inputs: PyTree,
        padded: int,
        dtype: np.dtype,
        *,
        splits: bool,
    ):
        one = one_lane(field, mask)
        self._size, self._padded, self._dtype = one.weight.size, padded, dtype
        parts = lambda field: (field.weight, field.input_weight)  # noqa: E731
        bare, bare_mask = (
            eqx.tree_at(parts, tree, (None, None), is_leaf=is_none)
            for tree in (field, mask)
        )
        arrays, self._static = eqx.partition(bare, eqx.is_array)
        own, shared = eqx.partition(arrays, bare_mask)
        own = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), own)
        own = jax.tree.map(
            lambda leaf: self.pad(leaf) if leaf.ndim > 1 else leaf[None], own
        )
        shared = jax.tree.map(
            lambda leaf: self.pad(leaf) if leaf.ndim else leaf[None], shared
        )
        is_own_matrix = any(jax.tree.leaves(mask.weight))
        matrix = _by_lane(lambda weight: weight.as_matrix(), field.weight, mask.weight)
        sets = one.weight.independent_sets or ()
        # Those of a sparse graph are arrays, which lanes have of their own too.
        is_own_sets = is_own_matrix and any(eqx.is_array(members) for members in sets)
        self._num_sets = len(sets)
        self._inputs = InputLayout(inputs, dtype)
        into, is_own_into = field.input_weight, bool(mask.input_weight)
        if inputs is None or into is None:
            into, is_own_into = None, False
        sweeps = splits and not sets
        #: Whether W is multiplied, and is one for all lanes.
        self.multiplies_one = not (sweeps or is_own_matrix)
        if isinstance(field, VoltageCTRNN) if sweeps else is_own_matrix:
            matrix = jnp.swapaxes(matrix, 0, 1)
        matrix = self.pad(matrix, (0, 1))
        if into is not None:
            into = self.pad(jnp.moveaxis(into, 0, -1) if is_own_into else into)
        marks = None
        if sets:
            whose = (field.weight, mask.weight) if is_own_sets else (one.weight, None)
            marks = self.pad(_by_lane(_marks_of, *whose), (1,))
        parts = {"matrix": matrix, "into": into, "marks": marks}
        are_own = {"matrix": is_own_matrix, "into": is_own_into, "marks": is_own_sets}
        own_parts, shared_parts = eqx.partition(parts, are_own)
        inputs = self._inputs.rows.shared.pack()
        #: Arrays that every block sees whole, and those of lanes, which are last.
        self.everywhere, self._everywhere_tree = jax.tree.flatten(
            (shared_parts, inputs, shared)
        )
        self.lanes, self._lanes_tree = jax.tree.flatten((own_parts, own))

    def read(
        self, refs: Sequence[Any], interpreted: bool
    ) -> tuple[TileModel, list[Any]]:
        """Return the model that the first references are to, and the others."""
        split = len(self.everywhere)
        stop = split + len(self.lanes)
        shared_parts, inputs, shared = jax.tree.unflatten(
            self._everywhere_tree, refs[:split]
        )
        own_parts, own = jax.tree.unflatten(self._lanes_tree, refs[split:stop])
        parts: dict[str, Any] = eqx.combine(shared_parts, own_parts)
        inputs = self._inputs.read(inputs)
        shared = jax.tree.map(
            lambda ref: ref[0] if ref.shape == (1,) else ref[...], shared
        )
        own = jax.tree.map(
            lambda ref: ref[0, :] if ref.shape[0] == 1 else ref[...], own
        )
        field = eqx.combine(shared, own, self._static)
        weight = TileWeight.of(parts["matrix"], self._size, interpreted)
        field = eqx.tree_at(
            lambda field: (field.weight, field.activation),
            field,
            (weight, _Replayed(field.activation)),
            is_leaf=is_none,
        )
        marks = parts["marks"]
        model = TileModel(
            field, parts["into"], inputs, marks, self._num_sets, self._size
        )
        return model, list(refs[stop:])

    def pad(self, array: Array, axes: tuple[int, ...] = (0,)) -> Array:
        """Return an array with rows, or other axes, for the neurons that pad."""
        excess = self._padded - self._size
        widths = [(0, excess if axis in axes else 0) for axis in range(array.ndim)]
        return jnp.pad(array, widths)


class InputLayout:
    """u(t) for a kernel, the same in all lanes: evaluated number by number."""

    def __init__(self, inputs: PyTree, dtype: np.dtype):
        arrays, self._static = eqx.partition(inputs, eqx.is_array)
        self.rows = Model.of(arrays, jax.tree.map(lambda _: False, arrays), 0)
        self._dtype = dtype
        self._has_none = inputs is None

    def read(self, refs: list[Any]) -> "TileInputs | None":
        """Return u(t); `None` without inputs."""
        arrays, _ = self.rows.read(refs)
        if self._has_none:
            return None
        return TileInputs(arrays, self._static, self._dtype)

    def check(self, channels: int) -> None:
        """Refuse what cannot be differentiated number by number.

        **Raises:** `NotFused`, saying what.
        """

        def one(rows: list[Array], t: Array) -> None:
            inputs = self.read(rows)
            if inputs is not None:
                inputs.pull(t, [t] * channels)

        jax.eval_shape(one, self.rows.shared.pack(), jnp.zeros((), self._dtype))


class TileInputs(NamedTuple):
    """u(t) in a kernel: `arrays` are those of the inputs, as numbers."""

    arrays: PyTree
    static: PyTree
    dtype: np.dtype

    def evaluate(self, arrays: PyTree, t: Array) -> Array:
        """Return u(t) of other arrays, outside a kernel."""
        return evaluate_inputs(eqx.combine(arrays, self.static), t, self.dtype)

    def pull(self, t: Array, arriving: list[Array]) -> tuple[list[Numbers], Numbers]:
        """Return the cotangents of the arrays and of t, given those of u(t)."""

        def back(
            arrays: PyTree, t: Array, arriving: Array
        ) -> tuple[list[Array], Array]:
            smooth, rest = eqx.partition(arrays, eqx.is_inexact_array)
            _, pull = jax.vjp(
                lambda smooth, t: self.evaluate(eqx.combine(smooth, rest), t), smooth, t
            )
            of_smooth, of_t = pull(arriving)
            zeros = jax.tree.map(jnp.zeros_like, arrays)
            return jax.tree.leaves(eqx.combine(of_smooth, zeros)), of_t

        numbers = numbers_of(arriving, (len(arriving),))
        return call(back, self.arrays, scalar(t), numbers)

    def __call__(self, t: Array, call: Callable = call) -> list[Array]:
        """Return u(t) as a list of numbers."""
        u = call(self.evaluate, self.arrays, scalar(t))
        return [jnp.asarray(number, self.dtype) for number in u]


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


def column(values: Array) -> Array:
    """Return one number a neuron beside lanes, `(n, 1)`; one a lane too as it is."""
    return values[:, None] if values.ndim == 1 else values


def is_none(leaf: object) -> bool:
    return leaf is None
