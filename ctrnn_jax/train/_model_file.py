"""A finished model in a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._types import PyTree
from ._checkpoint_file import read_checkpoint, restore, write_checkpoint
from ._errors import CheckpointError


def save_model(
    path: str | Path, model: PyTree, *, config: Mapping[str, Any] | None = None
) -> None:
    """Write the arrays of a model, with a header and a checksum.

    The file is whole or not there, and holds no code: what is no array (functions,
    sizes) comes from the program that loads it.

    **Arguments:**

    - `path`: the file; its folder must exist.
    - `model`: any pytree.
    - `config`: what JSON can hold, such as how to build the model again.

    **Raises:** `CheckpointWriteError`, an `OSError`, if it cannot be written; what was
    at `path` is then still there.
    """
    header = {"kind": "model", "config": dict(config or {})}
    write_checkpoint(Path(path), {"model": model}, header)


def load_model(path: str | Path, like: PyTree) -> PyTree:
    """Return a model with the arrays that `save_model` wrote.

    **Arguments:**

    - `path`: the file.
    - `like`: a model built in the same way, with any numbers; it may be the result of
      `equinox.filter_eval_shape` no less than a real one's.

    **Raises:** `CheckpointError`, a `ValueError`, for a file that is damaged, foreign,
    of a newer format, or of another architecture, naming the first leaf that differs.
    """
    header, body = read_checkpoint(Path(path))
    _check_kind(Path(path), header)
    return restore(Path(path), header, body, {"model": like})["model"]


def read_config(path: str | Path) -> dict[str, Any]:
    """Return the `config` that a model or checkpoint was saved with.

    **Raises:** as [`load_model`][ctrnn_jax.train.load_model].
    """
    return read_checkpoint(Path(path))[0]["config"]


def _check_kind(path: Path, header: Mapping[str, Any]) -> None:
    if header["kind"] != "model":
        raise CheckpointError(
            f"{path} is a checkpoint of a training, not a model; give fit its folder "
            "to go on, or save the model that fit returns with save_model."
        )
