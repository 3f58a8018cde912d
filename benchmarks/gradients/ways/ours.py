"""`ctrnn_jax.simulate_ensemble`, as its documentation shows."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from ..problem import Problem
from ..schemes import as_matrix
from ._way import Differentiate, GradientWay


def build(
    problem: Problem,
    order: int | None = 2,
    adjoint: dict[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Differentiate:
    """Leave the adjoint away, or give `ReversibleAdjoint` these arguments.

    An order of `None` is RK4; `options` are further ones of `simulate_ensemble`.
    """
    import jax
    import jax.numpy as jnp

    import ctrnn_jax

    if order is None:
        solver = ctrnn_jax.RK4()
    elif problem.weight == "bipartite" and order == 2:
        solver = ctrnn_jax.Leapfrog()
    else:
        solver = ctrnn_jax.CoordinateSplitting(order)
    chosen = None if adjoint is None else ctrnn_jax.ReversibleAdjoint(**adjoint)
    ts = np.array([0.0, problem.duration])

    def loss(parameter: Any, y0: Any, projection: Any) -> Any:
        if problem.weight == "bipartite":
            weight = ctrnn_jax.BipartiteSkew.from_coupling(parameter)
        else:
            weight = ctrnn_jax.SkewSymmetric.from_matrix(as_matrix(problem, parameter))
        solution = ctrnn_jax.simulate_ensemble(
            ctrnn_jax.VoltageCTRNN(weight),
            y0,
            ts,
            dt0=problem.step,
            solver=solver,
            adjoint=chosen,
            **(options or {}),
        )
        assert solution.ys is not None
        return jnp.sum(projection * solution.ys[:, -1])

    return jax.grad(loss, argnums=(0, 1))


def _way(key: str, label: str, scheme: str, **more: Any) -> GradientWay:
    built = partial(build, order=more.pop("order", 2), adjoint=more.pop("adjoint"))
    return GradientWay(key, label, "ours", built, scheme, lanes_first=True, **more)


# Of order 2 is leapfrog where W is bipartite, coordinate splitting where it is dense.
WAYS = (
    _way(
        "ours",
        "**ctrnn_jax, order 2, `ReversibleAdjoint`**",
        "splitting2",
        adjoint={},
        on_grid=True,
    ),
    _way(
        "ours-float",
        "ctrnn_jax, order 2, `ReversibleAdjoint` in floats",
        "splitting2",
        adjoint={"mode": "float"},
        standing="rebuilt",
    ),
    _way(
        "ours-4",
        "**ctrnn_jax, order 4, `ReversibleAdjoint`**",
        "splitting4",
        order=4,
        adjoint={},
    ),
    _way(
        "ours-levels",
        "ctrnn_jax, order 2, no adjoint given (two-level checkpointing)",
        "splitting2",
        adjoint=None,
    ),
    _way(
        "ours-rk4",
        "ctrnn_jax, `RK4`, no adjoint given (two-level checkpointing)",
        "rk4",
        order=None,
        adjoint=None,
    ),
)

#: For the work–precision figure alone.
ORDER_6 = _way(
    "ours-6",
    "**ctrnn_jax, order 6, `ReversibleAdjoint`**",
    "splitting6",
    order=6,
    adjoint={},
)
