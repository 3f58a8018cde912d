"""Start the processes, watch over them, and write what they found."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..machine import today
from ..race import say
from .card import describe_all
from .options import PROCESSES, Options
from .store import Store
from .worker import SETTLED, TIME_UP

_ROOT = Path(__file__).resolve().parents[2]
#: Seconds between two looks at a process.
_LOOK = 0.5
#: Processes of one part and precision that may end early before the rest is given up.
_MOST_CRASHES = 12


def run(parts: Sequence[str], options: Options, folder: Path, command: str) -> bool:
    """Measure these parts and write table and figure; return whether all is measured.

    Goes on from what the folder holds; rows that failed are tried again.
    """
    begun = time.time()
    deadline = begun + 60 * options.minutes
    store = Store(folder)
    store.retry(tuple(parts))
    store.head.update(
        command=command, date=today(), options=options.dump(), **describe_all()
    )
    store.write()
    whole = True
    for part in parts:
        for bits in PROCESSES[part]:
            whole &= _process(part, bits, options, folder, deadline)
        report(folder)
    store.read()
    spent = (time.time() - begun) / 60
    store.head["minutes"] = round(store.head.get("minutes", 0.0) + spent, 1)
    store.write()
    report(folder)
    return whole


def report(folder: Path) -> list[Path]:
    """Write table and figure of what a folder holds; return their paths."""
    from .figure import draw
    from .tables import render

    store = Store(folder)
    page = folder / "gpu.md"
    page.write_text(render(store), encoding="utf-8")
    picture = folder / "gpu_ensembles.png"
    try:
        drawn = draw(store, picture)
    except ModuleNotFoundError as missing:
        say(f"no figure: {missing.name} is not installed")
        drawn = False
    return [page, picture] if drawn else [page]


def environment(bits: int) -> dict[str, str]:
    """Return the environment of a process."""
    found = dict(os.environ)
    # Several libraries share the card, and each takes what it needs.
    found["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    found["JAX_ENABLE_X64"] = "1" if bits == 64 else "0"
    return found


def _process(
    part: str, bits: int, options: Options, folder: Path, deadline: float
) -> bool:
    """Measure one part in one precision, whatever crashes; return whether all is."""
    for _ in range(_MOST_CRASHES):
        if time.time() > deadline:
            return False
        code, reason = _watch(part, bits, options, folder, deadline)
        if code in (SETTLED, TIME_UP):
            return code == SETTLED
        lost = Store(folder).give_up(reason)
        say(f"{part}, float{bits}: {reason}; lost: {', '.join(lost) or 'nothing'}")
        if not lost:
            return False  # it did not even begin: another one would not either
    return False


def _watch(
    part: str, bits: int, options: Options, folder: Path, deadline: float
) -> tuple[int, str]:
    """Run one process; end it if a row takes too long. Return its code and its end."""
    arguments = [part, str(bits), str(folder.resolve()), str(deadline), options.dump()]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.gpu.worker", *arguments],
        cwd=_ROOT,
        env=environment(bits),
    )
    try:
        path, latest = folder / "gpu.json", time.time()
        while (code := _poll(process)) is None:
            latest = max(latest, path.stat().st_mtime)
            if time.time() - latest > options.row_seconds:
                return -9, f"took more than {options.row_seconds:.0f} s"
        return code, f"its process ended with exit code {code}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _poll(process: "subprocess.Popen[bytes]") -> int | None:
    try:
        return process.wait(timeout=_LOOK)
    except subprocess.TimeoutExpired:
        return None
