"""`ctrnn` itself: help, exit codes, and errors of one line."""

import json
import subprocess
import sys

import pytest

import ctrnn_jax
from ctrnn_jax import cli
from ctrnn_jax._run import _help, _report

COMMANDS = ("simulate", "analyse", "train", "reproduce", "bench", "leaderboard")


def _exit_of(*arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    return caught.value.code


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_exits_with_0_and_shows_examples(command, capsys):
    assert _exit_of(*command, "--help") == 0
    shown = capsys.readouterr().out
    assert "examples:" in shown
    assert f"ctrnn {' '.join(command)}".strip() in shown


def test_help_documents_the_exit_codes(capsys):
    _exit_of("--help")
    shown = capsys.readouterr().out
    for code in (0, 1, 2, 3, 4, 130):
        assert f"\n  {code} " in shown


def _example_file(examples):
    lines = examples.split("a file (", 1)[1].splitlines()[1:]
    return "\n".join(line.strip() for line in lines if line.startswith("    "))


def test_the_example_files_of_the_help_are_valid(tmp_path):
    from ctrnn_jax._run._analysis_config import load_analysis_config
    from ctrnn_jax._run._config import load_config
    from ctrnn_jax._run._train_config import load_train_config

    path = tmp_path / "spec.toml"
    path.write_text(_example_file(_help.SIMULATE_EXAMPLES))
    assert load_config(path, {}).values["time.saves"] == 5001
    path.write_text(_example_file(_help.ANALYSE_EXAMPLES))
    assert load_analysis_config(path, {}).values["analysis.num_frequencies"] == 12
    path.write_text(_example_file(_help.TRAIN_EXAMPLES))
    assert load_train_config(path, None, {}).values["task.length"] == 1000


@pytest.mark.parametrize("command", ["[]", "['simulate']", "['analyse']", "['train']"])
def test_help_does_not_wait_for_jax(command):
    source = f"""
import contextlib, io, json, sys
from ctrnn_jax.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main([*{command}, "--help"])
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = json.loads(done.stdout)
    assert "ctrnn_jax.cli" in modules
    for heavy in ("jax", "numpy", "matplotlib", "rich"):
        assert heavy not in modules


def test_version_is_the_package_s(capsys):
    assert _exit_of("--version") == 0
    assert capsys.readouterr().out == f"ctrnn_jax {ctrnn_jax.__version__}\n"


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "ctrnn_jax", "simulate", "--t1", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "ctrnn: --t1 must be after time.t0 = 0, got 0.\n"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "COMMAND"),
        (["simulat"], "invalid choice: 'simulat'"),
        (["simulate", "--sise", "3"], 'unknown option --sise. Did you mean "--size"?'),
        (["sweep", "plot", "s", "v", "--fasett", "a"], 'Did you mean "--facet"?'),
        (["simulate", "--size"], "expected one argument"),
        (["reproduce", "c9"], "no claim C9; there are C1, "),
        (["reproduce", "--quik"], 'Did you mean "--quick"?'),
        (["analyse", "--lyapunow"], 'Did you mean "--lyapunov"?'),
    ],
)
def test_bad_usage_is_one_line_and_2(ctrnn, arguments, part):
    assert ctrnn(*arguments) == 2
    assert part in ctrnn.stderr
    assert ctrnn.stderr.startswith("ctrnn: ")
    assert ctrnn.stderr.count("\n") == 1
    assert ctrnn.stdout == ""


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied"), 3, "Permission denied"),
        (MemoryError(), 2, "--batch"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), 2, "--dtype float32"),
        (ZeroDivisionError("by\nzero"), 4, "unexpected ZeroDivisionError: by zero"),
    ],
)
def test_each_kind_of_error_has_its_exit_code(ctrnn, monkeypatch, error, code, part):
    def fail(arguments):
        raise error

    monkeypatch.setattr(cli, "_simulate", fail)
    assert ctrnn("simulate") == code
    assert part in ctrnn.stderr
    assert ctrnn.stderr.count("\n") == 1


def test_debug_shows_where_an_error_came_from(monkeypatch):
    def fail(arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_simulate", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["simulate", "--debug"])


@pytest.mark.parametrize("quiet", [False, True])
def test_reproduce_hands_on_its_options_and_says_where_the_report_is(
    ctrnn, monkeypatch, tmp_path, quiet
):
    given = {}

    def reproduce(claims, *, progress, **options):
        given.update(options, claims=claims)
        if progress:
            progress("a stage")
        return options["out"] / "report.html"

    monkeypatch.setattr("ctrnn_jax.reproduce.reproduce", reproduce)
    arguments = ["c1", "C3", "--out", tmp_path, "--quick", "--fresh"]
    assert ctrnn("reproduce", *arguments, *(["--quiet"] if quiet else [])) == 0
    assert given == {
        "claims": ["C1", "C3"], "out": tmp_path, "quick": True, "fresh": True
    }  # fmt: skip
    assert ctrnn.stdout == f"report   {tmp_path / 'report.html'}\n"
    assert ctrnn.stderr == ("" if quiet else "ctrnn: a stage\n")


def test_bench_without_a_checkout_says_where_the_benchmarks_are(
    ctrnn, monkeypatch, tmp_path
):
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "ctrnn_jax" / "cli.py"))
    assert ctrnn("bench") == 2
    assert "Clone the repository" in ctrnn.stderr


def test_bench_runs_the_benchmarks_with_its_arguments(ctrnn, monkeypatch, tmp_path):
    (tmp_path / "benchmarks").mkdir()
    # A package, or the one of this checkout would be found instead.
    (tmp_path / "benchmarks" / "__init__.py").touch()
    (tmp_path / "benchmarks" / "__main__.py").write_text(
        "import pathlib, sys\n"
        "pathlib.Path('seen').write_text(' '.join(sys.argv[1:]))\n"
        "sys.exit(5)\n"
    )
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "ctrnn_jax" / "cli.py"))
    assert ctrnn("bench", "ensembles", "--quick") == 5
    assert (tmp_path / "seen").read_text() == "ensembles --quick"
    assert ctrnn("leaderboard", "copy-200", "--seconds", "0") == 5
    assert (tmp_path / "seen").read_text() == "memory copy-200 --seconds 0"


def test_progress_is_shown_to_a_terminal_only(monkeypatch, capsys):
    report = _report.Report()
    with report.progress("work", 3) as advance:
        advance(3)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(_report.sys.stderr, "isatty", lambda: True)
    with report.progress("work [x]", 3) as advance:
        advance(3)
    assert "work [x]" in capsys.readouterr().err
    with _report.Report(quiet=True).progress("work", 3) as advance:
        advance(3)
    assert capsys.readouterr().err == ""
