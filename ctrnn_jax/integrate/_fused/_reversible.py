"""A reversible solve in one launch, and one more that undoes it for the gradient.

As in `_registers` a lane stays in the registers of a thread. The two kernels must round
alike, bit for bit: see `is_exact` of `_replay`.
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
from ._motion_rows import Solve
from ._refusal import NotFused
from ._registers import MOST_IN_REGISTERS


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
    if lanes == 0 or not 0 < size <= MOST_IN_REGISTERS:
        raise NotFused(
            f"a kernel undoes 1 to {MOST_IN_REGISTERS} neurons, and there are {size}"
        )
    if not isinstance(storage, FixedPoint):
        raise NotFused("ReversibleAdjoint(mode='float') does not keep its bits")
    check_inputs(field, mask, inputs)
    built = lanes_first(field, mask)
    scheme = Scheme.of(solver)
    if built.field.weight.independent_sets is None:
        if not isinstance(built.field.weight, DenseWeight):
            raise NotFused(f"{type(field.weight).__name__} is not held as a matrix")
        scheme = Scheme(scheme.fractions, size)
    inputs = as_module(inputs, origin)
    motion = Motion(built.field, inputs, origin, jnp.asarray(step))
    marks = jax.tree.map(lambda _: False, motion)
    marks = eqx.tree_at(lambda marks: marks.field, marks, built.mask)
    bounds = (counts * len(scheme.fractions)).astype(jnp.int32)
    solve = Solve(marks, scheme, storage)
    # What cannot be undone is to be refused before a gradient is asked for.
    everything = jax.tree.map(eqx.is_inexact_array, motion)
    Undoing(motion, solve, everything, (lanes, size)).check()
    return _solve((motion, start), solve, bounds)


@eqx.filter_custom_vjp
def _solve(
    arguments: tuple[Motion, Array], solve: Solve, bounds: Int[Array, " time"]
) -> tuple[Array, Array]:
    saved, spilt, _ = make(*arguments, bounds, solve=solve)
    return saved, spilt


@_solve.def_fwd
def _solve_forward(
    perturbed: PyTree,
    arguments: tuple[Motion, Array],
    solve: Solve,
    bounds: Int[Array, " time"],
) -> tuple[tuple[Array, Array], Array]:
    saved, spilt, value = make(*arguments, bounds, solve=solve)
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
    own, cotangent, value = undo(
        motion, bounds, value, saved, solve=solve, perturbed=perturbed[0]
    )
    cotangent = check_return(cotangent.T, value, start.T, solve.storage)
    return own, cotangent.T + saved[:, 0]
