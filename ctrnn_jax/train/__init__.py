"""Training: the loop, its log, and checkpoints that survive."""

from ._callbacks import Progress
from ._errors import CheckpointError, CheckpointWriteError, NonfiniteError
from ._evaluate import evaluate
from ._fit import fit
from ._history import History
from ._model_file import load_model, read_config, save_model
from ._optimiser import make_optimiser
from ._tensorboard import TensorBoard
from ._trainable import trainable_parts

__all__ = [
    "CheckpointError",
    "CheckpointWriteError",
    "History",
    "NonfiniteError",
    "Progress",
    "TensorBoard",
    "evaluate",
    "fit",
    "load_model",
    "make_optimiser",
    "read_config",
    "save_model",
    "trainable_parts",
]
