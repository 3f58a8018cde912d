"""CuPy, through which the kernels written by hand are compiled and launched."""

from typing import Any

from ..suites import NotInstalled


def load_cupy() -> Any:
    """Return the module.

    **Raises:** `NotInstalled` without it, or without a GPU.
    """
    try:
        import cupy
    except ModuleNotFoundError as missing:
        raise NotInstalled(str(missing.name)) from missing
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # its own class, of a driver that is not there
        raise NotInstalled(f"a GPU that CuPy sees ({error})") from error
    if not count:
        raise NotInstalled("a GPU that CuPy sees")
    return cupy
