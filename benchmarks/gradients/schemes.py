"""One step of each scheme in plain JAX, and back-propagation through many."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from .problem import Problem

#: What a scheme steps: an array, or several.
State = Any


class Scheme(NamedTuple):
    """A one-step map of what `start` makes of the initial states `(n, lanes)`.

    `start`, `step` and `finish` take W's parameter as `Problem.parameter` has it, or
    whatever `prepare` makes of it once.
    """

    prepare: Callable[[Any], Any]
    start: Callable[[Any, Any], State]
    step: Callable[[Any, State], State]
    finish: Callable[[Any, State], Any]


def as_matrix(problem: Problem, parameter: Any) -> Any:
    """Return W `(n, n)`."""
    import jax.numpy as jnp

    if problem.weight == "dense":
        lower = jnp.tril(parameter, -1)
        return lower - lower.T
    silent = jnp.zeros_like(parameter)
    return jnp.block([[silent, parameter], [-parameter.T, silent]])


def rk4_increment(slope: Callable[[Any], Any], y: Any, h: float) -> Any:
    """Return what a classical Runge–Kutta step of length h adds to y."""
    k1 = slope(y)
    k2 = slope(y + h / 2 * k1)
    k3 = slope(y + h / 2 * k2)
    k4 = slope(y + h * k3)
    return h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def rk4(problem: Problem) -> Scheme:
    """Return the classical method; its products are with the whole of W."""
    import jax.numpy as jnp

    def step(weight: Any, y: Any) -> Any:
        return y + rk4_increment(lambda y: weight @ jnp.tanh(y), y, problem.step)

    return Scheme(
        lambda parameter: as_matrix(problem, parameter),
        lambda weight, y0: y0,
        step,
        lambda weight, y: y,
    )


def leapfrog(problem: Problem) -> Scheme:
    """Return leapfrog with the half kicks of neighbouring steps in one."""
    import jax.numpy as jnp

    h = problem.step

    def start(coupling: Any, y0: Any) -> State:
        first, second = jnp.split(y0, 2)
        return first, second - h / 2 * (coupling.T @ jnp.tanh(first))

    def step(coupling: Any, state: State) -> State:
        first, second = state
        first = first + h * (coupling @ jnp.tanh(second))
        return first, second - h * (coupling.T @ jnp.tanh(first))

    def finish(coupling: Any, state: State) -> Any:
        first, second = state
        second = second + h / 2 * (coupling.T @ jnp.tanh(first))
        return jnp.concatenate([first, second])

    return Scheme(lambda parameter: parameter, start, step, finish)


def leapfrog_on_grid(problem: Problem, bits: int) -> Scheme:
    """Return leapfrog as the reversible adjoint steps it, to be differentiated.

    The start, and each move, computed in float32 or float64 (`bits`), are rounded to a
    multiple of 2⁻²⁴ or 2⁻⁵⁴. The state is kept in float64, which holds such numbers
    below 1/2 exactly. Derivatives are in float64 too, those of the unrounded moves: it
    is back-propagation through the very same states, with no rounding of its own.
    """
    import jax
    import jax.numpy as jnp

    unit = {32: 2.0**-24, 64: 2.0**-54}[bits]
    dtype = {32: jnp.float32, 64: jnp.float64}[bits]

    def on_grid(smooth: Any, narrow: Any) -> Any:
        rounded = jnp.round(narrow / unit).astype(jnp.float64) * unit
        return smooth + jax.lax.stop_gradient(rounded - smooth)

    def move(coupling: Any, active: Any, h: float) -> Any:
        narrow = h * (coupling.astype(dtype) @ jnp.tanh(active.astype(dtype)))
        return on_grid(h * (coupling @ jnp.tanh(active)), narrow)

    h = problem.step

    def start(coupling: Any, y0: Any) -> State:
        first, second = jnp.split(on_grid(y0, y0.astype(dtype)), 2)
        return first, second + move(-coupling.T, first, h / 2)

    def step(coupling: Any, state: State) -> State:
        first, second = state
        first = first + move(coupling, second, h)
        # The half kicks at the end of a step and at the start of the next.
        return first, second + 2 * move(-coupling.T, first, h / 2)

    def finish(coupling: Any, state: State) -> Any:
        first, second = state
        return jnp.concatenate([first, second - move(-coupling.T, first, h / 2)])

    return Scheme(lambda parameter: parameter, start, step, finish)


def splitting(problem: Problem, order: int) -> Scheme:
    """Return the package's coordinate splitting, one lane-wise step of it."""
    import jax.numpy as jnp

    import ctrnn_jax

    solver = ctrnn_jax.CoordinateSplitting(order)

    def prepare(parameter: Any) -> Any:
        if problem.weight == "bipartite":
            weight = ctrnn_jax.BipartiteSkew.from_coupling(parameter)
        else:
            matrix = as_matrix(problem, parameter)
            weight = ctrnn_jax.SkewSymmetric.from_matrix(matrix).materialise()
        return ctrnn_jax.VoltageCTRNN(weight)

    def step(field: Any, y: Any) -> Any:
        t, h = jnp.zeros((), y.dtype), jnp.asarray(problem.step, y.dtype)
        return solver.advance(field, t, h, y, None, None)[0]

    return Scheme(prepare, lambda field, y0: y0, step, lambda field, y: y)


