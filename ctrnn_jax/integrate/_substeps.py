"""Runs of substeps of a reversible solve: made, and undone with their gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, PyTree, State
from ._motion import AbstractFlow, Held, Motion, Own
from ._scheme import Scheme
from ._storage import AbstractStorage


def begin_run(
    motion: Motion, scheme: Scheme, storage: AbstractStorage, first: Array, held: Held
) -> Held:
    """Return what is held when a run of substeps begins at `first`."""
    for flow in scheme.opening(motion, first):
        held = flow.push(motion, storage, held, motion.field.bias)
    return held


def make_substep(
    motion: Motion,
    scheme: Scheme,
    storage: AbstractStorage,
    index: Array,
    last: Array,
    held: Held,
) -> Held:
    """Return what is held after substep `index`, the `last` of its run or not."""
    drive = motion.drive(scheme.middle(motion, index))
    for flow in scheme.flows(motion, index, last, drive):
        held = flow.push(motion, storage, held, drive)
    return held


def undo_substep(
    motion: Motion,
    own: Own,
    scheme: Scheme,
    storage: AbstractStorage,
    index: Array,
    last: Array,
    state: tuple[Array, State],
) -> tuple[tuple[Array, State], Own]:
    """Undo `make_substep`: what was held, and the cotangents of it and of `own`."""
    drive, pull_drive = motion.pull_drive(own, scheme.middle(motion, index))
    flows = scheme.flows(motion, index, last, drive)
    state, part, of_drive = undo(flows, motion, own, storage, drive, state)
    if of_drive is not None:
        part = add_trees(part, pull_drive(of_drive)[0])
    return state, part


def undo_beginning(
    motion: Motion,
    own: Own,
    scheme: Scheme,
    storage: AbstractStorage,
    first: Array,
    state: tuple[Array, State],
) -> tuple[tuple[Array, State], Own | None]:
    """Undo `begin_run`; `None` if it does nothing."""
    opening = scheme.opening(motion, first)
    if not opening:
        return state, None
    bias = motion.field.bias
    state, part, of_bias = undo(opening, motion, own, storage, bias, state)
    if own.field.bias is not None:
        part = eqx.tree_at(
            lambda m: m.field.bias, part, add_trees(part.field.bias, of_bias)
        )
    return state, part


def undo(
    flows: list[AbstractFlow],
    motion: Motion,
    own: Own,
    storage: AbstractStorage,
    drive: Array | None,
    state: tuple[Array, State],
) -> tuple[tuple[Array, State], Own, Array | None]:
    """Undo flows; return the state and cotangents before, of `own` and of the drive."""
    value, cotangent = state
    total = jax.tree.map(jnp.zeros_like, own)
    of_drive = None if drive is None else jnp.zeros_like(drive)
    for flow in reversed(flows):
        value, cotangent, part, part_drive = flow.pull(
            motion, own, storage, value, cotangent, drive
        )
        total, of_drive = add_trees(total, part), add_trees(of_drive, part_drive)
    return (value, cotangent), total, of_drive


def add_trees(first: PyTree, second: PyTree) -> PyTree:
    """Return the sum of two trees, `None` counting as nothing."""

    def one(a: Array | None, b: Array | None) -> Array | None:
        if a is None or b is None:
            return b if a is None else a
        return a + b

    return jax.tree.map(one, first, second, is_leaf=lambda leaf: leaf is None)


def add_compensated(sums: tuple[Own, Own], part: Own) -> tuple[Own, Own]:
    """Add to a sum and what its rounding has lost so far (Kahan 1965)."""
    total, lost = sums
    part = jax.tree.map(jnp.subtract, part, lost)
    grown = jax.tree.map(jnp.add, total, part)
    lost = jax.tree.map(lambda g, t, p: (g - t) - p, grown, total, part)
    return grown, lost
