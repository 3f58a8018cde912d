"""`ctrnn` in this process, with what it prints."""

import pytest
from small_run import SMALL

from ctrnn_jax.cli import main


class Command:
    """Call it with arguments; it returns the exit code and keeps the output."""

    def __init__(self, capsys):
        self._capsys = capsys

    def __call__(self, *arguments):
        code = main([str(argument) for argument in arguments])
        self.stdout, self.stderr = self._capsys.readouterr()
        return code

    def small(self, out, *arguments):
        return self(*SMALL, "--no-figure", "--out", out, *arguments)


@pytest.fixture
def ctrnn(capsys):
    return Command(capsys)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run.npz"
