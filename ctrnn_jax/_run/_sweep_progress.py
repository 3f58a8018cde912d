"""The line that shows how a sweep gets on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..sweep import Progress
from ._report import Report

#: Seconds between two lines where there is no terminal.
_PAUSE = 30.0


@contextmanager
def show_progress(
    report: Report, label: str, total: int
) -> Iterator[Callable[[Progress], None]]:
    """Show done, rate, time left and failures: a live line, or remarks."""
    if not report.is_live:
        yield _remarks(report)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, note="compiling")

        def tell(progress: Progress) -> None:
            for note in progress.notes:
                bar.console.print(f"ctrnn: {note}", markup=False, highlight=False)
            bar.update(task, completed=progress.done, note=describe(progress))

        yield tell


def _remarks(report: Report) -> Callable[[Progress], None]:
    last = [time.monotonic()]

    def tell(progress: Progress) -> None:
        for note in progress.notes:
            report.remark(note)
        now = time.monotonic()
        if now - last[0] >= _PAUSE:
            last[0] = now
            report.remark(f"{progress.done}/{progress.total} {describe(progress)}")

    return tell


def describe(progress: Progress) -> str:
    """Return rate, time left and failures in a few words."""
    parts = []
    if progress.rate > 0:
        parts.append(f"{progress.rate:.3g} runs/s")
    if progress.seconds_left is not None and progress.done < progress.total:
        parts.append(f"{show_time(progress.seconds_left)} left")
    parts += [f"{count} {kind}" for kind, count in progress.failures.items()]
    return ", ".join(parts)


def show_time(seconds: float) -> str:
    """Return a duration with the unit that suits it."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    for limit, size, unit in ((100, 1, "s"), (6000, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:.3g} days"
