"""Files that are either whole or not there, and folders with one writer.

The standard library only, so that the command line may answer before JAX is loaded.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: two runs into one place are then not told apart.
    fcntl = None


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside `path` and put it in its place once it is on the disk.

    If anything fails, what was at `path` stays as it was and nothing is left over.
    """
    temporary = temporary_of(path)
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def temporary_of(path: Path) -> Path:
    """Return where `path` is written first; a killed process may leave it behind."""
    return path.with_name(f".{path.name}.tmp")


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock that ends with the process, however it ends.

    It is exclusive, or one of several `shared` ones.

    **Raises:** `BlockingIOError` if another process holds one that excludes it.
    """
    with path.open("ab") as file:
        try:
            if fcntl is not None:
                kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
                fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # Some network file systems have no locks.
        yield


def _sync_folder(path: Path) -> None:
    """Make a rename in a folder last through a power cut, where that is possible."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
