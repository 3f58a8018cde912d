"""The project's files agree with each other and keep its few absolute rules."""

import ast
import importlib.metadata
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "ctrnn_jax").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")

LONGEST_FILE = 400
# Each can run code that a data file brings along.
UNSAFE_MODULES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


def _relative(path):
    return str(path.relative_to(ROOT))


def unsafe_loading(source):
    """Return what in `source` could run code out of a data file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            refused = isinstance(node.value, ast.Constant) and not node.value.value
            if not refused:
                found.append("allow_pickle")
        found += [name for name in names if name.split(".")[0] in UNSAFE_MODULES]
    return found


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_no_module_loads_code_from_data(path):
    assert unsafe_loading(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n    import cloudpickle",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
    ],
)
def test_loading_code_from_data_is_caught(source):
    assert unsafe_loading(source) != []


def test_refusing_pickles_is_allowed():
    assert unsafe_loading("np.load(path, allow_pickle=False)") == []


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_no_module_is_too_long(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{lines} lines: split it by what changes together"


def test_the_package_declares_its_types():
    assert (ROOT / "ctrnn_jax" / "py.typed").is_file()


def test_every_file_names_the_same_version():
    version = PROJECT["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    assert citation["version"] == version
    assert newest is not None
    assert newest[1] == version
    assert importlib.metadata.version("ctrnn_jax") == version


def _locked():
    """Return {canonical name: [versions]} of requirements.lock."""
    versions = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(Version(version))
    return versions


def _declared():
    """Yield each requirement that the lock must cover."""
    extras = PROJECT["optional-dependencies"]
    for line in (*PROJECT["dependencies"], *extras["docs"], *extras["dev"]):
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) != "ctrnn-jax":
            yield requirement


@pytest.mark.parametrize("requirement", list(_declared()), ids=str)
def test_the_lock_covers_what_pyproject_declares(requirement):
    versions = _locked().get(canonicalize_name(requirement.name), [])
    assert versions, "run `make lock`"
    assert all(requirement.specifier.contains(v) for v in versions), "run `make lock`"


def test_the_lock_names_no_place_to_download_from():
    assert re.findall(r"https?:|file:|--find-links|--(?:extra-)?index-url", LOCK) == []


def test_every_locked_version_has_hashes():
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []


def _make(*arguments):
    """Run make as a user would, also when make itself runs the tests."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_make_alone_lists_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)", makefile, re.MULTILINE)
    assert phony is not None
    targets = phony[1].replace("\\\n", " ").split()
    shown = _make().stdout
    assert re.findall(r"^  make (\S+)", shown, re.MULTILINE) == targets


def test_an_old_python_is_refused_with_the_mend(tmp_path):
    old = tmp_path / "python-old"
    old.write_text(
        '#!/bin/sh\nif [ "$1" = "-V" ]; then echo "Python 3.9.2"; exit 0; fi\nexit 1\n'
    )
    old.chmod(0o755)
    # -W: as if pyproject.toml had just changed, so that set-up runs.
    done = _make("setup", f"PYTHON={old}", "-W", "pyproject.toml")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "make PYTHON=" in done.stderr
