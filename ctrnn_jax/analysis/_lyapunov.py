"""Lyapunov exponents: how fast neighbouring orbits part, direction by direction."""

from collections.abc import Callable, Sequence

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, ArrayLike, Float, Key, PyTree, ScalarLike
from ..integrate._fixed_steps import alive
from ..matrices._checks import check_integer
from ._flow import Flow, check_span, check_start, divide, make_flow
from ._orthonormal import orthonormalise, random_frame
from ._statistics import mean_and_error
from ._status import OUTCOMES, is_okay, mark, throw_unless_okay

#: Steps between orthonormalisations, unless an interval is given.
_STEPS_PER_QR = 10


class LyapunovSpectrum(eqx.Module):
    """Lyapunov exponents of one orbit, in descending order, and how sure they are.

    An ensemble's arrays lead with the lanes.

    - `exponents`: shape `(k,)`, descending, per unit time.
    - `standard_error`: shape `(k,)`: of the mean over this orbit, from blocks of it
      and from the difference of its halves, whichever is larger. The error of the
      integrator is not in it.
    - `history`: running estimates, shape `(N, k)`; its last row is `exponents`.
    - `times`: the time averaged over in each row of `history`, shape `(N,)`, counted
      from the end of the transient.
    - `final_state`: shape `(n,)`: the end of the orbit, or its last state that was
      still good.
    - `vectors`: orthonormal, the columns of `(n, k)`: the first j span the j-
      dimensional volume that grows fastest at the end of the orbit.
    - `result`: a member of `OUTCOMES`; where it is a failure the exponents are NaN.
    """

    exponents: Float[Array, "*batch k"]
    standard_error: Float[Array, "*batch k"]
    history: Float[Array, "*batch N k"]
    times: Float[Array, " N"]
    final_state: Float[Array, "*batch n"]
    vectors: Float[Array, "*batch n k"]
    result: OUTCOMES

    @property
    def sum(self) -> Float[Array, "*batch"]:
        """Sum of the exponents: of all n, the mean divergence of the field."""
        return jnp.sum(self.exponents, axis=-1)

    @property
    def dimension(self) -> Float[Array, "*batch"]:
        r"""Kaplan–Yorke dimension, shape `()`: where the running sum turns negative.

        $D = j + \sum_{i \le j}\lambda_i / |\lambda_{j+1}|$ with j the largest number
        of exponents whose sum is not negative; k if none of the k sums is negative,
        as in a conservative system, so ask for enough exponents.
        """
        sums = jnp.cumsum(self.exponents, axis=-1)
        count = jnp.sum(jnp.cumprod((sums >= 0).astype(int), axis=-1), axis=-1)
        size = self.exponents.shape[-1]
        before = jnp.maximum(count - 1, 0)[..., None]
        whole = jnp.take_along_axis(sums, before, axis=-1)[..., 0]
        whole = jnp.where(count > 0, whole, 0.0)
        after = jnp.minimum(count, size - 1)[..., None]
        rate = jnp.take_along_axis(self.exponents, after, axis=-1)[..., 0]
        partly = (count > 0) & (count < size)
        share = jnp.where(partly, whole / jnp.where(partly, -rate, 1.0), 0.0)
        total = count.astype(share.dtype) + share
        return jnp.where(is_okay(self.result), total, jnp.nan)


