"""Plain loops that XLA compiles, and diffrax as its users write it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from ...peers.diffrax_peer import final_state
from ...peers.plain_jax import rk4_step
from ...problem import STEP
from ..problem import Ensemble
from ._way import DeviceWay, Solver, lanes_first, lanes_last


def _loop(step: Callable[[Any, Any], Any]) -> Any:
    """Return a compiled (W, state, steps) -> state."""
    import jax

    def solve(weight: Any, state: Any, steps: int) -> Any:
        body = lambda state, _: (step(weight, state), None)  # noqa: E731
        return jax.lax.scan(body, state, None, length=steps)[0]

    return jax.jit(solve, static_argnums=2)


def _whole(problem: Ensemble) -> Solver:
    """Step a state `(n, B)` whole."""
    import jax
    import jax.numpy as jnp

    def step(weight: Any, y: Any) -> Any:
        # On a GPU the default would be TF32.
        return rk4_step(
            lambda y: jnp.matmul(weight, jnp.tanh(y), precision="highest"), y
        )

    solve = _loop(step)
    arrays = jnp.asarray(problem.weight), jnp.asarray(problem.y0_lanes_last)
    return Solver(
        lambda steps: jax.block_until_ready(solve(*arrays, steps)), lanes_last
    )


def _by_neuron(problem: Ensemble) -> Solver:
    """Step n separate arrays `(B,)`, which XLA fuses without any product."""
    import jax.numpy as jnp

    n = problem.size

    def slope(weight: Any, y: tuple[Any, ...]) -> tuple[Any, ...]:
        active = [jnp.tanh(part) for part in y]
        return tuple(
            sum(
                (weight[i, j] * active[j] for j in range(1, n)),
                weight[i, 0] * active[0],
            )
            for i in range(n)
        )

    def add(y: tuple[Any, ...], h: float, k: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(a + h * b for a, b in zip(y, k, strict=True))

    def step(weight: Any, y: tuple[Any, ...]) -> tuple[Any, ...]:
        k1 = slope(weight, y)
        k2 = slope(weight, add(y, STEP / 2, k1))
        k3 = slope(weight, add(y, STEP / 2, k2))
        k4 = slope(weight, add(y, STEP, k3))
        return tuple(
            part + STEP / 6 * (a + 2 * b + 2 * c + d)
            for part, a, b, c, d in zip(y, k1, k2, k3, k4, strict=True)
        )

    return _of_neurons(problem, step)


def _split_by_neuron(problem: Ensemble) -> Solver:
    """Coordinate splitting of n separate arrays `(B,)`."""
    import jax.numpy as jnp

    n = problem.size

    def step(weight: Any, y: tuple[Any, ...]) -> tuple[Any, ...]:
        parts = list(y)
        for i in (*range(n), *reversed(range(n))):
            push = STEP / 2 * jnp.tanh(parts[i])
            for j in range(n):
                if j != i:
                    parts[j] = parts[j] + weight[j, i] * push
        return tuple(parts)

    return _of_neurons(problem, step)


def _of_neurons(problem: Ensemble, step: Callable[[Any, Any], Any]) -> Solver:
    import jax
    import jax.numpy as jnp
    import numpy as np

    solve = _loop(step)
    weight = jnp.asarray(problem.weight)
    y0 = tuple(jnp.asarray(part) for part in problem.y0_lanes_last)
    return Solver(
        lambda steps: jax.block_until_ready(solve(weight, y0, steps)),
        lambda result, lanes: np.stack(
            [np.asarray(part[lanes], np.float64) for part in result], axis=1
        ),
    )


def _diffrax(problem: Ensemble, precision: str | None) -> Solver:
    """RK4 by `jax.vmap`."""
    import jax
    import jax.numpy as jnp

    # The end is an argument at run time: another number of steps compiles nothing.
    solve = jax.jit(jax.vmap(final_state(), in_axes=(None, 0, None)))
    arrays = jnp.asarray(problem.weight), jnp.asarray(problem.y0)

    def run(steps: int) -> Any:
        with jax.default_matmul_precision(precision):
            end = jnp.asarray(steps * STEP, arrays[1].dtype)
            return jax.block_until_ready(solve(*arrays, end))

    return Solver(run, lanes_first)


WAYS = (
    DeviceWay("xla-whole", "plain XLA loop, state (n, B)", "tuned", _whole),
    DeviceWay(
        "xla-by-neuron",
        "plain XLA loop, n arrays (B,)",
        "tuned",
        _by_neuron,
        most_size=8,
    ),
    DeviceWay(
        "diffrax-vmap",
        "diffrax RK4, vmapped",
        "default",
        partial(_diffrax, precision="highest"),
    ),
    DeviceWay(
        "diffrax-vmap-tf32",
        "diffrax RK4, vmapped, JAX's default precision of products",
        "default",
        partial(_diffrax, precision=None),
        bits=(32,),
        one_count=True,
    ),
    DeviceWay(
        "xla-split",
        "plain XLA loop of the splitting, n arrays (B,)",
        "tuned",
        _split_by_neuron,
        scheme="splitting",
        most_size=8,
    ),
)
