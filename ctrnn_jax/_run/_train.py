"""`ctrnn train`, from a specification to a folder and an exit code."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from ..networks import (
    count_parameters,
    initial_motion,
    make_network,
)
from ..tasks import AbstractTask, make_task, task_options
from ..train import (
    CheckpointError,
    History,
    NonfiniteError,
    Progress,
    evaluate,
    fit,
    make_optimiser,
)
from ._config import Config
from ._errors import ExitCode, RefusedError, UsageError
from ._files import locked, make_folder, write_atomically
from ._output import made_with
from ._report import Report

#: What `summary.json` says it is.
FORMAT = "ctrnn train 1"
SUMMARY, FIGURE, MODEL = "summary.json", "learning_curve.png", "model.ckpt"


def run_training(
    config: Config, folder: Path, *, fresh: bool = False, report: Report | None = None
) -> ExitCode:
    """Train one network on one task, and leave all of it in `folder`.

    Checkpoints and `metrics.jsonl` are written meanwhile; the same command goes on from
    them bit for bit. At the end come `model.ckpt`, `summary.json` and
    `learning_curve.png`.

    **Arguments:**

    - `config`: from `load_train_config`.
    - `folder`: where to.
    - `fresh`: begin anew, and drop what is there.
    - `report`: where to say how it goes.

    **Returns:** `ExitCode.OK`, or `ExitCode.NUMERICAL` if the loss was not finite.

    **Raises:** `UsageError` for what cannot be trained, `RefusedError` if `folder`
    holds another training, `StorageError` for what cannot be written. With float64,
    JAX's 64-bit mode is switched on for the process.
    """
    report = Report() if report is None else report
    values = config.values
    if values["run.dtype"] == "float64":
        jax.config.update("jax_enable_x64", True)
    dtype = jnp.dtype(values["run.dtype"])
    build_key, motion_key, train_key = jr.split(jr.key(values["run.seed"]), 3)
    task = _task(values, dtype)
    network = _network(config, task, dtype, build_key)
    motion = initial_motion(network, task, key=motion_key, warn=False)
    if motion.is_chaotic:
        report.remark(
            "the network starts in chaos: small differences grow by a factor of "
            f"e^{np.median(motion.late_growth):.0f} over half a sequence. It will "
            "hardly train; lower --input-scale or --phases."
        )
    make_folder(folder)
    _make_room(folder, fresh=fresh)
    total = values["train.num_steps"]
    with report.progress(f"train {task.name}", total) as advanced:
        seen = [0]

        def show(progress: Progress) -> None:
            advanced(progress.step - seen[0], f"loss {progress.losses[-1]:.3g}")
            seen[0] = progress.step
            if progress.scores is not None:
                report.remark(
                    f"step {progress.step}: {_listed(progress.scores)} (trivial loss "
                    f"{task.trivial_loss:.3g})"
                )

        try:
            network, history = fit(
                network,
                task,
                optim=make_optimiser(
                    values["train.learning_rate"],
                    total,
                    weight_rate=values["train.weight_rate"],
                    clip=values["train.clip"],
                ),
                num_steps=total,
                batch_size=values["train.batch_size"],
                key=train_key,
                validate_every=values["train.validate_every"],
                validation_batch=values["train.test_batch"],
                patience=values.get("train.patience"),
                callbacks=[show],
                folder=folder,
                save_every=values.get("train.save_every"),
                resume=not fresh,
                # How often it is saved changes nothing in what is trained.
                config={k: v for k, v in values.items() if k != "train.save_every"},
            )
        except NonfiniteError as error:
            report.remark(_explain(error, values))
            return ExitCode.NUMERICAL
        except BlockingIOError as error:
            raise RefusedError(str(error)) from None
        except CheckpointError as error:
            raise RefusedError(f"{error} (--fresh drops what is there.)") from None
    scores = evaluate(network, task, batch_size=values["train.test_batch"])
    summary = {
        "format": FORMAT,
        "config": values,
        "made_with": made_with(),
        "task": task.name,
        "trivial_loss": task.trivial_loss,
        "parameters": count_parameters(network),
        "steps": len(history.losses),
        "best_step": history.best_step,
        "stop": history.stop,
        "seconds": float(history.seconds[-1]),
        "test": scores,
    }
    text = json.dumps(summary, indent=1).encode() + b"\n"
    page, picture = folder / SUMMARY, folder / FIGURE
    write_atomically(page, lambda file: file.write(text))
    _draw(picture, history, task)
    report.line(
        f"network  {values['network.name']}, {summary['parameters']} parameters"
    )
    report.line(f"steps    {summary['steps']}, best at {history.best_step}")
    report.line(f"test     {_listed(scores)} (trivial loss {task.trivial_loss:.3g})")
    for label, place in (
        ("model", folder / MODEL),
        ("log", folder / "metrics.jsonl"),
        ("summary", page),
        ("figure", picture),
    ):
        report.line(f"{label:<8} {place}")
    return ExitCode.OK


def _make_room(folder: Path, *, fresh: bool) -> None:
    """Refuse a folder with files that are no training's; drop those of an old one."""
    results = [folder / name for name in (SUMMARY, FIGURE, MODEL)]
    there = [path for path in results if path.exists()]
    if there and not _is_ours(folder):
        raise RefusedError(
            f"{there[0]} is there and was not written by `ctrnn train`; choose another "
            "--out."
        )
    if fresh and there:
        # An interrupted new training must not be taken for the old one.
        with locked(folder / "lock"):
            for path in there:
                path.unlink()


