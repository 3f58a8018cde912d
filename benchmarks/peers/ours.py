"""`ctrnn_jax.simulate_ensemble`, as its documentation shows."""

import numpy as np

from ..problem import STEP, Problem
from ..suites import Candidate
from ._way import Way


def _prepare(problem: Problem) -> Candidate:
    import jax
    import jax.numpy as jnp

    import ctrnn_jax

    weight = jnp.asarray(problem.weight)
    if problem.own_weights:
        build = jax.vmap(ctrnn_jax.SkewSymmetric.from_matrix)
    else:
        build = ctrnn_jax.SkewSymmetric.from_matrix
    model = ctrnn_jax.VoltageCTRNN(build(weight))
    y0 = jnp.asarray(problem.y0)
    ts = np.array([0.0, problem.duration])

    def run() -> jax.Array:
        solution = ctrnn_jax.simulate_ensemble(
            model,
            y0,
            ts,
            dt0=STEP,
            solver=ctrnn_jax.RK4(),
            model_axes=0 if problem.own_weights else None,
        )
        assert solution.ys is not None
        return jax.block_until_ready(solution.ys[:, -1])

    return Candidate(run, np.asarray)


WAYS = (
    Way("ours", "**ctrnn_jax `simulate_ensemble`**", "ours", _prepare),
    Way(
        "ours-own",
        "**ctrnn_jax `simulate_ensemble`, `model_axes=0`**",
        "ours",
        _prepare,
        own_weights=True,
    ),
)
