"""diffrax by itself: vmapped as its users write it, and with the lanes last."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..problem import STEP, Problem
from ..suites import Candidate
from ._way import Way


def final_state(
    solver: str = "RK4", step: float = STEP, **options: Any
) -> Callable[[Any, Any, Any], Any]:
    """Return (W, y0, end) -> the state of x' = W tanh(x) at time `end`.

    - `solver`: "RK4" or the name of one of diffrax's.
    - `options`: further ones of `diffrax.diffeqsolve`.
    """
    import diffrax
    import jax.numpy as jnp

    # diffrax has no classical RK4: users write its tableau, as our package does.
    from ctrnn_jax import RK4

    method = RK4() if solver == "RK4" else getattr(diffrax, solver)()

    def solve(weight: Any, y0: Any, end: Any) -> Any:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, weight: weight @ jnp.tanh(y)),
            method,
            t0=0.0,
            t1=end,
            dt0=step,
            y0=y0,
            args=weight,
            saveat=diffrax.SaveAt(t1=True),
            **options,
        )
        assert solution.ys is not None
        return solution.ys[0]

    return solve


def _vmapped(problem: Problem, solver: str) -> Candidate:
    import jax
    import jax.numpy as jnp

    one = final_state(solver)
    solve = jax.jit(
        jax.vmap(
            lambda weight, y0: one(weight, y0, problem.duration),
            in_axes=(0 if problem.own_weights else None, 0),
        )
    )
    arrays = jnp.asarray(problem.weight), jnp.asarray(problem.y0)
    return Candidate(lambda: jax.block_until_ready(solve(*arrays)), np.asarray)


def _lanes_last(problem: Problem) -> Candidate:
    import diffrax
    import jax
    import jax.numpy as jnp

    # Nothing is differentiated here, and ForwardMode keeps nothing for a backward
    # pass; the default adjoint costs up to twice the time.
    whole = final_state(adjoint=diffrax.ForwardMode())
    solve = jax.jit(lambda weight, y0: whole(weight, y0, problem.duration))
    arrays = jnp.asarray(problem.weight), jnp.asarray(problem.y0_lanes_last)
    return Candidate(
        lambda: jax.block_until_ready(solve(*arrays)), lambda y: np.asarray(y).T
    )


WAYS = (
    Way(
        "diffrax-lanes-last",
        "diffrax RK4, state (n, B), `ForwardMode`",
        "tuned",
        _lanes_last,
    ),
    Way(
        "diffrax-rk4",
        "diffrax RK4, vmapped",
        "default",
        partial(_vmapped, solver="RK4"),
    ),
    Way(
        "diffrax-tsit5",
        "diffrax Tsit5, vmapped, same steps",
        "default",
        partial(_vmapped, solver="Tsit5"),
        method="other",
    ),
    Way(
        "diffrax-rk4-own",
        "diffrax RK4, vmapped",
        "default",
        partial(_vmapped, solver="RK4"),
        own_weights=True,
    ),
)
