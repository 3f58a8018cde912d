"""Kill a sweep fifty times at random moments, and compare what is left to the last bit.

    python -m benchmarks.sweeps.kills [--kills N] [--output DIR]

After each kill every chunk that is marked as finished is read back and compared with a
sweep that nothing has interrupted; at the end all files are. Some kills come before the
first chunk, while the store is made or the program is compiled.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine, describe_versions, today

KILLS = 50
SEED = 20250413
#: One chunk is 64 runs, so that kills hit many chunks in little time.
RUNS, CHUNK = 32_768, 64
#: Share of kills that may come at any moment of a process's life.
EARLY = 0.2
TABLE = Path(__file__).parent.parent / "results" / "sweep_kills"


def work(path: Path) -> None:
    """Run the sweep in this process, and print how far it is."""
    import jax
    import jax.numpy as jnp

    from ctrnn_jax import CoordinateSplitting, SkewSymmetric, VoltageCTRNN, simulate
    from ctrnn_jax.sweep import Progress, sweep

    jax.config.update("jax_enable_x64", True)

    def pair(settings, key):
        weight = SkewSymmetric.from_matrix(jnp.array([[0.0, 1.0], [-1.0, 0.0]]))
        model = VoltageCTRNN(weight, leak=settings["leak"])
        y0 = settings["size"] * jax.random.normal(key, (2,))
        ts, solver = np.linspace(0.0, 5.0, 3), CoordinateSplitting()
        found = simulate(model, y0, ts, dt0=0.1, solver=solver, throw=False)
        assert found.ys is not None
        return {"states": found.ys, "radius": jnp.linalg.norm(found.ys[-1])}

    def tell(progress: Progress) -> None:
        print(progress.done, flush=True)

    grid = {
        "leak": {"start": 0.0, "stop": 1.0, "num": RUNS // 128},
        "size": {"start": 0.1, "stop": 4.0, "num": 128},
    }
    sweep(pair, grid, store=path, chunk_size=CHUNK, progress=tell)


def start(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.sweeps.kills", "--work", str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(path: Path) -> None:
    process = start(path)
    process.communicate()
    if process.returncode:
        raise SystemExit(f"the sweep ended with {process.returncode}")


def kill_once(path: Path, moments: random.Random) -> tuple[str, int]:
    """Begin or resume the sweep, kill it, and return when, and the runs done before."""
    process = start(path)
    assert process.stdout is not None
    if moments.random() < EARLY:
        time.sleep(moments.uniform(0.0, 6.0))
        when, begun = "any moment", -1
    else:
        begun = int(process.stdout.readline() or -1)
        process.stdout.readline()  # The first chunk of this session is written.
        time.sleep(moments.uniform(0.0, 0.5))
        when = "between chunks"
    process.kill()
    process.communicate()
    return when, begun


def compare(killed: Path, whole: Path) -> tuple[int, int]:
    """Return how many chunks of a killed sweep are finished, and how many are wrong."""
    from ctrnn_jax.sweep._store import Store

    if not killed.exists():
        return 0, 0
    first, second = Store(killed), Store(whole)
    done = np.flatnonzero(first.done()).tolist()
    wrong = 0
    for chunk in done:
        try:
            equal = all(
                first.read(name, chunk).tobytes() == second.read(name, chunk).tobytes()
                for name in first.columns
            )
        except OSError:
            equal = False
        wrong += not equal
    return len(done), wrong


def files(path: Path) -> dict[str, bytes]:
    """Return every file of results; how often chunks were begun is not one."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("c/**/*")
        if file.is_file() and "attempts" not in file.parts
    }


def study(kills: int, folder: Path) -> dict:
    """Run it all, and return what was found."""
    whole, killed = folder / "whole.zarr", folder / "killed.zarr"
    finish(whole)
    moments = random.Random(SEED)
    sessions = []
    checked = wrong_in_all = 0
    while len(sessions) < kills:
        when, begun = kill_once(killed, moments)
        done, wrong = compare(killed, whole)
        sessions.append({"when": when, "begun": begun, "done": done, "wrong": wrong})
        checked, wrong_in_all = checked + done, wrong_in_all + wrong
        print(f"kill {len(sessions)}: {done} chunks done, {wrong} wrong", flush=True)
        if done == RUNS // CHUNK:
            raise SystemExit(
                "the sweep was finished before the last kill: make it longer"
            )
    finish(killed)
    first, second = files(killed), files(whole)
    differing = [
        name for name in {**first, **second} if first.get(name) != second.get(name)
    ]
    return {
        "kills": len(sessions),
        "kills_before_a_chunk": sum(item["begun"] < 0 for item in sessions),
        "chunks": RUNS // CHUNK,
        "chunks_done_before_the_end": sessions[-1]["done"],
        "chunks_checked": checked,
        "chunks_wrong": wrong_in_all,
        "files": len(second),
        "files_differing": len(differing),
        "leftovers": len(list(folder.glob(".*.tmp"))),
        "sessions": sessions,
    }


def render(found: dict) -> str:
    """Return the findings as Markdown."""
    return f"""# Sweeps killed by SIGKILL

Measured {found["date"]} on {found["machine"]["processor"]},
{found["machine"]["cores"]} cores, jax {found["versions"]["jax"]}, by
`python -m benchmarks.sweeps.kills`.

| | |
|---|---:|
| kills at random moments | {found["kills"]} |
| of them at any moment of a process | {found["kills_before_a_chunk"]} |
| chunks of the sweep | {found["chunks"]} |
| of them finished when the last kill came | {found["chunks_done_before_the_end"]} |
| finished chunks compared after kills | {found["chunks_checked"]} |
| **of them wrong** | **{found["chunks_wrong"]}** |
| files of the resumed sweep compared at the end | {found["files"]} |
| **of them differing from the uninterrupted one** | **{found["files_differing"]}** |
| temporary folders left over | {found["leftovers"]} |
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--output", type=Path, default=TABLE.parent)
    arguments = parser.parse_args()
    if arguments.work is not None:
        work(arguments.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = study(arguments.kills, Path(folder))
    found = {
        "date": today(),
        "machine": describe_machine(),
        "versions": describe_versions(),
        **found,
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    place = arguments.output / TABLE.name
    place.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    place.with_suffix(".md").write_text(render(found))
    print(render(found))


if __name__ == "__main__":
    main()
