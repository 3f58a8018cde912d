"""The gradients that are right, in float64, and how far any could be trusted."""

import dataclasses
import hashlib
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import problem as _problem
from . import schemes
from .problem import Problem

#: References take minutes in all, so they are kept between runs, in a folder that
#: git ignores, under the hash of what they follow from.
CACHE = Path(__file__).resolve().parents[2] / "results" / "benchmarks" / "references"

#: The longest step of the converged reference, a fiftieth of the shortest period; and
#: of spans beyond 1000, on which nothing is that exact.
_LONGEST, _LONGEST_OF_LONG = 0.125, 0.25


class Gradient(NamedTuple):
    """Of the loss by W's parameter, and by the initial states `(n, lanes)`."""

    parameter: np.ndarray
    y0: np.ndarray


class Growth(NamedTuple):
    """What the flow makes of a small difference over a problem's span, by lane.

    - `factor`: by which it grows.
    - `exponent`: its rate over the second half, per unit time: the largest Lyapunov
      exponent if it is chaotic, near (log 2)/(t/2) if it only shears.
    """

    factor: np.ndarray
    exponent: np.ndarray


def _converged(problem: Problem) -> tuple[Problem, schemes.Scheme]:
    """Return Dormand and Prince's method of order 8, with steps as long as it likes.

    By halving its steps it is within 1e-12 of the limit on the regular orbits here
    (3e-11 with the longer one, on a span of 320).
    """
    import diffrax

    longest = _LONGEST if problem.duration <= 1000 else _LONGEST_OF_LONG
    leap = int(longest / problem.step)
    leap = leap if leap > 0 and problem.steps % leap == 0 else 1
    longer = dataclasses.replace(
        problem, bits=64, steps=problem.steps // leap, step=problem.step * leap
    )
    return longer, schemes.explicit(longer, diffrax.Dopri8.tableau)


def _same(
    build: Callable[[Problem], schemes.Scheme], problem: Problem
) -> tuple[Problem, schemes.Scheme]:
    return problem, build(problem)


def _second_order(problem: Problem) -> tuple[Problem, schemes.Scheme]:
    """Return leapfrog where it can be, which is splitting written out."""
    if problem.weight == "bipartite":
        return problem, schemes.leapfrog(problem)
    return problem, schemes.splitting(problem, 2)


#: Name of a scheme -> what to differentiate for its reference.
SCHEMES: dict[str, Callable[[Problem], tuple[Problem, schemes.Scheme]]] = {
    "rk4": partial(_same, schemes.rk4),
    "leapfrog": partial(_same, schemes.leapfrog),
    "grid32": partial(_same, partial(schemes.leapfrog_on_grid, bits=32)),
    "grid64": partial(_same, partial(schemes.leapfrog_on_grid, bits=64)),
    "splitting2": _second_order,
    "splitting4": partial(_same, partial(schemes.splitting, order=4)),
    "splitting6": partial(_same, partial(schemes.splitting, order=6)),
    "converged": _converged,
}


@lru_cache(maxsize=32)
def expected(problem: Problem, scheme: str) -> Gradient:
    """Return the gradient through `scheme` by back-propagation in float64."""
    problem = dataclasses.replace(problem, bits=64)
    solved, steps = SCHEMES[scheme](problem)
    # The name has the steps really taken: many problems share a converged reference.
    name = f"{scheme} {solved!r}"
    return Gradient(*_cached(name, partial(_differentiate, solved, steps)))


def _differentiate(problem: Problem, stepped: schemes.Scheme) -> tuple[np.ndarray, ...]:
    import jax

    with jax.enable_x64(True):
        run = schemes.gradient(problem, stepped, schemes.in_two_levels)
        result = jax.jit(run)(problem.parameter, problem.y0, problem.projection)
        return tuple(np.asarray(part) for part in result)


@lru_cache(maxsize=32)
def growth(problem: Problem) -> Growth:
    """Return how a random small difference grows, from float64 tangent vectors."""
    longer, scheme = _converged(problem)
    return Growth(*_cached(f"growth {longer!r}", partial(_grow, longer, scheme)))


def _grow(longer: Problem, scheme: schemes.Scheme) -> tuple[np.ndarray, ...]:
    import jax
    import jax.numpy as jnp

    half = longer.steps // 2

    def logs(parameter: Any, y0: Any, tangent: Any) -> Any:
        weight = scheme.prepare(parameter)

        def body(_: Any, carry: Any) -> Any:
            y, v, total = carry
            y, v = jax.jvp(lambda y: scheme.step(weight, y), (y,), (v,))
            size = jnp.sqrt(jnp.sum(v * v, axis=0))
            return y, v / size[None], total + jnp.log(size)

        start = (y0, tangent, jnp.zeros(longer.lanes))
        middle = jax.lax.fori_loop(0, half, body, start)
        end = jax.lax.fori_loop(half, longer.steps, body, middle)
        return middle[2], end[2]

    with jax.enable_x64(True):
        # The loss's own direction: a gradient is this difference run backwards.
        tangent = longer.projection / np.linalg.norm(longer.projection, axis=0)
        run = jax.jit(logs)(longer.parameter, longer.y0, tangent)
        middle, end = (np.asarray(part) for part in run)
    return np.exp(end), (end - middle) / ((longer.steps - half) * longer.step)


def _cached(
    name: str, compute: Callable[[], tuple[np.ndarray, ...]]
) -> tuple[np.ndarray, ...]:
    digest = hashlib.sha256(name.encode())
    for module in (__file__, _problem.__file__, schemes.__file__):
        assert module is not None
        digest.update(Path(module).read_bytes())
    path = CACHE / f"{digest.hexdigest()[:24]}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return tuple(stored[key] for key in sorted(stored))
    arrays = compute()
    CACHE.mkdir(parents=True, exist_ok=True)
    # Written whole or not at all: several workers may look.
    part = path.with_suffix(f".{id(arrays)}.part")
    with part.open("wb") as file:
        np.savez(file, **{str(i): array for i, array in enumerate(arrays)})  # pyright: ignore[reportArgumentType]
    part.replace(path)
    return arrays
