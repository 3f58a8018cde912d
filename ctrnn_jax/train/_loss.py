"""The loss of a batch, and its gradient."""

from collections.abc import Callable
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from .._types import Array, Float, Key, PyTree
from ..tasks import AbstractTask, Batch

LossFn: TypeAlias = Callable[[Any, Batch, Key], Float[Array, ""]]


def batch_loss(
    model: PyTree, task: AbstractTask, loss_fn: LossFn | None, batch: Batch, key: Key
) -> Any:
    """Return `loss_fn`, or else the task's own loss, of a batch."""
    if loss_fn is not None:
        return loss_fn(model, batch, key)
    return task.loss(jax.vmap(model)(batch.inputs), batch)


def loss_and_gradient(
    loss: Callable[[PyTree, Batch, Key], Float[Array, ""]],
    params: PyTree,
    batch: Batch,
    key: Key,
    microbatches: int,
) -> tuple[Float[Array, ""], PyTree]:
    """Return the mean over equal parts of the batch of a loss and its gradient."""

    def part(batch: Batch, key: Key) -> tuple[Array, PyTree]:
        value, gradient = jax.value_and_grad(loss)(params, batch, key)
        # JAX's gradient by a complex number is the conjugate of steepest ascent.
        return value, jax.tree.map(jnp.conj, gradient)

    if microbatches == 1:
        return part(batch, key)

    def cut(leaf: Array) -> Array:
        return leaf.reshape(microbatches, -1, *leaf.shape[1:])

    def add(total: PyTree, item: tuple[Batch, Array]) -> tuple[PyTree, None]:
        batch, index = item
        return jax.tree.map(jnp.add, total, part(batch, jr.fold_in(key, index))), None

    parts = jax.tree.map(cut, batch)
    shapes = jax.eval_shape(part, jax.tree.map(lambda leaf: leaf[0], parts), key)
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    total, _ = jax.lax.scan(add, zero, (parts, jnp.arange(microbatches)))
    return jax.tree.map(lambda leaf: leaf / microbatches, total)


def check_loss(
    model: PyTree, task: AbstractTask, loss_fn: LossFn | None, batch_size: int, key: Key
) -> jnp.dtype:
    """Return the dtype of the loss, after its shape and the model's were checked.

    Nothing is computed: JAX traces the shapes.
    """
    batch = eqx.filter_eval_shape(task.sample, batch_size, key=key)
    if loss_fn is None:
        outputs = eqx.filter_eval_shape(jax.vmap(model), batch.inputs)
        _check_outputs(outputs, batch, task)
    value = eqx.filter_eval_shape(batch_loss, model, task, loss_fn, batch, key)
    is_real = isinstance(value, jax.ShapeDtypeStruct) and jnp.issubdtype(
        value.dtype, jnp.floating
    )
    if not is_real or value.shape != ():
        raise ValueError(
            f"The loss must be one real number, shape (), got {value}; take the mean "
            "over the batch."
        )
    return value.dtype


def _check_outputs(outputs: Any, batch: Batch, task: AbstractTask) -> None:
    """Refuse outputs that would broadcast against the targets, or not fit them."""
    targets = batch.targets
    is_class = jnp.issubdtype(targets.dtype, jnp.integer)
    wanted = (*targets.shape, task.output_size) if is_class else targets.shape
    shape = getattr(outputs, "shape", None)
    if shape != wanted:
        raise ValueError(
            f"The model's outputs have shape {shape} for a batch of task "
            f"{task.name!r}, which needs {wanted}: build the network with "
            f"output_size={task.output_size} and reads={task.reads!r}."
        )
