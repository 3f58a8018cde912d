"""diffrax's adjoints, lanes last; and its default as users write it, vmapped."""

from functools import partial
from typing import Any

from ...peers.diffrax_peer import final_state
from ..problem import Problem
from ..schemes import as_matrix
from ._way import Differentiate, GradientWay


def build(problem: Problem, adjoint: str, *, vmapped: bool = False) -> Differentiate:
    import diffrax
    import jax
    import jax.numpy as jnp

    state = final_state(
        step=problem.step,
        adjoint=getattr(diffrax, adjoint)(),
        # One more than is needed: diffrax asks for it.
        max_steps=problem.steps + 1,
    )

    def solve(weight: Any, y0: Any) -> Any:
        return state(weight, y0, problem.duration)

    def loss(parameter: Any, y0: Any, projection: Any) -> Any:
        weight = as_matrix(problem, parameter)
        run = jax.vmap(solve, in_axes=(None, 0)) if vmapped else solve
        return jnp.sum(projection * run(weight, y0))

    return jax.grad(loss, argnums=(0, 1))


WAYS = (
    GradientWay(
        "diffrax",
        "diffrax RK4, `RecursiveCheckpointAdjoint`, state (n, B)",
        "tuned",
        partial(build, adjoint="RecursiveCheckpointAdjoint"),
        "rk4",
    ),
    GradientWay(
        "diffrax-vmap",
        "diffrax RK4, `RecursiveCheckpointAdjoint`, vmapped",
        "default",
        partial(build, adjoint="RecursiveCheckpointAdjoint", vmapped=True),
        "rk4",
        lanes_first=True,
    ),
    GradientWay(
        "diffrax-direct",
        "diffrax RK4, `DirectAdjoint`, state (n, B)",
        "tuned",
        partial(build, adjoint="DirectAdjoint"),
        "rk4",
    ),
    GradientWay(
        "diffrax-backsolve",
        "diffrax RK4, `BacksolveAdjoint`, state (n, B)",
        "tuned",
        partial(build, adjoint="BacksolveAdjoint"),
        "rk4",
        standing="rebuilt",
    ),
)
