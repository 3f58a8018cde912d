"""What motion a network settles to, over gain and leak."""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, ArrayLike, Bool, Float, Int, PyTree, Scalar, ScalarLike
from ..fields import VoltageCTRNN
from ..matrices import GainPlusSkew
from ..matrices._base import AbstractWeight
from ..matrices._checks import as_floating
from ._flow import check_span, check_start, divide, make_flow
from ._status import OUTCOMES, mark

#: Kinds of motion by their code in a `BifurcationDiagram`.
MOTIONS = ("fixed point", "periodic", "aperiodic", "diverging")


class BifurcationDiagram(eqx.Module):
    """The motion that is reached, for each gain (first axis) and leak (second).

    - `gains`, `leaks`: shapes `(G,)`, `(L,)`.
    - `codes`: index into the names of `kinds`, shape `(G, L)`.
    - `amplitudes`: half the range of the neuron that moves most, shape `(G, L)`.
    - `angular_frequencies`: 2π/T in radians per unit time, shape `(G, L)`; NaN where
      the motion is not periodic.
    - `residuals`: for periodic motion the largest distance of a state from that one
      period before, over the amplitude; else the last step's motion; shape `(G, L)`.
    - `result`: `successful`, or `escaped` where the orbit left the floating range,
      shape `(G, L)`.
    """

    gains: Float[Array, " G"]
    leaks: Float[Array, " L"]
    codes: Int[Array, "G L"]
    amplitudes: Float[Array, "G L"]
    angular_frequencies: Float[Array, "G L"]
    residuals: Float[Array, "G L"]
    result: OUTCOMES

    @property
    def kinds(self) -> np.ndarray:
        """Names, shape `(G, L)`.

        `"fixed point"`, `"periodic"`, `"aperiodic"` or `"diverging"`.
        """
        return np.asarray(MOTIONS)[np.asarray(self.codes)]


@full_precision
def bifurcation_diagram(
    family: AbstractWeight | Callable,
    gains: ArrayLike,
    leaks: ArrayLike,
    *,
    y0: ArrayLike,
    dt0: ScalarLike,
    transient: ScalarLike,
    duration: ScalarLike,
    inputs: PyTree = None,
    solver: diffrax.AbstractSolver | None = None,
    rtol: float = 1e-3,
    atol: float = 1e-6,
) -> BifurcationDiagram:
    r"""Follow one initial state over a grid of gains and leaks, and name the motion.

    For $x' = -\gamma x + (gI + W)\tanh x$ with W skew: at rest for g < γ, a limit
    cycle from the Hopf points at g = γ on, and what comes of it.

    **Arguments:**

    - `family`: a skew-symmetric weight W, for the equation above; or a function of
      (gain, leak), both scalars, that returns a field.
    - `gains`, `leaks`: shapes `(G,)`, `(L,)`; all pairs are run at once.
    - `y0`: initial state, shape `(n,)`, not a fixed point.
    - `dt0`: the longest step.
    - `transient`: time left out before measuring. Near a bifurcation motion settles
      slowly, as 1/|g − γ|: the line g = γ is sharp only to about 10/`transient`.
    - `duration`: time over which the motion is measured: range first, then returns.
    - `inputs`: the fields' `args`.
    - `solver`: constant steps; by default `diffrax.Tsit5()`.
    - `rtol`: the motion is periodic if states come back to within this part of the
      amplitude, every time; at least two returns are needed.
    - `atol`: the motion is a fixed point if no neuron moves by more than this.

    **Returns:** a [`BifurcationDiagram`][ctrnn_jax.analysis.BifurcationDiagram]. It
    shows the attractor that `y0` leads to; others may exist beside it. Aperiodic is
    what does not come back: quasi-periodic, chaotic, of a period longer than half of
    `duration`, or not yet settled; `classify_orbit` says more.

    **Cost:** G·L orbits of (transient + 2·duration)/dt0 steps, in one mapped call.

    **Raises:** `ValueError` for a bad argument.
    """
    if isinstance(family, AbstractWeight):
        if not family.is_skew:
            raise ValueError(
                "W must be skew-symmetric by construction; for another field give a "
                "function of (gain, leak) that returns it."
            )
        build = _Gained(family)
    elif callable(family):
        build = family
    else:
        raise ValueError(
            "family must be a skew-symmetric weight or a function of (gain, leak), got "
            f"{type(family).__name__}."
        )
    start = as_floating("y0", y0)
    axes = [
        as_floating(name, x, start.dtype)
        for name, x in (("gains", gains), ("leaks", leaks))
    ]
    for name, axis in zip(("gains", "leaks"), axes, strict=True):
        if axis.ndim != 1 or axis.size == 0:
            raise ValueError(f"{name} must have shape (k,), got {axis.shape}.")
    start = check_start(start, build(axes[0][0], axes[1][0]))
    num_steps, dt = divide("duration", duration, dt0)
    skipped = check_span("transient", transient, positive=False)
    gain, leak = (part.reshape(-1) for part in jnp.meshgrid(*axes, indexing="ij"))
    counts = jnp.asarray([int(np.ceil(skipped / dt)), num_steps])
    limits = jnp.asarray([rtol, atol], start.dtype)
    solver = diffrax.Tsit5() if solver is None else solver
    dt = jnp.asarray(dt, start.dtype)
    found = _run(build, gain, leak, start, dt, counts, limits, inputs, solver)
    shape = (axes[0].size, axes[1].size)
    codes, amplitudes, frequencies, residuals, result = jax.tree.map(
        lambda leaf: leaf.reshape(shape), found
    )
    return BifurcationDiagram(
        axes[0], axes[1], codes, amplitudes, frequencies, residuals, result
    )


