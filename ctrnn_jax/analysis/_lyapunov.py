"""Lyapunov exponents: how fast neighbouring orbits part, direction by direction."""

from collections.abc import Callable, Sequence
from functools import partial

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, Key, PyTree, ScalarLike
from ..matrices._checks import check_integer
from ._flow import Flow
from ._lanes import lanes_first
from ._orthonormal import orthonormalise, random_frame
from ._run import Run, set_up
from ._statistics import mean_and_error
from ._status import OUTCOMES, is_okay, throw_unless_okay
from ._tangent import choose, follow


class LyapunovSpectrum(eqx.Module):
    """Lyapunov exponents of one orbit, in descending order, and how sure they are.

    An ensemble's arrays lead with the lanes.

    - `exponents`: shape `(k,)`, descending, per unit time.
    - `standard_error`: shape `(k,)`: of the mean over this orbit, from the slowest
      part of its fluctuations, drift included. Within 20 % for the exponents of long
      chaotic orbits; several times too large for exponents that are exactly zero,
      whose fluctuations cancel. The error of the integrator is not in it.
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


@full_precision
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
    keeps volume all n exponents therefore sum to zero to rounding, and with one that
    keeps the Poisson structure they pair as closely as they have converged.

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
    dense W; a QR O(nk²). All 256 exponents of 256 neurons take some 4 ms a step on
    one core in float64, so t = 1000 with `dt0=0.1` less than a minute. Compiling the
    splitting of a dense W takes as long again at that size; `solver=RK4()` seconds.
    For many orbits use [`lyapunov_ensemble`][ctrnn_jax.analysis.lyapunov_ensemble],
    several times faster than `vmap` of this.

    **Reference:** Benettin et al. (1980), Meccanica 15; Geist, Parlitz and Lauterborn
    (1990), Prog. Theor. Phys. 83.
    """
    run = set_up(
        field,
        y0,
        ndim=1,
        dt0=dt0,
        duration=duration,
        transient=transient,
        interval=qr_interval,
        interval_name="qr_interval",
        solver=solver,
        inputs=inputs,
        t0=t0,
    )
    return spectrum(run, num_exponents, key, throw)


def spectrum(
    run: Run, num_exponents: int | None, key: Key | None, throw: bool
) -> LyapunovSpectrum:
    """Return the spectrum of an orbit, or of an ensemble."""
    size = run.y0.shape[-1]
    count = size
    if num_exponents is not None:
        count = check_integer("num_exponents", num_exponents, minimum=1, maximum=size)
    return _spectrum(run, count, jax.random.key(0) if key is None else key, throw)


@eqx.filter_jit
def _spectrum(run: Run, count: int, key: Key, throw: bool) -> LyapunovSpectrum:
    frame = random_frame(run.y0.shape[-1], count, key=key, dtype=run.y0.dtype)
    measure = partial(
        _measure, skipped=run.skipped, intervals=run.intervals, steps=run.steps
    )
    exponents, error, history, final, vectors, result = run.measure(measure, frame)
    found = LyapunovSpectrum(
        exponents, error, history, run.times, final, vectors, result
    )
    return throw_unless_okay(found, result) if throw else found


def _measure(
    flow: Flow,
    y0: Float[Array, "n *batch"],
    vectors: Float[Array, "n k *batch"],
    *,
    skipped: int,
    intervals: int,
    steps: int,
) -> tuple[Array, Array, Array, Array, Array, OUTCOMES]:
    """Run an orbit, or lanes; return a spectrum's fields but `times`, lanes first."""

    def renew(pushed: Array) -> tuple[Array, Array, Array]:
        frame, growth = orthonormalise(pushed)
        return frame, growth, jnp.all(jnp.isfinite(growth), axis=0)

    y, frame, growth, result = follow(
        flow, y0, vectors, renew, intervals=skipped + intervals, steps=steps
    )
    rates = growth[skipped:] / (flow.dt * steps)
    exponents, error = mean_and_error(rates)
    counts = jnp.arange(1, intervals + 1).astype(rates.dtype)
    history = jnp.cumsum(rates, axis=0) / counts.reshape(-1, *(1,) * exponents.ndim)
    order = jnp.argsort(-exponents, axis=0)
    good = is_okay(result)

    def finish(values: Array) -> Array:
        places = jnp.broadcast_to(order, values.shape)
        values = jnp.take_along_axis(values, places, axis=-order.ndim)
        return choose(good, values, jnp.nan)

    arrays = (finish(exponents), finish(error), finish(history), y, frame)
    return *lanes_first(arrays, single=y.ndim == 1), result
