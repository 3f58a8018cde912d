"""A reversible solve that takes an input before each run of steps, as networks do."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Bool, Float, PyTree, ScalarLike, State
from ..fields import AbstractField, materialise
from ._motion import Held, Motion, Own, none_like
from ._reversible_solve import check_return, pad_neurons
from ._scheme import Scheme
from ._splitting import CoordinateSplitting, Leapfrog
from ._storage import AbstractStorage
from ._substeps import add_trees, undo


class HeldInputs(eqx.Module):
    """A drive that keeps one value, shape `(m,)`."""

    u: Float[Array, " m"]

    def __call__(self, t: ScalarLike) -> Float[Array, " m"]:
        """Return the value."""
        return self.u


def scan_reversibly(
    field: AbstractField,
    y0: State,
    inputs: Float[Array, "time m"],
    step: Float[Array, ""],
    substeps: int,
    solver: CoordinateSplitting | Leapfrog,
    storage: AbstractStorage,
    *,
    keep: bool = True,
) -> tuple[Float[Array, "samples n"], Bool[Array, ""]]:
    """Return the states after `substeps` steps with each input held.

    All of them, or with `keep=False` the last one alone; and whether any left the
    range. What a gradient needs besides is the last state and the inputs: each is
    differentiated in as its steps are undone, in O(1) a step.

    **Raises:** `ValueError` for a field with leak, whose gauge has no bounded range
    over a sequence of unknown length.
    """
    if field.has_leak:
        raise ValueError(
            "a reversible scan over inputs takes no leak: e^(leak·t)·y would leave "
            "the range of the integers. Use gradient='stored', or leak=0."
        )
    size = y0.shape[0]
    scheme = Scheme.of(solver)
    field = materialise(field)
    if field.weight.independent_sets is None:
        scheme = scheme.fitted(size)
        field, y0 = pad_neurons(field, y0, -size % scheme.block_size)
    motion = Motion(field, None, jnp.zeros_like(step), step)
    ys, spilt = _scan((motion, y0, inputs), scheme, storage, substeps, keep)
    return ys[:, :size], jnp.any(spilt[:size])


@eqx.filter_custom_vjp
def _scan(
    arguments: tuple[Motion, State, Array],
    scheme: Scheme,
    storage: AbstractStorage,
    substeps: int,
    keep: bool,
) -> tuple[Array, Array]:
    ys, spilt, _ = _forward(arguments, scheme, storage, substeps, keep)
    return ys, spilt


def _forward(
    arguments: tuple[Motion, State, Array],
    scheme: Scheme,
    storage: AbstractStorage,
    substeps: int,
    keep: bool,
) -> tuple[Array, Array, Array]:
    """Return the states, which neurons left the range, and what is held last."""
    motion, y0, inputs = arguments
    count = substeps * len(scheme.fractions)

    def run(held: Held, u: Array) -> tuple[Held, Array | None]:
        driven = _driven(motion, u)
        drive = driven.drive(jnp.zeros_like(motion.step))
        for flow in scheme.opening(driven, jnp.asarray(0)):
            held = flow.push(driven, storage, held, motion.field.bias)

        def body(index: Array, held: Held) -> Held:
            for flow in scheme.flows(driven, index, index == count - 1, drive):
                held = flow.push(driven, storage, held, drive)
            return held

        held = _repeat(count, body, held)
        return held, storage.read(held.value, None) if keep else None

    value = storage.hold(y0)
    held, ys = jax.lax.scan(run, Held(value, storage.spilt(value)), inputs)
    if ys is None:
        ys = storage.read(held.value, None)[None]
    return ys, storage.has_spilt(held.spill), held.value


@_scan.def_fwd
def _scan_forward(
    perturbed: PyTree,
    arguments: tuple[Motion, State, Array],
    scheme: Scheme,
    storage: AbstractStorage,
    substeps: int,
    keep: bool,
) -> tuple[tuple[Array, Array], Array]:
    ys, spilt, value = _forward(arguments, scheme, storage, substeps, keep)
    return (ys, spilt), value


@_scan.def_bwd
def _scan_backward(
    value: Array,
    cotangents: tuple[Array | None, None],
    perturbed: PyTree,
    arguments: tuple[Motion, State, Array],
    scheme: Scheme,
    storage: AbstractStorage,
    substeps: int,
    keep: bool,
) -> tuple[Own, State, Array | None]:
    motion, y0, inputs = arguments
    own = eqx.filter(motion, perturbed[0])
    zero = jax.tree.map(jnp.zeros_like, own)
    ys, _ = cotangents
    if ys is None:
        return zero, jnp.zeros_like(y0), jnp.zeros_like(inputs)
    count = substeps * len(scheme.fractions)

    def run(carry: PyTree, at: tuple[Array, Array | None]) -> tuple[PyTree, Array]:
        value, cotangent, sums = carry
        u, arriving = at
        driven = _driven(motion, u)
        if arriving is not None:
            cotangent = cotangent + arriving

        def drive_of(own: Own, u: Array) -> Array:
            drive = _driven(eqx.combine(own, motion), u).drive(
                jnp.zeros_like(motion.step)
            )
            assert drive is not None
            return drive

        drive, pull_drive = jax.vjp(drive_of, own, u)
        # With a place for what it returns, but nothing to differentiate in, for inputs.
        wide = eqx.tree_at(
            lambda m: m.inputs, own, none_like(driven.inputs), is_leaf=_is_none
        )

        def body(back: Array, carry: PyTree) -> PyTree:
            state, total, of_drive = carry
            index = count - 1 - back
            flows = scheme.flows(driven, index, back == 0, drive)
            state, part, more = undo(flows, driven, wide, storage, drive, state)
            return state, add_trees(total, part), of_drive + more

        start = ((value, cotangent), _zeros(wide), jnp.zeros_like(drive))
        state, total, of_drive = _repeat(count, body, start)
        opening = scheme.opening(driven, jnp.asarray(0))
        if opening:
            bias = motion.field.bias
            state, part, _ = undo(opening, driven, wide, storage, bias, state)
            total = add_trees(total, part)
        total = eqx.tree_at(lambda m: m.inputs, total, None)
        part, of_u = pull_drive(of_drive)
        sums = add_trees(add_trees(sums, total), part)
        return (*state, sums), of_u

    carry = (value, jnp.zeros_like(y0), zero)
    arriving = ys if keep else None
    if not keep:
        carry = (value, ys[0], zero)
    (value, cotangent, sums), of_inputs = jax.lax.scan(
        run, carry, (inputs, arriving), reverse=True
    )
    cotangent = check_return(cotangent, value, y0, storage)
    return sums, cotangent, of_inputs


def _driven(motion: Motion, u: Array) -> Motion:
    return eqx.tree_at(lambda m: m.inputs, motion, HeldInputs(u), is_leaf=_is_none)


def _is_none(leaf: object) -> bool:
    return leaf is None


def _zeros(tree: PyTree) -> PyTree:
    return jax.tree.map(jnp.zeros_like, tree)


def _repeat(
    count: int, body: Callable[[Array, PyTree], PyTree], state: PyTree
) -> PyTree:
    """Apply `body(index, state)`, written out where there is little to repeat."""
    if count == 1:
        return body(jnp.asarray(0), state)
    return jax.lax.fori_loop(0, count, body, state)
