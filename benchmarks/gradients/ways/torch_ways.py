"""PyTorch: back-propagation through a loop by hand, and torchdiffeq's two ways."""

import os
from functools import partial
from typing import Any

import numpy as np

from ...suites import Candidate
from ..problem import Problem
from ..reference import Gradient
from ._way import Differentiate, GradientWay

#: A step costs the same at any length: a Python call and a node of a graph for each
#: operation, which is milliseconds.
_MOST_STEPS = 10**3


class _TorchWay(GradientWay):
    """A way whose function is of tensors, and not compiled."""

    def prepare(self, problem: Problem) -> Candidate:
        import torch

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        tensors = [
            torch.from_numpy(array.copy())
            for array in (problem.parameter, problem.y0, problem.projection)
        ]
        run = self.build(problem)

        def answer(result: tuple[Any, Any]) -> Gradient:
            return Gradient(*(part.numpy() for part in result))

        return Candidate(lambda: run(*tensors), answer)


def _build(problem: Problem, solver: str) -> Differentiate:
    import torch

    n, h = problem.size, problem.step

    def as_matrix(parameter: Any) -> Any:
        if problem.weight == "dense":
            lower = torch.tril(parameter, -1)
        else:
            lower = torch.nn.functional.pad(-parameter.T, (0, n // 2, n // 2, 0))
        return lower - lower.T

    def by_hand(weight: Any, y: Any) -> Any:
        for _ in range(problem.steps):
            k1 = weight @ torch.tanh(y)
            k2 = weight @ torch.tanh(y + h / 2 * k1)
            k3 = weight @ torch.tanh(y + h / 2 * k2)
            k4 = weight @ torch.tanh(y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y

    def by_torchdiffeq(weight: Any, y: Any) -> Any:
        import torchdiffeq

        # As documented: the clock is a float tensor, the step an option.
        ts = torch.from_numpy(np.array([0.0, problem.duration], problem.dtype))
        options: dict[str, Any] = {"method": "rk4", "options": {"step_size": h}}
        if solver == "odeint_adjoint":
            # W is a computed tensor here, not some module's own.
            options["adjoint_params"] = (weight,)

        def field(t: Any, y: Any) -> Any:
            return weight @ torch.tanh(y)

        return getattr(torchdiffeq, solver)(field, y, ts, **options)[-1]

    solve = by_hand if solver == "loop" else by_torchdiffeq

    def differentiate(parameter: Any, y0: Any, projection: Any) -> tuple[Any, Any]:
        variables = [part.detach().requires_grad_() for part in (parameter, y0)]
        end = solve(as_matrix(variables[0]), variables[1])
        return torch.autograd.grad((projection * end).sum(), variables)

    return differentiate


# torchdiffeq's "rk4" is the 3/8 rule, whose error at equal steps is much like that of
# the classical one; "rebuilt" allows for it.
WAYS = (
    _TorchWay(
        "torch",
        "torch loop, RK4, state (n, B)",
        "default",
        partial(_build, solver="loop"),
        "rk4",
        most_steps=_MOST_STEPS,
    ),
    _TorchWay(
        "torchdiffeq",
        "torchdiffeq rk4, `odeint`, state (n, B)",
        "default",
        partial(_build, solver="odeint"),
        "converged",
        most_steps=_MOST_STEPS,
        standing="rebuilt",
    ),
    _TorchWay(
        "torchdiffeq-adjoint",
        "torchdiffeq rk4, `odeint_adjoint`, state (n, B)",
        "default",
        partial(_build, solver="odeint_adjoint"),
        "converged",
        most_steps=_MOST_STEPS,
        standing="rebuilt",
    ),
)
