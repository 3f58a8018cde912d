"""Is it chaos? Indicators that answer long before the exponents have converged."""

import math
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
from ._status import OUTCOMES, is_okay, throw_unless_okay
from ._tangent import choose, follow


class ChaosIndicators(eqx.Module):
    r"""Fast indicators of chaos along one orbit, with their course in time.

    An ensemble's arrays lead with the lanes, and its histories are `None`.

    - `megno`: shape `()`: near 2 for quasi-periodic motion, near 0 to 2 for motion
      near a stable periodic one, and about $\lambda t/2$ for chaos.
    - `exponent`: shape `()`: the largest Lyapunov exponent over the second half of
      the orbit, per unit time: from the growth of the first vector, which has turned
      to the fastest direction in the first half.
    - `log_gali`: shape `()`: the logarithm of the volume GALI_k of k unit deviation
      vectors, 0 for k = 1. It falls in proportion to t for chaos, to log t or not at
      all for regular motion. Near log eps (-36, or -16 in float32) it stops.
    - `megno_history`, `log_gali_history`: the same after each interval, shape `(N,)`.
    - `times`: shape `(N,)`, from the end of the transient.
    - `result`: a member of `OUTCOMES`; where it is a failure the numbers are NaN.
    """

    megno: Float[Array, "*batch"]
    exponent: Float[Array, "*batch"]
    log_gali: Float[Array, "*batch"]
    megno_history: Float[Array, " N"] | None
    log_gali_history: Float[Array, " N"] | None
    times: Float[Array, " N"]
    result: OUTCOMES


@full_precision
def chaos_indicators(
    field: Callable,
    y0: ArrayLike | Sequence,
    *,
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike = 0.0,
    order: int = 2,
    interval: ScalarLike | None = None,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
    t0: ScalarLike = 0.0,
    key: Key | None = None,
    throw: bool = False,
) -> ChaosIndicators:
    r"""Tell regular from chaotic motion by deviation vectors: MEGNO and SALI/GALI.

    MEGNO is the time average of $Y(t) = \tfrac{2}{t}\int_0^t
    \tfrac{\dot\delta}{\delta}\,s\,\mathrm{d}s$ with δ the length of one deviation
    vector. GALI_k is the volume of k such vectors, each of length 1 and never
    orthogonalised; GALI_2 is SALI up to a factor between 1 and √2:

    $$\mathrm{GALI}_k \propto e^{-[(\lambda_1 - \lambda_2) + \dots +
    (\lambda_1 - \lambda_k)]t}\ \text{(chaos)}.$$

    **Arguments:** as [`lyapunov_spectrum`][ctrnn_jax.analysis.lyapunov_spectrum], and

    - `order`: k in 1…n. 2 is SALI; 1 leaves GALI out, for half the cost; more tells
      the dimension of a torus, since GALI_k stays constant for k up to that dimension.
    - `interval`: time between renormalisations, and between entries of the
      histories; ten steps by default.

    **Returns:** [`ChaosIndicators`][ctrnn_jax.analysis.ChaosIndicators].

    **Raises:** as `lyapunov_spectrum`.

    **Warning:** nothing decides in finite time between a regular orbit and chaos with
    an exponent below about 10/t. Where two large exponents are close, as in big
    networks, SALI falls slowly and MEGNO is the better witness. A fixed point or a
    linear system may give any MEGNO.

    **Cost:** as `lyapunov_spectrum` with `order` exponents.

    **Reference:** Cincotta, Giordano and Simó (2003), Physica D 182 (MEGNO); Skokos,
    Bountis and Antonopoulos (2007), Physica D 231 (GALI).
    """
    run = set_up(
        field,
        y0,
        ndim=1,
        dt0=dt0,
        duration=duration,
        transient=transient,
        interval=interval,
        interval_name="interval",
        solver=solver,
        inputs=inputs,
        t0=t0,
    )
    return _indicators(run, _check_order(order, run), _key(key), throw)


