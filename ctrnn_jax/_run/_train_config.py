"""From a TOML file and flags to the specification of one training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._nearest import nearest
from ._config import Config, as_config, read_given, refuse_idle
from ._errors import UsageError
from ._keys import by_path
from ._train_keys import OURS, TASK_NAMES, TRAIN_KEYS, WITH_PATH, defaults_of


def load_train_config(
    file: Path | None, task: str | None, flags: Mapping[str, str]
) -> Config:
    """Read a specification; flags (dotted name: text) override the file.

    **Arguments:**

    - `file`: a TOML file, or `None`.
    - `task`: the task that the command line names, or `None`.
    - `flags`: the flags that were given.

    **Raises:** `UsageError`, naming the key, what was given and what is allowed.
    """
    if task is not None:
        flags = {**flags, "task.name": task}
    given, sources = read_given(file, flags, TRAIN_KEYS)
    if "task.name" not in given:
        raise UsageError("name a task, as in `ctrnn train copy --delay 100`.")
    fixed = {key.path: key.default for key in TRAIN_KEYS if key.default is not None}
    values: dict[str, Any] = fixed | defaults_of(given["task.name"]) | given
    refuse_idle(given, sources, values, by_path(TRAIN_KEYS))
    name = values["network.name"]
    if name not in OURS:
        values.pop("network.input_scale", None)
    _check_task(values)
    if name in OURS and values["task.name"] == "adding":
        # A state that sums turns by a third of a circle over a sequence at most.
        length = values["task.length"]
        if name.startswith("linear"):
            values.setdefault("network.phases", np.array([0.0, 2 / length]))
            values.setdefault("network.input_scale", 30 / length)
    phases = values.get("network.phases")
    if phases is not None and (
        phases.shape != (2,) or not 0 <= phases[0] <= phases[1] <= np.pi
    ):
        raise UsageError(
            f"{sources['network.phases']} must be [low, high] with 0 <= low <= high <= "
            f"pi, got {phases.tolist()}."
        )
    steps = values["train.num_steps"]
    values.setdefault("train.validate_every", max(steps // 20, 1))
    return as_config(values)


def _check_task(values: dict[str, Any]) -> None:
    """Refuse a task that lacks what it needs."""
    needed = {"copy": "delay", "delayed-recall": "delay", "adding": "length"}
    needed |= dict.fromkeys(WITH_PATH, "path")
    option = needed.get(values["task.name"])
    if option is not None and f"task.{option}" not in values:
        raise UsageError(
            f"task {values['task.name']} needs --{option} (in a file: {option} in "
            "[task])."
        )


def as_task_or_file(text: str | None) -> tuple[str | None, Path | None]:
    """Return the task, or the file, that the first argument names."""
    if text is None:
        return None, None
    if text.endswith(".toml"):
        return None, Path(text)
    if text not in TASK_NAMES:
        raise UsageError(
            f"no task {text!r}; there are {', '.join(TASK_NAMES)}, or a .toml file."
            f"{nearest(text, TASK_NAMES)}"
        )
    return text, None
