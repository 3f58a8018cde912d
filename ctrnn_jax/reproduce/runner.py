"""Run the claims, keep what is finished, and leave the report."""

import contextlib
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ._claim import Advance, ClaimResult
from ._precision import experiment_settings
from ._store import (
    clear_result,
    fingerprint,
    load_result,
    save_result,
    with_seconds,
    write_atomically,
)
from .report import render_report

CLAIMS: dict[str, str] = {
    "C1": "skew_oscillation",
    "C2": "invariants",
    "C3": "euler",
    "C4": "memory",
}
"""The claims, and the module that tests each, imported when its claim is asked for."""


def reproduce(
    claims: Sequence[str] = tuple(CLAIMS),
    *,
    out: Path,
    quick: bool = False,
    fresh: bool = False,
    progress: bool | Callable[[str], None] = True,
) -> Path:
    """Test the paper's claims, and write a report in one HTML file.

    Each finished claim is stored under `out`/claims, so that an interrupted run goes
    on where it stopped: a claim is run again only if its settings, the package's
    version or its code have changed, or its files are damaged. The report also shows
    claims that were not asked for where their stored results are still valid.

    **Arguments:**

    - `claims`: any of "C1" (skew weights and oscillation), "C2" (invariants and the
      activation), "C3" (forward Euler) and "C4" (memory), in either case.
    - `out`: the folder for report.html and claims/, made if need be.
    - `quick`: run at a small size, to see that everything works; the verdicts then
      rest on little, as the report says. Stored apart from full runs.
    - `fresh`: run the claims anew even where their stored results are valid.
    - `progress`: show a progress bar, or nothing, or call a function with each stage.

    **Returns:** the path of the report.

    **Raises:** `ValueError` for a claim that does not exist. Float64 and JAX's default
    promotion hold while it runs; your settings are restored.
    """
    wanted = _check_claims(claims)
    out = Path(out)
    with _reporting(progress) as follow:
        results = {}
        for key in CLAIMS:
            result = _obtain(
                key, out, follow, quick=quick, fresh=fresh, asked=key in wanted
            )
            if result is not None:
                results[key] = result
    path = out / "report.html"
    page = render_report(list(results.values()), quick=quick)
    write_atomically(path, page.encode("utf-8"))
    return path


#: Called with the claim, the number of its stages, and what says where it got to.
Follow = Callable[[str, int], "contextlib.AbstractContextManager[Advance]"]


def _obtain(
    key: str, out: Path, follow: Follow, *, quick: bool, fresh: bool, asked: bool
) -> ClaimResult | None:
    """Return the stored result of a claim, or run it if it was asked for."""
    module: Any = importlib.import_module(f".{CLAIMS[key]}", __package__)
    settings = module.settings(quick=quick)
    mark = fingerprint(key, settings)
    folder = out / "claims" / (f"{key}-quick" if quick else key)
    stored = None if fresh and asked else load_result(folder, mark)
    count = module.stages(settings) if hasattr(module, "stages") else 1
    if stored is not None or not asked:
        if asked:
            with follow(key, count) as advance:
                advance(f"{key}: finished before, from {folder}")
        return stored
    clear_result(folder)
    with follow(key, count) as advance, experiment_settings():
        began = time.perf_counter()
        result = module.run(settings, advance)
        result = with_seconds(result, time.perf_counter() - began)
    save_result(folder, result, mark)
    return result


def _check_claims(claims: Sequence[str]) -> set[str]:
    names = [claims] if isinstance(claims, str) else list(claims)
    wanted = {name.upper() for name in names}
    unknown = sorted(wanted - set(CLAIMS))
    if unknown or not wanted:
        raise ValueError(
            f"claims must be some of {', '.join(CLAIMS)}, got {names}. Leave them out "
            "to run all."
        )
    return wanted


@contextlib.contextmanager
def _reporting(progress: bool | Callable[[str], None]) -> Iterator[Follow]:
    """Yield what makes a claim's `Advance`: a bar's, a function's, or a silent one."""
    if progress is not True:
        tell = progress if callable(progress) else lambda text: None

        @contextlib.contextmanager
        def quietly(key: str, count: int) -> Iterator[Advance]:
            yield tell

        yield quietly
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:

        @contextlib.contextmanager
        def follow(key: str, count: int) -> Iterator[Advance]:
            task = bar.add_task(key, total=count)
            entered = 0

            def advance(text: str) -> None:
                nonlocal entered
                # Entering a stage means that the one before it is done.
                bar.update(task, description=text, completed=min(entered, count))
                entered += 1

            yield advance
            bar.update(task, completed=count)

        yield follow
