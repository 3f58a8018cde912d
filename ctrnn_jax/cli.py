"""The command line, `ctrnn`: arguments in, exit code out.

What a command does lives elsewhere and is imported when the command runs, so that
`ctrnn --help` answers without loading JAX.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ._run._errors import ExitCode, UsageError
from ._run._keys import KEYS

_EXIT_CODES = """exit codes:
  0    done
  1    numerical failure of every lane (with --strict, of any)
  2    bad usage: the message names the key or option and what is allowed
  3    cannot read or write: permission, full disk
  4    unexpected error, please report it (--debug shows where)
  130  interrupted; the same command goes on from there
"""

_EXAMPLES = """examples:
  ctrnn simulate --size 8 --t1 200
  ctrnn simulate spec.toml --out results/run.npz
  ctrnn reproduce --quick
"""

_SIMULATE_EXAMPLES = """examples:
  two neurons from a given state, with the exact-energy method:
    ctrnn simulate --matrix '[[0, 1], [-1, 0]]' --y0 '[1.5, 0]' \\
        --solver discrete_gradient --t1 50 --out results/pair.npz
  an ensemble of 64 random initial states of 16 neurons:
    ctrnn simulate --size 16 --batch 64 --y0-seed 7 --out results/ensemble.npz
  from a file, with one key changed:
    ctrnn simulate spec.toml --dt0 0.01 --out results/fine.npz

a file (every key has a flag, and flags win):
    [weight]
    kind = "skew_symmetric"
    size = 8
    scale = 1.5
    [initial]
    batch = 16
    seed = 3
    [time]
    t1 = 500.0
    dt0 = 0.02
    saves = 5001

A run that was interrupted goes on when the same command is given again, and ends
with the same file bit for bit. Exit codes: see `ctrnn --help`.
"""

_REPRODUCE_EXAMPLES = """examples:
  ctrnn reproduce                      all claims, into results/report.html
  ctrnn reproduce C1 C3 --quick        two of them, at a reduced size
  ctrnn reproduce --fresh              without what earlier runs left

A run that was interrupted goes on with the claims that are missing when the same
command is given again. Exit codes: see `ctrnn --help`.
"""

_BENCH_EXAMPLES = """examples:
  ctrnn bench list                  in a clone of the repository
  ctrnn bench ensembles --quick
  ctrnn bench -- --help             what the benchmarks accept
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that says where to look."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See `{self.prog} --help`.")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `ctrnn`."""
    parser = _Parser(
        prog="ctrnn",
        description="Oscillatory continuous-time recurrent networks.",
        epilog=f"{_EXAMPLES}\n{_EXIT_CODES}",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    common = _Parser(add_help=False)
    common.add_argument("--quiet", action="store_true", help="show no progress")
    common.add_argument(
        "--debug", action="store_true", help="show the traceback of an error"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, summary: str, examples: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=examples,
            parents=[common],
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    reproduce = add(
        "reproduce", "test the paper's claims and write a report", _REPRODUCE_EXAMPLES
    )
    reproduce.add_argument(
        "claims", nargs="*", metavar="CLAIM", help="C1 to C4; default: all"
    )
    reproduce.add_argument(
        "--out", type=Path, default=Path("results"), help="folder; default: results"
    )
    reproduce.add_argument("--quick", action="store_true", help="smaller experiments")
    reproduce.add_argument(
        "--fresh", action="store_true", help="use nothing that earlier runs left"
    )
    reproduce.set_defaults(run=_reproduce)

    simulate = add(
        "simulate", "solve a network and write its samples and a figure",
        _SIMULATE_EXAMPLES,
    )  # fmt: skip
    _add_simulate_options(simulate)
    simulate.set_defaults(run=_simulate)

    bench = add("bench", "run the benchmarks of the repository", _BENCH_EXAMPLES)
    bench.set_defaults(run=_bench)
    return parser


def _add_simulate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", nargs="?", type=Path, help="a TOML file")
    parser.add_argument(
        "--out", type=Path, default=Path("results/simulation.npz"), metavar="FILE.npz",
        help="where to; default: results/simulation.npz",
    )  # fmt: skip
    parser.add_argument("--no-figure", action="store_true", help="draw no figure")
    parser.add_argument(
        "--fresh", action="store_true",
        help="replace an earlier result, drop an earlier checkpoint",
    )  # fmt: skip
    parser.add_argument(
        "--strict", action="store_true", help="fail if any lane fails, not only if all"
    )
    groups = {}
    for key in KEYS:
        if key.section not in groups:
            groups[key.section] = parser.add_argument_group(f"[{key.section}]")
        text = key.help
        if key.choices:
            text += f"; one of {', '.join(key.choices)}"
        if key.default is not None:
            text += f"; default {key.default}"
        if key.flag != "--" + key.name.replace("_", "-"):
            text += f" (in a file: {key.name})"
        groups[key.section].add_argument(
            key.flag, dest=key.path, metavar=key.kind.upper(), help=text,
            default=argparse.SUPPRESS,
        )  # fmt: skip


class _Version(argparse.Action):
    """Print the version, looked up only now."""

    def __call__(self, parser: argparse.ArgumentParser, *args: object) -> None:
        from . import __version__

        print(f"ctrnn_jax {__version__}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run `ctrnn` and return its exit code (see `ctrnn --help`)."""
    argv = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in argv
    try:
        arguments, extra = build_parser().parse_known_args(argv)
        if extra and arguments.command != "bench":
            raise UsageError(_unknown_option(extra[0], arguments.command))
        arguments.extra = extra
        code = arguments.run(arguments)
        sys.stdout.flush()
        return int(code)
    except KeyboardInterrupt:
        return _fail("interrupted; the same command goes on from here.", 130)
    except BrokenPipeError:
        # Whoever read our output has gone: that is no failure, and nothing may be
        # written to it when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:
        if debug:
            raise
        return _fail(*_explain(error))


