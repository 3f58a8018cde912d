"""Back-propagation through loops in plain JAX, without any solver library."""

from collections.abc import Callable
from functools import partial

from .. import schemes
from ..problem import Problem
from ._way import Differentiate, GradientWay


def _build(
    problem: Problem,
    scheme: Callable[[Problem], schemes.Scheme],
    repeat: schemes.Repeat,
) -> Differentiate:
    return schemes.gradient(problem, scheme(problem), repeat)


_rk4 = partial(_build, scheme=schemes.rk4)
_leapfrog = partial(_build, scheme=schemes.leapfrog)

WAYS = (
    GradientWay(
        "scan-rk4",
        "plain JAX, RK4, `lax.scan`",
        "default",
        partial(_rk4, repeat=schemes.plainly),
        "rk4",
    ),
    GradientWay(
        "levels-rk4",
        "plain JAX, RK4, two-level `jax.checkpoint`",
        "tuned",
        partial(_rk4, repeat=schemes.in_two_levels),
        "rk4",
    ),
    GradientWay(
        "scan-leapfrog",
        "plain JAX, leapfrog, `lax.scan`",
        "default",
        partial(_leapfrog, repeat=schemes.plainly),
        "leapfrog",
        weights=("bipartite",),
    ),
    GradientWay(
        "levels-leapfrog",
        "plain JAX, leapfrog, two-level `jax.checkpoint`",
        "tuned",
        partial(_leapfrog, repeat=schemes.in_two_levels),
        "leapfrog",
        weights=("bipartite",),
    ),
)
