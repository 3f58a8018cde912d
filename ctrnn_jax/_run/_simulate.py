"""`ctrnn simulate`, from a specification to files and an exit code."""

from pathlib import Path

import jax

from ._build import build_problem
from ._checkpoint import Checkpoint
from ._config import Config
from ._errors import ExitCode, UsageError
from ._files import locked, make_folder
from ._limits import check_limits
from ._output import find_finished, made_with, read_samples, write_result
from ._report import Report, show_summary
from ._segments import Samples, run_segments


def run_simulation(
    config: Config,
    out: Path,
    *,
    figure: bool = True,
    fresh: bool = False,
    strict: bool = False,
    report: Report | None = None,
) -> ExitCode:
    """Run a specification, or go on with it, and leave `out` and a figure beside it.

    Segments finished so far are kept in the folder `<out>.partial` until the whole is
    written, so that a run that ends in any way goes on from there when it is started
    again, and gives the same file bit for bit as one that was never interrupted (with
    the same versions, on the same kind of machine). A finished run is not repeated.

    **Arguments:**

    - `config`: from `load_config`.
    - `out`: the .npz to write.
    - `figure`: draw a .png beside it too.
    - `fresh`: drop an earlier result or checkpoint instead of using it.
    - `strict`: report a failure if any lane failed, not only if all did.
    - `report`: where to say how it goes.

    **Returns:** `ExitCode.OK` or `ExitCode.NUMERICAL`.

    **Raises:** `UsageError` for what cannot be run, `StorageError` for what cannot be
    written. With float64, JAX's 64-bit mode is switched on for the process.
    """
    report = Report() if report is None else report
    if out.suffix != ".npz" or out.is_dir():
        raise UsageError(f"--out must name a .npz file, got {out}.")
    picture = out.with_suffix(".png") if figure else None
    header = find_finished(out, config, fresh=fresh)
    if header is not None:
        report.remark(f"{out} is finished already; --fresh computes it again.")
        if picture is not None and not picture.exists():
            picture = _draw(picture, config, read_samples(out, header), report)
        show_summary(report, header, out, picture)
        return _judge(header, strict)
    if config.values["run.dtype"] == "float64":
        jax.config.update("jax_enable_x64", True)
    folder = out.with_name(out.name + ".partial")
    make_folder(folder)
    with locked(folder / "lock"):
        checkpoint = Checkpoint(
            folder, {"config": config.values, "made_with": made_with()}
        )
        try:
            check_limits(config, folder)
            problem = build_problem(config)
            remark = checkpoint.open(fresh=fresh)
        except BaseException:
            checkpoint.remove_if_empty()
            raise
        if remark is not None:
            report.remark(remark)
        total = config.values["time.saves"] - 1
        with report.progress("simulate", total) as advanced:
            samples = run_segments(
                config, problem, checkpoint, advanced=advanced, remark=report.remark
            )
        header = write_result(out, config, problem, samples)
        checkpoint.remove()
    if picture is not None:
        picture = _draw(picture, config, samples, report)
    show_summary(report, header, out, picture)
    return _judge(header, strict)


def _draw(path: Path, config: Config, samples: Samples, report: Report) -> Path | None:
    """Draw the figure; return its path, or `None` if there is nothing to draw."""
    # Matplotlib takes a second to load: only when it is needed.
    from ._figure import write_figure

    try:
        write_figure(path, config, samples)
    except ValueError as error:
        report.remark(f"No figure: {error}.")
        return None
    return path


def _judge(header: dict, strict: bool) -> ExitCode:
    lanes, failed = header["summary"]["lanes"], len(header["summary"]["failed"])
    if failed == lanes or (strict and failed):
        return ExitCode.NUMERICAL
    return ExitCode.OK
