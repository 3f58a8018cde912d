"""`ctrnn analyse`, from a specification to files and an exit code."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ._analysis_config import parts_of
from ._analysis_parts import compute_part
from ._analysis_summary import rows, summarise_part
from ._build import Problem, build_problem
from ._checkpoint import Arrays, Checkpoint
from ._config import Config
from ._errors import ExitCode, UsageError
from ._files import locked, make_folder, write_atomically
from ._output import find_finished, made_with, write_arrays
from ._report import Report, describe_model

KIND = "ctrnn analyse 1"


def run_analysis(
    config: Config,
    out: Path,
    *,
    figure: bool = True,
    fresh: bool = False,
    strict: bool = False,
    as_json: bool = False,
    report: Report | None = None,
) -> ExitCode:
    """Analyse one orbit, and leave `out`, a .json and a figure beside it.

    Each finished part is kept in the folder `<out>.partial` until all are written, so
    that the same command goes on with the part that was interrupted, and ends with the
    same file. A finished analysis is not repeated.

    **Arguments:**

    - `config`: from `load_analysis_config`.
    - `out`: the .npz to write, with all arrays; the .json has the evidence.
    - `figure`: draw a .png beside it too.
    - `fresh`: drop an earlier result or checkpoint instead of using it.
    - `strict`: report a failure if any part has no answer, not only if the orbit
      cannot be followed at all.
    - `as_json`: print the evidence as JSON instead of a table.
    - `report`: where to say how it goes.

    **Returns:** `ExitCode.OK` or `ExitCode.NUMERICAL`.

    **Raises:** `UsageError` for what cannot be run, `StorageError` for what cannot be
    written. With float64, JAX's 64-bit mode is switched on for the process.
    """
    report = Report() if report is None else report
    if out.suffix != ".npz" or out.is_dir():
        raise UsageError(f"--out must name a .npz file, got {out}.")
    header = find_finished(out, config, fresh=fresh, kind=KIND)
    if header is not None:
        report.remark(f"{out} is finished already; --fresh computes it again.")
    else:
        header = _compute(config, out, fresh, report)
    picture = out.with_suffix(".png") if figure else None
    if picture is not None and (fresh or not _is_newer(picture, out)):
        picture = _draw(picture, config, out, report)
    shown = {name: value for name, value in header.items() if name != "sha256"}
    evidence = json.dumps(shown, indent=1, allow_nan=False)
    page = out.with_suffix(".json")
    if not _is_newer(page, out):
        write_atomically(page, lambda file: file.write(evidence.encode() + b"\n"))
    if as_json:
        report.line(evidence)
    else:
        _show(
            report, header, [("results", out), ("evidence", page), ("figure", picture)]
        )
    return _judge(header["summary"], strict)


def _compute(config: Config, out: Path, fresh: bool, report: Report) -> dict[str, Any]:
    """Compute the parts that the checkpoint lacks, and write all; return the header."""
    if config.values["run.dtype"] == "float64":
        jax.config.update("jax_enable_x64", True)
    folder = out.with_name(out.name + ".partial")
    make_folder(folder)
    with locked(folder / "lock"):
        checkpoint = Checkpoint(
            folder, {"config": config.values, "made_with": made_with()}
        )
        try:
            problem = build_problem(config)
            remark = checkpoint.open(fresh=fresh)
        except BaseException:
            checkpoint.remove_if_empty()
            raise
        if remark is not None:
            report.remark(remark)
        found = _run_parts(config, problem, checkpoint, report)
        arrays = {
            f"{part}.{name}": array
            for part, each in found.items()
            for name, array in each.items()
        }
        arrays["weight"] = np.asarray(problem.model.weight.as_matrix())
        summary = {name: summarise_part(name, each) for name, each in found.items()}
        header = write_arrays(out, KIND, config, arrays, summary)
        checkpoint.remove()
    return header


def _run_parts(
    config: Config, problem: Problem, checkpoint: Checkpoint, report: Report
) -> dict[str, Arrays]:
    names = parts_of(config)
    found: dict[str, Arrays] = {}
    with report.progress("analyse", len(names)) as advanced:
        for index, name in enumerate(names):
            arrays, remark = checkpoint.load_arrays(index)
            if remark is not None:
                report.remark(f"{remark}: computing {name} again.")
            if arrays is None:
                arrays = compute_part(name, config, problem, found.get("orbit"))
                checkpoint.save_arrays(index, arrays)
            found[name] = arrays
            advanced(1)
    return found


def _is_newer(path: Path, than: Path) -> bool:
    return path.exists() and path.stat().st_mtime_ns >= than.stat().st_mtime_ns


def _draw(path: Path, config: Config, out: Path, report: Report) -> Path | None:
    """Draw the figure from the result; `None` if there is nothing to draw."""
    # Matplotlib takes a second to load: only when it is needed.
    from ._analysis_figure import write_analysis_figure

    found: dict[str, Arrays] = {name: {} for name in parts_of(config)}
    with np.load(out, allow_pickle=False) as file:
        for name in file.files:
            part, dot, rest = name.partition(".")
            if dot:
                found[part][rest] = file[name]
    try:
        write_analysis_figure(path, config, found)
    except ValueError as error:
        report.remark(f"No figure: {error}.")
        return None
    return path


def _show(
    report: Report, header: dict[str, Any], places: list[tuple[str, Path | None]]
) -> None:
    """Print what was analysed, the verdict, the evidence, and where it all is."""
    summary, config = header["summary"], header["config"]
    if not report.quiet:
        for line in describe_model(config):
            report.line(line)
        report.line(
            f"time     {config['time.transient']:g} discarded, "
            f"{config['time.duration']:g} watched"
        )
        orbit = summary["orbit"]
        because = f" ({orbit['why']})" if orbit["why"] else ""
        report.line(f"orbit    {orbit['kind']}{because}")
        report.table(
            ("", "evidence", "value", "note"),
            [
                (name.replace("_", " ") if first == 0 else "", *row)
                for name, part in summary.items()
                for first, row in enumerate(_rows_or_reason(part))
            ],
        )
    for label, place in places:
        if place is not None:
            report.line(f"{label:<8} {place}")


def _rows_or_reason(part: dict[str, Any]) -> list[tuple[str, str, str]]:
    return list(rows(part)) or [("no answer", part["status"], part["why"])]


def _judge(summary: dict[str, Any], strict: bool) -> ExitCode:
    statuses = [part["status"] for part in summary.values()]
    if summary["orbit"]["status"] == "nonfinite":
        return ExitCode.NUMERICAL
    if strict and any(status != "successful" for status in statuses):
        return ExitCode.NUMERICAL
    return ExitCode.OK
