"""Writing so that a file is either whole or not there."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ._errors import RefusedError, StorageError

try:
    import fcntl
except ImportError:  # Windows: two runs into one place are then not told apart.
    fcntl = None


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside `path` and put it in its place once it is on the disk.

    If anything fails, what was at `path` stays as it was and nothing is left over.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise as_storage_error(error, path) from error
        raise


def as_storage_error(error: OSError, path: Path) -> StorageError:
    """Say in one line what could not be written and what to do."""
    if isinstance(error, StorageError):
        return error
    advice = "Choose another place with --out."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "Free some space, then run the same command to go on from there."
    reason = error.strerror or str(error)
    return StorageError(f"Cannot write {path}: {reason}. {advice}")


def make_folder(path: Path) -> None:
    """Create a folder and its parents."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise as_storage_error(error, path) from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that ends with the process, however it ends."""
    try:
        file = path.open("ab")
    except OSError as error:
        raise as_storage_error(error, path) from error
    with file:
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(
                f"Another process is writing to {path.parent}; wait for it, or choose "
                "another --out."
            ) from None
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
