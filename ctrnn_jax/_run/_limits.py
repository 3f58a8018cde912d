"""What a run needs, against what the machine has, before anything is computed."""

from pathlib import Path

from .._machine import available_memory
from ._checkpoint import free_space
from ._config import Config
from ._errors import StorageError, UsageError

#: Share of the free memory that a run may plan to use.
_SHARE = 0.9


def check_limits(config: Config, folder: Path) -> None:
    """Refuse a run that would not fit in memory or on the disk.

    **Raises:** `UsageError` or `StorageError`, with how much and what to change.
    """
    result, working = needed_memory(config)
    have = available_memory()
    if have is not None and result + working > _SHARE * have:
        values = config.values
        raise UsageError(
            f"This run needs about {show_bytes(result + working)} of memory and "
            f"{show_bytes(have)} is free. {values['initial.batch']} lanes x "
            f"{values['time.saves']} saves x {values['weight.size']} neurons in "
            f"{values['run.dtype']} take {show_bytes(result)}, W and one segment "
            f"{show_bytes(working)}: lower initial.batch (--batch), time.saves "
            "(--saves) or weight.size (--size), or use --dtype float32."
        )
    free = free_space(folder)
    # The segments and the finished file are there together for a moment.
    if 2 * result > free:
        raise StorageError(
            f"This run writes about {show_bytes(2 * result)} and {show_bytes(free)} is "
            f"free in {folder}. Lower --batch or --saves, or choose another --out."
        )


def needed_memory(config: Config) -> tuple[int, int]:
    """Return bytes for the result, and for W with one segment's computation."""
    values = config.values
    item = 8 if values["run.dtype"] == "float64" else 4
    n, lanes = values["weight.size"], values["initial.batch"]
    saves, segment = values["time.saves"], values["run.segment"]
    if values["weight.kind"] == "sparse_skew":
        weight = 8 * item * (n + values.get("weight.num_edges", 10 * n))
    else:
        # The parameters and the matrix; the exponential of [[M, I], [0, 0]] and its
        # working space where one is made.
        dense = 24 if values["solver.name"] == "exponential_step" else 4
        weight = dense * item * n * n
    # A segment is scanned, transposed, masked, and copied from the device.
    return item * lanes * saves * n, 4 * item * lanes * min(
        segment + 1, saves
    ) * n + weight


def show_bytes(count: int | float) -> str:
    """Return a byte count with a unit, to three digits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