class _Gained(eqx.Module):
    """(g, γ) ↦ the field x' = −γx + (gI + W) tanh x."""

    skew: AbstractWeight

    def __call__(self, gain: Scalar, leak: Scalar) -> VoltageCTRNN:
        return VoltageCTRNN(GainPlusSkew(self.skew, gain), leak=leak)


class _Returns(eqx.Module):
    """Crossings of the mean so far, and how the first one's state came back."""

    count: Int[Array, ""]
    first_time: Scalar
    first_state: Float[Array, " n"]
    stride: Int[Array, ""]
    last_time: Scalar
    rounds: Int[Array, ""]
    worst: Scalar
    regular: Bool[Array, ""]


@eqx.filter_jit
def _run(
    build: Callable,
    gains: Float[Array, " lanes"],
    leaks: Float[Array, " lanes"],
    y0: Float[Array, " n"],
    dt: Scalar,
    counts: Int[Array, "2"],
    limits: Float[Array, "2"],
    inputs: PyTree,
    solver: diffrax.AbstractSolver,
) -> tuple[Array, Array, Array, Array, OUTCOMES]:
    def one(gain: Scalar, leak: Scalar) -> tuple:
        return _measure(build(gain, leak), y0, dt, counts, limits, inputs, solver)

    return jax.vmap(one)(gains, leaks)


