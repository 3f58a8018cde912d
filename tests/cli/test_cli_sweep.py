"""`ctrnn sweep`: from a specification to a store, and back out of it."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import jax
import pytest

from ctrnn_jax._run import _sweep_experiments
from ctrnn_jax.sweep import AbstractExperiment, Output, Parameter

ROOT = Path(__file__).resolve().parent.parent.parent

SPEC = """
[sweep]
experiment = "{experiment}"
chunk_size = 16
[grid]
leak = {{ start = 0.0, stop = 1.0, num = 10 }}
scale = {{ start = 0.5, stop = 2.0, num = 5 }}
"""


class Decay(AbstractExperiment):
    """What is left of a start after a time."""

    name = "decay"
    summary = "What is left after a time."
    parameters = (
        Parameter("leak", 0.1, "per unit time", low=0.0),
        Parameter("scale", 1.0, "start", low=0.0, open=("low",)),
        Parameter("shape", "exp", "of the decay", choices=("exp", "line")),
    )
    outputs = (Output("rest", "what is left"),)

    def build(self, fixed):
        def run(settings, keys):
            del keys
            return {"rest": settings["scale"] * jax.numpy.exp(-settings["leak"])}

        return run


@pytest.fixture(autouse=True)
def _ready_experiments(monkeypatch):
    jax.devices()  # Started here, a command cannot add devices to this process.
    monkeypatch.setattr(_sweep_experiments, "registry", lambda: {"decay": Decay()})


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "spec.toml"
    file.write_text(SPEC.format(experiment="decay"))
    return file


def test_a_sweep_from_a_file_to_a_table(ctrnn, spec, tmp_path):
    store = tmp_path / "out.zarr"
    assert ctrnn("sweep", "run", spec, "--store", store) == 0
    assert "decay: leak 10 x scale 5" in ctrnn.stdout
    assert "50 of 50 done, 0 of them failed" in ctrnn.stdout
    assert ctrnn("sweep", "status", store, "--json") == 0
    found = json.loads(ctrnn.stdout)
    assert (found["runs_done"], found["chunks"], found["begun"]) == (50, 4, {})
    assert ctrnn("sweep", "verify", store) == 0
    assert ctrnn("sweep", "export", store, tmp_path / "out.csv") == 0
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "run_id,leak,scale,rest,status,num_steps"
    assert len(lines) == 51
    # Again, it has nothing to do.
    assert ctrnn("sweep", "run", spec, "--store", store) == 0


def test_shards_together_make_the_whole(ctrnn, spec, tmp_path):
    store = tmp_path / "out.zarr"
    assert ctrnn("sweep", "run", spec, "--store", store, "--shard", "2/2") == 0
    assert "32 of 50 done" not in ctrnn.stdout
    assert ctrnn("sweep", "run", spec, "--store", store, "--shard", "1/2") == 0
    assert "50 of 50 done" in ctrnn.stdout


def test_damage_is_told_and_mended(ctrnn, spec, tmp_path):
    store = tmp_path / "out.zarr"
    assert ctrnn("sweep", "run", spec, "--store", store) == 0
    file = store / "rest" / "c" / "2"
    before = file.read_bytes()
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert ctrnn("sweep", "verify", store) == 3
    assert "chunk 2: rest" in ctrnn.stdout
    assert "sweep repair" in ctrnn.stderr
    assert ctrnn("sweep", "export", store, tmp_path / "x.csv") == 3
    assert not (tmp_path / "x.csv").exists()
    assert ctrnn("sweep", "repair", store) == 0
    assert file.read_bytes() == before


def test_a_dry_run_says_what_it_takes_and_leaves_nothing(ctrnn, spec, tmp_path):
    store = tmp_path / "out.zarr"
    assert ctrnn("sweep", "run", spec, "--store", store, "--dry-run") == 0
    for word in ("50, in 4 chunks of up to 16", "memory", "disk", "in all on this"):
        assert word in ctrnn.stdout
    assert not store.exists()


def test_experiments_are_listed_with_what_they_take(ctrnn):
    assert ctrnn("sweep", "list") == 0
    assert "decay" in ctrnn.stdout
    assert ctrnn("sweep", "list", "decay") == 0
    for word in ("leak", "[0, inf)", "(0, inf)", "exp, line", "rest"):
        assert word in ctrnn.stdout


def test_a_function_of_the_users_own_is_an_experiment(ctrnn, tmp_path):
    source = """
    def square(settings, key):
        return {"out": settings["leak"] ** 2}
    """
    (tmp_path / "my_sweep_study.py").write_text(textwrap.dedent(source))
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.format(experiment="my_sweep_study.py:square"))
    assert ctrnn("sweep", "run", spec, "--store", tmp_path / "out.zarr") == 0
    assert "square" in ctrnn.stdout
    spec.write_text(SPEC.format(experiment="my_sweep_study.py:sqare"))
    assert ctrnn("sweep", "run", spec, "--store", tmp_path / "out.zarr") == 2
    assert 'Did you mean "square"' in ctrnn.stderr


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (("decay", "decai"), (), 'no experiment.*Did you mean "decay"'),
        (("leak", "leek"), (), 'Did you mean "leak"'),
        (("chunk_size", "chunksize"), (), 'Did you mean "chunk_size"'),
        (("experiment", "# experiment"), (), "needs an experiment"),
        (("start = 0.0", "start = -1.0"), (), "leak in .grid. must be at least 0"),
        (("", ""), ("--shard", "3"), "as 1/8"),
        (("", ""), ("--shard", "0/2"), "count from 1"),
        (("", ""), ("--stoer", "x"), 'Did you mean "--store"'),
    ],
)
def test_a_mistake_ends_with_its_mend(ctrnn, spec, tmp_path, change, options, message):
    spec.write_text(spec.read_text().replace(*change, 1))
    assert ctrnn("sweep", "run", spec, "--store", tmp_path / "out.zarr", *options) == 2
    assert re.search(message, ctrnn.stderr)
    assert len(ctrnn.stderr.splitlines()) <= 1


def test_another_sweep_in_the_store_is_refused(ctrnn, spec, tmp_path):
    store = tmp_path / "out.zarr"
    assert ctrnn("sweep", "run", spec, "--store", store) == 0
    spec.write_text(spec.read_text().replace("num = 5", "num = 6"))
    assert ctrnn("sweep", "run", spec, "--store", store) == 2
    assert "leak 10 x scale 5 there, leak 10 x scale 6 here" in ctrnn.stderr
    assert ctrnn("sweep", "run", spec, "--store", store, "--fresh") == 0
    assert "60 of 60 done" in ctrnn.stdout


@pytest.mark.parametrize("action", ["status", "verify", "repair"])
def test_what_is_no_store_is_told(ctrnn, tmp_path, action):
    assert ctrnn("sweep", action, tmp_path / "none.zarr") == 3
    assert "does not exist" in ctrnn.stderr


def test_a_sweep_of_which_every_run_fails_is_a_numerical_failure(ctrnn, tmp_path):
    source = """
    def nothing(settings, key):
        return {"out": settings["leak"] / 0.0 * 0.0}
    """
    (tmp_path / "my_sweep_nothing.py").write_text(textwrap.dedent(source))
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.format(experiment="my_sweep_nothing.py:nothing"))
    assert ctrnn("sweep", "run", spec, "--store", tmp_path / "out.zarr") == 1
    assert "50 not finite" in ctrnn.stdout


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(tmp_path):
    source = """
    import time, jax, jax.numpy as jnp
    from pathlib import Path

    held, calls = Path(__file__).with_name("held"), []

    def wait(x):
        # The first chunk goes through, a later one waits for the interruption.
        calls.append(x)
        while len(calls) > 1 and held.exists():
            time.sleep(0.05)
        return x

    def slow(settings, key):
        shape = jax.ShapeDtypeStruct((), jnp.float64)
        call = jax.pure_callback
        leak = call(wait, shape, settings["leak"], vmap_method="expand_dims")
        return {"out": leak}
    """
    (tmp_path / "my_slow_study.py").write_text(textwrap.dedent(source))
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.format(experiment="my_slow_study.py:slow"))
    command = [sys.executable, "-m", "ctrnn_jax", "sweep", "run", spec]
    command += ["--store", tmp_path / "out.zarr"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    held = tmp_path / "held"
    held.touch()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    mark = tmp_path / "out.zarr" / "done" / "c" / "0"
    for _ in range(600):
        if mark.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    held.unlink()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "the same command goes on from here" in stderr
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "50 of 50 done" in done.stdout


def test_results_are_drawn_and_gathered_on_a_page(ctrnn, spec, tmp_path):
    store = tmp_path / "out.zarr"
    assert ctrnn("sweep", "run", spec, "--store", store) == 0
    assert ctrnn("sweep", "plot", store, "rest") == 0
    assert (tmp_path / "out_rest.png").read_bytes()[:4] == b"\x89PNG"
    curve = tmp_path / "figures" / "curve.svg"
    assert (
        ctrnn(
            "sweep",
            "plot",
            store,
            "rest",
            "--x",
            "leak",
            "--at",
            "scale=2",
            "--out",
            curve,
        )
        == 0
    )
    assert "<svg" in curve.read_text()
    assert ctrnn("sweep", "page", store) == 0
    page = (tmp_path / "out.html").read_text()
    assert "decay" in page
    assert "50 of 50 runs are done" in re.sub("<[^>]+>", "", page)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "there are rest"),
        (["rest", "--x", "leek"], "leek"),
        (["rest", "--at", "scale"], "NAME=VALUE"),
        (["rest", "--at", "gain=1"], "no axis 'gain'"),
        (["rest", "--at", "scale=big"], "scale is a number"),
        (["rest", "--out", "figure.gif"], "must end with .png, .pdf, .svg"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(ctrnn, spec, tmp_path, arguments, message):
    store = tmp_path / "out.zarr"
    assert ctrnn("sweep", "run", spec, "--store", store) == 0
    assert ctrnn("sweep", "plot", store, *arguments) == 2
    assert message in ctrnn.stderr
    assert len(ctrnn.stderr.strip().splitlines()) == 1
