"""Several optimiser steps in one compiled program."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .._types import Array, Bool, Float, Int, Key, PyTree
from ..tasks import AbstractTask, Batch
from ._loss import LossFn, batch_loss, loss_and_gradient


class Plan(eqx.Module):
    """All that stays the same from step to step.

    - `rest`: the model without what is trained.
    - `capacity`: the most steps of one dispatch.
    - `mesh`: the devices that share a batch; `None` for one.
    """

    rest: PyTree
    task: AbstractTask
    key: Key
    optim: optax.GradientTransformation
    loss_fn: LossFn | None
    batch_size: int = eqx.field(static=True)
    microbatches: int = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    loss_dtype: Any = eqx.field(static=True)
    mesh: Mesh | None = eqx.field(static=True)
    precision: str = eqx.field(static=True)


class State(eqx.Module):
    """What a step changes. `step` counts those done; `okay` while all is finite."""

    params: PyTree
    optimiser: PyTree
    step: Int[Array, ""]
    okay: Bool[Array, ""]


@eqx.filter_jit(donate="all-except-first")
def advance(
    kept: tuple[Plan, Int[Array, ""]], state: State
) -> tuple[State, Float[Array, " capacity"]]:
    """Take as many steps as `kept` says, and return the loss of each.

    Stops before the first step whose loss or result is not finite, whose loss is then
    the last that is set. The number of steps is an array, so that another one is not
    another program; the body of the loop is the same for every number, and so are the
    results, however the steps are shared out between calls.
    """
    plan, count = kept
    dynamic, static = eqx.partition(state, eqx.is_array)
    losses = jnp.full(plan.capacity, jnp.nan, plan.loss_dtype)

    def unfinished(carry: tuple[PyTree, Array, Array]) -> Bool[Array, ""]:
        dynamic, _, index = carry
        return (index < count) & dynamic.okay

    def body(carry: tuple[PyTree, Array, Array]) -> tuple[PyTree, Array, Array]:
        dynamic, losses, index = carry
        state, loss = one_step(plan, eqx.combine(dynamic, static))
        losses = losses.at[index].set(loss)
        return eqx.filter(state, eqx.is_array), losses, index + 1

    carry = (dynamic, losses, jnp.zeros_like(count))
    dynamic, losses, _ = jax.lax.while_loop(unfinished, body, carry)
    return everywhere(eqx.combine(dynamic, static), plan.mesh), losses


def one_step(plan: Plan, state: State) -> tuple[State, Float[Array, ""]]:
    """Return the state after one step, or as it was if not finite, and the loss."""
    sample_key, loss_key = jr.split(jr.fold_in(plan.key, state.step))
    batch = plan.task.sample(plan.batch_size, key=sample_key)
    batch = share_out(batch, plan.mesh)

    def loss(params: PyTree, batch: Batch, key: Key) -> Float[Array, ""]:
        model = eqx.combine(params, plan.rest)
        return batch_loss(model, plan.task, plan.loss_fn, batch, key)

    with jax.default_matmul_precision(plan.precision):
        value, gradient = loss_and_gradient(
            loss, state.params, batch, loss_key, plan.microbatches
        )
        update = optax.with_extra_args_support(plan.optim).update
        updates, optimiser = update(
            gradient,
            state.optimiser,
            state.params,
            value=value,
            grad=gradient,
            value_fn=lambda params: loss(params, batch, loss_key),
        )
    params = optax.apply_updates(state.params, updates)
    okay = jnp.isfinite(value) & _all_finite(params)
    stepped = State(params, optimiser, state.step + 1, okay)
    return _choose(okay, stepped, eqx.tree_at(lambda s: s.okay, state, okay)), value


def _choose(okay: Bool[Array, ""], new: State, old: State) -> State:
    """Return `new` if `okay`, else `old`, in the dtypes of `old`."""

    def choose(new: Any, old: Any) -> Any:
        return jnp.where(okay, new.astype(old.dtype), old) if eqx.is_array(old) else new

    return jax.tree.map(choose, new, old)


def _all_finite(tree: PyTree) -> Bool[Array, ""]:
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]
    return jnp.all(jnp.stack(finite))


def share_out(batch: Batch, mesh: Mesh | None) -> Batch:
    """Divide a batch between devices; XLA then adds up their gradients."""
    if mesh is None:
        return batch
    lanes = NamedSharding(mesh, PartitionSpec(*mesh.axis_names))
    return jax.tree.map(
        lambda leaf: jax.lax.with_sharding_constraint(leaf, lanes), batch
    )


def everywhere(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Keep a copy of each array on every device of the mesh."""
    if mesh is None:
        return tree
    whole = NamedSharding(mesh, PartitionSpec())
    dynamic, static = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.lax.with_sharding_constraint(dynamic, whole), static)
