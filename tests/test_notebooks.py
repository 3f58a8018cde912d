"""Every notebook runs from the first cell to the last."""

from pathlib import Path

import jupytext
import nbclient
import pytest

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.py"))
# One cell trains or sweeps at most; longer belongs in a script.
SECONDS_PER_CELL = 300


def execute(path, folder):
    """Run the notebook at `path` with `folder` as its working directory."""
    notebook = jupytext.read(path)
    nbclient.NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    return notebook


@pytest.mark.notebook
def test_there_is_a_notebook():
    assert PATHS, f"no notebook (*.py) in {NOTEBOOKS}"


@pytest.mark.notebook
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path):
    execute(path, tmp_path)


@pytest.mark.notebook
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_is_percent_text_with_a_title(path):
    text = path.read_text(encoding="utf-8")
    assert "# %% [markdown]\n# # " in text, "the first text cell gives the title"
    assert jupytext.guess_format(text, ".py")[0] == "percent"


@pytest.mark.notebook
def test_a_failing_cell_is_caught(tmp_path):
    path = tmp_path / "failing.py"
    path.write_text("# %%\nassert 1 + 1 == 3\n")
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="AssertionError"):
        execute(path, tmp_path)
