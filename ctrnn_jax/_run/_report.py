"""What the terminal shows: progress on stderr, results on stdout."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Report:
    """Where a command says how it goes.

    Progress and remarks go to stderr, the first only to a terminal; `quiet` silences
    both. Results go to stdout.
    """

    def __init__(self, *, quiet: bool = False):
        self.quiet = quiet

    @property
    def is_live(self) -> bool:
        """Whether there is a terminal to draw a progress bar on."""
        return not self.quiet and sys.stderr.isatty()

    def remark(self, text: str) -> None:
        """Say something in passing."""
        if not self.quiet:
            print(f"ctrnn: {text}", file=sys.stderr)

    def line(self, text: str) -> None:
        """Print a line of the result."""
        print(text)

    def table(self, titles: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """Print a table of the result, as wide as the terminal or else 100 columns."""
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
        for line in lines:
            table.add_row(*(Text(cell) for cell in line))
        width = None if sys.stdout.isatty() else 100
        console = Console(file=sys.stdout, width=width, highlight=False)
        with console.capture() as shown:
            console.print(table)
        # Without the blanks that fill up each cell.
        for line in shown.get().strip("\n").splitlines():
            print(line.rstrip())

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[..., None]]:
        """Show a bar and yield what moves it on: a count, and a note to show."""
        if not self.is_live:
            yield lambda count, note="": None
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(label, total=total, note="")
            yield lambda count, note="": bar.update(task, advance=count, note=note)


def show_summary(
    report: Report, header: dict[str, Any], out: Path, figure: Path | None
) -> None:
    """Print what was run, how it went, and where the results are."""
    if not report.quiet:
        for line in describe(header):
            report.line(line)
    report.line(f"results  {out}")
    if figure is not None:
        report.line(f"figure   {figure}")


def describe(header: dict[str, Any]) -> list[str]:
    """Return the run in a few lines."""
    config, summary = header["config"], header["summary"]
    count = len(summary["failed"])
    lines = [
        *describe_model(config),
        f"time     {config['time.t0']:g} to {config['time.t1']:g}, "
        f"{config['time.saves']} samples",
        f"lanes    {summary['lanes'] - count} okay, {count} failed",
    ]
    for failure in summary["failed"][:5]:
        lines.append(
            f"         lane {failure['lane']}: {failure['status']} after "
            f"t = {failure['after_t']:g}"
        )
    if count > 5:
        lines.append(f"         and {count - 5} more: see `status` in the results")
    if "no_energy" in summary:
        lines.append(f"energy   not conserved: {summary['no_energy']}")
    elif "energy_error" in summary:
        relative = summary.get("relative_energy_error")
        beside = "" if relative is None else f", relative {relative:.2e}"
        lines.append(f"energy   largest error {summary['energy_error']:.2e}{beside}")
    return lines


def describe_model(config: dict[str, Any]) -> list[str]:
    """Return the model and its solver in two lines."""
    order = f" of order {config['solver.order']}" if "solver.order" in config else ""
    steps = f"dt0 {config['time.dt0']:g}"
    if "solver.rtol" in config:
        steps = f"adaptive, rtol {config['solver.rtol']:g}"
    return [
        f"model    {config['model.form']} form, {config['weight.kind']} W of "
        f"{config['weight.size']} neurons, {config['model.activation']}, leak "
        f"{config['model.leak']:g}",
        f"solver   {config['solver.name']}{order}, {steps}, {config['run.dtype']}",
    ]
