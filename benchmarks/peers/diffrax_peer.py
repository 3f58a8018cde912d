"""diffrax by itself: vmapped as its users write it, and with the lanes last."""

from functools import partial
from typing import Any

import numpy as np

from ..problem import STEP, Problem
from ..suites import Candidate
from ._way import Way


def _solver(name: str) -> Any:
    import diffrax

    # diffrax has no classical RK4: users write its tableau, as our package does.
    from ctrnn_jax import RK4

    return RK4() if name == "RK4" else getattr(diffrax, name)()


def _solve(problem: Problem, solver: Any, weight: Any, y0: Any, **options: Any) -> Any:
    import diffrax
    import jax.numpy as jnp

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, weight: weight @ jnp.tanh(y)),
        solver,
        t0=0.0,
        t1=problem.duration,
        dt0=STEP,
        y0=y0,
        args=weight,
        saveat=diffrax.SaveAt(t1=True),
        **options,
    )
    assert solution.ys is not None
    return solution.ys[0]


def _vmapped(problem: Problem, name: str) -> Candidate:
    import jax
    import jax.numpy as jnp

    solver = _solver(name)
    solve = jax.jit(
        jax.vmap(
            lambda weight, y0: _solve(problem, solver, weight, y0),
            in_axes=(0 if problem.own_weights else None, 0),
        )
    )
    arrays = jnp.asarray(problem.weight), jnp.asarray(problem.y0)
    return Candidate(lambda: jax.block_until_ready(solve(*arrays)), np.asarray)


def _lanes_last(problem: Problem) -> Candidate:
    import diffrax
    import jax
    import jax.numpy as jnp

    solver = _solver("RK4")
    # Nothing is differentiated here, and ForwardMode keeps nothing for a backward
    # pass; the default adjoint costs up to twice the time.
    solve = jax.jit(
        lambda weight, y0: _solve(
            problem, solver, weight, y0, adjoint=diffrax.ForwardMode()
        )
    )
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
        "diffrax-rk4", "diffrax RK4, vmapped", "default", partial(_vmapped, name="RK4")
    ),
    Way(
        "diffrax-tsit5",
        "diffrax Tsit5, vmapped, same steps",
        "default",
        partial(_vmapped, name="Tsit5"),
        method="other",
    ),
    Way(
        "diffrax-rk4-own",
        "diffrax RK4, vmapped",
        "default",
        partial(_vmapped, name="RK4"),
        own_weights=True,
    ),
)
