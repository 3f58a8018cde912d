"""Frequencies over initial conditions, and how much they wander."""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, PyTree, ScalarLike
from ..integrate._fixed_steps import alive
from ..matrices._checks import check_integer
from ._flow import Flow, check_span, default_solver, divide
from ._frequencies import MainFrequencies, main_frequencies
from ._lanes import check_lanes, run_lanes
from ._status import OUTCOMES, mark
from ._survey import projections

#: Lanes whose frequencies are analysed side by side: bounds the memory.
_SIDE_BY_SIDE = 8


class FrequencyMap(eqx.Module):
    r"""What [`frequency_map`][ctrnn_jax.analysis.frequency_map] returns.

    - `angular_frequency`: lines of the second half, strongest first, shape
      `(batch, k)`, in radians per unit time; 0 where there were fewer.
    - `amplitude`: their amplitudes, over all observables, shape `(batch, k)`.
    - `drift`: distance to the nearest line of the first half, shape `(batch, k)`,
      in radians per unit time: rounding on a torus, finite where motion is chaotic.
    - `duration`: time between the middles of the two halves.
    - `result`: `successful`, `escaped` or `nonfinite`, shape `(batch,)`; a lane that
      failed has only zeros.
    """

    angular_frequency: Float[Array, "batch k"]
    amplitude: Float[Array, "batch k"]
    drift: Float[Array, "batch k"]
    duration: Float[Array, ""]
    result: OUTCOMES


@full_precision
def frequency_map(
    field: Callable,
    y0: ArrayLike,
    *,
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike = 0.0,
    stride: int = 2,
    num_frequencies: int = 2,
    window_order: int = 2,
    observable: Callable[[Array], Array] | None = None,
    model_axes: PyTree = None,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
) -> FrequencyMap:
    r"""Find the main frequencies of many orbits, and their drift between two halves.

    On a torus the frequencies do not change, so those of the two halves of a record
    agree to the accuracy of the method; along a chaotic orbit they wander, at a rate
    that measures the diffusion. Over a grid of initial states the map
    $y_0 \mapsto \omega$ is smooth where motion is regular, flat on a resonance, and
    ragged in a chaotic zone.

    **Arguments:**

    - `field`: a `VoltageCTRNN`, `RateCTRNN`, or any `f(t, y, args)`.
    - `y0`: initial states, shape `(batch, n)`.
    - `dt0`: the longest step; samples are `stride` steps apart.
    - `duration`: of the record, after `transient`; both known before tracing.
    - `num_frequencies`, `window_order`: as in
      [`main_frequencies`][ctrnn_jax.analysis.main_frequencies].
    - `observable`: of one state `(n,)`, a scalar or `(channels,)`, real or complex;
      default: the neurons, or fixed mixtures of them where there are more than four.
    - `model_axes`, `solver`, `inputs`: as in
      [`classify_orbits`][ctrnn_jax.analysis.classify_orbits].

    **Returns:** a [`FrequencyMap`][ctrnn_jax.analysis.FrequencyMap].

    **Raises:** `ValueError` for a bad argument. Failures are in `result`, lane by lane.

    **Reference:** Laskar (1993), Frequency analysis for multi-dimensional systems,
    Global dynamics and diffusion, Physica D 67, 257.
    """
    solver = default_solver(field, order=4) if solver is None else solver
    states, solver, mask = check_lanes(field, y0, solver, model_axes)
    stride = check_integer("stride", stride, minimum=1, maximum=10**9)
    span = check_span("duration", duration, positive=True)
    skipped = check_span("transient", transient, positive=False)
    halves, _ = divide("duration", span, float(dt0) * 2 * stride)
    step = span / (2 * stride * halves)
    before = divide("transient", skipped, step)[0] if skipped else 0
    return _map(
        field,
        mask,
        states,
        jnp.asarray(step, states.dtype),
        solver,
        inputs,
        _Mixture(states) if observable is None else observable,
        (before, halves, stride),
        (num_frequencies, window_order),
    )


