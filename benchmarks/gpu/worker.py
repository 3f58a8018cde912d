"""A process that measures the rows of one part, in one precision.

Started by `launch`: the part, the precision, the folder, the deadline and the options.
It ends with 0 if all rows are settled, 3 if time was up.
"""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from ..race import say
from .options import Options
from .store import Store
from .tasks import Task, work

#: Exit codes.
SETTLED, TIME_UP = 0, 3

_MODULES = {
    "ceilings": ".ceilings",
    "ensembles": ".ensembles",
    "gradients": ".gradients",
    "training": ".training",
}


def tasks_of(part: str, options: Options, bits: int, store: Store) -> Iterator[Task]:
    """Return the rows of a part."""
    return importlib.import_module(_MODULES[part], __package__).tasks(
        options, bits, store
    )


def main(part: str, bits: int, folder: Path, deadline: float, options: Options) -> int:
    """Measure; return the exit code."""
    import jax

    if bits == 64:
        jax.config.update("jax_enable_x64", True)
    say(f"{part}, float{bits}: JAX {jax.__version__} on {jax.devices()[0]}")
    store = Store(folder)
    done = work(tasks_of(part, options, bits, store), store, deadline)
    return SETTLED if done else TIME_UP


if __name__ == "__main__":
    sys.exit(
        main(
            sys.argv[1],
            int(sys.argv[2]),
            Path(sys.argv[3]),
            float(sys.argv[4]),
            Options.load(sys.argv[5]),
        )
    )