def _measure(
    field: Callable,
    y0: Float[Array, " n"],
    dt: Scalar,
    counts: Int[Array, "2"],
    limits: Float[Array, "2"],
    inputs: PyTree,
    solver: diffrax.AbstractSolver,
) -> tuple[Array, Array, Array, Array, OUTCOMES]:
    """Name the motion of one field, and measure it."""
    flow = make_flow(field, y0, dt=dt, solver=solver, inputs=inputs)
    rtol, atol = limits
    zero = jnp.zeros((), int)
    y = jax.lax.fori_loop(zero, counts[0], lambda i, y: flow.step(i, y), y0)

    def widen(i: Array, carry: tuple) -> tuple:
        y, low, high, total = carry
        y = flow.step(counts[0] + i, y)
        return y, jnp.minimum(low, y), jnp.maximum(high, y), total + y

    start = (y, y, y, jnp.zeros_like(y))
    y, low, high, total = jax.lax.fori_loop(zero, counts[1], widen, start)
    ranges = high - low
    watched = jnp.argmax(ranges)
    mean = (total / counts[1].astype(y.dtype))[watched]
    amplitude = 0.5 * ranges[watched]
    reach = jnp.linalg.norm(ranges)

    def follow(i: Array, carry: tuple) -> tuple:
        y, seen = carry
        index = counts[0] + counts[1] + i
        y1 = flow.step(index, y)
        up = (y[watched] < mean) & (y1[watched] >= mean)
        part, state = _crossing(flow, index, y, y1, watched, mean)
        time = (i.astype(y.dtype) + part) * dt
        return y1, _pass(seen, up, time, state, rtol * reach)

    seen = _Returns(zero, dt * 0, y, zero, dt * 0, zero, dt * 0, jnp.ones((), bool))
    y, seen = jax.lax.fori_loop(zero, counts[1], follow, (y, seen))
    finite = jnp.all(jnp.isfinite(y)) & jnp.isfinite(reach)
    at_rest = 2 * amplitude <= atol
    periodic = seen.regular & (seen.rounds >= 2)
    code = jnp.where(at_rest, 0, jnp.where(periodic, 1, 2))
    code = jnp.where(finite, code, 3)
    span = seen.last_time - seen.first_time
    turns = seen.rounds.astype(y.dtype)
    frequency = 2 * jnp.pi * turns / jnp.where(periodic, span, 1.0)
    frequency = jnp.where(code == 1, frequency, jnp.nan)
    still = jnp.linalg.norm(flow.step(counts[0], y) - y)
    scale = jnp.where(reach > 0, reach, 1.0)
    residual = jnp.where(code == 1, seen.worst / scale, still)
    result = mark(~finite, OUTCOMES.escaped, OUTCOMES.successful)
    return code, amplitude, frequency, residual, result


def _pass(
    seen: _Returns, up: Array, time: Scalar, state: Array, near: Scalar
) -> _Returns:
    """Take note of one crossing.

    The first state's first return sets the stride; then every crossing that is a
    multiple of the stride must return, else the motion is not periodic.
    """
    first = up & (seen.count == 0)
    gap = jnp.linalg.norm(state - seen.first_state)
    later = up & (seen.count > 0)
    close = gap <= near
    found = later & close & (seen.stride == 0)
    stride = jnp.where(found, seen.count, seen.stride)
    due = later & (stride > 0) & (seen.count % jnp.maximum(stride, 1) == 0)
    back = due & close
    return _Returns(
        count=seen.count + up.astype(seen.count.dtype),
        first_time=jnp.where(first, time, seen.first_time),
        first_state=jnp.where(first, state, seen.first_state),
        stride=stride,
        last_time=jnp.where(back, time, seen.last_time),
        rounds=seen.rounds + back.astype(seen.rounds.dtype),
        worst=jnp.where(back, jnp.maximum(seen.worst, gap), seen.worst),
        regular=seen.regular & (close | ~due),
    )


def _crossing(
    flow: PyTree, index: Array, y: Array, y1: Array, watched: Array, level: Scalar
) -> tuple[Scalar, Array]:
    """Return where in the step, in [0, 1], the cubic meets the level, and the state."""
    slope = flow.dt * flow.slope(index, y)
    slope1 = flow.dt * flow.slope(index + 1, y1)
    rise = y1[watched] - y[watched]

    def cubic(s: Scalar) -> Array:
        blend = s * s * (3 - 2 * s)
        return (
            (1 - blend) * y + blend * y1 + s * (1 - s) * ((1 - s) * slope - s * slope1)
        )

    def improve(_: Array, s: Scalar) -> Scalar:
        value, rate = jax.jvp(lambda s: cubic(s)[watched], (s,), (jnp.ones_like(s),))
        safe = jnp.where(rate > 0, rate, jnp.inf)
        return jnp.clip(s - (value - level) / safe, 0.0, 1.0)

    guess = jnp.clip((level - y[watched]) / jnp.where(rise > 0, rise, 1.0), 0.0, 1.0)
    s = jax.lax.fori_loop(jnp.asarray(0), 3, improve, guess)
    return s, cubic(s)
