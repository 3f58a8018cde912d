"""The command line of `python -m benchmarks gpu`."""

import argparse
import os
from pathlib import Path

from . import PARTS
from .options import Options

_RESULTS = Path(__file__).resolve().parent.parent / "results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    defaults = Options()
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"of {', '.join(PARTS)}; default: all. `report` only writes table and "
        "figure of what is there",
    )
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        choices=defaults.sizes,
        default=list(defaults.sizes),
        help="numbers of neurons of ensembles and gradients; default: all",
    )
    parser.add_argument(
        "--most-lanes", type=int, default=defaults.most_lanes, metavar="LANES"
    )
    parser.add_argument(
        "--most-steps",
        type=int,
        default=defaults.most_steps,
        metavar="STEPS",
        help="of gradients",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=defaults.minutes,
        help="begin no further row after so long; the same command goes on from there",
    )
    parser.add_argument(
        "--seed",
        type=int,
        help="of the random inputs; default: a new one",
    )
    parser.add_argument(
        "--tiny",
        action="store_true",
        help="few lanes and steps: does everything work, also without a GPU?",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where results are, and go; default: benchmarks/results, with --tiny "
        "results/benchmarks/gpu-tiny",
    )


def run(arguments: argparse.Namespace, command: str) -> int:
    """Run it and return the exit code."""
    from .launch import report
    from .launch import run as launch

    wanted = arguments.parts or list(PARTS)
    unknown = [part for part in wanted if part not in (*PARTS, "report")]
    if unknown:
        raise SystemExit(f"no part {unknown[0]}; there are {', '.join(PARTS)}, report")
    folder = arguments.out or _default_folder(arguments.tiny)
    seed = arguments.seed
    options = Options(
        sizes=tuple(sorted(set(arguments.sizes))),
        tiny=arguments.tiny,
        most_lanes=arguments.most_lanes,
        most_steps=arguments.most_steps,
        seed=int.from_bytes(os.urandom(4)) if seed is None else seed,
        minutes=arguments.minutes,
    )
    parts = [part for part in PARTS if part in wanted]
    whole = launch(parts, options, folder, command) if parts else True
    for path in report(folder):
        print(path)
    if not whole:
        print("not all is measured; run the same command again to go on")
    return 0


def _default_folder(tiny: bool) -> Path:
    return (
        _RESULTS.parents[1] / "results" / "benchmarks" / "gpu-tiny"
        if tiny
        else _RESULTS
    )
