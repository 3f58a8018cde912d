"""The ways to solve an ensemble on a device, one library a file."""

from . import cuda, jax_ways, ours, torch_ways
from ._way import DeviceWay, Solver, checked

#: All rows: what matters most first, since time may run out.
WAYS: tuple[DeviceWay, ...] = (
    *ours.WAYS,
    *cuda.WAYS,
    *jax_ways.WAYS,
    *torch_ways.WAYS,
)

BY_KEY: dict[str, DeviceWay] = {way.key: way for way in WAYS}

__all__ = ["BY_KEY", "WAYS", "DeviceWay", "Solver", "checked"]