@full_precision
def chaos_ensemble(
    field: Callable,
    y0: ArrayLike | Sequence,
    *,
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike = 0.0,
    order: int = 2,
    interval: ScalarLike | None = None,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
    model_axes: PyTree = None,
    t0: ScalarLike = 0.0,
    key: Key | None = None,
    throw: bool = False,
) -> ChaosIndicators:
    """Tell regular from chaotic motion for many orbits in one call.

    What `jax.vmap` of [`chaos_indicators`][ctrnn_jax.analysis.chaos_indicators] gives
    without the histories, two to three times faster and in little memory: lanes are
    last, in chunks that fit the cache, and shared out over all local devices.

    **Arguments:** as `chaos_indicators`, except

    - `y0`: initial states, shape `(batch, n)`.
    - `model_axes`: which arrays of a model lead with the lane axis, as in
      [`simulate_ensemble`][ctrnn_jax.integrate.simulate_ensemble].

    **Returns:** [`ChaosIndicators`][ctrnn_jax.analysis.ChaosIndicators] with `megno`,
    `exponent`, `log_gali` and `result` of shape `(batch,)`, and no histories.

    **Raises:** as `chaos_indicators`; a lane that fails costs that lane only.

    **Cost:** in float64 on one core of a 2020s server, one W for all lanes, the
    default splitting and `order=1`: 0.03, 0.13, 0.95 and 3.2 µs an orbit and step at
    n = 2, 8, 32 and 64; `order=2` takes 1.2 to 1.8 times, and a W of its own in each
    lane 1.5 to 3 times as long. The splitting compiles in 10 s at n = 64 and longer
    beyond; `solver=RK4()` in 2 s, at much the same speed, but it keeps no structure.
    """
    run = set_up(
        field,
        y0,
        ndim=2,
        dt0=dt0,
        duration=duration,
        transient=transient,
        interval=interval,
        interval_name="interval",
        solver=solver,
        inputs=inputs,
        t0=t0,
        model_axes=model_axes,
    )
    return _indicators(run, _check_order(order, run), _key(key), throw)


def _check_order(order: int, run: Run) -> int:
    return check_integer("order", order, minimum=1, maximum=run.y0.shape[-1])


def _key(key: Key | None) -> Key:
    return jax.random.key(0) if key is None else key


@eqx.filter_jit
def _indicators(run: Run, order: int, key: Key, throw: bool) -> ChaosIndicators:
    vectors = random_frame(run.y0.shape[-1], order, key=key, dtype=run.y0.dtype)
    measure = partial(
        _measure, skipped=run.skipped, intervals=run.intervals, steps=run.steps
    )
    megno, log_gali, exponent, result = run.measure(measure, vectors)
    single = run.y0.ndim == 1
    found = ChaosIndicators(
        megno[..., -1],
        exponent,
        log_gali[..., -1],
        megno if single else None,
        log_gali if single else None,
        run.times,
        result,
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
) -> tuple[Array, Array, Float[Array, "*batch"], OUTCOMES]:
    """Return MEGNO and log GALI after each interval, and the exponent, lanes first."""

    def renew(pushed: Array) -> tuple[Array, tuple[Array, Array], Array]:
        lengths = jnp.sqrt(jnp.sum(pushed**2, axis=0))
        whole = jnp.all((lengths > 0) & jnp.isfinite(lengths), axis=0)
        units = pushed / choose(whole, lengths, 1.0)[None]
        return units, (jnp.log(lengths[0]), _log_volume(units)), whole

    _, _, (growth, volume), result = follow(
        flow, y0, vectors, renew, intervals=skipped + intervals, steps=steps
    )
    growth, volume = growth[skipped:], volume[skipped:]
    counts = jnp.arange(1, intervals + 1).astype(y0.dtype)
    counts = counts.reshape(-1, *(1,) * (growth.ndim - 1))
    # The growth of an interval counts with the time of its middle, in intervals.
    y = 2 * jnp.cumsum((counts - 0.5) * growth, axis=0) / counts
    megno = jnp.cumsum(y, axis=0) / counts
    exponent = jnp.mean(growth[intervals // 2 :], axis=0) / (flow.dt * steps)
    good = is_okay(result)
    arrays = tuple(choose(good, x, jnp.nan) for x in (megno, volume, exponent))
    return *lanes_first(arrays, single=y0.ndim == 1), result


def _log_volume(units: Float[Array, "n k *batch"]) -> Float[Array, "*batch"]:
    """Return the logarithm of the volume of unit vectors, not below that of eps."""
    if units.shape[1] == 1:
        return jnp.zeros_like(units[0, 0])
    volume = jnp.sum(orthonormalise(units)[1], axis=0)
    # No more than rounding may be left of the volume.
    return jnp.clip(volume, math.log(jnp.finfo(units.dtype).eps), 0.0)
