"""One session of a training: dispatch, look, write down, until it is over."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from .._types import PyTree
from ._best import Best, copy
from ._callbacks import Callback, Progress
from ._checkpoint_file import package_versions, structure
from ._checkpoints import Checkpoints, differences, restore_checkpoint
from ._errors import CheckpointError, NonfiniteError
from ._evaluate import as_numbers, scores
from ._history import History, Record
from ._log import Log
from ._model_file import save_model
from ._step import Plan, State, advance

#: Seconds that a dispatch should take, and that pass between checkpoints.
_DISPATCH_SECONDS = 0.5
_SAVE_SECONDS = 60.0


@dataclass
class Session:
    """State of the loop; see `fit` for what most fields mean.

    - `adaptive`: choose the number of steps of a dispatch by how long they take.
    - `started`: when the session began, in `time.perf_counter`'s seconds.
    - `earlier`: seconds that sessions before it took.
    - `stop`: why it is over, once it is.
    """

    plan: Plan
    state: State
    best: Best
    num_steps: int
    adaptive: bool
    validate_every: int | None
    validation_batch: int | None
    patience: int | None
    stop_when: Callable[[Mapping[str, float]], bool] | None
    callbacks: tuple[Callback, ...]
    folder: Path | None
    save_every: int | None
    keep: int
    identity: dict[str, Any]
    started: float
    earlier: float = 0.0
    step: int = 0
    pace: int = 1
    stop: str | None = None
    saved_at: float = 0.0
    saved: Path | None = None
    record: Record = field(default_factory=Record)

    def __post_init__(self) -> None:
        """Prepare the files, and put what stays on the devices."""
        self.log = Log(self.folder and self.folder / "metrics.jsonl")
        self.saved_at = self.started
        self.held_out = None
        if self.validate_every is not None:
            self.held_out = self._spread(self.plan.task.held_out("validation"))
        self.plan = self._spread(self.plan)
        if not self.adaptive:
            self.pace = self.plan.capacity

    @property
    def seconds(self) -> float:
        """Time spent training so far."""
        return self.earlier + time.perf_counter() - self.started

    @property
    def files(self) -> Checkpoints | None:
        """The checkpoints, if any are kept."""
        if self.folder is None:
            return None
        return Checkpoints(
            self.folder,
            {"identity": self.identity, "config": self.identity["config"]},
            self.keep,
        )

    def open(self, *, resume: bool) -> None:
        """Take up what an earlier session left."""
        files = self.files
        if files is not None and not resume:
            files.clear()
        found = None if files is None else files.read()
        if found is not None:
            self._take_up(found)
        self.state, self.best.params = self._spread((self.state, self.best.params))
        self.log.go_on(self.record.history(stop="").losses, self.earlier)

    def run(self, *, throw: bool) -> None:
        """Train until there is a reason to stop."""
        while self.stop is None:
            if self.step >= self.num_steps:
                self.stop = "finished"
                break
            before, clock = self.step, time.perf_counter()
            count = self._next_count()
            kept = (self.plan, jnp.asarray(count, jnp.int32))
            self.state, losses = advance(kept, self.state)
            # The one time that the host waits for the device, for all it needs.
            told = jax.device_get((self.state.step, self.state.okay, losses))
            self.step, okay = int(told[0]), bool(told[1])
            taken = told[2][: self.step - before + (not okay)]
            self._adapt(len(taken), time.perf_counter() - clock)
            self.record.add_losses(taken, self.seconds)
            self.log.losses(before + len(taken), taken, self.seconds)
            if not okay:
                self.stop = "nonfinite"
                if throw:
                    raise self._nonfinite(float(taken[-1]))
                return
            found = self._validate() if self._is_due(self.validate_every) else None
            self._tell(taken, found)
            late = time.perf_counter() - self.saved_at > _SAVE_SECONDS
            if late if self.save_every is None else self._is_due(self.save_every):
                self._save()
        self._save()
        if self.folder is not None:
            config = self.identity["config"]
            save_model(self.folder / "model.ckpt", self.model(best=True), config=config)

    def result(self, *, keep_best: bool) -> tuple[PyTree, History]:
        """Return the model and the history."""
        step = self.best.step if keep_best else None
        stop = self.stop or "finished"
        history = self.record.history(best_step=step, stop=stop)
        return self.model(best=keep_best), history

    def model(self, *, best: bool = False) -> PyTree:
        """Return a copy of the model as it is, or as it was at its best."""
        was = best and self.best.step is not None
        params = copy(self.best.params if was else self.state.params)
        model = eqx.combine(params, self.plan.rest)
        if self.plan.mesh is None:
            return model
        device = self.plan.mesh.devices.flat[0]
        arrays, static = eqx.partition(model, eqx.is_array)
        return eqx.combine(jax.device_put(arrays, device), static)

    def _spread(self, tree: PyTree) -> PyTree:
        """Put arrays on the device once for all, or a copy on each of several.

        NumPy arrays, of a task for example, would else be sent at every dispatch.
        """
        mesh = self.plan.mesh
        whole = None if mesh is None else NamedSharding(mesh, PartitionSpec())
        arrays, static = eqx.partition(tree, eqx.is_array)
        return eqx.combine(jax.device_put(arrays, whole), static)

    def _is_due(self, every: int | None) -> bool:
        return every is not None and self.step % every == 0

    def _next_count(self) -> int:
        """Return how many steps to take before something else is due."""
        ends = [self.num_steps, self.step + self.pace]
        for every in (self.validate_every, self.save_every):
            if every is not None:
                ends.append((self.step // every + 1) * every)
        return min(ends) - self.step

    def _adapt(self, count: int, seconds: float) -> None:
        if self.adaptive:
            fitting = round(count * _DISPATCH_SECONDS / max(seconds, 1e-9))
            # At most four times as many: the first dispatch after a pause may mislead.
            self.pace = max(min(fitting, 4 * self.pace, self.plan.capacity), 1)

    def _validate(self) -> dict[str, float]:
        model = eqx.combine(self.state.params, self.plan.rest)
        assert self.held_out is not None
        task, most = self.plan.task, self.validation_batch
        with jax.default_matmul_precision(self.plan.precision):
            found = as_numbers(scores(model, task, self.held_out, most))
        self.record.add_scores(self.step, found)
        self.log.scores(self.step, found, self.seconds)
        self.best.see(found, self.state.params, self.step)
        if self.stop_when is not None and self.stop_when(found):
            self.stop = "stop_when"
        elif self.patience is not None and self.best.waited >= self.patience:
            self.stop = "patience"
        return found

    def _tell(self, losses: np.ndarray, found: Mapping[str, float] | None) -> None:
        if not self.callbacks:
            return
        progress = Progress(
            self.step, self.num_steps, losses, found, self.seconds, self.model
        )
        for callback in self.callbacks:
            callback(progress)

    def _tree(self, record: dict[str, Any]) -> dict[str, Any]:
        return {
            "params": self.state.params,
            "optimiser": self.state.optimiser,
            "best": self.best.params,
            "record": record,
        }

    def _save(self) -> None:
        """Write a checkpoint, unless this step's is there and says the same."""
        files = self.files
        if files is None:
            return
        header = {
            "best": self.best.as_header(),
            "stop": self.stop,
            "seconds": self.seconds,
            "loss_dtype": str(self.plan.loss_dtype),
            "validations": len(self.record.validation_steps),
            "score_names": self.record.score_names,
        }
        self.saved = files.save(self.step, self._tree(self.record.as_arrays()), header)
        self.saved_at = time.perf_counter()

    def _take_up(self, found: tuple[Path, dict[str, Any], bytes]) -> None:
        path, header, _ = found
        record = Record.blank(
            header["step"],
            header["loss_dtype"],
            header["validations"],
            header["score_names"],
        )
        like = self._tree(record)
        tree = restore_checkpoint(found, like)
        versions = package_versions()
        if header["versions"] != versions:
            warnings.warn(
                f"{path} was written with other versions ("
                f"{differences(header['versions'], versions)}): going on from it is "
                "right, but need not be the same bit for bit.",
                stacklevel=5,
            )
        elif header["structure"] != structure(like):
            raise CheckpointError(
                f"{path} fits the model's arrays, but a part of the model or optimiser "
                "is of another kind or has another setting that is no array. Build "
                "both as they were, choose another folder, or give resume=False."
            )
        self.saved, self.step = path, header["step"]
        self.earlier = header["seconds"]
        step = jnp.asarray(self.step, jnp.int32)
        self.state = State(tree["params"], tree["optimiser"], step, self.state.okay)
        self.best.params = tree["best"]
        for name, value in header["best"].items():
            setattr(self.best, name, value)
        self.record = Record.from_arrays(tree["record"])
        self.stop = header["stop"] if header["stop"] != "finished" else None

    def _nonfinite(self, loss: float) -> NonfiniteError:
        key = np.asarray(jr.key_data(self.plan.key)).tolist()
        what = f"The loss is {loss}" if not np.isfinite(loss) else "The update is not"
        what += "" if not np.isfinite(loss) else " finite"
        last = "None was saved." if self.saved is None else f"The last is {self.saved}."
        return NonfiniteError(
            f"{what} at step {self.step} (key {key}, batch key fold_in(key, "
            f"{self.step})). Checkpoints: {last} The error's `model` is the one before "
            "that step. Lower the learning rate, clip gradients "
            "(optax.clip_by_global_norm), or start with smaller weights.",
            self.step,
            self.model(),
            self.record.history(best_step=self.best.step, stop="nonfinite"),
            self.saved,
        )
