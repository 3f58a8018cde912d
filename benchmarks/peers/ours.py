"""`ctrnn_jax.simulate_ensemble`, as its documentation shows."""

from functools import partial

import numpy as np

from ..problem import STEP, Problem
from ..suites import Candidate
from ._way import Way


def _prepare(problem: Problem, *, reduced: bool = False) -> Candidate:
    import diffrax
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
    reductions = [ctrnn_jax.Minimum(), ctrnn_jax.Maximum()] if reduced else None

    def run() -> jax.Array:
        solution = ctrnn_jax.simulate_ensemble(
            model,
            y0,
            ts,
            dt0=STEP,
            solver=ctrnn_jax.RK4(),
            model_axes=0 if problem.own_weights else None,
            saveat=diffrax.SaveAt(t1=True),
            reductions=reductions,
        )
        return jax.block_until_ready((solution.ys, solution.stats))[0]

    return Candidate(run, lambda ys: np.asarray(ys[:, 0]))


WAYS = (
    Way("ours", "**ctrnn_jax `simulate_ensemble`**", "ours", _prepare),
    Way(
        "ours-own",
        "**ctrnn_jax `simulate_ensemble`, `model_axes=0`**",
        "ours",
        _prepare,
        own_weights=True,
    ),
    Way(
        "ours-reduced",
        "**ctrnn_jax `simulate_ensemble`**, minimum and maximum of every step too",
        "ours",
        partial(_prepare, reduced=True),
    ),
)
