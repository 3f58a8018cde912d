"""The command line of the benchmarks."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent

_EXAMPLES = """examples:
  python -m benchmarks list
  python -m benchmarks ensembles --quick
  python -m benchmarks ensembles            the committed table; about 15 minutes
  python -m benchmarks gradients            the same of gradients; about 25 minutes
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
    parser.print_help()
    return 0


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

    folder = arguments.output
    if folder is None:
        folder = _HERE / "results" if whole else _ROOT / "results" / "benchmarks"
    command = " ".join(("python -m benchmarks", *argv))
    try:
        results = benchmark.run(*plan, command=command, quick=arguments.quick)
    except WrongAnswer as wrong:
        print(f"wrong answer, nothing written: {wrong}", file=sys.stderr)
        return 1
    benchmark.write(results, folder)
    print(folder / f"{results['benchmark']}.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
