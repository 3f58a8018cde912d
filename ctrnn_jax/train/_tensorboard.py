"""The course of a training for TensorBoard."""

from pathlib import Path
from typing import Any

from ._callbacks import Progress


class TensorBoard:
    """A callback for `fit` that writes losses and scores for TensorBoard to show.

    Each step's loss as `train/loss`, each validation's scores as `validation/...`, at
    the number of the step. A training that goes on after an interruption may use the
    same folder: what was written twice is shown once.

    **Arguments:**

    - `folder`: where TensorBoard looks, made if it is not there.

    **Raises:** `ImportError` without tensorboardX, `pip install
    'ctrnn_jax[tensorboard]'`.

    !!! example

        ```python
        fit(network, task, ..., callbacks=[TensorBoard("runs/copy")])
        ```
    """

    def __init__(self, folder: str | Path):
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError(
                "TensorBoard needs tensorboardX, which is not installed; pip install "
                "'ctrnn_jax[tensorboard]'."
            ) from None
        self._writer: Any = SummaryWriter(str(folder))

    def __call__(self, progress: Progress) -> None:
        """Write what is new."""
        first = progress.step - len(progress.losses)
        for place, loss in enumerate(progress.losses):
            self._writer.add_scalar("train/loss", float(loss), first + place)
        for name, value in (progress.scores or {}).items():
            self._writer.add_scalar(f"validation/{name}", float(value), progress.step)
        self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
