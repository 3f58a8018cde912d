"""What can go wrong for the person at the terminal, and its exit code."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `ctrnn`, a part of its interface."""

    OK = 0
    NUMERICAL = 1
    USAGE = 2
    IO = 3
    INTERNAL = 4
    INTERRUPTED = 130


class UsageError(ValueError):
    """The specification or the command line asks for what cannot be done."""


class RefusedError(UsageError):
    """Going on would destroy or mix up results; the message says what to do."""


class StorageError(OSError):
    """Results cannot be written; the message says where and what was kept."""
