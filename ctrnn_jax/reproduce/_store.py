"""Finished results on disk, so that an interrupted run resumes."""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ._claim import ClaimResult, Settings

_FILE = "result.json"


def fingerprint(key: str, settings: Settings) -> str:
    """Return a hash of all that a result depends on: claim, settings, version, code."""
    from .. import __version__

    parts = [key, __version__, _hash_of_sources(), settings]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def save_result(folder: Path, result: ClaimResult, mark: str) -> None:
    """Write `result` under `folder`: pictures first, then the JSON that names them.

    Every file is written aside and renamed, so that a reader never sees half of one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for picture in result.pictures:
        name = f"{picture.name}.png"
        write_atomically(folder / name, picture.png)
        hashes[picture.name] = hashlib.sha256(picture.png).hexdigest()
    body = result.to_json()
    content = {
        "fingerprint": mark,
        "sha256": _digest(body),
        "pictures": hashes,
        "result": body,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_atomically(folder / _FILE, text.encode())


def load_result(folder: Path, mark: str) -> ClaimResult | None:
    """Return the result stored under `folder`, or `None` if there is none to trust.

    That is: none at all, one of other settings or code, or one of which any file is
    missing, cut short or changed.
    """
    try:
        content = json.loads((folder / _FILE).read_text("utf-8"))
        if content["fingerprint"] != mark:
            return None
        body, hashes = content["result"], content["pictures"]
        if content["sha256"] != _digest(body):
            return None
        pngs = {name: (folder / f"{name}.png").read_bytes() for name in hashes}
        changed = [
            name
            for name, png in pngs.items()
            if hashlib.sha256(png).hexdigest() != hashes[name]
        ]
        return None if changed else ClaimResult.from_json(body, pngs)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def clear_result(folder: Path) -> None:
    """Remove what is stored under `folder`, if anything."""
    if folder.is_dir():
        shutil.rmtree(folder)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` at once: aside, flushed to disk, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp's files are readable by their owner only.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def with_seconds(result: ClaimResult, seconds: float) -> ClaimResult:
    """Return `result` with the time it took."""
    return dataclasses.replace(result, seconds=seconds)


def _digest(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_of_sources() -> str:
    """Hash the package's code and data, so that a changed experiment runs again."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    rooms = ("matrices", "fields", "integrate", "invariants", "reproduce")
    for room in rooms:
        for path in sorted((package / room).rglob("*")):
            if path.suffix not in (".py", ".csv", ".txt"):
                continue
            digest.update(path.relative_to(package).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
