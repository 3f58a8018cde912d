"""A reversible solve in one launch, and one more that undoes it for the gradient.

Few neurons stay in the registers of a thread, as in `_registers`, and more are tiles of
a block. The two kernels must round alike, bit for bit: see `is_exact` of `_replay`.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array, Bool, Float, Int, PyTree
from ...fields import AbstractField
from ...matrices._base import DenseWeight
from .._lanes import lanes_first
from .._motion import Motion
from .._reversible_solve import as_module, check_return
from .._scheme import Scheme
from .._splitting import CoordinateSplitting, Leapfrog
from .._storage import AbstractStorage, FixedPoint
from ._backwards import Undoing, undo
from ._forwards import make
from ._layout import check_inputs
from ._motion_rows import Kernels, Solve
from ._refusal import NotFused
from ._registers import MOST_IN_REGISTERS
from ._tile_model import InputLayout, WholeWeight
from ._tile_reversible import make_on_tiles, undo_on_tiles
from ._tiles import MOST_IN_TILES, check_on_tiles


def solve_in_kernel(
    field: AbstractField,
    mask: PyTree,
    start: Float[Array, "lanes n"],
    inputs: PyTree,
    origin: Float[Array, ""],
    step: Float[Array, ""] | np.ndarray,
    counts: Int[Array, " time"],
    solver: CoordinateSplitting | Leapfrog,
    storage: AbstractStorage,
) -> tuple[Float[Array, "lanes time n"], Bool[Array, " lanes"]]:
    """Return the states after `counts` steps, and which lanes left the range.

    `field` and `mask` are as users give them: arrays of lanes lead with those.

    **Raises:** `NotFused` for what cannot be made or undone number by number.
    """
    lanes, size = start.shape
    if lanes == 0 or not 0 < size <= MOST_IN_TILES:
        raise NotFused(
            f"a kernel undoes 1 to {MOST_IN_TILES} neurons, and there are {size}"
        )
    if not isinstance(storage, FixedPoint):
        raise NotFused("ReversibleAdjoint(mode='float') does not keep its bits")
    check_inputs(field, mask, inputs)
    prepare = _in_registers if size <= MOST_IN_REGISTERS else _in_tiles
    field, mask, scheme, kernels = prepare(field, mask, Scheme.of(solver), inputs)
    inputs = as_module(inputs, origin)
    motion = Motion(field, inputs, origin, jnp.asarray(step))
    marks = jax.tree.map(lambda _: False, motion)
    marks = eqx.tree_at(lambda marks: marks.field, marks, mask)
    bounds = (counts * len(scheme.fractions)).astype(jnp.int32)
    solve = Solve(marks, scheme, storage, kernels)
    # What cannot be undone is to be refused before a gradient is asked for.
    if kernels is _REGISTERS:
        everything = jax.tree.map(eqx.is_inexact_array, motion)
        Undoing(motion, solve, everything, (lanes, size)).check()
    elif inputs is not None and field.input_weight is not None:
        channels = field.input_weight.shape[-1]
        InputLayout(inputs, motion.step.dtype).check(channels)
    return _solve((motion, start), solve, bounds)


def _in_registers(
    field: AbstractField, mask: PyTree, scheme: Scheme, inputs: PyTree
) -> tuple[AbstractField, PyTree, Scheme, Kernels]:
    built = lanes_first(field, mask)
    if built.field.weight.independent_sets is None:
        if not isinstance(built.field.weight, DenseWeight):
            raise NotFused(f"{type(field.weight).__name__} is not held as a matrix")
        scheme = Scheme(scheme.fractions, field.weight.size)
    return built.field, built.mask, scheme, _REGISTERS


def _in_tiles(
    field: AbstractField, mask: PyTree, scheme: Scheme, inputs: PyTree
) -> tuple[AbstractField, PyTree, Scheme, Kernels]:
    check_on_tiles(field, mask)
    if any(jax.tree.leaves(mask.weight)):
        raise NotFused("each lane has its own weight, of many neurons")
    weight = WholeWeight.of(field.weight)
    if weight.sets is not None and len(weight.sets) > _MOST_SETS:
        raise NotFused(
            f"its graph has {len(weight.sets)} independent sets, more than {_MOST_SETS}"
        )
    marks = jax.tree.map(lambda _: False, weight)
    field, mask = (
        eqx.tree_at(lambda field: field.weight, tree, part)
        for tree, part in ((field, weight), (mask, marks))
    )
    if inputs is None and field.input_weight is not None:
        field, mask = (
            eqx.tree_at(lambda field: field.input_weight, tree, None)
            for tree in (field, mask)
        )
    return field, mask, scheme, _TILES


_REGISTERS = Kernels(make, undo)
_TILES = Kernels(make_on_tiles, undo_on_tiles)

#: A kick by a set is a product of its own, and written out: they compile for long.
_MOST_SETS = 4


@eqx.filter_custom_vjp
def _solve(
    arguments: tuple[Motion, Array], solve: Solve, bounds: Int[Array, " time"]
) -> tuple[Array, Array]:
    saved, spilt, _ = solve.kernels.make(*arguments, bounds, solve=solve)
    return saved, spilt


@_solve.def_fwd
def _solve_forward(
    perturbed: PyTree,
    arguments: tuple[Motion, Array],
    solve: Solve,
    bounds: Int[Array, " time"],
) -> tuple[tuple[Array, Array], Array]:
    saved, spilt, value = solve.kernels.make(*arguments, bounds, solve=solve)
    return (saved, spilt), value


@_solve.def_bwd
def _solve_backward(
    value: Array,
    cotangents: tuple[Array | None, None],
    perturbed: PyTree,
    arguments: tuple[Motion, Array],
    solve: Solve,
    bounds: Int[Array, " time"],
) -> tuple[PyTree, Array]:
    motion, start = arguments
    saved, _ = cotangents
    if saved is None:
        own = eqx.filter(motion, perturbed[0])
        return jax.tree.map(jnp.zeros_like, own), jnp.zeros_like(start)
    own, cotangent, value = solve.kernels.undo(
        motion, bounds, value, saved, solve=solve, perturbed=perturbed[0]
    )
    cotangent = check_return(cotangent.T, value, start.T, solve.storage)
    return own, cotangent.T + saved[:, 0]
