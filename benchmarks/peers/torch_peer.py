"""PyTorch: a loop by hand, the same compiled, and torchdiffeq."""

import os
import shutil
from functools import partial
from typing import Any

from ..problem import STEP, Problem
from ..suites import Candidate, NotInstalled
from ._way import Way

#: Steps in one compiled function: Python's part of each call is then small.
_BLOCK = 10


def _load(problem: Problem, lanes_last: bool) -> Any:
    """Return torch and (W, y0) as tensors, with all allowed cores in use."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    # Nothing is differentiated here. Not inference_mode, whose tensors make
    # torch.compile compile everything twice.
    torch.set_grad_enabled(False)
    y0 = problem.y0_lanes_last if lanes_last else problem.y0
    return torch, torch.from_numpy(problem.weight), torch.from_numpy(y0)


def _loop(problem: Problem, compiled: bool) -> Candidate:
    torch, weight, y0 = _load(problem, lanes_last=True)
    n = problem.size

    def slope(weight: Any, y: Any) -> Any:
        s = torch.tanh(y)
        if not compiled or n > 3:
            return weight @ s
        # Sums that the compiler fuses with tanh, where a product would stay apart.
        total = weight[:, 0, None] * s[0]
        for j in range(1, n):
            total = total + weight[:, j, None] * s[j]
        return total

    def block(weight: Any, y: Any, length: int) -> Any:
        for _ in range(length):
            k1 = slope(weight, y)
            k2 = slope(weight, y + STEP / 2 * k1)
            k3 = slope(weight, y + STEP / 2 * k2)
            k4 = slope(weight, y + STEP * k3)
            y = y + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y

    if compiled:
        if shutil.which("g++") is None:
            raise NotInstalled("g++, which torch.compile needs")
        # One shape after another in one process would hit the recompile limit.
        torch._dynamo.reset()
        block = torch.compile(block, dynamic=False, fullgraph=True)
    length = _BLOCK if problem.steps % _BLOCK == 0 else 1

    def run() -> Any:
        y = y0
        for _ in range(problem.steps // length):
            y = block(weight, y, length)
        return y

    return Candidate(run, lambda y: y.numpy().T)


def _torchdiffeq(problem: Problem, lanes_last: bool) -> Candidate:
    import torchdiffeq

    torch, weight, y0 = _load(problem, lanes_last)
    # As documented: the clock is a float tensor, the step an option.
    ts = torch.tensor([0.0, problem.duration], dtype=y0.dtype)

    def field(t: Any, y: Any) -> Any:
        return weight @ torch.tanh(y) if lanes_last else torch.tanh(y) @ weight.T

    def run() -> Any:
        return torchdiffeq.odeint(
            field, y0, ts, method="rk4", options={"step_size": STEP}
        )[-1]

    return Candidate(run, lambda y: y.numpy().T if lanes_last else y.numpy())


# torchdiffeq's "rk4" is the 3/8 rule, hence another method than the reference.
WAYS = (
    Way(
        "torchdiffeq",
        "torchdiffeq rk4, state (B, n)",
        "default",
        partial(_torchdiffeq, lanes_last=False),
        method="other",
    ),
    Way(
        "torchdiffeq-lanes-last",
        "torchdiffeq rk4, state (n, B)",
        "tuned",
        partial(_torchdiffeq, lanes_last=True),
        method="other",
    ),
    Way("torch", "torch loop, state (n, B)", "default", partial(_loop, compiled=False)),
    Way(
        "torch-compiled",
        "torch loop, state (n, B), `torch.compile`",
        "tuned",
        partial(_loop, compiled=True),
    ),
)
