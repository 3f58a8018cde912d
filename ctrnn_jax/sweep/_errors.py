"""What can go wrong with a sweep, and how it is said."""

import errno
import importlib
from pathlib import Path
from types import ModuleType


class SpecificationError(ValueError):
    """The specification asks for what cannot be done; the message says the mend."""


class MismatchError(ValueError):
    """The store holds another sweep; the message says what differs."""


class BusyError(ValueError):
    """Another process writes to the store."""


class SweepStorageError(OSError):
    """A store cannot be read or written; the message says what was kept."""


class MissingPackageError(ImportError):
    """A package of the extra `sweep` is not installed."""


def load(name: str) -> ModuleType:
    """Import a module of the `sweep` extra.

    **Raises:** `MissingPackageError` that says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MissingPackageError(
            f"sweeps need {package}, which is not installed: "
            "pip install 'ctrnn_jax[sweep]'"
        ) from error


def as_storage_error(error: OSError, path: Path) -> SweepStorageError:
    """Say in one line what could not be written, what was kept and what to do."""
    if isinstance(error, SweepStorageError):
        return error
    advice = "Every finished chunk is kept: run the same again to go on from there"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = f"Free some space. {advice}."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = f"Get the permission to write there, or choose another. {advice}."
    else:
        advice += "."
    reason = error.strerror or str(error)
    return SweepStorageError(
        error.errno or 0, f"Cannot write {path}: {reason}. {advice}"
    )
