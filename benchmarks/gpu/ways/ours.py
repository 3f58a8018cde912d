"""`ctrnn_jax.simulate_ensemble` on a device, by either engine."""

from functools import partial
from typing import Any, Literal

import numpy as np

from ...problem import STEP
from ..problem import Ensemble
from ._way import DeviceWay, Solver, lanes_first


def _prepare(
    problem: Ensemble, engine: Literal["xla", "pallas"], *, jitted: bool = True
) -> Solver:
    import diffrax
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    import ctrnn_jax

    weight = ctrnn_jax.SkewSymmetric.from_matrix(jnp.asarray(problem.weight))
    model = ctrnn_jax.VoltageCTRNN(weight)
    y0 = jnp.asarray(problem.y0)
    splitting = problem.scheme == "splitting"
    solver = ctrnn_jax.CoordinateSplitting() if splitting else ctrnn_jax.RK4()

    def solve(model: Any, y0: Any, steps: int) -> Any:
        solution = ctrnn_jax.simulate_ensemble(
            model,
            y0,
            np.array([0.0, steps * STEP]),
            dt0=STEP,
            solver=solver,
            saveat=diffrax.SaveAt(t1=True),
            engine=engine,
        )
        assert solution.ys is not None
        return solution.ys[:, 0]

    compiled = eqx.filter_jit(solve) if jitted else solve
    return Solver(
        lambda steps: jax.block_until_ready(compiled(model, y0, steps)), lanes_first
    )


WAYS = (
    DeviceWay(
        "ours-pallas",
        "**ctrnn_jax, `engine='pallas'`**",
        "ours",
        partial(_prepare, engine="pallas"),
    ),
    DeviceWay(
        "ours-xla",
        "ctrnn_jax, `engine='xla'`",
        "ours",
        partial(_prepare, engine="xla"),
    ),
    DeviceWay(
        "ours-call",
        "ctrnn_jax, `engine='pallas'`, called without `jax.jit`",
        "ours",
        partial(_prepare, engine="pallas", jitted=False),
        one_count=True,
    ),
    DeviceWay(
        "splitting-pallas",
        "**ctrnn_jax, `CoordinateSplitting`, `engine='pallas'`**",
        "ours",
        partial(_prepare, engine="pallas"),
        scheme="splitting",
    ),
    DeviceWay(
        "splitting-xla",
        "ctrnn_jax, `CoordinateSplitting`, `engine='xla'`",
        "ours",
        partial(_prepare, engine="xla"),
        scheme="splitting",
    ),
)
