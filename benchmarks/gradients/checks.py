"""What must never get worse about gradients, cheap enough for every push."""

from typing import Any

from ..check import Counts, compare, count_calls, most_of, report, report_counts
from ..remote import Remote, allowed_cpus
from .problem import Problem
from .ways import BY_KEY

#: How many times faster than diffrax's default the reversible adjoint must be: half
#: of what benchmarks/results/gradients.md shows.
LEAST_ADVANTAGE = 4.0

#: Bytes beside arguments and results, for 32 neurons and 64 lanes in float32.
MOST_BYTES = 200_000


def count_compilations(*, lanes: int = 24) -> dict[str, Counts]:
    """Return the counts of a gradient's first call, the same again, other values.

    Call it with lanes that no call before had in this process, or nothing compiles.
    """
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import numpy as np

    import ctrnn_jax

    @eqx.filter_jit
    @eqx.filter_grad
    def differentiate(model: ctrnn_jax.VoltageCTRNN, y0: jax.Array) -> jax.Array:
        solution = ctrnn_jax.simulate_ensemble(
            model,
            y0,
            np.array([0.0, 1.5]),
            dt0=2.0**-6,
            solver=ctrnn_jax.Leapfrog(),
            adjoint=ctrnn_jax.ReversibleAdjoint(),
        )
        assert solution.ys is not None
        return jnp.sum(solution.ys[:, -1])

    def solve(lanes: int, seed: int, scale: float) -> None:
        random = np.random.default_rng(seed)
        coupling = jnp.asarray(random.normal(size=(2, 2)), jnp.float32)
        weight = ctrnn_jax.BipartiteSkew.from_coupling(coupling)
        y0 = jnp.asarray(scale * random.normal(size=(lanes, 4)), jnp.float32)
        found: Any = differentiate(ctrnn_jax.VoltageCTRNN(weight), y0)
        jax.block_until_ready(found.weight.coupling)

    calls = {"first call": (1, 0.1), "same again": (1, 0.1), "other values": (2, 0.2)}
    return count_calls(solve, lanes, calls)


def temporary_bytes(remote: Remote, steps: int) -> float:
    """Return what the compiled gradient through so many steps needs."""
    problem = Problem("bipartite", 32, steps)
    return remote.prepare(BY_KEY["ours"], problem, run=False).details["temporary"]


def advantage(remote: Remote) -> float:
    """Return how many times faster than diffrax's default ours runs."""
    problem = Problem("bipartite", 32, 1000)
    return compare(remote, problem, BY_KEY["ours"], BY_KEY["diffrax"])


def run() -> bool:
    """Check, print what was found, and return whether anything failed."""
    failed = report_counts(count_compilations(), "gradients")
    cpus = allowed_cpus()[-1:] or None
    with Remote(bits=32, cpus=cpus, suite="gradients") as remote:
        few, many = (temporary_bytes(remote, steps) for steps in (10**3, 10**5))
        failed |= report(
            few == many <= MOST_BYTES,
            f"gradients: {few:.0f} bytes for 10³ steps and {many:.0f} for 10⁵, the "
            f"same and at most {MOST_BYTES} wanted",
        )
        best = most_of(lambda: advantage(remote), LEAST_ADVANTAGE)
        failed |= report(
            best >= LEAST_ADVANTAGE,
            f"gradients: {best:.1f} times faster than diffrax's default, at least "
            f"{LEAST_ADVANTAGE:.1f} wanted",
        )
    return failed
