"""`ctrnn_jax.simulate_ensemble`, as its documentation shows."""

from functools import partial
from typing import Any

import numpy as np

from ..problem import Problem
from ..schemes import as_matrix
from ._way import Differentiate, GradientWay


def _build(problem: Problem, solver: str, *arguments: Any) -> Differentiate:
    import jax
    import jax.numpy as jnp

    import ctrnn_jax

    step = getattr(ctrnn_jax, solver)(*arguments)
    ts = np.array([0.0, problem.duration])

    def loss(parameter: Any, y0: Any, projection: Any) -> Any:
        if problem.weight == "bipartite":
            weight = ctrnn_jax.BipartiteSkew.from_coupling(parameter)
        else:
            weight = ctrnn_jax.SkewSymmetric.from_matrix(as_matrix(problem, parameter))
        solution = ctrnn_jax.simulate_ensemble(
            ctrnn_jax.VoltageCTRNN(weight), y0, ts, dt0=problem.step, solver=step
        )
        assert solution.ys is not None
        return jnp.sum(projection * solution.ys[:, -1])

    return jax.grad(loss, argnums=(0, 1))


WAYS = (
    GradientWay(
        "ours-levels",
        "ctrnn_jax `Leapfrog`, no adjoint given (two-level checkpointing)",
        "ours",
        partial(_build, solver="Leapfrog"),
        "leapfrog",
        weights=("bipartite",),
        lanes_first=True,
    ),
    GradientWay(
        "ours-splitting-levels",
        "ctrnn_jax `CoordinateSplitting`, no adjoint given (two-level checkpointing)",
        "ours",
        partial(_build, solver="CoordinateSplitting"),
        "splitting2",
        weights=("dense",),
        lanes_first=True,
    ),
)
