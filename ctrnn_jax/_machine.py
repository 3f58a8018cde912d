"""What this machine has, as far as the operating system says.

The standard library only, so that the command line may answer before JAX is loaded.
"""

import contextlib
import os
from pathlib import Path


def available_memory() -> int | None:
    """Return the bytes this process may still take, or `None` if nothing says."""
    bounds = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                bounds.append(1024 * int(line.split()[1]))
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            bounds.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        if limit != "max":
            bounds.append(int(limit) - used)
    return min(bounds) if bounds else None
