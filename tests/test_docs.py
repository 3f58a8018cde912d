"""Every public name is documented, and what the documents show runs."""

import importlib
import inspect
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import ctrnn_jax

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ctrnn_jax"
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("[!_]*/__init__.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _public_names():
    """Return (module name, name) of all that an `__all__` exports."""
    modules = ["ctrnn_jax", *(f"ctrnn_jax.{room}" for room in ROOMS)]
    return [
        (module, name)
        for module in modules
        for name in importlib.import_module(module).__all__
    ]


PUBLIC = _public_names()


def undocumented(obj, name):
    """Return what of `obj` and its public methods has no docstring.

    A dataclass without one is given its signature as docstring, which does not
    count; a method may have its docstring from the class it overrides.
    """
    if not (inspect.isclass(obj) or inspect.isroutine(obj) or inspect.ismodule(obj)):
        return []
    own = obj.__dict__.get("__doc__") if inspect.isclass(obj) else obj.__doc__
    missing = [] if own and not own.startswith(f"{name}(") else [name]
    if not inspect.isclass(obj) or not obj.__module__.startswith("ctrnn_jax"):
        return missing
    for attribute, value in vars(obj).items():
        is_method = inspect.isroutine(value) or isinstance(value, property)
        # A class variable may hold another package's function.
        if not getattr(value, "__module__", "ctrnn_jax").startswith("ctrnn_jax"):
            continue
        if attribute.startswith("_") or not is_method:
            continue
        inherited = (vars(base).get(attribute) for base in obj.__mro__)
        if not any(inspect.getdoc(value) for value in inherited if value is not None):
            missing.append(f"{name}.{attribute}")
    return missing


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_public_name_has_a_docstring(module, name):
    obj = getattr(importlib.import_module(module), name)
    assert undocumented(obj, name) == []


def test_a_missing_docstring_is_caught():
    class Base:
        """Documented."""

        def inherits(self):
            """Say something."""

    class Child(Base):
        def inherits(self):
            pass

        def bare(self):
            pass

    Child.__module__ = "ctrnn_jax.somewhere"
    Child.bare.__module__ = "ctrnn_jax.somewhere"
    assert undocumented(Child, "Child") == ["Child", "Child.bare"]


def test_no_room_exports_a_name_twice():
    for module in ("ctrnn_jax", *(f"ctrnn_jax.{room}" for room in ROOMS)):
        exported = importlib.import_module(module).__all__
        assert len(exported) == len(set(exported))


def documented_objects(site):
    """Return the names in the inventory that a built site carries.

    See the format of Sphinx inventories: four lines of header, then compressed
    lines that start with an object's name.
    """
    header_and_body = (site / "objects.inv").read_bytes().split(b"\n", 4)
    lines = zlib.decompress(header_and_body[4]).decode().splitlines()
    return {line.split()[0] for line in lines}


def test_the_site_builds_without_warnings_and_shows_every_public_name(tmp_path):
    # Not --quiet: it would hide warnings from --strict too.
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"]
        + ["--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    documented = documented_objects(tmp_path)
    in_rooms = {name for module, name in PUBLIC if f"{module}.{name}" in documented}
    missing = [
        f"{module}.{name}"
        for module, name in PUBLIC
        if f"{module}.{name}" not in documented
        # A name the package passes on is documented in its room.
        and not (module == "ctrnn_jax" and name in in_rooms)
        and not inspect.ismodule(getattr(ctrnn_jax, name, None))
        # Another package's object cannot be read from our source: it has a heading.
        and f"### `{module}.{name}`" not in (ROOT / "docs/api/index.md").read_text()
    ]
    assert missing == [], "each room needs a page in docs/api"


def _examples():
    for page in PAGES:
        blocks = re.findall(
            r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        if blocks:
            # Later blocks of a page may use what earlier ones defined.
            yield pytest.param("\n".join(blocks), id=str(page.relative_to(ROOT)))


@pytest.mark.slow
@pytest.mark.parametrize("source", list(_examples()))
def test_examples_in_the_documents_run(source, tmp_path):
    # A process of its own: examples set JAX up as a user would.
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
