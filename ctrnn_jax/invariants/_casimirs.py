"""Linear invariants: directions that the coupling cannot move."""

import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float
from ..fields import AbstractField, VoltageCTRNN
from ..matrices._checks import is_concrete


def casimirs(model: AbstractField) -> Float[Array, "k n"]:
    r"""Return an orthonormal basis of the linear invariants $c \cdot x$.

    In the voltage form $c \cdot x$ is constant for every c in the kernel of $W^\top$
    that is orthogonal to the bias and to the columns of the input weight; for a skew
    W of odd size and no bias there is at least one. A leak leaves none, nor does the
    rate form in general, whose motion is free along the kernel.

    **Arguments:** `model`, with concrete parameters (not under `jit`).

    **Cost:** O(n³) time and O(n²) memory, for a sparse W too.

    **Returns:** shape `(k, n)`, one invariant a row; k may be 0.

    **Raises:** `ValueError` under a JAX transformation, as k depends on the numbers,
    and for parameters that are not finite.
    """
    arrays = [leaf for leaf in jax.tree.leaves(model) if isinstance(leaf, jax.Array)]
    if not all(is_concrete(leaf) for leaf in arrays):
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
    # In float64, and each group scaled to its own size, so that a weak bias counts.
    groups = [np.asarray(part, np.float64) for part in columns if np.any(part)]
    if not groups:
        return jnp.eye(model.size, dtype=dtype)
    if not all(np.all(np.isfinite(part)) for part in groups):
        raise ValueError("The model's parameters hold NaN or infinity.")
    scaled = [part / np.linalg.norm(part, 2) for part in groups]
    left, singular, _ = np.linalg.svd(np.concatenate(scaled, axis=1))
    cutoff = model.size * np.finfo(dtype).eps
    rank = int(np.sum(singular > cutoff * max(singular[0], 1.0)))
    return jnp.asarray(left[:, rank:].T, dtype)
