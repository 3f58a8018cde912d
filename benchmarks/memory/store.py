"""The records of all trainings, in one file that is whole at any moment."""

import json
import math
import os
from pathlib import Path
from typing import Any

#: What tells one training from another.
Name = tuple[str, str, int, float]


class Store:
    """Records by task, network, seed and rate, written to a file as each is added."""

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

    def best_rate(self, task: str, network: str) -> float | None:
        """Return the learning rate with the least validation loss on the first seed.

        `None` if that has not been run.
        """
        losses = {
            rate: _least_loss(record)
            for (*name, seed, rate), record in self.records.items()
            if tuple(name) == (task, network) and seed == 0
        }
        return min(losses, key=lambda rate: losses[rate], default=None)

    def of(self, task: str, network: str) -> list[dict[str, Any]]:
        """Return the records of one network on one task, by seed.

        Those with the learning rate that was best on the first seed.
        """
        best = self.best_rate(task, network)
        found = [
            record
            for (*name, _, rate), record in self.records.items()
            if tuple(name) == (task, network) and rate == best
        ]
        return sorted(found, key=lambda record: record["seed"])


def _least_loss(record: dict[str, Any]) -> float:
    """Return the least validation loss; infinity if training failed."""
    losses = record.get("validation", {}).get("loss", [])
    return min((loss for loss in losses if math.isfinite(loss)), default=math.inf)


def _name(record: dict[str, Any]) -> Name:
    return (
        record["task"],
        record["network"],
        record["seed"],
        record["learning_rate"],
    )