def lyapunov_spectrum(
    field: Callable,
    y0: ArrayLike | Sequence,
    *,
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike = 0.0,
    num_exponents: int | None = None,
    qr_interval: ScalarLike | None = None,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
    t0: ScalarLike = 0.0,
    key: Key | None = None,
    throw: bool = False,
) -> LyapunovSpectrum:
    r"""Estimate the k largest Lyapunov exponents of the orbit from `y0`.

    $$\lambda_i = \lim_{t \to \infty} \tfrac{1}{t}\textstyle\sum \log R_{ii}$$

    k tangent vectors go with the orbit, moved by the derivative of the very step that
    moves the state, and are orthonormalised (QR) at each interval. With a solver that
    keeps volume, or a Poisson structure, the exponents therefore sum to zero, or come
    in pairs, to rounding.

    **Arguments:**

    - `field`: a `VoltageCTRNN`, `RateCTRNN`, or any `f(t, y, args)`.
    - `y0`: initial state, shape `(n,)`.
    - `dt0`: the longest step, in units of `tau`. It, `duration`, `transient` and
      `qr_interval` fix the number of steps, so they must be concrete.
    - `duration`: time to average over. The estimate's error falls like 1/√t on a
      chaotic orbit and like (log t)/t on a regular one, whose exponents are 0.
    - `transient`: time that orbit and vectors run before the averaging.
    - `num_exponents`: k in 1…n; all n by default.
    - `qr_interval`: time between orthonormalisations; ten steps by default. Between
      two of them the vectors must not collapse: keep
      $(\lambda_1 - \lambda_k)\,\Delta t$ below about 15 in float64, 6 in float32.
    - `solver`: an explicit Runge–Kutta method of diffrax, or a solver of
      `ctrnn_jax.integrate`. By default `CoordinateSplitting()` for a CTRNN whose W
      has a zero diagonal, `diffrax.Tsit5()` for all else, at constant steps.
    - `inputs`: u(t) of a model, or `args` of a function.
    - `t0`: the time at `y0`, for fields that depend on it.
    - `key`: of the random first vectors; a fixed one by default.
    - `throw`: raise if there is no answer; otherwise look at `result`.

    **Returns:** a [`LyapunovSpectrum`][ctrnn_jax.analysis.LyapunovSpectrum].

    **Raises:** `ValueError` for a bad argument. Results: `nonfinite` (the start or
    the field there is NaN or infinite), `escaped` (the orbit diverges, or the step is
    unstable), `degenerate` (tangent vectors vanished between two QR).

    **Cost:** a step costs as much as 1 + k states stepped together, O(n²k) for a
    dense W; a QR O(nk²). For many orbits use
    [`lyapunov_ensemble`][ctrnn_jax.analysis.lyapunov_ensemble], several times faster
    than `vmap` of this.

    **Reference:** Benettin et al. (1980), Meccanica 15; Geist, Parlitz and Lauterborn
    (1990), Prog. Theor. Phys. 83.
    """
    state = check_start(y0, field)
    plan = plan_run(
        dt0, duration, transient, qr_interval, num_exponents, state.shape[-1]
    )
    # Refuse a bad field or solver here, not inside the compiled program.
    eqx.filter_eval_shape(
        lambda field, state: (
            make_flow(
                field, state, dt=plan.step, t0=t0, solver=solver, inputs=inputs
            ).dt
        ),
        field,
        state,
    )
    key = jax.random.key(0) if key is None else key
    return _single(
        field,
        state,
        jnp.asarray(plan.step, state.dtype),
        jnp.asarray(t0, state.dtype),
        solver,
        inputs,
        key,
        plan.num_exponents,
        plan.skipped,
        plan.intervals,
        plan.steps,
        throw,
    )


class Plan(eqx.Module):
    """How a run is divided: `intervals` of `steps` steps, after `skipped` more."""

    step: float
    steps: int
    intervals: int
    skipped: int
    num_exponents: int


def plan_run(
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike,
    qr_interval: ScalarLike | None,
    num_exponents: int | None,
    size: int,
) -> Plan:
    """Divide the duration into equal intervals of equal steps no longer than `dt0`.

    **Raises:** `ValueError` for what cannot be divided.
    """
    count = size
    if num_exponents is not None:
        count = check_integer("num_exponents", num_exponents, minimum=1, maximum=size)
    least, _ = divide("duration", duration, dt0)
    span = check_span("duration", duration, positive=True)
    skip = check_span("transient", transient, positive=False)
    if qr_interval is None:
        interval = min(_STEPS_PER_QR * span / least, span)
    else:
        interval = check_span("qr_interval", qr_interval, positive=True)
        if interval > span * (1 + 1e-6):
            raise ValueError(
                f"qr_interval = {interval} is longer than duration = {span}."
            )
    intervals, interval = divide("duration", span, interval)
    steps, step = divide("qr_interval", interval, dt0)
    skipped = divide("transient", skip, interval)[0] if skip else 0
    return Plan(step, steps, intervals, skipped, count)