def _explain(error: Exception) -> tuple[str, int]:
    """Return one line on an error, and its exit code."""
    first = " ".join(str(error).split())
    if isinstance(error, UsageError):
        return first, ExitCode.USAGE
    if isinstance(error, OSError):
        return first, ExitCode.IO
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in first:
        return (
            "out of memory: lower --batch, --saves, --segment or --size, or use "
            "--dtype float32.",
            ExitCode.USAGE,
        )
    name = type(error).__name__
    return f"unexpected {name}: {first} (--debug shows where)", ExitCode.INTERNAL


def _fail(message: str, code: int) -> int:
    print(f"ctrnn: {message}", file=sys.stderr)
    return code


def _unknown_option(option: str, command: str) -> str:
    from ._run._values import nearest

    known = [key.flag for key in KEYS] if command == "simulate" else []
    known += ["--out", "--fresh", "--quick", "--quiet", "--debug", "--strict"]
    name = option.split("=")[0]
    return f"unknown option {name}.{nearest(name, known)} See `ctrnn {command} --help`."


def _reproduce(arguments: argparse.Namespace) -> int:
    from ._run._report import Report
    from ._run._values import nearest
    from .reproduce import CLAIMS, reproduce

    claims = [name.upper() for name in arguments.claims] or list(CLAIMS)
    for name in claims:
        if name not in CLAIMS:
            hint = nearest(name, list(CLAIMS))
            raise UsageError(f"no claim {name}; there are {', '.join(CLAIMS)}.{hint}")
    report = Report(quiet=arguments.quiet)
    # A line a stage where there is no terminal to draw a bar on.
    progress = report.is_live or (False if report.quiet else report.remark)
    page = reproduce(
        claims,
        out=arguments.out,
        quick=arguments.quick,
        fresh=arguments.fresh,
        progress=progress,
    )
    report.line(f"report   {page}")
    return ExitCode.OK


def _simulate(arguments: argparse.Namespace) -> int:
    from ._run._config import load_config

    paths = {key.path for key in KEYS}
    flags = {name: text for name, text in vars(arguments).items() if name in paths}
    config = load_config(arguments.spec, flags)

    from ._run._report import Report
    from ._run._simulate import run_simulation

    return run_simulation(
        config,
        arguments.out,
        figure=not arguments.no_figure,
        fresh=arguments.fresh,
        strict=arguments.strict,
        report=Report(quiet=arguments.quiet),
    )


def _bench(arguments: argparse.Namespace) -> int:
    root = Path(__file__).resolve().parent.parent
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise UsageError(
            "the benchmarks are not part of the installed package. Clone the "
            "repository, run `make setup` there, and then its .venv/bin/ctrnn bench."
        )
    extra = [option for option in arguments.extra if option != "--"]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *extra], cwd=root, check=False
    ).returncode
