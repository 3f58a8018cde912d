"""The records of all trainings, in one file that is whole at any moment."""

import json
import os
from pathlib import Path
from typing import Any

#: What tells one training from another.
Name = tuple[str, str, int]


class Store:
    """Records by (task, network, seed), written to a file as each is added."""

    def __init__(self, file: Path):
        self.file = file
        self.records: dict[Name, dict[str, Any]] = {}
        if file.exists():
            for record in json.loads(file.read_text(encoding="utf-8"))["records"]:
                self.records[_name(record)] = record

    def add(self, record: dict[str, Any]) -> None:
        """Keep a record, on the disk too."""
        self.records[_name(record)] = record
        self.file.parent.mkdir(parents=True, exist_ok=True)
        ordered = [self.records[name] for name in sorted(self.records)]
        part = self.file.with_suffix(".part")
        lines = ",\n".join(json.dumps(one, sort_keys=True) for one in ordered)
        part.write_text(f'{{"records": [\n{lines}\n]}}\n', encoding="utf-8")
        os.replace(part, self.file)

    def of(self, task: str, network: str) -> list[dict[str, Any]]:
        """Return the records of one network on one task, by seed."""
        found = [r for n, r in self.records.items() if n[:2] == (task, network)]
        return sorted(found, key=lambda record: record["seed"])


def _name(record: dict[str, Any]) -> Name:
    return record["task"], record["network"], record["seed"]
