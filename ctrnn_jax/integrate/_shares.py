"""Share lanes out between devices, and between the cache and the memory of one."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

from .._types import Array, Float, PyTree
from ..matrices._base import UNROLL_PER_LANE, UNROLL_SHARED

#: Bytes of one state array of a chunk of lanes, on a CPU: by whether W is written
#: out as multiply-adds, a small matrix product (whose call must pay), a larger one,
#: or differs between lanes; and of all weights of a chunk, where those are products
#: too (measured, see benchmarks/).
_UNROLLED_BYTES = 8 * 1024
_SMALL_PRODUCT_BYTES = 128 * 1024
_PRODUCT_BYTES = 64 * 1024
_PER_LANE_BYTES = 4 * 1024
_WEIGHTS_BYTES = 256 * 1024


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
    if per_lane and size > UNROLL_PER_LANE:
        return lanes_within(_WEIGHTS_BYTES, size * size * itemsize, fewest=4)
    if per_lane:
        budget = _PER_LANE_BYTES
    elif size <= UNROLL_SHARED:
        budget = _UNROLLED_BYTES
    else:
        budget = _SMALL_PRODUCT_BYTES if size <= 8 else _PRODUCT_BYTES
    return lanes_within(budget, size * itemsize)


def lanes_within(budget: int, bytes_per_lane: int, fewest: int = 16) -> int | None:
    """Return the lanes whose states fill `budget` bytes of a CPU's cache.

    A power of two and at least `fewest`; `None` on a GPU, where all lanes run at once.
    """
    if jax.default_backend() != "cpu":
        return None
    return 1 << (max(budget // bytes_per_lane, fewest).bit_length() - 1)


def _pad_lanes(leaf: Array, excess: int) -> Array:
    """Repeat the last lane so that the lanes divide evenly."""
    if not excess:
        return leaf
    return jnp.concatenate([leaf, jnp.repeat(leaf[-1:], excess, axis=0)])
