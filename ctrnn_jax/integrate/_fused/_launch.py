"""Start a kernel over blocks of lanes, on a GPU or in the interpreter."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from ..._types import Array

# Users can do nothing about it; `docs/guide/gpu.md` says what it means for them.
warnings.filterwarnings("ignore", "The Pallas Triton backend", DeprecationWarning)


def launch(
    kernel: Callable[..., None],
    *,
    name: str,
    everywhere: Sequence[Array],
    lanes: Sequence[Array],
    outputs: Sequence[tuple[tuple[int, ...], Any]],
    block: int,
    num_warps: int,
    of_blocks: Sequence[tuple[tuple[int, ...], Any]] = (),
) -> list[Array]:
    """Call `kernel` with references to its arrays, a block of lanes at a time.

    **Arguments:**

    - `kernel`: told first whether it is interpreted.
    - `everywhere`: arrays that every block sees whole.
    - `lanes`: arrays with the lanes last, of which a block sees its own; the last of
      them tells how many there are.
    - `outputs`: shape without lanes, and dtype, of arrays to write.
    - `block`: lanes of a block, a power of two; the last block is filled up with
      copies of the last lane, as is an array that has fewer lanes.
    - `of_blocks`: the same as `outputs`, of arrays that a block has one of.

    **Returns:** the outputs, lanes last; then those of blocks, which lead with them.
    """
    batch = lanes[-1].shape[-1]
    excess = -batch % block
    blocks = (batch + excess) // block
    padded = [_pad_lanes(array, blocks * block) for array in lanes]

    def of_lanes(shape: tuple[int, ...]) -> pl.BlockSpec:
        zeros = (0,) * len(shape)
        return pl.BlockSpec((*shape, block), lambda i: (*zeros, i))

    def of_block(shape: tuple[int, ...]) -> pl.BlockSpec:
        zeros = (0,) * len(shape)
        return pl.BlockSpec((1, *shape), lambda i: (i, *zeros))

    def whole(array: Array) -> pl.BlockSpec:
        zeros = (0,) * array.ndim
        return pl.BlockSpec(array.shape, lambda i: zeros)

    def start(*arrays: Array, interpret: bool) -> Sequence[Array]:
        return pl.pallas_call(
            partial(kernel, interpret),
            name=name,
            grid=(blocks,),
            in_specs=[
                *map(whole, everywhere),
                *(of_lanes(array.shape[:-1]) for array in padded),
            ],
            out_specs=[
                *(of_lanes(shape) for shape, _ in outputs),
                *(of_block(shape) for shape, _ in of_blocks),
            ],
            out_shape=[
                *(
                    jax.ShapeDtypeStruct((*shape, batch + excess), dtype)
                    for shape, dtype in outputs
                ),
                *(
                    jax.ShapeDtypeStruct((blocks, *shape), dtype)
                    for shape, dtype in of_blocks
                ),
            ],
            compiler_params=triton.CompilerParams(num_warps=num_warps, num_stages=1),
            interpret=interpret,
        )(*arrays)

    arrays = [*everywhere, *padded]
    if on_nvidia():
        results = start(*arrays, interpret=False)
    else:
        results = jax.lax.platform_dependent(
            *arrays,
            cuda=lambda *arrays: start(*arrays, interpret=False),
            default=lambda *arrays: start(*arrays, interpret=True),
        )
    of_lane, rest = results[: len(outputs)], results[len(outputs) :]
    return [*(array[..., :batch] if excess else array for array in of_lane), *rest]


def on_nvidia() -> bool:
    """Whether arrays live on an NVIDIA GPU unless told otherwise."""
    device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(device, str):
        return device in ("gpu", "cuda")
    device = jax.local_devices()[0] if device is None else device
    return device.platform == "gpu" and "nvidia" in device.device_kind.lower()


def warps_of(block: int) -> int:
    """Return how many warps of 32 threads take a block of lanes, one a thread."""
    return max(block // 32, 1)


def _pad_lanes(array: Array, lanes: int) -> Array:
    excess = lanes - array.shape[-1]
    if not excess:
        return array
    last = jnp.repeat(array[..., -1:], excess, axis=-1)
    return jnp.concatenate([array, last], axis=-1)
