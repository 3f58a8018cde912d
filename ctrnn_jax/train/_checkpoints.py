"""The folder of a training: its last checkpoints, its log, one writer."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._types import PyTree
from ._checkpoint_file import (
    DamagedError,
    read_checkpoint,
    restore,
    write_checkpoint,
)
from ._errors import CheckpointError

_PATTERN = "step-*.ckpt"


class Checkpoints:
    """Checkpoints of one training, the newest few.

    - `folder`: where they are.
    - `identity`: what decides the numbers, as JSON holds it; another training's
      checkpoints are refused.
    - `keep`: how many stay.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], keep: int):
        self.folder = folder
        self.identity = identity
        self.keep = keep

    def latest(self) -> Path | None:
        """Return the newest checkpoint, or `None`."""
        return max(self.folder.glob(_PATTERN), default=None)

    def clear(self) -> None:
        """Delete every checkpoint."""
        for path in self.folder.glob(_PATTERN):
            path.unlink()

    def save(self, step: int, tree: PyTree, header: Mapping[str, Any]) -> Path:
        """Write one, whole or not at all, then delete the oldest beyond `keep`."""
        path = self.folder / f"step-{step:09d}.ckpt"
        everything = {"kind": "training", "step": step, **self.identity, **header}
        write_checkpoint(path, tree, everything)
        for old in sorted(self.folder.glob(_PATTERN))[: -self.keep]:
            old.unlink()
        return path

    def read(self) -> tuple[Path, dict[str, Any], bytes] | None:
        """Return path, header and arrays of the newest sound checkpoint, or `None`.

        Warns of each damaged one that is passed over.

        **Raises:** `CheckpointError` if it belongs to another training.
        """
        for path in self.folder.glob("." + _PATTERN + ".tmp"):
            path.unlink()  # A killed process left it.
        paths = sorted(self.folder.glob(_PATTERN), reverse=True)
        for index, path in enumerate(paths):
            try:
                header, body = read_checkpoint(path)
            except DamagedError as error:
                older = paths[index + 1 :]
                then = f"Going on from {older[0]}." if older else "Starting from zero."
                warnings.warn(f"{error} {then}", stacklevel=4)
                continue
            self._check_identity(path, header)
            return path, header, body
        return None

    def _check_identity(self, path: Path, header: Mapping[str, Any]) -> None:
        if header["kind"] != "training":
            raise CheckpointError(f"{path} is a model, not a checkpoint of a training.")
        changed = differences(header["identity"], self.identity["identity"])
        if changed:
            raise CheckpointError(
                f"{self.folder} holds another training: {changed}. Choose another "
                "folder, or give resume=False to start anew in this one."
            )


def restore_checkpoint(
    found: tuple[Path, dict[str, Any], bytes], like: PyTree
) -> PyTree:
    """Return `like` with the arrays of a checkpoint that `read` found."""
    return restore(*found, like)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return what differs between two identities."""
    old, new = _flatten(old), _flatten(new)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    shown = [f"{n} was {_show(old.get(n))}, now {_show(new.get(n))}" for n in names[:4]]
    more = f", and {len(names) - 4} more" if len(names) > 4 else ""
    return "; ".join(shown) + more


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        inner = isinstance(value, Mapping)
        flat |= _flatten(value, f"{prefix}{name}.") if inner else {prefix + name: value}
    return flat


def _show(value: Any) -> str:
    text = "unset" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
