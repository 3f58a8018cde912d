"""Finished segments on disk, each verified before it is trusted."""

import contextlib
import hashlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ._errors import RefusedError
from ._files import write_atomically

Arrays: TypeAlias = dict[str, np.ndarray]

_MAGIC = b"ctrnn segment 1\n"
_DIGEST = 64


@dataclass(frozen=True)
class Segment:
    """Samples of one stretch of time, after its first instant.

    - `ys`: states, shape `(batch, k, n)`; the last one is where the next begins.
    - `energy`: their energies, shape `(batch, k)`, or `(batch, 0)` if there is none.
    - `status`: index of a `RESULTS` member for each lane, shape `(batch,)`.
    """

    ys: np.ndarray
    energy: np.ndarray
    status: np.ndarray


class Checkpoint:
    """The folder beside an unfinished output, one file a finished segment.

    A file is a line that names the format, the SHA-256 of what follows, and a .npz.
    The digest covers the run's fingerprint and the segment's number too, so that a
    sound file in the wrong place is refused as a damaged one is.
    """

    def __init__(self, folder: Path, identity: dict[str, object]):
        self.folder = folder
        self.identity = identity

    def open(self, *, fresh: bool) -> str | None:
        """Prepare the folder; return a remark if what lay there cannot be used.

        `fresh` drops what lay there, unless it was itself begun so: the same command
        goes on, whatever its options.

        **Raises:** `RefusedError` if it belongs to another specification.
        """
        identity, begun_fresh = self.folder / "run.json", self.folder / "fresh"
        remark = None
        if fresh and begun_fresh.exists() and self._is_mine(identity):
            return None
        if not fresh and identity.exists():
            found = _read_identity(identity)
            if found == self.identity:
                return None
            if found is not None:
                raise RefusedError(
                    f"{self.folder} holds an interrupted run that differs from this "
                    f"one: {differences(found, self.identity)}. Repeat the command "
                    "that began it, choose another --out, or add --fresh to drop it."
                )
            remark = f"The checkpoint {identity} is damaged: starting from zero."
        self._drop_files()
        text = json.dumps(self.identity, indent=1, sort_keys=True)
        write_atomically(identity, lambda file: file.write(text.encode()))
        if fresh:
            write_atomically(begun_fresh, lambda file: file.write(b""))
        return remark

    def load(
        self, index: int, shape: tuple[int, int, int]
    ) -> tuple[Segment | None, str | None]:
        """Return a segment whose `ys` have this shape, or `None`, and a remark.

        `None` without a remark: it is not there. With one: it is damaged.
        """
        arrays, remark = self.load_arrays(index)
        if arrays is not None:
            segment = Segment(arrays["ys"], arrays["energy"], arrays["status"])
            if segment.ys.shape == shape:
                return segment, None
            remark = self._damaged(index)
        if remark is None:
            return None, None
        start = f"segment {index}" if index else "zero"
        return None, f"{remark}: going on from {start}."

    def load_arrays(
        self, index: int
    ) -> tuple[dict[str, np.ndarray] | None, str | None]:
        """Return what was saved as this segment, or `None`, and what is wrong with it.

        `None` without a remark: it is not there.
        """
        path = self._path(index)
        if not path.exists():
            return None, None
        arrays = self._read(path, index)
        return arrays, None if arrays is not None else self._damaged(index)

    def drop_from(self, index: int) -> None:
        """Delete this segment and all after it."""
        for path in self.folder.glob("segment-*.bin"):
            if path.name >= self._path(index).name:
                path.unlink()

    def save(self, index: int, segment: Segment) -> None:
        """Write one segment, whole or not at all."""
        names = ("ys", "energy", "status")
        self.save_arrays(index, {name: getattr(segment, name) for name in names})

    def save_arrays(self, index: int, arrays: Arrays) -> None:
        """Write any arrays as a segment, whole or not at all."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        payload = buffer.getvalue()
        digest = self._digest(index, payload)
        write_atomically(
            self._path(index), lambda file: file.write(_MAGIC + digest + payload)
        )

    def remove(self) -> None:
        """Delete the folder, but nothing in it that others put there."""
        self._drop_files()
        with contextlib.suppress(OSError):
            (self.folder / "lock").unlink(missing_ok=True)
            self.folder.rmdir()

    def remove_if_empty(self) -> None:
        """Delete the folder if no run was begun in it."""
        if not (self.folder / "run.json").exists():
            self.remove()

    def _drop_files(self) -> None:
        for name in ("segment-*.bin", "run.json", "fresh"):
            for path in [*self.folder.glob(name), *self.folder.glob(f".{name}.tmp")]:
                path.unlink()

    def _is_mine(self, identity: Path) -> bool:
        return identity.exists() and _read_identity(identity) == self.identity

    def _path(self, index: int) -> Path:
        return self.folder / f"segment-{index:06d}.bin"

    def _digest(self, index: int, payload: bytes) -> bytes:
        head = json.dumps([self.identity, index], sort_keys=True).encode()
        return hashlib.sha256(head + payload).hexdigest().encode()

    def _damaged(self, index: int) -> str:
        path = self._path(index)
        return f"The checkpoint {path} is damaged (its SHA-256 does not match)"

    def _read(self, path: Path, index: int) -> Arrays | None:
        data = path.read_bytes()
        start = len(_MAGIC) + _DIGEST
        payload = data[start:]
        if data[:start] != _MAGIC + self._digest(index, payload):
            return None
        with np.load(io.BytesIO(payload), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def differences(old: dict[str, object], new: dict[str, object]) -> str:
    """Return what differs between two identities, at most four of them."""
    flat_old, flat_new = _flatten(old), _flatten(new)
    changed = [
        f"{name} was {_show(flat_old.get(name))}, now {_show(flat_new.get(name))}"
        for name in sorted(flat_old.keys() | flat_new.keys())
        if flat_old.get(name) != flat_new.get(name)
    ]
    more = f", and {len(changed) - 4} more" if len(changed) > 4 else ""
    return "; ".join(changed[:4]) + more


def free_space(folder: Path) -> int:
    """Return the bytes that may still be written where `folder` is."""
    return shutil.disk_usage(folder).free


def _flatten(tree: dict[str, object]) -> dict[str, object]:
    flat = {}
    for part in tree.values():
        flat |= part if isinstance(part, dict) else {}
    return flat


def _show(value: object) -> str:
    if isinstance(value, dict):
        return "another array"
    return "unset" if value is None else json.dumps(value)


def _read_identity(path: Path) -> dict[str, object] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(found, dict) or {"config", "made_with"} - found.keys():
        return None
    return found if all(isinstance(part, dict) for part in found.values()) else None