def coupled_rk4(problem: Problem, coupling: float) -> Scheme:
    r"""Return the reversible RK4 of McCallum and Foster (2024), on a pair (y, z).

    $y^+ = \lambda y + (1-\lambda)z + \Psi_h(z)$, $z^+ = z - \Psi_{-h}(y^+)$, with
    Ψ what a step of RK4 adds and λ = `coupling`.
    """
    import jax.numpy as jnp

    h = problem.step

    def step(weight: Any, state: State) -> State:
        def add(y: Any, h: float) -> Any:
            return rk4_increment(lambda y: weight @ jnp.tanh(y), y, h)

        y, z = state
        y = coupling * y + (1 - coupling) * z + add(z, h)
        return y, z - add(y, -h)

    return Scheme(
        lambda parameter: as_matrix(problem, parameter),
        lambda weight, y0: (y0, y0),
        step,
        lambda weight, state: state[0],
    )


def explicit(problem: Problem, tableau: Any) -> Scheme:
    """Return the explicit Runge–Kutta method of a tableau of diffrax."""
    import jax.numpy as jnp

    rows = [tuple(float(a) for a in row) for row in tableau.a_lower]
    weights = tuple(float(b) for b in tableau.b_sol)

    def step(weight: Any, y: Any) -> Any:
        def add(factors: tuple[float, ...]) -> Any:
            total = y
            for factor, slope in zip(factors, slopes, strict=True):
                if factor != 0.0:
                    total = total + factor * problem.step * slope
            return total

        slopes = [weight @ jnp.tanh(y)]
        for row in rows:
            slopes.append(weight @ jnp.tanh(add(row)))
        return add(weights)

    return Scheme(
        lambda parameter: as_matrix(problem, parameter),
        lambda weight, y0: y0,
        step,
        lambda weight, y: y,
    )


#: Repeats a step: (step, constants, state, count) -> state.
Repeat = Callable[[Callable[[Any, State], State], Any, State, int], State]


def plainly(step: Callable, constants: Any, state: State, count: int) -> State:
    """Repeat `step`; back-propagation keeps what every step needs."""
    import jax

    return jax.lax.scan(
        lambda state, _: (step(constants, state), None), state, None, length=count
    )[0]


def in_two_levels(step: Callable, constants: Any, state: State, count: int) -> State:
    """Repeat `step` in √count checkpointed stretches of checkpointed steps.

    Back-propagation keeps about 2 √count states and does each step twice more.
    """
    import jax

    saved_step = jax.checkpoint(step, prevent_cse=False)  # pyright: ignore[reportPrivateImportUsage]

    def stretch(constants: Any, state: State, length: int) -> State:
        return plainly(saved_step, constants, state, length)

    length = math.isqrt(count)
    whole, rest = divmod(count, length)
    saved = jax.checkpoint(  # pyright: ignore[reportPrivateImportUsage]
        lambda constants, state: stretch(constants, state, length), prevent_cse=False
    )
    state = plainly(saved, constants, state, whole)
    return stretch(constants, state, rest) if rest else state


def gradient(problem: Problem, scheme: Scheme, repeat: Repeat) -> Callable:
    """Return (parameter, y0, projection) -> the loss's gradient by the first two."""
    import jax
    import jax.numpy as jnp

    def loss(parameter: Any, y0: Any, projection: Any) -> Any:
        constants = scheme.prepare(parameter)
        state = repeat(
            scheme.step, constants, scheme.start(constants, y0), problem.steps
        )
        return jnp.sum(projection * scheme.finish(constants, state))

    return jax.grad(loss, argnums=(0, 1))