class _Mixture(eqx.Module):
    """The default observables."""

    matrix: Float[Array, "channels n"]

    def __init__(self, states: Float[Array, "batch n"]):
        self.matrix = jnp.asarray(projections(states.shape[1]), states.dtype)

    def __call__(self, y: Float[Array, " n"]) -> Float[Array, " channels"]:
        return self.matrix @ y


@eqx.filter_jit
def _map(
    field: Callable,
    mask: PyTree,
    y0: Float[Array, "batch n"],
    step: Float[Array, ""],
    solver: diffrax.AbstractSolver,
    inputs: PyTree,
    observable: Callable,
    counts: tuple[int, int, int],
    options: tuple[int, int],
) -> FrequencyMap:
    before, half, stride = counts
    finite = jnp.all(jnp.isfinite(y0), axis=1)
    start = jnp.where(finite[:, None], y0, 0.0)

    def follow(flow: Flow, y: Array) -> tuple[Array, Array]:
        def move(index: Array, y: Array) -> Array:
            ok = jnp.broadcast_to(alive(y), y.shape)
            return jnp.where(ok, flow.step(index, jnp.where(ok, y, 0.0)), y)

        def sample(y: Array, index: Array) -> tuple[Array, Array]:
            seen = jax.vmap(observable, in_axes=-1, out_axes=-1)(y)
            return jax.lax.fori_loop(index, index + stride, move, y), seen

        y = jax.lax.fori_loop(0, before, move, y)
        last, seen = jax.lax.scan(sample, y, before + stride * jnp.arange(2 * half))
        return jnp.moveaxis(seen, -1, 0), alive(last)

    signals, inside = run_lanes(
        follow,
        field,
        mask,
        start,
        step=step,
        t0=jnp.zeros((), y0.dtype),
        solver=solver,
        inputs=inputs,
        width=1,
    )
    good = inside & finite
    shape = (-1, *(1,) * (signals.ndim - 1))
    signals = jnp.where(good.reshape(shape), signals, jnp.zeros_like(signals))
    lines, order = options

    def look(signal: Array) -> tuple[Array, Array, Array]:
        first, last = two_ends(
            jnp.stack([signal[:half], signal[half:]]),
            step * stride,
            num_frequencies=lines,
            window_order=order,
        )
        return last.angular_frequency, strength(last), line_drift(first, last)

    omega, amplitude, drift = jax.lax.map(look, signals, batch_size=_SIDE_BY_SIDE)
    result = mark(~inside, OUTCOMES.escaped, OUTCOMES.successful)
    return FrequencyMap(
        omega,
        amplitude,
        drift,
        half * stride * step,
        mark(~finite, OUTCOMES.nonfinite, result),
    )


def two_ends(
    pair: Array, spacing: ScalarLike, **options: int
) -> tuple[MainFrequencies, MainFrequencies]:
    """Return the lines of an early and of a late stretch, stacked in `pair`.

    One program for both, one after the other.
    """
    lines = jax.lax.map(lambda x: main_frequencies(x, spacing, **options), pair)
    first, last = (jax.tree.map(lambda leaf, i=i: leaf[i], lines) for i in (0, 1))
    return first, last


def strength(lines: MainFrequencies) -> Float[Array, " k"]:
    """Return the amplitude of each line over all channels."""
    amplitude = lines.amplitude
    if amplitude.ndim == 1:
        return amplitude
    return jnp.sqrt(jnp.sum(amplitude**2, axis=1))


def line_drift(first: MainFrequencies, last: MainFrequencies) -> Float[Array, " k"]:
    """Return how far each line of `last` is from the nearest of `first`.

    At most its own frequency, which is what a line with no partner gets.
    """
    own = last.angular_frequency
    gaps = jnp.abs(first.angular_frequency[None] - own[:, None])
    there = (jnp.arange(own.shape[0]) < first.count)[None]
    nearest = jnp.min(jnp.where(there, gaps, jnp.inf), axis=1)
    return jnp.minimum(nearest, jnp.abs(own))
