"""Which parts of a model are trained."""

import equinox as eqx
import jax

from .._types import PyTree
from ..fields import AbstractActivation


def trainable_parts(model: PyTree) -> PyTree:
    """Return a mask of `model`: true at every array that training moves by default.

    These are the arrays of real or complex numbers, but for those of an activation:
    its scale is a choice, and φ must stay the derivative of its potential with the
    numbers it was tested with. Change the mask with `equinox.tree_at` and hand it to
    [`fit`][ctrnn_jax.train.fit] as `trainable`.

    **Arguments:**

    - `model`: any pytree.

    **Returns:** a pytree of booleans with the structure of `model`.
    """

    def mark(part: PyTree) -> PyTree:
        if isinstance(part, AbstractActivation):
            return jax.tree.map(lambda _: False, part)
        return eqx.is_inexact_array(part)

    return jax.tree.map(
        mark, model, is_leaf=lambda part: isinstance(part, AbstractActivation)
    )


def split_trainable(model: PyTree, trainable: PyTree) -> tuple[PyTree, PyTree]:
    """Return what is trained and the rest, each with `None` in the other's places.

    **Raises:** `ValueError` if nothing is left to train, or something that has no
    gradient is.
    """
    mask = trainable_parts(model) if trainable is None else trainable
    params, rest = eqx.partition(model, mask)
    leaves = jax.tree_util.tree_leaves_with_path(params)
    if not leaves:
        raise ValueError(
            "Nothing of the model is trained: it has no floating-point array, or "
            "`trainable` is false at all of them."
        )
    for path, leaf in leaves:
        if not eqx.is_inexact_array(leaf):
            raise ValueError(
                f"`trainable` is true at {jax.tree_util.keystr(path)}, which is "
                f"{type(leaf).__name__} and has no gradient; make it false there."
            )
    return params, rest
