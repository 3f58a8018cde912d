"""The command line of the benchmarks."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from .gpu.command import add_arguments as add_gpu_arguments

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent

_EXAMPLES = """examples:
  python -m benchmarks list
  python -m benchmarks ensembles --quick
  python -m benchmarks ensembles            the committed table; about 15 minutes
  python -m benchmarks gradients            the same of gradients; about 25 minutes
  python -m benchmarks lyapunov             the committed table; about 7 minutes
  python -m benchmarks phase-diagram        the committed diagram; about half an hour
  python -m benchmarks memory               the leaderboard; hours, and resumes
  python -m benchmarks signal-school        signals memorized and continued; minutes
  python -m benchmarks training             a training step beside PyTorch's; minutes
  python -m benchmarks gpu                  the card, all parts; resumes
  python -m benchmarks gpu ceilings ensembles --sizes 2 8
  python -m benchmarks check                what CI runs; under a minute
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `python -m benchmarks`."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Speed of ctrnn_jax beside its peers.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("list", help="list the peers and what is not installed")
    ensembles = commands.add_parser(
        "ensembles", help="measure, and write ensembles.md and ensembles.json"
    )
    ensembles.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        choices=(2, 8, 32, 128),
        default=[2, 8, 32, 128],
        help="numbers of neurons; default: all",
    )
    gradients = commands.add_parser(
        "gradients", help="measure, and write gradients.md, .json and .png"
    )
    for benchmark in (ensembles, gradients):
        benchmark.add_argument(
            "--quick", action="store_true", help="few repetitions of short solves"
        )
        benchmark.add_argument(
            "--output",
            type=Path,
            metavar="DIR",
            help="where to; default: benchmarks/results for a full run, else "
            "results/benchmarks, so that part of a table never replaces the whole",
        )
    lyapunov = commands.add_parser(
        "lyapunov", help="measure Lyapunov spectra, and write lyapunov.md and .json"
    )
    lyapunov.add_argument(
        "--quick", action="store_true", help="few repetitions of short orbits"
    )
    lyapunov.add_argument(
        "--output", type=Path, metavar="DIR", help="where to; default: as above"
    )
    diagram = commands.add_parser(
        "phase-diagram", help="kinds of motion by size and energy; resumes"
    )
    diagram.add_argument(
        "--seconds",
        type=float,
        default=math.inf,
        help="stop after about so long; the same command goes on from there",
    )
    memory = commands.add_parser(
        "memory", help="the leaderboard: train what it lacks; resumes"
    )
    memory.add_argument(
        "tasks", nargs="*", metavar="TASK", help="which of its tables; default: all"
    )
    memory.add_argument(
        "--seconds",
        type=float,
        default=math.inf,
        help="begin no further training after so long; 0 only writes the tables",
    )
    memory.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where records are, and go; default: benchmarks/results",
    )
    training = commands.add_parser(
        "training", help="a training step beside PyTorch's; training.md and .json"
    )
    school = commands.add_parser(
        "signal-school", help="eight signals, and seven of them; minutes"
    )
    for benchmark in (diagram, training, school):
        benchmark.add_argument(
            "--output",
            type=Path,
            metavar="DIR",
            help="where to; default: benchmarks/results",
        )
    gpu = commands.add_parser(
        "gpu", help="a GPU: its limits, ensembles, gradients, training; resumes"
    )
    add_gpu_arguments(gpu)
    commands.add_parser("check", help="compilation counts and a generous ratio")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "list":
        return _list()
    if arguments.command == "check":
        from .check import run

        return run()
    if arguments.command == "ensembles":
        return _ensembles(arguments, argv)
    if arguments.command == "gradients":
        return _gradients(arguments, argv)
    if arguments.command == "lyapunov":
        from .lyapunov import launch

        folder = arguments.output or _default_folder(whole=not arguments.quick)
        command = " ".join(("python -m benchmarks", *argv))
        quick = ["--quick"] if arguments.quick else []
        return launch([*quick, str(folder.resolve()), command])
    if arguments.command == "phase-diagram":
        return _phase_diagram(arguments)
    if arguments.command == "signal-school":
        from .memory.signal_school import run as run_school

        command = " ".join(("python -m benchmarks", *argv))
        print(run_school(arguments.output or _HERE / "results", command))
        return 0
    if arguments.command == "memory":
        return _memory(arguments)
    if arguments.command == "training":
        return _training(arguments, argv)
    if arguments.command == "gpu":
        from .gpu.command import run as run_gpu

        return run_gpu(arguments, " ".join(("python -m benchmarks", *argv)))
    parser.print_help()
    return 0


