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

from ._nearest import nearest
from ._run import _help
from ._run._analysis_keys import ANALYSIS_KEYS
from ._run._errors import ExitCode, UsageError
from ._run._keys import KEYS, Key
from ._run._sweep_options import add_sweep_commands
from ._run._train_keys import TRAIN_KEYS


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that says where to look."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See `{self.prog} --help`.")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `ctrnn`."""
    parser = _Parser(
        prog="ctrnn",
        description="Oscillatory continuous-time recurrent networks.",
        epilog=f"{_help.EXAMPLES}\n{_help.EXIT_CODES}",
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
        "reproduce",
        "test the paper's claims and write a report",
        _help.REPRODUCE_EXAMPLES,
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
        _help.SIMULATE_EXAMPLES,
    )  # fmt: skip
    _add_simulate_options(simulate)
    simulate.set_defaults(run=_simulate)

    analyse = add(
        "analyse", "say what kind of orbit a network makes, with the evidence",
        _help.ANALYSE_EXAMPLES,
    )  # fmt: skip
    _add_analyse_options(analyse)
    analyse.set_defaults(run=_analyse)

    train = add(
        "train", "train a network to remember, and write model, log and figure",
        _help.TRAIN_EXAMPLES,
    )  # fmt: skip
    train.add_argument("task", nargs="?", help="a task, or a TOML file")
    train.add_argument(
        "--out", type=Path, metavar="FOLDER",
        help="where to; default: results/ and the task's name",
    )  # fmt: skip
    train.add_argument(
        "--fresh", action="store_true", help="begin anew, and drop what is there"
    )
    _add_keys(train, tuple(key for key in TRAIN_KEYS if key.path != "task.name"))
    train.set_defaults(run=_train)

    sweep = add(
        "sweep", "run an experiment for thousands of settings, and nothing lost",
        _help.SWEEP_EXAMPLES,
    )  # fmt: skip
    add_sweep_commands(sweep, common)

    bench = add("bench", "run the benchmarks of the repository", _help.BENCH_EXAMPLES)
    bench.set_defaults(run=_bench)
    board = add(
        "leaderboard", "train what the repository's table of memory lacks",
        _help.LEADERBOARD_EXAMPLES,
    )  # fmt: skip
    board.set_defaults(run=_leaderboard)
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
    _add_keys(parser, KEYS)


def _add_analyse_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", nargs="?", type=Path, help="a TOML file")
    parser.add_argument(
        "--out", type=Path, default=Path("results/analysis.npz"), metavar="FILE.npz",
        help="where to, with a .json and a .png beside it; default: "
        "results/analysis.npz",
    )  # fmt: skip
    parser.add_argument(
        "--json", action="store_true", help="print the evidence as JSON, not a table"
    )
    parser.add_argument("--no-figure", action="store_true", help="draw no figure")
    parser.add_argument(
        "--fresh", action="store_true",
        help="replace an earlier result, drop an earlier checkpoint",
    )  # fmt: skip
    parser.add_argument(
        "--strict", action="store_true",
        help="fail if any part has no answer, or the orbit is undecided",
    )  # fmt: skip
    _add_keys(parser, ANALYSIS_KEYS)


def _add_keys(parser: argparse.ArgumentParser, keys: tuple[Key, ...]) -> None:
    """Add a flag for each key of a specification, in a group a section."""
    groups = {}
    for key in keys:
        if key.section not in groups:
            groups[key.section] = parser.add_argument_group(f"[{key.section}]")
        text = key.help
        if key.choices:
            text += f"; one of {', '.join(key.choices)}"
        if key.default is not None and key.kind != "switch":
            text += f"; default {key.default}"
        if key.flag != "--" + key.name.replace("_", "-"):
            text += f" (in a file: {key.name})"
        shape: dict = {"metavar": key.kind.upper()}
        if key.kind == "switch":
            shape = {"action": "store_const", "const": "true"}
        groups[key.section].add_argument(
            key.flag, dest=key.path, help=text, default=argparse.SUPPRESS, **shape
        )


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
        parser = build_parser()
        arguments, extra = parser.parse_known_args(argv)
        if extra and arguments.command not in ("bench", "leaderboard"):
            raise UsageError(_unknown_option(extra[0], arguments.command, parser))
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


def _unknown_option(option: str, command: str, parser: argparse.ArgumentParser) -> str:
    name = option.split("=")[0]
    hint = nearest(name, _flags_of(_commands_of(parser)[command]))
    return f"unknown option {name}.{hint} See `ctrnn {command} --help`."


def _flags_of(parser: argparse.ArgumentParser) -> list[str]:
    """Return every flag of a command and of those under it."""
    # argparse has no public way to ask what it was told.
    flags = [flag for action in parser._actions for flag in action.option_strings]
    for command in _commands_of(parser).values():
        flags += _flags_of(command)
    return flags


def _commands_of(
    parser: argparse.ArgumentParser,
) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _reproduce(arguments: argparse.Namespace) -> int:
    from ._run._report import Report
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


def _given(arguments: argparse.Namespace, keys: tuple[Key, ...]) -> dict[str, str]:
    """Return the text of each key's flag that was given, by dotted name."""
    paths = {key.path for key in keys}
    return {name: text for name, text in vars(arguments).items() if name in paths}


def _analyse(arguments: argparse.Namespace) -> int:
    from ._run._analysis_config import load_analysis_config

    config = load_analysis_config(arguments.spec, _given(arguments, ANALYSIS_KEYS))

    from ._run._analyse import run_analysis
    from ._run._report import Report

    return run_analysis(
        config,
        arguments.out,
        figure=not arguments.no_figure,
        fresh=arguments.fresh,
        strict=arguments.strict,
        as_json=arguments.json,
        report=Report(quiet=arguments.quiet),
    )


def _simulate(arguments: argparse.Namespace) -> int:
    from ._run._config import load_config

    config = load_config(arguments.spec, _given(arguments, KEYS))

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


def _train(arguments: argparse.Namespace) -> int:
    from ._run._train_config import as_task_or_file, load_train_config

    task, spec = as_task_or_file(arguments.task)
    config = load_train_config(spec, task, _given(arguments, TRAIN_KEYS))

    from ._run._report import Report
    from ._run._train import run_training

    return run_training(
        config,
        arguments.out or Path("results") / config.values["task.name"],
        fresh=arguments.fresh,
        report=Report(quiet=arguments.quiet),
    )


def _leaderboard(arguments: argparse.Namespace) -> int:
    arguments.extra = ["memory", *arguments.extra]
    return _bench(arguments)


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
