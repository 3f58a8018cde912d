"""Orthonormal frames of tangent vectors, of one orbit or of many lanes."""

import jax
import jax.numpy as jnp

from .._types import Array, Float, Key

#: Up to this many vectors the loop over them is written out, which lets XLA fuse it.
_UNROLLED = 8


def orthonormalise(
    vectors: Float[Array, "n k *batch"],
) -> tuple[Float[Array, "n k *batch"], Float[Array, "k *batch"]]:
    """Return Q of vectors = QR and the logarithms of the diagonal of R, which is > 0.

    One orbit goes to LAPACK. Lanes, on the last axis, go together through modified
    Gram–Schmidt, whose R is as accurate; a vanished vector has the logarithm -inf.
    """
    if vectors.ndim == 2:
        frame, triangle = signed_qr(vectors)
        return frame, jnp.log(jnp.diagonal(triangle))
    count = vectors.shape[1]
    if count <= _UNROLLED:
        return _unrolled(vectors)
    places = jnp.arange(count)

    def column(
        j: Array, state: tuple[Array, Array]
    ) -> tuple[Float[Array, "n k batch"], Float[Array, "k batch"]]:
        frame, logs = state
        unit, log = _normalise(jax.lax.dynamic_index_in_dim(frame, j, 1, False))
        shares = jnp.sum(unit[:, None] * frame, axis=0)
        shares = jnp.where((places > j)[:, None], shares, 0.0)
        frame = frame - unit[:, None] * shares[None]
        frame = jax.lax.dynamic_update_index_in_dim(frame, unit, j, 1)
        return frame, jax.lax.dynamic_update_index_in_dim(logs, log, j, 0)

    start = (vectors, jnp.zeros_like(vectors[0]))
    return jax.lax.fori_loop(0, count, column, start)


def signed_qr(
    vectors: Float[Array, "n k"],
) -> tuple[Float[Array, "n k"], Float[Array, "k k"]]:
    """Return Q and R with the diagonal of R ≥ 0, which makes them unique."""
    frame, triangle = jnp.linalg.qr(vectors)
    sign = jnp.where(jnp.diagonal(triangle) < 0, -1.0, 1.0).astype(vectors.dtype)
    return frame * sign[None], triangle * sign[:, None]


def random_frame(size: int, count: int, *, key: Key, dtype: jnp.dtype) -> Array:
    """Return `count` random orthonormal vectors, the columns of `(size, count)`."""
    return signed_qr(jax.random.normal(key, (size, count), dtype))[0]


def _unrolled(
    vectors: Float[Array, "n k batch"],
) -> tuple[Float[Array, "n k batch"], Float[Array, "k batch"]]:
    columns = [vectors[:, j] for j in range(vectors.shape[1])]
    logs = []
    for j in range(len(columns)):
        columns[j], log = _normalise(columns[j])
        logs.append(log)
        for i in range(j + 1, len(columns)):
            share = jnp.sum(columns[j] * columns[i], axis=0)
            columns[i] = columns[i] - columns[j] * share[None]
    return jnp.stack(columns, axis=1), jnp.stack(logs)


def _normalise(
    vector: Float[Array, "n batch"],
) -> tuple[Float[Array, "n batch"], Float[Array, " batch"]]:
    length = jnp.sqrt(jnp.sum(vector**2, axis=0))
    safe = jnp.where(length > 0, length, jnp.ones_like(length))
    return vector / safe[None], jnp.log(length)
