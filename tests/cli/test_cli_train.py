"""`ctrnn train`: what it writes, that it goes on, and what it refuses."""

import json
import shutil

import numpy as np
import pytest

from ctrnn_jax._run._train_config import load_train_config
from ctrnn_jax._run._train_keys import NETWORK_NAMES, TASK_NAMES
from ctrnn_jax._storage import locked
from ctrnn_jax.cli import main
from ctrnn_jax.networks import network_names
from ctrnn_jax.tasks import TASKS

# Adam divides a float by an int32.
pytestmark = pytest.mark.standard_promotion
SMALL = ["--delay", "3", "--size", "8", "--hidden", "4", "--batch", "4"]
RUN = ["train", "copy", *SMALL, "--steps", "8", "--save-every", "2", "--quiet"]


def run(folder, *more):
    return main([*RUN, "--out", str(folder), *more])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    import jax

    folder = tmp_path_factory.mktemp("train") / "copy"
    with jax.numpy_dtype_promotion("standard"):
        assert run(folder) == 0
    return folder


def test_a_training_leaves_model_log_summary_and_figure(finished):
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["steps"] == 8
    assert summary["config"]["task.delay"] == 3
    assert set(summary["test"]) == {"loss", "recall", "perfect"}
    assert summary["made_with"]["jax"]
    log = [json.loads(x) for x in (finished / "metrics.jsonl").read_text().splitlines()]
    assert sum(len(line.get("losses", ())) for line in log) == 8
    assert (finished / "model.ckpt").stat().st_size > 1000
    assert (finished / "learning_curve.png").read_bytes()[:4] == b"\x89PNG"


def test_a_training_cut_off_ends_with_the_same_numbers(finished, tmp_path, monkeypatch):
    from ctrnn_jax._run import _report

    folder, seen = tmp_path / "cut", []

    def interrupt(self, text):
        seen.append(text)
        if text.startswith("step 4"):
            raise KeyboardInterrupt

    monkeypatch.setattr(_report.Report, "remark", interrupt)
    assert run(folder) == 130
    monkeypatch.undo()
    assert not (folder / "summary.json").exists()
    assert run(folder) == 0
    whole, cut = (
        json.loads((place / "summary.json").read_text()) for place in (finished, folder)
    )
    assert whole["test"] == cut["test"]


def test_another_specification_is_refused_in_the_same_folder(finished, capsys):
    before = (finished / "summary.json").read_bytes()
    assert run(finished, "--learning-rate", "0.5") == 2
    assert "--fresh" in capsys.readouterr().err
    assert (finished / "summary.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["copyy"], "Did you mean"),
        ([], "name a task"),
        (["copy"], "task copy needs --delay"),
        (["copy", "--delay", "0"], "--delay must be at least 1"),
        (["copy", "--delay", "x"], "--delay must be a whole number"),
        (["copy", "--delay", "3", "--length", "5"], "--length is for task.name"),
        (["copy", "--delay", "3", "--network", "lsmt"], "Did you mean"),
        (
            ["copy", "--delay", "3", "--network", "lstm", "--scale", "2"],
            "--scale is for network.name",
        ),
        (
            ["copy", "--delay", "3", "--network", "linear-skew", "--scale", "2"],
            "--scale is for network.name",
        ),
        (
            ["copy", "--delay", "3", "--network", "lstm", "--weight-rate", "1"],
            "--weight-rate is for network.name",
        ),
        (["sunspots", "--features", "4"], "--features is for task.name"),
        (["copy", "--delay", "3", "--phases", "[2, 1]"], "0 <= low <= high"),
        (["psmnist"], "task psmnist needs --path"),
        (["nowhere.toml"], "Cannot read nowhere.toml"),
        (["copy", "--delayy", "3"], "unknown option --delayy"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_mend(arguments, message, capsys):
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_file_is_read_and_flags_win(tmp_path):
    file = tmp_path / "task.toml"
    file.write_text('[task]\nname = "adding"\nlength = 100\n[train]\nnum_steps = 7\n')
    config = load_train_config(file, None, {"train.num_steps": "9"})
    assert config.values["train.num_steps"] == 9
    assert config.values["network.features"] == 32
    np.testing.assert_allclose(config.arrays["network.phases"], [0.0, 0.02])


def test_a_file_of_data_that_is_not_there_is_one_line(tmp_path, capsys):
    path = str(tmp_path / "nothing.npz")
    assert main(["train", "psmnist", "--path", path, "--quiet"]) == 2
    assert "nothing.npz" in capsys.readouterr().err


def test_the_tables_of_names_are_those_of_the_library():
    assert set(TASK_NAMES) == set(TASKS)
    assert network_names() == NETWORK_NAMES


def test_files_that_are_not_a_trainings_stay(tmp_path, capsys):
    for name in ("summary.json", "learning_curve.png"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text("{}")
        for more in ([], ["--fresh"]):
            assert run(folder, *more) == 2
            assert "not written by `ctrnn train`" in capsys.readouterr().err
        assert [path.name for path in folder.iterdir()] == [name]
        assert (folder / name).read_text() == "{}"


def test_a_fresh_training_that_is_interrupted_leaves_nothing_of_the_old(
    finished, tmp_path, monkeypatch
):
    from ctrnn_jax._run import _report

    folder = tmp_path / "again"
    shutil.copytree(finished, folder)

    def interrupt(self, text):
        if text.startswith("step 4"):
            raise KeyboardInterrupt

    monkeypatch.setattr(_report.Report, "remark", interrupt)
    assert run(folder, "--fresh") == 130
    for name in ("summary.json", "learning_curve.png", "model.ckpt"):
        assert not (folder / name).exists()


def test_how_often_it_is_saved_is_not_another_training(finished):
    before = json.loads((finished / "summary.json").read_text())
    assert run(finished, "--save-every", "3") == 0
    assert json.loads((finished / "summary.json").read_text())["test"] == before["test"]


def test_a_second_training_in_one_folder_is_refused(finished, capsys):
    before = (finished / "summary.json").read_bytes()
    with locked(finished / "lock"):
        for more in ([], ["--fresh"]):
            assert run(finished, *more) == 2
            assert "nother" in capsys.readouterr().err
    assert (finished / "summary.json").read_bytes() == before


def test_a_loss_that_is_not_finite_says_step_seed_and_checkpoint(tmp_path, capsys):
    arguments = [text for text in RUN if text != "--quiet"]
    wild = ["--learning-rate", "1e30", "--clip", "1e30", "--seed", "5"]
    assert main([*arguments, *wild, "--out", str(tmp_path / "wild")]) == 1
    error = capsys.readouterr().err
    assert "not finite at step" in error
    assert "--seed 5" in error
    assert "checkpoint" in error
