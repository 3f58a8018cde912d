"""`fit`: the training loop."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jax.sharding import AxisType, Mesh

from .._precision import precision_in_force
from .._storage import locked
from .._types import Key, PyTree
from ..tasks import AbstractTask
from ._best import Best, copy
from ._callbacks import Callback
from ._checkpoint_file import without_addresses
from ._errors import as_write_error
from ._history import History
from ._loss import LossFn, check_loss
from ._session import Session
from ._step import Plan, State
from ._trainable import split_trainable

#: Steps of one dispatch at most, where `fit` chooses their number.
_CAPACITY = 256


def fit(
    model: PyTree,
    task: AbstractTask,
    *,
    optim: optax.GradientTransformation,
    num_steps: int,
    batch_size: int,
    key: Key,
    loss_fn: LossFn | None = None,
    trainable: PyTree = None,
    steps_per_dispatch: int | None = None,
    microbatches: int = 1,
    devices: Sequence[Any] | None = None,
    precision: str | None = None,
    validate_every: int | None = None,
    validation_batch: int | None = None,
    monitor: str = "loss",
    maximise: bool = False,
    patience: int | None = None,
    stop_when: Callable[[Mapping[str, float]], bool] | None = None,
    keep_best: bool = True,
    callbacks: Sequence[Callback] = (),
    folder: str | Path | None = None,
    save_every: int | None = None,
    keep: int = 3,
    resume: bool = True,
    config: Mapping[str, Any] | None = None,
    throw: bool = True,
) -> tuple[PyTree, History]:
    r"""Train a model on a task.

    Step k draws its batch from `fold_in(key, k)` on the device, so that training that
    was interrupted goes on bit for bit as if it had not been (on the same kind of
    machine, with the same versions). Many steps are one compiled program; the number
    of them is an argument of it, and changes no number.

    **Arguments:**

    - `model`: a pytree, called with one sequence; it is mapped over the batch.
    - `task`: an `AbstractTask`.
    - `optim`: any optax transformation, with its schedule and clipping.
    - `num_steps`: optimiser steps in all, those of earlier sessions included.
    - `batch_size`: sequences of a step.
    - `key`: a `jax.random` key.
    - `loss_fn`: `loss_fn(model, batch, key)`, shape `()`; the task's loss if `None`.
    - `trainable`: a mask as `equinox.partition` takes; if `None` that of
      [`trainable_parts`][ctrnn_jax.train.trainable_parts].
    - `steps_per_dispatch`: steps between two looks from the host; if `None` as many
      as take about half a second.
    - `microbatches`: parts into which a batch is cut, to bound memory. The gradient is
      the mean of theirs: that of the whole where each part has as many answers that
      count.
    - `devices`: `jax.Device`s that share each batch; all local ones if `None`.
    - `precision`: of matrix products, as `jax.default_matmul_precision` takes it:
      `"tensorfloat32"` or `"bfloat16"` round the operands of what is not explicitly in
      full: encoders, readouts and rivals, never the products of our own dynamics.
      State, parameters and sums keep their dtype. `None`: that of the context, or
      `"highest"`, full float32 on a GPU too, unlike JAX's own default.
    - `validate_every`: steps between validations on `task.held_out("validation")`.
    - `validation_batch`: sequences validated at once; all if `None`.
    - `monitor`, `maximise`: the score that says which model is best; lower is better
      unless `maximise`.
    - `patience`: stop after so many validations without a better one.
    - `stop_when`: stop when this is true of the scores of a validation.
    - `keep_best`: return the best model at validation; else, or if there was no
      validation, the last.
    - `callbacks`: each called with a [`Progress`][ctrnn_jax.train.Progress] after
      every dispatch.
    - `folder`: where checkpoints, the log `metrics.jsonl` and at the end `model.ckpt`
      go. `None` keeps nothing.
    - `save_every`: steps between checkpoints; once a minute if `None`, and at the end.
    - `keep`: how many checkpoints stay.
    - `resume`: go on from what `folder` holds; if false, begin anew and delete it.
    - `config`: kept in checkpoints, and part of what must agree to go on: put here what
      `fit` cannot see, such as the learning rate.
    - `throw`: raise where the loss is not finite; if false, return with
      `history.stop == "nonfinite"`.

    **Returns:** the model, and a [`History`][ctrnn_jax.train.History].

    **Raises:** `ValueError` for what cannot be trained; `NonfiniteError` naming the
    step and carrying the model before it; `CheckpointError` if `folder` holds another
    training, `CheckpointWriteError` if it cannot be written.
    """
    _check_counts(locals())
    if validate_every is None and (patience is not None or stop_when is not None):
        raise ValueError("patience and stop_when need validate_every.")
    params, rest = split_trainable(model, trainable)
    key = _typed(key)
    mesh = _make_mesh(devices, batch_size, microbatches)
    plan = Plan(
        rest=rest,
        task=task,
        key=key,
        optim=optim,
        loss_fn=loss_fn,
        batch_size=batch_size,
        microbatches=microbatches,
        capacity=steps_per_dispatch or _CAPACITY,
        loss_dtype=check_loss(model, task, loss_fn, batch_size, key),
        mesh=mesh,
        precision=precision_in_force(precision),
    )
    # Own copies, as the buffers are given away at each dispatch.
    start = State(
        copy(params),
        copy(optim.init(params)),
        jnp.zeros((), jnp.int32),
        jnp.array(True),
    )
    identity = {
        "task": without_addresses(repr(task)),
        "batch_size": batch_size,
        "microbatches": microbatches,
        "key": f"{jr.key_impl(key)} {np.asarray(jr.key_data(key)).tolist()}",
        "precision": precision,
        "validate_every": validate_every,
        "monitor": monitor,
        "maximise": maximise,
        "initial_model": _digest(model),
        "config": dict(config or {}),
    }
    session = Session(
        plan=plan,
        state=start,
        best=Best(monitor, maximise, params),
        num_steps=num_steps,
        adaptive=steps_per_dispatch is None,
        validate_every=validate_every,
        validation_batch=validation_batch,
        patience=patience,
        stop_when=stop_when,
        callbacks=tuple(callbacks),
        folder=None if folder is None else Path(folder),
        save_every=save_every,
        keep=keep,
        identity=identity,
        started=time.perf_counter(),
    )
    with _owned(session.folder):
        session.open(resume=resume)
        session.run(throw=throw)
        return session.result(keep_best=keep_best)


@contextlib.contextmanager
def _owned(folder: Path | None):
    """Hold the folder against other trainings."""
    if folder is None:
        yield
        return
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder / "lock"))
        except BlockingIOError:
            raise BlockingIOError(
                f"Another process is training in {folder}; wait for it, or choose "
                "another folder."
            ) from None
        except OSError as error:
            raise as_write_error(error, folder) from error
        yield


def _check_counts(given: Mapping[str, Any]) -> None:
    needed = ("num_steps", "batch_size", "microbatches", "keep")
    optional = (
        *("steps_per_dispatch", "validate_every", "validation_batch"),
        *("patience", "save_every"),
    )
    for name in (*needed, *optional):
        value = given[name]
        if value is None and name in optional:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    if given["batch_size"] % given["microbatches"]:
        raise ValueError(
            f"microbatches must divide batch_size = {given['batch_size']}, got "
            f"{given['microbatches']}."
        )


def _make_mesh(
    devices: Sequence[Any] | None, batch_size: int, microbatches: int
) -> Mesh | None:
    chosen = jax.local_devices() if devices is None else list(devices)
    if len(chosen) == 1 and devices is None:
        return None
    part = batch_size // microbatches
    if not chosen or part % len(chosen):
        raise ValueError(
            f"{len(chosen)} devices cannot share {part} sequences evenly; make "
            "batch_size / microbatches a multiple of that, or give devices=[...] "
            "fewer of jax.local_devices()."
        )
    return jax.make_mesh(
        (len(chosen),), ("batch",), devices=chosen, axis_types=(AxisType.Auto,)
    )


def _typed(key: Key) -> Key:
    is_typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    return key if is_typed else jr.wrap_key_data(key)


def _digest(model: PyTree) -> str:
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)):
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()[:16]
