"""PyTorch on a device: a loop as a CUDA graph, a plain loop, and torchdiffeq."""

from functools import partial
from typing import Any

import numpy as np

from ...problem import STEP
from ...suites import NotInstalled
from ..problem import Ensemble
from ._way import DeviceWay, Solver

#: Steps in one CUDA graph: replaying it is then a small part of the time. A divisor of
#: every number of steps that is run.
_BLOCK = 10


def _load(problem: Ensemble) -> tuple[Any, Any, Any]:
    """Return torch, and (W, y0) with the lanes last on the device."""
    import torch

    if not torch.cuda.is_available():
        raise NotInstalled("a GPU that PyTorch sees")
    # Nothing is differentiated here, and TF32 would be another problem.
    torch.set_grad_enabled(False)
    torch.backends.cuda.matmul.allow_tf32 = False
    arrays = problem.weight, problem.y0_lanes_last
    return torch, *(torch.from_numpy(array).cuda() for array in arrays)


def rk4_steps(torch: Any, weight: Any, y: Any, steps: int) -> Any:
    """Return the state after so many steps."""

    def slope(y: Any) -> Any:
        return weight @ torch.tanh(y)

    for _ in range(steps):
        k1 = slope(y)
        k2 = slope(y + STEP / 2 * k1)
        k3 = slope(y + STEP / 2 * k2)
        k4 = slope(y + STEP * k3)
        y = y + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y


def _graph(problem: Ensemble) -> Solver:
    torch, weight, y0 = _load(problem)
    state = y0.clone()
    # As PyTorch asks: warm up on another stream, then capture.
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            state.copy_(rk4_steps(torch, weight, state, 1))
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        state.copy_(rk4_steps(torch, weight, state, _BLOCK))

    def run(steps: int) -> Any:
        if steps % _BLOCK:
            raise ValueError(f"{steps} steps are no multiple of {_BLOCK}")
        state.copy_(y0)
        for _ in range(steps // _BLOCK):
            graph.replay()
        torch.cuda.synchronize()
        return state

    return Solver(run, partial(_states, torch))


def _loop(problem: Ensemble) -> Solver:
    torch, weight, y0 = _load(problem)

    def run(steps: int) -> Any:
        y = rk4_steps(torch, weight, y0, steps)
        torch.cuda.synchronize()
        return y

    return Solver(run, partial(_states, torch))


def _torchdiffeq(problem: Ensemble) -> Solver:
    import torchdiffeq

    torch, weight, y0 = _load(problem)

    def field(t: Any, y: Any) -> Any:
        return weight @ torch.tanh(y)

    def run(steps: int) -> Any:
        # As documented: the clock is a float tensor, the step an option.
        ts = torch.tensor([0.0, steps * STEP], dtype=y0.dtype, device=y0.device)
        options = {"step_size": STEP}
        y = torchdiffeq.odeint(field, y0, ts, method="rk4", options=options)[-1]
        torch.cuda.synchronize()
        return y

    return Solver(run, partial(_states, torch))


def _states(torch: Any, y: Any, lanes: np.ndarray) -> np.ndarray:
    chosen = y[:, torch.from_numpy(lanes).to(y.device)]
    return chosen.cpu().numpy().astype(np.float64).T


# torchdiffeq's "rk4" is the 3/8 rule, hence another method than the reference.
WAYS = (
    DeviceWay("torch-graph", "torch loop as a CUDA graph", "tuned", _graph),
    DeviceWay("torch", "torch loop", "default", _loop, one_count=True),
    DeviceWay(
        "torchdiffeq",
        "torchdiffeq rk4, state (n, B)",
        "default",
        _torchdiffeq,
        other_method=True,
    ),
)
