"""The rows of a run, on disk after every one."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

#: What can be said of a row: measured, not worth the time, not right or not possible.
DONE, SKIPPED, FAILED, RUNNING = "done", "skipped", "failed", "running"


class Store:
    """`gpu.json` in a folder: what ran where, and rows by key.

    A row is a dictionary with "part", "status" and whatever was measured.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "gpu.json"
        self.head: dict[str, Any] = {"benchmark": "gpu"}
        self.rows: dict[str, dict[str, Any]] = {}
        self.read()

    def read(self) -> None:
        """Read what is on disk, if anything is."""
        if self.path.is_file():
            results = json.loads(self.path.read_text(encoding="utf-8"))
            self.rows = results.pop("rows")
            self.head = results

    def write(self) -> None:
        """Write all of it, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        text = json.dumps({**self.head, "rows": self.rows}, indent=1)
        part.write_text(text + "\n", encoding="utf-8")
        os.replace(part, self.path)

    def begin(self, key: str, about: Mapping[str, Any]) -> None:
        """Note that a row is being measured, which a crash would not tell."""
        self.rows[key] = {**about, "status": RUNNING}
        self.write()

    def finish(self, key: str, status: str, **found: Any) -> None:
        """Note what came of a row."""
        self.rows[key] = {**self.rows.get(key, {}), **found, "status": status}
        self.write()

    def settled(self, key: str) -> bool:
        """Whether a row needs no further run."""
        return key in self.rows and self.rows[key]["status"] != RUNNING

    def give_up(self, reason: str) -> list[str]:
        """Mark rows that were being measured when their process ended as failed."""
        lost = [key for key, row in self.rows.items() if row["status"] == RUNNING]
        for key in lost:
            self.rows[key].update(status=FAILED, reason=reason)
        if lost:
            self.write()
        return lost

    def retry(self, parts: tuple[str, ...]) -> None:
        """Forget the rows of these parts that failed or were cut off."""
        self.rows = {
            key: row
            for key, row in self.rows.items()
            if row["part"] not in parts or row["status"] in (DONE, SKIPPED)
        }

    def of(self, part: str, **about: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a part that have these values."""
        for row in self.rows.values():
            if row["part"] == part and all(
                row.get(name) == value for name, value in about.items()
            ):
                yield row
