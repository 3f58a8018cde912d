"""How long the card's own limits would let the work take."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a lane does in a step, whoever computes it.

    - `tanh`: values of tanh.
    - `fma`: multiply-adds, a lone product or sum counting as one.
    """

    tanh: int
    fma: int


def count(size: int, scheme: str = "rk4") -> Counts:
    """Return the counts of a step of a dense W of `size` neurons.

    RK4: four slopes of n tanh and n² multiply-adds; where the next stage looks (three
    times n) and what is added to the result (four times n). Splitting: 2n flows of one
    neuron, each a tanh, a product with the step, and a multiply-add for each other
    neuron.
    """
    if scheme == "rk4":
        return Counts(4 * size, 4 * size * size + 7 * size)
    return Counts(2 * size, 2 * size * (size - 1) + 2 * size)


def bytes_moved(size: int, bits: int, steps: int, *, fused: bool) -> float:
    """Return the bytes of a lane and step.

    Fused: the state is read once and written once for all steps. Otherwise once a
    step, which is the least of a loop that launches a kernel a step.
    """
    whole = 2 * size * bits / 8
    return whole / steps if fused else whole


@dataclasses.dataclass(frozen=True)
class Bound:
    """The least seconds of a lane and step, and what bounds it."""

    seconds: float
    by: str


def bound(
    rates: Mapping[str, float], size: int, bits: int, steps: int, scheme: str = "rk4"
) -> Bound | None:
    """Return the bound of the fused work, or `None` while the rates are unknown.

    A multiprocessor issues tanh's instructions and multiply-adds through the same
    slots, so their times add up; copies go on beside them.
    """
    tanh = rates.get(f"tanh_float{bits}")
    fma = rates.get(f"fma_float{bits}")
    copy = max(rates.get("copy", 0.0), rates.get("memcpy", 0.0))
    if not tanh or not fma or not copy:
        return None
    counts = count(size, scheme)
    parts = {"tanh": counts.tanh / tanh, "multiply-adds": counts.fma / fma}
    memory = bytes_moved(size, bits, steps, fused=True) / copy
    issued = sum(parts.values())
    if memory > issued:
        return Bound(memory, "memory")
    return Bound(issued, max(parts, key=lambda name: parts[name]))


def loop_bound(rates: Mapping[str, float], size: int, bits: int) -> float | None:
    """Return the least seconds of a lane and step of a loop over launches."""
    copy = max(rates.get("copy", 0.0), rates.get("memcpy", 0.0))
    return bytes_moved(size, bits, 1, fused=False) / copy if copy else None
