"""The commands of `ctrnn sweep` and their options; no heavy import."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import _help


def add_sweep_commands(
    parser: argparse.ArgumentParser, common: argparse.ArgumentParser
) -> None:
    """Add `run`, `list`, `status`, `plot`, `page`, `verify`, `repair` and `export`."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, summary: str, *, store: bool = True) -> Any:
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=_help.SWEEP_RUN_EXAMPLES if name == "run" else None,
            parents=[common],
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=_later(name))
        if store:
            command.add_argument("store", type=Path, help="folder of a sweep")
        return command

    _add_run_options(add("run", "run what a specification asks for", store=False))
    listed = add("list", "list the experiments, or the parameters of one", store=False)
    listed.add_argument("experiment", nargs="?", help="an experiment")
    status = add("status", "say how far a sweep is, and what failed")
    status.add_argument("--json", action="store_true", help="print it as JSON")
    verify = add("verify", "check every file of a store against its checksum")
    verify.add_argument("--json", action="store_true", help="print it as JSON")
    repair = add("repair", "verify a store and run damaged chunks again")
    repair.add_argument(
        "--failed", action="store_true",
        help="run chunks too in which a run raised an error or found no memory",
    )  # fmt: skip
    repair.add_argument("--experiment", help="where it is now, if it has moved")
    _add_accept(repair)
    plot = add("plot", "draw a result over one, two or three axes")
    plot.add_argument("variable", help="a result, or status")
    for name, what in (
        ("x", "axis along the figure; default: the first that varies"),
        ("y", "second axis, of a map"),
        ("lines", "axis with a line for each value, instead of a map"),
        ("facet", "axis with a panel for each value"),
    ):
        plot.add_argument(f"--{name}", metavar="AXIS", help=what)
    plot.add_argument(
        "--at", action="append", default=[], metavar="AXIS=VALUE",
        help="fix an axis at its nearest value; may be given again",
    )  # fmt: skip
    plot.add_argument(
        "--out", type=Path, metavar="FILE",
        help="it ends with .png, .pdf or .svg; default: beside the store",
    )  # fmt: skip
    page = add("page", "write a summary as one HTML file")
    page.add_argument(
        "--out", type=Path, metavar="FILE.html", help="default: beside the store"
    )
    export = add("export", "write the results for another program")
    export.add_argument("file", type=Path, help="it ends with .nc, .parquet or .csv")
    export.add_argument(
        "--names", type=_names, metavar="NAME,NAME", help="which results; default: all"
    )


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", type=Path, help="a TOML file")
    parser.add_argument(
        "--store", type=Path, metavar="FOLDER",
        help="where to; default: results/ and the file's name with .zarr",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true",
        help="run one chunk into nowhere and say what all of it will take",
    )  # fmt: skip
    parser.add_argument(
        "--fresh", action="store_true", help="begin anew, and drop what is there"
    )
    parser.add_argument(
        "--shard", metavar="I/N", help="run the I-th of N parts only, counted from 1"
    )
    parser.add_argument(
        "--cluster", metavar="local:N|ADDRESS",
        help="run on N processes here, or on the Dask cluster at an address",
    )  # fmt: skip
    _add_accept(parser)


def _add_accept(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accept", type=_names, default=(), metavar="WHAT,WHAT",
        help="go on although versions, device or batch_size differ; bits may too",
    )  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _later(name: str) -> Callable[[argparse.Namespace], int]:
    """Return what runs a command, and loads it only then."""

    def run(arguments: argparse.Namespace) -> int:
        from . import _sweep

        return _sweep.run_command(name, arguments)

    return run
