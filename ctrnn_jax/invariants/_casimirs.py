"""Linear invariants: directions that the coupling cannot move."""

import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float
from ..fields import AbstractField, VoltageCTRNN


def casimirs(model: AbstractField) -> Float[Array, "k n"]:
    r"""Return an orthonormal basis of the linear invariants $c \cdot x$.

    In the voltage form $c \cdot x$ is constant for every c in the kernel of $W^\top$
    that is orthogonal to the bias and to the columns of the input weight; for a skew
    W of odd size and no bias there is at least one. A leak, and the rate form (whose
    motion is free along the kernel), leave none.

    **Arguments:** `model`, with concrete parameters (not under `jit`).

    **Returns:** shape `(k, n)`, one invariant a row; k may be 0.

    **Raises:** `ValueError` under a JAX transformation: k depends on the numbers.
    """
    arrays = [leaf for leaf in jax.tree.leaves(model) if isinstance(leaf, jax.Array)]
    if any(isinstance(leaf, jax.core.Tracer) for leaf in arrays):
        raise ValueError(
            "casimirs needs concrete parameters, because their number depends on the "
            "rank of W. Call it outside jit, vmap and grad."
        )
    dtype = model.weight.dtype
    if not isinstance(model, VoltageCTRNN) or np.any(np.asarray(model.leak) != 0):
        return jnp.zeros((0, model.size), dtype)
    columns = [np.asarray(model.weight.as_matrix())]
    if model.bias is not None:
        columns.append(np.asarray(model.bias)[:, None])
    if model.input_weight is not None:
        columns.append(np.asarray(model.input_weight))
    # Each group is scaled to its own size, so that a weak bias still counts.
    scaled = [part / max(np.linalg.norm(part, 2), 1e-300) for part in columns]
    left, singular, _ = np.linalg.svd(np.concatenate(scaled, axis=1))
    cutoff = model.size * np.finfo(dtype).eps
    rank = int(np.sum(singular > cutoff * max(singular[0], 1.0)))
    return jnp.asarray(left[:, rank:].T, dtype)