@eqx.filter_jit
def _single(
    field: PyTree,
    y0: Float[Array, " n"],
    step: Float[Array, ""],
    t0: Float[Array, ""],
    solver: diffrax.AbstractSolver | None,
    inputs: PyTree,
    key: Key,
    count: int,
    skipped: int,
    intervals: int,
    steps: int,
    throw: bool,
) -> LyapunovSpectrum:
    flow = make_flow(field, y0, dt=step, t0=t0, solver=solver, inputs=inputs)
    vectors = random_frame(y0.shape[0], count, key=key, dtype=y0.dtype)
    spectrum = measure(flow, y0, vectors, skipped, intervals, steps)
    return throw_unless_okay(spectrum, spectrum.result) if throw else spectrum


def measure(
    flow: Flow,
    y0: Float[Array, "n *batch"],
    vectors: Float[Array, "n k *batch"],
    skipped: int,
    intervals: int,
    steps: int,
) -> LyapunovSpectrum:
    """Run an orbit, or lanes, and return the spectrum with the lanes first."""
    good = jnp.all(jnp.isfinite(y0) & jnp.isfinite(flow.slope(0, y0)), axis=0)
    start = jnp.where(good, y0, 0.0)
    lost = jnp.zeros_like(good)

    def interval(state: PyTree, index: Array) -> tuple[PyTree, Array]:
        y, frame, escaped, degenerate = state
        y1, pushed = flow.advance_tangents(index * steps, steps, y, frame)
        frame1, growth = orthonormalise(pushed)
        inside = alive(y1)
        whole = jnp.all(jnp.isfinite(growth), axis=0)
        escaped = escaped | ~inside
        degenerate = degenerate | (inside & ~whole)
        # A lane that is lost stays where it was good last.
        keep = ~(escaped | degenerate)
        y, frame = jnp.where(keep, y1, y), jnp.where(keep, frame1, frame)
        growth = jnp.where(keep, growth, 0.0)
        return (y, frame, escaped, degenerate), growth

    (y, frame, escaped, degenerate), growth = jax.lax.scan(
        interval, (start, vectors, lost, lost), jnp.arange(skipped + intervals)
    )
    result = OUTCOMES.successful
    for failed, outcome in (
        (~good, OUTCOMES.nonfinite),
        (escaped, OUTCOMES.escaped),
        (degenerate, OUTCOMES.degenerate),
    ):
        result = mark(failed, outcome, result)
    length = flow.dt * steps
    rates = growth[skipped:] / length
    exponents, error = mean_and_error(rates)
    times = length * jnp.arange(1, intervals + 1).astype(length.dtype)
    over = times.reshape(-1, *(1,) * (rates.ndim - 1))
    history = jnp.cumsum(rates * length, axis=0) / over
    order = jnp.argsort(-exponents, axis=0)

    def finish(values: Array) -> Array:
        """Sort, blank what failed, and put the lanes first."""
        places = jnp.broadcast_to(order, values.shape)
        values = jnp.take_along_axis(values, places, axis=-order.ndim)
        values = jnp.where(is_okay(result), values, jnp.nan)
        return jnp.moveaxis(values, -1, 0) if y.ndim == 2 else values

    def first(values: Array) -> Array:
        return jnp.moveaxis(values, -1, 0) if y.ndim == 2 else values

    return LyapunovSpectrum(
        exponents=finish(exponents),
        standard_error=finish(error),
        history=finish(history),
        times=times,
        final_state=first(y),
        vectors=first(frame),
        result=result,
    )
