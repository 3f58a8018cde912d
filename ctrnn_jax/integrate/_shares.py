"""Share lanes out between devices, and between the cache and the memory of one."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

from .._types import Array, Float, PyTree
from ..matrices._base import UNROLL_SHARED

#: Bytes of one state array of a chunk of lanes, on a CPU: by whether W is written
#: out as multiply-adds, a matrix product, or differs between lanes (measured, see
#: benchmarks/).
_UNROLLED_BYTES = 8 * 1024
_PRODUCT_BYTES = 64 * 1024
_PER_LANE_BYTES = 4 * 1024


def shard(
    run: Callable[[PyTree, Array, PyTree], PyTree],
    own: PyTree,
    start: Float[Array, "batch n"],
    shared: PyTree,
) -> PyTree:
    """Call `run` on equal shares of the lanes, one a local device."""
    devices = jax.local_devices()
    batch = start.shape[0]
    if len(devices) == 1 or batch < len(devices):
        return run(own, start, shared)
    arrays, static = eqx.partition(shared, eqx.is_array)
    excess = -batch % len(devices)
    own, start = jax.tree.map(lambda leaf: _pad_lanes(leaf, excess), (own, start))
    mesh = jax.make_mesh(
        (len(devices),), ("lanes",), devices=devices, axis_types=(AxisType.Auto,)
    )
    lanes, everywhere = PartitionSpec("lanes"), PartitionSpec()
    shares = jax.shard_map(
        lambda own, start, arrays: run(own, start, eqx.combine(arrays, static)),
        mesh=mesh,
        in_specs=(lanes, lanes, everywhere),
        out_specs=lanes,
        check_vma=False,
    )
    return jax.tree.map(lambda leaf: leaf[:batch], shares(own, start, arrays))


def in_chunks(
    run: Callable[[PyTree, Array], PyTree],
    own: PyTree,
    start: Float[Array, "lanes n"],
    *,
    chunk: int | None,
) -> PyTree:
    """Call `run` on chunks of lanes, one after another; on all at once for `None`."""
    lanes = start.shape[0]
    if chunk is None or lanes <= chunk:
        return run(own, start)
    excess = -lanes % chunk

    def cut(leaf: Array) -> Array:
        return _pad_lanes(leaf, excess).reshape(-1, chunk, *leaf.shape[1:])

    done = jax.lax.map(lambda part: run(*part), jax.tree.map(cut, (own, start)))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:lanes], done)


def chunk_size(size: int, itemsize: int, *, per_lane: bool) -> int | None:
    """Return how many lanes to advance together, or `None` for all at once.

    The state of a chunk and a few stages of it should stay in the cache. `per_lane`
    says that the weight differs between lanes, and so fills it too.
    """
    if per_lane:
        budget = _PER_LANE_BYTES
    else:
        budget = _UNROLLED_BYTES if size <= UNROLL_SHARED else _PRODUCT_BYTES
    return lanes_within(budget, size * itemsize)


def lanes_within(budget: int, bytes_per_lane: int) -> int | None:
    """Return the lanes whose states fill `budget` bytes of a CPU's cache.

    A power of two and at least 16; `None` on a GPU, where all lanes run at once.
    """
    if jax.default_backend() != "cpu":
        return None
    return 1 << (max(budget // bytes_per_lane, 16).bit_length() - 1)


def _pad_lanes(leaf: Array, excess: int) -> Array:
    """Repeat the last lane so that the lanes divide evenly."""
    if not excess:
        return leaf
    return jnp.concatenate([leaf, jnp.repeat(leaf[-1:], excess, axis=0)])
