"""When a linear recurrence is scanned in parallel over time."""

import jax


def runs_parallel(parallel: bool | None) -> bool:
    """Whether to scan in parallel: as asked, or where the device is made for it.

    On a CPU one step after another takes about half the time of the parallel form,
    whose O(log T) passes each go over all states.
    """
    return jax.default_backend() != "cpu" if parallel is None else parallel
