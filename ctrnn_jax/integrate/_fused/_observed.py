"""What is saved and reduced of a lane of many neurons, by functions of one lane."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..._types import Array, Float, PyTree
from ...fields import AbstractField
from ...matrices._base import DenseWeight
from .._lane_loop import Run
from .._lanes import LaneField, lanes_first
from .._reductions import OneLane
from ._layout import stored
from ._padded import Padded, padded_shape
from ._padded_products import PaddedWeight
from ._padded_rules import PaddedRules
from ._refusal import NotFused
from ._tile_model import TileWeight


class OnLanes:
    """A function of one lane, with the arrays that it reads laid out for a kernel.

    **Arguments:**

    - `function(arrays, *numbers)`; `arrays` lead with lanes where `mask` says so.
    - `matrix`: the array among them that is W, if any; `has_weight`: whether the kernel
      has it anyway, to multiply many lanes by.
    - `numbers`: the shapes of one lane's.
    """

    def __init__(
        self,
        function: Callable[..., PyTree],
        arrays: PyTree,
        mask: PyTree,
        matrix: Array | None,
        *numbers: PyTree,
        has_weight: bool = False,
    ):
        self._has_weight = has_weight
        leaves, structure = jax.tree.flatten(arrays)
        marks = jax.tree.leaves(mask)
        shapes = [
            jax.ShapeDtypeStruct(leaf.shape[1:] if own else leaf.shape, leaf.dtype)
            for leaf, own in zip(leaves, marks, strict=True)
        ]
        try:
            traced, self.outputs = jax.make_jaxpr(function, return_shape=True)(
                jax.tree.unflatten(structure, shapes), *numbers
            )
        except AttributeError as error:
            # Where W has a structure, that is gone here.
            raise NotFused(
                f"tracing what is saved or reduced failed: {error}"
            ) from error
        self._traced = traced
        jaxpr = traced.jaxpr
        read = {id(atom) for eqn in jaxpr.eqns for atom in eqn.invars}
        read |= {id(atom) for atom in jaxpr.outvars}
        #: Arrays that all lanes share, and those of lanes, which are last.
        self.everywhere, self.lanes = [], []
        self._kinds: list[tuple[str, tuple[int, ...], Any]] = []
        for leaf, own, variable in zip(
            leaves, marks, jaxpr.invars[: len(leaves)], strict=True
        ):
            self._lay_out(leaf, own, id(variable) in read, leaf is matrix)
        for constant in traced.consts:
            self._lay_out(jnp.asarray(constant), False, True, False)
        self._num_arrays = len(leaves)

    def _lay_out(self, leaf: Array, own: bool, is_read: bool, is_weight: bool) -> None:
        shape = leaf.shape[1:] if own else leaf.shape
        if not is_read:
            self._kinds.append(("none", shape, leaf.dtype))
            return
        if is_weight and self._has_weight:
            self._kinds.append(("model", shape, leaf.dtype))
            return
        array = jnp.moveaxis(leaf, 0, -1) if own else leaf
        if is_weight:
            # Columns first: those are read one by one.
            array = jnp.swapaxes(array, 0, 1)
        array = padded(array, shape)
        kind = "weight" if is_weight else "own" if own else "shared"
        self._kinds.append((kind, shape, leaf.dtype))
        if own:
            self.lanes.append(array)
        else:
            self.everywhere.append(array if array.ndim else array[None])
        if is_weight and own:
            self._kinds[-1] = ("own weight", shape, leaf.dtype)

    def call(
        self,
        rules: PaddedRules,
        everywhere: Sequence[Any],
        lanes: Sequence[Any],
        block: int,
        interpreted: bool,
        *numbers: PyTree,
        model: TileWeight | None = None,
    ) -> list[Padded]:
        """Return what the function returns, given references to its arrays.

        `model` is the kernel's own W, if it has it.
        """
        shared_refs, own_refs = iter(everywhere), iter(lanes)
        values: list[Any] = []
        for kind, shape, dtype in self._kinds:
            if kind == "none":
                values.append(None)
            elif kind == "model":
                assert model is not None and model.whole is not None
                rows = model.whole
                values.append(PaddedWeight(model, block, lambda rows=rows: rows))
            elif "weight" in kind:
                ref = next(own_refs if kind == "own weight" else shared_refs)
                weight = TileWeight(ref, None, shape[0], interpreted)
                values.append(PaddedWeight(weight, block, lambda ref=ref: _rows(ref)))
            else:
                ref = next(own_refs if kind == "own" else shared_refs)
                is_number = kind == "shared" and not shape
                array = ref[0] if is_number else ref[...]
                values.append(Padded(array.astype(dtype), shape))
        arrays, constants = values[: self._num_arrays], values[self._num_arrays :]
        return rules.replay.run_open(
            self._traced.jaxpr, constants, [*arrays, *jax.tree.leaves(numbers)]
        )


class Observers:
    """All that is saved or reduced by functions of one lane."""

    def __init__(
        self,
        field: AbstractField,
        mask: PyTree,
        start: Float[Array, "lanes n"],
        run: Run,
        one: OneLane,
        block: int,
        num_warps: int,
        *,
        reduces: bool,
        has_weight: bool,
    ):
        self._block, self._num_warps, self._size = block, num_warps, start.shape[1]
        y = jax.ShapeDtypeStruct(start.shape[1:], start.dtype)
        fn = run.plan.fn
        self._save = self._update = None
        #: Carries of reductions at the start, lanes last and padded.
        self.first: list[Array] = []
        if fn is not None:
            inputs, static = eqx.partition(run.inputs, eqx.is_array)
            self._save = OnLanes(
                lambda inputs, t, y: fn(t, y, eqx.combine(inputs, static)),
                inputs,
                jax.tree.map(lambda _: False, inputs),
                None,
                jax.ShapeDtypeStruct((), run.step.dtype),
                y,
            )
        if reduces:
            lanes = lanes_first(field, mask)
            carries = lanes.map(one.init, (0,), 0)(start)
            leaves, self._structure = jax.tree.flatten(carries)
            self._carried = [
                jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for leaf in leaves
            ]
            self.first = [
                padded(jnp.moveaxis(leaf, 0, -1), leaf.shape[1:]) for leaf in leaves
            ]
            arrays, marks, matrix, static = _dense(lanes, mask)
            self._index_dtype = jnp.asarray(0).dtype
            self._update = OnLanes(
                lambda arrays, *rest: one.update(eqx.combine(arrays, static), *rest),
                arrays,
                marks,
                matrix,
                y,
                jax.ShapeDtypeStruct((), self._index_dtype),
                jax.tree.unflatten(self._structure, self._carried),
                has_weight=has_weight,
            )
            after = jax.tree.leaves(self._update.outputs)
            if [(x.shape, x.dtype) for x in after] != [
                (x.shape, x.dtype) for x in self._carried
            ]:
                raise NotFused("a reduction's carry changes its shapes or dtypes")
        parts = [part for part in (self._save, self._update) if part is not None]
        self.everywhere = [array for part in parts for array in part.everywhere]
        self.lanes = [array for part in parts for array in part.lanes]

    @property
    def saved(self) -> list[tuple[tuple[int, ...], Any]] | None:
        """Padded shape and dtype of what is saved; `None` if that is the state."""
        if self._save is None:
            return None
        shapes = jax.tree.leaves(self._save.outputs)
        return [(padded_shape(x.shape), stored(x.dtype)) for x in shapes]

    def save(
        self, refs: tuple[list, list], interpreted: bool, t: Array, y: Array
    ) -> list[Array]:
        """Return what is saved of a tile, as it is written."""
        part = self._save
        assert part is not None
        everywhere, lanes = refs
        true = [Padded(t, ()), self._state(y)]
        rules = PaddedRules(self._num_warps, interpreted)
        values = part.call(
            rules,
            everywhere[: len(part.everywhere)],
            lanes[: len(part.lanes)],
            self._block,
            interpreted,
            *true,
        )
        return [
            value.beside((self._block,)).astype(stored(value.dtype)) for value in values
        ]

    def update(
        self,
        refs: tuple[list, list],
        weight: TileWeight | None,
        interpreted: bool,
        y: Array,
        index: Array,
        carries: list[Array],
    ) -> list[Array]:
        """Return the carries after one more step."""
        part = self._update
        assert part is not None
        skip = (0, 0)
        if self._save is not None:
            skip = len(self._save.everywhere), len(self._save.lanes)
        everywhere, lanes = (refs[k][skip[k] :] for k in (0, 1))
        held = [
            Padded(array.astype(x.dtype), x.shape)
            for array, x in zip(carries, self._carried, strict=True)
        ]
        values = part.call(
            PaddedRules(self._num_warps, interpreted),
            everywhere,
            lanes,
            self._block,
            interpreted,
            self._state(y),
            Padded(index.astype(self._index_dtype), ()),
            held,
            model=weight,
        )
        return [
            value.beside((self._block,)).astype(stored(value.dtype)) for value in values
        ]

    def unpack_saved(self, arrays: list[Array], num_saves: int) -> PyTree:
        """Return what kernels wrote, `(lanes, saves, …)`."""
        assert self._save is not None
        shapes, structure = jax.tree.flatten(self._save.outputs)
        leaves = [
            jnp.moveaxis(_cropped(array, (num_saves, *x.shape)), -1, 0).astype(x.dtype)
            for array, x in zip(arrays, shapes, strict=True)
        ]
        return jax.tree.unflatten(structure, leaves)

    def unpack_carries(self, arrays: list[Array]) -> PyTree:
        """Return carries, lanes first."""
        leaves = [
            jnp.moveaxis(_cropped(array, x.shape), -1, 0).astype(x.dtype)
            for array, x in zip(arrays, self._carried, strict=True)
        ]
        return jax.tree.unflatten(self._structure, leaves)

    def _state(self, y: Array) -> Padded:
        return Padded(y, (self._size,))


def _dense(lanes: LaneField, mask: PyTree) -> tuple[PyTree, PyTree, Array, PyTree]:
    """Return a field's arrays with W built, their mask, W, and what is no array."""
    weight = lanes.field.weight
    own = any(jax.tree.leaves(mask.weight))
    if not isinstance(weight, DenseWeight):
        build = lambda weight: weight.as_matrix()  # noqa: E731
        matrix = eqx.filter_vmap(build)(weight) if own else build(weight)
    else:
        matrix = weight.matrix
    dense = DenseWeight(
        matrix=matrix[0] if own else matrix,
        is_skew=weight.is_skew,
        has_zero_diagonal=weight.has_zero_diagonal,
    )
    dense = eqx.tree_at(lambda weight: weight.matrix, dense, matrix)
    put = lambda tree, value: eqx.tree_at(lambda x: x.weight, tree, value)  # noqa: E731
    marks = eqx.tree_at(lambda weight: weight.matrix, dense, own)
    field = put(lanes.field, dense)
    arrays, static = eqx.partition(field, eqx.is_array)
    marks = jax.tree.map(
        lambda leaf, mark: bool(mark) if eqx.is_array(leaf) else None,
        field,
        put(lanes.mask, marks),
    )
    return arrays, marks, matrix, static


def padded(array: Array, shape: Sequence[int]) -> Array:
    """Return an array of true `shape`, and lanes, as kernels hold it."""
    sides = zip(padded_shape(shape), shape, strict=True)
    widths = [(0, side - size) for side, size in sides]
    widths += [(0, 0)] * (array.ndim - len(widths))
    return jnp.pad(array.astype(stored(array.dtype)), widths)


def _rows(ref: Any) -> Array:
    whole = ref[...]
    return jnp.transpose(whole, (1, 0, 2) if whole.ndim == 3 else (1, 0))


def _cropped(array: Array, shape: Sequence[int]) -> Array:
    return array[tuple(slice(size) for size in shape)]
