"""Imports go one way, so that a room can be read knowing only those before it."""

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ctrnn_jax"

BASE = {"_types", "_results", "_precision", "_storage", "_machine", "_nearest"}
MODELS = BASE | {"matrices", "fields"}

# Room: the rooms it may import, itself aside. "" is the package's own
# `__init__.py`, which imports all rooms and so must be imported by none of them.
MAY_IMPORT = {
    "_types": set(),
    "_storage": set(),
    "_machine": set(),
    "_nearest": set(),
    "_precision": set(),
    "_page_style": set(),
    "_results": {"_types"},
    "matrices": BASE,
    "fields": BASE | {"matrices"},
    "integrate": MODELS,
    "invariants": MODELS,
    "analysis": MODELS | {"integrate", "invariants"},
    "tasks": MODELS | {"integrate", "invariants"},
    "networks": MODELS | {"integrate", "invariants", "analysis", "tasks"},
    "train": MODELS | {"integrate", "tasks", "networks"},
    "sweep": BASE,
    "plot": BASE,
}
MAY_IMPORT["experiments"] = MODELS | {
    "integrate",
    "invariants",
    "analysis",
    "tasks",
    "networks",
    "train",
    "sweep",
}
MAY_IMPORT["_run"] = MODELS | {
    "integrate",
    "invariants",
    "analysis",
    "tasks",
    "networks",
    "train",
    "sweep",
    "experiments",
    "plot",
    "_page_style",
}
MAY_IMPORT["reproduce"] = {*MAY_IMPORT, ""} - {"_run"}
MAY_IMPORT["cli"] = {*MAY_IMPORT, ""}
MAY_IMPORT["__main__"] = {"cli"}
MAY_IMPORT[""] = set(MAY_IMPORT) - {
    "",
    "_run",
    "cli",
    "plot",
    "reproduce",
    "__main__",
}


def _room_of(parts):
    return parts[1] if len(parts) > 1 else ""


def _imported_modules(path, parts):
    """Yield (line, dotted name as parts) of each import of `path`.

    `parts` is the dotted name of the package that holds the file.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                module = [*parts[: len(parts) - node.level + 1], *module]
            for alias in node.names:
                yield node.lineno, [*module, alias.name]


def breaches(package):
    """Return one line for each import in `package` that goes the wrong way."""
    name = package.name
    modules = {p.stem for p in package.glob("*.py")} | {
        p.name for p in package.iterdir() if p.is_dir()
    }
    found = []
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        parts = [name, *relative.parent.parts]
        at_top = len(relative.parts) == 1
        room = path.stem if at_top else relative.parts[0]
        room = "" if room == "__init__" else room
        if room not in MAY_IMPORT:
            found.append(f"{relative}: no place for it in MAY_IMPORT of this test")
            continue
        for line, imported in _imported_modules(path, parts):
            if imported[0] != name:
                continue
            other = _room_of(imported)
            # `from ctrnn_jax import simulate` asks the package for a name.
            other = other if other in modules else ""
            if other != room and other not in MAY_IMPORT[room]:
                target = other or "the package itself"
                found.append(f"{relative}:{line}: {room or name} imports {target}")
    return found


def test_imports_go_one_way():
    assert breaches(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "source", "caught"),
    [
        ("matrices/_a.py", "from ctrnn_jax.fields import Tanh", "imports fields"),
        ("matrices/_a.py", "from ..fields import Tanh", "imports fields"),
        ("matrices/_a.py", "from .. import fields", "imports fields"),
        ("matrices/_a.py", "import ctrnn_jax.fields._b", "imports fields"),
        ("matrices/_a.py", "def f():\n    from .. import fields", "imports fields"),
        ("fields/_b.py", "from ctrnn_jax import simulate", "imports the package"),
        ("fields/_b.py", "import ctrnn_jax", "imports the package"),
        ("plot/_c.py", "from ..fields import Tanh", "imports fields"),
        ("sweep/_d.py", "from ..integrate import simulate", "imports integrate"),
        ("reproduce/_e.py", "from ..cli import main", "imports cli"),
        ("newcomer/_f.py", "", "no place for it"),
        ("fields/_b.py", "from ..matrices import SkewSymmetric", None),
        ("fields/_b.py", "from ._c import Tanh\nimport jax.numpy as jnp", None),
        ("fields/_b.py", "from .._types import State", None),
        ("reproduce/_e.py", "from .. import plot, simulate", None),
        ("cli.py", "from .reproduce import run", None),
        ("__init__.py", "from .fields import Tanh as Tanh", None),
    ],
)
def test_a_breach_is_caught_and_a_lawful_import_is_not(tmp_path, file, source, caught):
    package = tmp_path / "ctrnn_jax"
    for room in ("matrices", "fields", "integrate", "plot", "sweep", "reproduce"):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
    for module in ("__init__", "_types", "cli"):
        (package / f"{module}.py").touch()
    (package / file).parent.mkdir(exist_ok=True)
    (package / file).write_text(source)
    found = breaches(package)
    if caught is None:
        assert found == []
    else:
        assert len(found) == 1
        assert caught in found[0]


def _run(source):
    """Run `source` in a fresh interpreter and return what it printed as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_the_package_loads_no_plotting_and_no_command_line():
    loaded = _run(
        """
        import json, sys
        import ctrnn_jax
        [getattr(ctrnn_jax, name) for name in ctrnn_jax.__all__]
        print(json.dumps(sorted(sys.modules)))
        """
    )
    unwanted = ("matplotlib", "ctrnn_jax.plot", "ctrnn_jax.cli", "ctrnn_jax.reproduce")
    assert [name for name in loaded if name.startswith(unwanted)] == []


def test_importing_the_package_changes_no_jax_setting_and_starts_no_device():
    result = _run(
        """
        import json
        import jax, diffrax, equinox, optax, optimistix, lineax
        before = dict(jax.config.values)
        import ctrnn_jax
        [getattr(ctrnn_jax, name) for name in ctrnn_jax.__all__]
        after = dict(jax.config.values)
        changed = [k for k in after if repr(after[k]) != repr(before.get(k))]
        print(json.dumps({"changed": changed}))
        """
    )
    assert result["changed"] == []


def test_the_package_alone_does_not_load_jax():
    modules = _run("import json, sys, ctrnn_jax; print(json.dumps([*sys.modules]))")
    assert "ctrnn_jax" in modules
    assert "jax" not in modules


def test_a_name_first_used_inside_jit_leaves_no_tracer_behind():
    values = _run(
        """
        import json
        import jax, jax.numpy as jnp
        import ctrnn_jax
        def last(y):
            weight = ctrnn_jax.SkewSymmetric(3, key=jax.random.key(0))
            model = ctrnn_jax.VoltageCTRNN(weight)
            return ctrnn_jax.simulate(model, y, [0.0, 1.0], dt0=0.1).ys[-1]
        traced = jax.jit(last)(jnp.ones(3))
        print(json.dumps([traced.tolist(), last(jnp.ones(3)).tolist()]))
        """
    )
    assert values[0] == pytest.approx(values[1], rel=1e-4)
