"""A way to differentiate: a compiled function, and the scheme that it steps."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ...suites import Candidate, Verdict
from ..problem import Problem, Weight
from ..reference import Gradient, expected
from ..verify import Standing, check_gradient, distance

#: (parameter, y0, projection) -> the gradient by the first two.
Differentiate = Callable[[Any, Any, Any], tuple[Any, Any]]


#: Steps through which that comparison takes seconds.
_MOST_ON_GRID = 10**5


@dataclasses.dataclass(frozen=True)
class GradientWay:
    """One row of a table.

    - `build`: from a problem to a function that JAX can compile, of W's parameter,
      the initial states and the projection, all of them arguments at run time.
    - `scheme`: what it steps, a name in `reference.SCHEMES`.
    - `on_grid`: whether, W being bipartite, it steps `schemes.leapfrog_on_grid`, and
      can be compared with the gradient through its very own states: "same states" in
      the details.
    - `lanes_first`: whether its states are `(lanes, n)`, as users have them.
    - `standing`: "exact" is held to its error budget, or the run stops. "rebuilt"
      reconstructs the states in floats, which fails at some length: there its row
      says by how much it is off, and shows no time.
    """

    key: str
    label: str
    setting: Literal["ours", "default", "tuned"]
    build: Callable[[Problem], Differentiate]
    scheme: str
    weights: tuple[Weight, ...] = ("bipartite", "dense")
    most_steps: int | None = None
    on_grid: bool = False
    lanes_first: bool = False
    standing: Standing = "exact"

    def takes(self, problem: Problem) -> bool:
        """Whether this way can do `problem`."""
        short = self.most_steps is None or problem.steps <= self.most_steps
        return short and problem.weight in self.weights

    def share(self, problem: Problem) -> Problem:
        return problem

    def prepare(self, problem: Problem) -> Candidate:
        """Compile; report seconds of "compile" and bytes of "temporary" memory."""
        import jax
        import jax.numpy as jnp

        turn = np.transpose if self.lanes_first else np.asarray
        arrays = [
            jnp.asarray(np.ascontiguousarray(array))
            for array in (
                problem.parameter,
                turn(problem.y0),
                turn(problem.projection),
            )
        ]
        start = time.perf_counter()
        compiled = jax.jit(self.build(problem)).lower(*arrays).compile()
        seconds = time.perf_counter() - start
        analysis: Any = compiled.memory_analysis()

        def answer(result: tuple[Any, Any]) -> Gradient:
            parameter, y0 = (np.asarray(part) for part in result)
            return Gradient(parameter, turn(y0))

        return Candidate(
            lambda: jax.block_until_ready(compiled(*arrays)),
            answer,
            {"compile": seconds, "temporary": analysis.temp_size_in_bytes},
        )

    def check(self, problem: Problem, answer: Callable[[], Gradient]) -> Verdict:
        found = answer()
        verdict = check_gradient(problem, self.scheme, self.standing, found)
        bipartite = problem.weight == "bipartite"
        if self.on_grid and bipartite and problem.steps <= _MOST_ON_GRID:
            own = expected(problem, f"grid{problem.bits}")
            verdict.details["same states"] = distance(found, own)
        return verdict
