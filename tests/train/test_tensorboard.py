"""What TensorBoard is told of a training."""

import sys
import warnings

import numpy as np
import pytest

from ctrnn_jax.train import Progress, TensorBoard


def _read(folder):
    """Return the scalars of a folder's event file, as (name, step): value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboardX.proto.event_pb2 import Event

    (file,) = folder.glob("events*")
    data, place, found = file.read_bytes(), 0, {}
    while place < len(data):
        # Length, its checksum, the record, its checksum.
        size = int.from_bytes(data[place : place + 8], "little")
        event = Event.FromString(data[place + 12 : place + 12 + size])
        place += 16 + size
        for value in event.summary.value:
            found[value.tag, event.step] = value.simple_value
    return found


def test_each_loss_and_score_stands_at_its_step(tmp_path):
    pytest.importorskip("tensorboardX")
    board = TensorBoard(tmp_path / "run")
    board(Progress(2, 4, np.array([3.0, 2.0]), None, 0.1, lambda: None))
    board(Progress(4, 4, np.array([1.5, 1.0]), {"recall": 0.5}, 0.2, lambda: None))
    board.close()
    losses = {("train/loss", step): x for step, x in enumerate([3.0, 2.0, 1.5, 1.0])}
    assert _read(tmp_path / "run") == {**losses, ("validation/recall", 4): 0.5}


def test_without_tensorboardx_the_mend_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"ctrnn_jax\[tensorboard\]"):
        TensorBoard(tmp_path)
