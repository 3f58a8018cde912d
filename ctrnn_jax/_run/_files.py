"""Writing files, with errors for the person at the terminal."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from .. import _storage
from ._errors import RefusedError, StorageError


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file, whole or not at all; what was at `path` stays if it fails."""
    try:
        _storage.write_atomically(path, write)
    except OSError as error:
        raise as_storage_error(error, path) from error


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
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_storage.locked(path))
        except BlockingIOError:
            raise RefusedError(
                f"Another process is writing to {path.parent}; wait for it, or choose "
                "another --out."
            ) from None
        except OSError as error:
            raise as_storage_error(error, path) from error
        yield
