"""Whether what an ensemble hands back can be held at all, before anything runs."""

from collections.abc import Sequence
from typing import Any

import jax

from .._types import Array, Float


def check_fits(
    state: Float[Array, "batch n"],
    num_saves: int,
    devices: Sequence[Any] | None = None,
) -> None:
    """Refuse more saved states than the memory of a device.

    A lower bound, so that nothing is refused that would fit: copies and what else the
    program holds come on top, and XLA says so if they are too many. Only devices that
    know their memory are asked, which a CPU does not.

    **Raises:** `ValueError` with the bytes needed and the bytes there are.
    """
    devices = jax.local_devices() if devices is None else devices
    batch, size = state.shape
    parts = len(devices) if batch >= len(devices) else 1
    lanes = -(-batch // parts)
    needed = lanes * num_saves * size * state.dtype.itemsize
    for device in devices[:parts]:
        limit = (device.memory_stats() or {}).get("bytes_limit")
        if limit is not None and needed > limit:
            raise ValueError(
                f"{lanes:,} lanes × {num_saves:,} saves × {size:,} neurons × "
                f"{state.dtype.itemsize} bytes are {_gigabytes(needed)} of saved "
                f"states on {device}, which has {_gigabytes(limit)}. Save fewer "
                "(saveat=diffrax.SaveAt(t1=True)), reduce them on the fly "
                "(reductions=...), use float32, or solve the lanes in parts."
            )


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:.3g} GB"
