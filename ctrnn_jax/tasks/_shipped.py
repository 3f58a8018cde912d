"""Data files that other packages ship, read without importing those packages."""

from importlib.util import find_spec
from pathlib import Path

#: Name on the package index of each package that data is taken from.
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def shipped_file(package: str, *parts: str) -> Path:
    """Return the path of a data file in an installed package.

    The package is not imported: its file is all that is needed, and importing would
    take seconds, or go to the network for what is missing.

    **Raises:** `ImportError` naming the extra to install, if it is missing;
    `FileNotFoundError` if the installed version ships no such file.
    """
    found = find_spec(package)
    name = _DISTRIBUTIONS.get(package, package)
    if found is None or not found.submodule_search_locations:
        raise ImportError(
            f"this data is shipped with {name}, which is not installed; "
            "pip install 'ctrnn_jax[data]'."
        )
    path = Path(found.submodule_search_locations[0], *parts)
    if not path.is_file():
        raise FileNotFoundError(
            f"the installed {name} ships no {'/'.join(parts)}; install a version that "
            "does: pip install --upgrade 'ctrnn_jax[data]'."
        )
    return path