def _default_folder(*, whole: bool) -> Path:
    """Return the folder of committed results only for whole tables."""
    return _HERE / "results" if whole else _ROOT / "results" / "benchmarks"


def _list() -> int:
    from .peers import WAYS
    from .problem import Problem
    from .race import plain
    from .suites import NotInstalled

    for way in WAYS:
        tiny = Problem(2, way.bits[-1], 64, 10, own_weights=way.own_weights)
        try:
            way.prepare(tiny)
            state = "ready"
        except NotInstalled as missing:
            state = f"not installed: {missing}"
        except ModuleNotFoundError as missing:
            state = f"not installed: {missing.name}"
        label = plain(way.label)
        if way.own_weights:
            label += ", a W for each lane"
        print(f"{way.key:24} {way.setting:8} {label}: {state}")
    return 0


def _ensembles(arguments: argparse.Namespace, argv: Sequence[str]) -> int:
    from . import ensembles

    sizes = sorted(set(arguments.sizes))
    plan = ensembles.QUICK if arguments.quick else ensembles.FULL
    whole = not arguments.quick and tuple(sizes) == ensembles.SIZES
    return _measure(ensembles, arguments, argv, whole, plan, sizes)


def _gradients(arguments: argparse.Namespace, argv: Sequence[str]) -> int:
    from . import gradients

    plan = gradients.QUICK if arguments.quick else gradients.FULL
    return _measure(gradients, arguments, argv, not arguments.quick, plan)


def _measure(
    benchmark: ModuleType,
    arguments: argparse.Namespace,
    argv: Sequence[str],
    whole: bool,
    *plan: Any,
) -> int:
    """Run a benchmark and write its report; return the exit code."""
    from .suites import WrongAnswer

    folder = arguments.output or _default_folder(whole=whole)
    command = " ".join(("python -m benchmarks", *argv))
    try:
        results = benchmark.run(*plan, command=command, quick=arguments.quick)
    except WrongAnswer as wrong:
        print(f"wrong answer, nothing written: {wrong}", file=sys.stderr)
        return 1
    benchmark.write(results, folder)
    print(folder / f"{results['benchmark']}.md")
    return 0


def _phase_diagram(arguments: argparse.Namespace) -> int:
    from . import phase_diagram, phase_diagram_report

    work = _ROOT / "results" / "phase_diagram"
    done = phase_diagram.run(work, arguments.seconds)
    # A diagram with gaps never replaces the whole one.
    folder = arguments.output or (_HERE / "results" if done else work)
    print(
        phase_diagram_report.write(work, folder, "python -m benchmarks phase-diagram")
    )
    if not done:
        print("not all networks are done; run the same command again", file=sys.stderr)
    return 0


def _memory(arguments: argparse.Namespace) -> int:
    from .memory.figure import draw
    from .memory.plan import PLAN
    from .memory.report import write
    from .memory.runner import run
    from .memory.store import Store

    known = [entry.key for entry in PLAN]
    for task in arguments.tasks:
        if task not in known:
            print(f"no table {task}; there are {', '.join(known)}", file=sys.stderr)
            return 2
    folder = arguments.output or _HERE / "results"
    store = Store(folder / "memory.json")
    done = run(
        store,
        arguments.seconds,
        arguments.tasks,
        lambda line: print(line, flush=True),
    )
    if not store.records:
        print("nothing has been trained yet; give more --seconds", file=sys.stderr)
        return 2
    print(write(store, folder, "python -m benchmarks memory"))
    picture = draw(store, folder)
    if picture is not None:
        print(picture)
    if not done:
        print("not all is trained; run the same command again", file=sys.stderr)
    return 0


def _training(arguments: argparse.Namespace, argv: Sequence[str]) -> int:
    from .memory import cost
    from .suites import NotInstalled, WrongAnswer

    command = " ".join(("python -m benchmarks", *argv))
    folder = arguments.output or _HERE / "results"
    try:
        results = cost.run(command)
    except NotInstalled as missing:
        print(f"not installed: {missing}; see `make bench`", file=sys.stderr)
        return 1
    except WrongAnswer as wrong:
        print(f"wrong answer, nothing written: {wrong}", file=sys.stderr)
        return 1
    cost.write(results, folder)
    print(folder / "training.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