def _is_ours(folder: Path) -> bool:
    """Return whether a training has left its log, or its summary, in a folder."""
    if any(folder.glob("step-*.ckpt")):
        return True
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(summary, dict) and summary.get("format") == FORMAT


def _explain(error: NonfiniteError, values: dict[str, Any]) -> str:
    """Say where a training failed and what to do, in the words of the command."""
    last = "no checkpoint was saved"
    if error.checkpoint is not None:
        last = f"the last good checkpoint is {error.checkpoint}"
    return (
        f"the loss or the update is not finite at step {error.step} of the training "
        f"with --seed {values['run.seed']}; {last}. Lower --learning-rate (now "
        f"{values['train.learning_rate']:g}), --clip (now {values['train.clip']:g}) or "
        "--input-scale, or choose another --seed, and add --fresh."
    )


def _task(values: dict[str, Any], dtype: jnp.dtype) -> AbstractTask:
    name = values["task.name"]
    options = {
        path.partition(".")[2]: value
        for path, value in values.items()
        if path.startswith("task.") and path != "task.name"
    }
    if "dtype" in task_options(name):
        options["dtype"] = dtype
    try:
        return make_task(name, **options)
    except (ImportError, FileNotFoundError, ValueError) as error:
        raise UsageError(f"task {name}: {error}") from None


def _network(config: Config, task: AbstractTask, dtype: jnp.dtype, key: Any) -> Any:
    values = config.values
    options = {
        path.partition(".")[2]: value
        for path, value in values.items()
        if path.startswith("network.") and path != "network.name"
    }
    if "phases" in options:
        options["phases"] = tuple(config.arrays["network.phases"].tolist())
    if task.reads == "generate":
        options.pop("features")
    try:
        return make_network(
            values["network.name"], task, key=key, dtype=dtype, **options
        )
    except ValueError as error:
        raise UsageError(f"network {values['network.name']}: {error}") from None


def _listed(scores: Any) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())


def _draw(path: Path, history: History, task: AbstractTask) -> None:
    # Matplotlib takes a second to load: only when it is needed.
    from ._train_figure import draw_learning_curve

    png = draw_learning_curve(history, task.trivial_loss, task.name)
    write_atomically(path, lambda file: file.write(png))
