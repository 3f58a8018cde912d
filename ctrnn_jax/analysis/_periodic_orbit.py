"""Periodic orbits by shooting, isolated ones and those of conservative families."""

import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, Int, PyTree, Scalar, ScalarLike, Vector
from ..matrices._checks import check_integer, is_concrete
from ._conserved import Conserved, levels_and_gradients, resolve
from ._first_return import Return, first_return, turning_time
from ._flow import check_span, check_start
from ._segments import (
    autonomous,
    default_tolerance,
    flow_time,
    half_range,
    sample_segments,
)
from ._shooting import close_orbit
from ._status import OUTCOMES, is_okay, mark

#: Numbers of rounds that a first guess may turn out to have gone.
_ROUNDS = (2, 3, 4, 5, 6, 8)
#: Samples of an orbit, at least; a multiple of each of the above.
_SAMPLES = 240
#: Doublings of the time in which a first return is looked for.
_DOUBLINGS = 9


class PeriodicOrbit(eqx.Module):
    r"""A closed orbit $\varphi_T(x) = x$, and how well it closes.

    - `y0`: a state on it, shape `(n,)`.
    - `period`: T > 0, in units of `tau`, `()`; NaN where there is no orbit.
    - `ts`, `ys`: the orbit over one period, both ends included, shapes `(s,)`,
      `(s, n)`; evenly spaced, s − 1 is the least multiple of m and 240.
    - `nodes`: states T/m apart, the first is `y0`, shape `(m, n)`.
    - `monodromies`: derivative of the flow over each segment, shape `(m, n, n)`.
    - `miss`: largest gap where segments meet, `()`; about the tolerance.
    - `levels`: values of the conserved quantities, shape `(k,)`; k = 0 for none.
    - `rounds`: how often the orbit is gone round in `period`, `()`: 1, except under
      `jit`, where a multiple of the period is found out but not mended.
    - `rank_deficiency`: `()`; 0 for an orbit that is isolated once the conserved
      quantities are pinned. More: it belongs to a family with so many more
      parameters, or is at a bifurcation, and the one found is near the start.
    - `num_steps`: evaluations of the shooting equations, `()`.
    - `result`: `successful`; `no_crossing` (the orbit did not come back in the time
      allowed); `escaped`; `not_converged`; `trivial` (a fixed point, or a period that
      went to 0).
    """

    y0: Vector
    period: Scalar
    ts: Float[Array, " s"]
    ys: Float[Array, "s n"]
    nodes: Float[Array, "m n"]
    monodromies: Float[Array, "m n n"]
    miss: Scalar
    levels: Float[Array, " k"]
    rounds: Int[Array, ""]
    rank_deficiency: Int[Array, ""]
    num_steps: Int[Array, ""]
    result: OUTCOMES

    @property
    def angular_frequency(self) -> Scalar:
        """2π/T, in radians per unit time."""
        return 2 * jnp.pi / self.period

    @property
    def amplitude(self) -> Vector:
        """Half the range of each neuron, shape `(n,)`; from parabolas at the peaks."""
        return half_range(self.ys)


@full_precision
def find_periodic_orbit(
    field: Callable,
    y0: ArrayLike,
    period: ScalarLike | None = None,
    *,
    inputs: PyTree = None,
    conserved: Conserved = None,
    transient: ScalarLike = 0.0,
    max_period: ScalarLike | None = None,
    num_segments: int = 1,
    tolerance: float | None = None,
    max_steps: int = 30,
) -> PeriodicOrbit:
    r"""Find the periodic orbit near a state: $\varphi_T(x) = x$.

    Shooting: Newton's method on the map over one period, or over `num_segments` parts
    of it at once. Where the field conserves something, orbits come in families; the
    one found has the conserved quantities of the start.

    **Arguments:**

    - `field`: a model, or any `f(t, y, args)` that does not depend on t.
    - `y0`: a state near the orbit, shape `(n,)`; or states along it, T/m apart, shape
      `(m, n)`, with a guess of T: for orbits too unstable to be followed round.
    - `period`: a guess of T. By default the time of the first return that comes
      within a fifth of the orbit's size, from a section through `y0` across the flow.
    - `inputs`: the `args` of the field; a model's u must not depend on t.
    - `conserved`: functions of one state that are constant along orbits, their
      gradients independent. By default those of
      [`conserved_quantities`][ctrnn_jax.analysis.conserved_quantities]; under `jit`
      find them outside, and give `()` for a field that conserves nothing.
    - `transient`: follow the flow for this long first, to come near an attracting
      cycle.
    - `max_period`: how long to wait for a return; by default the time doubles from 16
      times the turning time ‖f‖/‖Df f‖ of the start, nine times. Needed under `jit`
      where no period is given.
    - `num_segments`: m. More for orbits along which nearby ones separate by more than
      about 1e6 a period.
    - `tolerance`: local error of the integration (Dormand–Prince 8, adaptive), rtol =
      atol; by default eps^(3/4): 2e-12 in float64, 1e-5 in float32.
    - `max_steps`: evaluations of Newton's method.

    **Returns:** a [`PeriodicOrbit`][ctrnn_jax.analysis.PeriodicOrbit]. T is the least
    period, unless that is less than an eighth of what was first found, and accurate
    to about 100 tolerances times the condition of the orbit.

    **Cost:** a solve of n(n + 1) equations a Newton step, and a dense decomposition of
    size mn + k + 1.

    **Raises:** `ValueError` for a bad argument; at run time for a field that depends on
    time. Everything else is in `result`.

    **Reference:** Stoer and Bulirsch (2002), section 7.3.5, for multiple shooting;
    Muñoz-Almaraz, Freire, Galán, Doedel and Vanderbauwhede (2003), Physica D 181,
    for the unfolding by conserved quantities.
    """
    nodes = None
    if np.ndim(y0) == 2:
        nodes = check_start(y0, field, ndim=2)
        y0, num_segments = nodes[0], nodes.shape[0]
        if period is None:
            raise ValueError(
                "With states along the orbit, y0 of shape (m, n), give period too: "
                "they are a time period/m apart."
            )
    start = check_start(y0, field)
    num_segments = check_integer("num_segments", num_segments, minimum=1, maximum=10**4)
    max_steps = check_integer("max_steps", max_steps, minimum=1, maximum=10**6)
    if period is not None and is_concrete(period):
        check_span("period", period, positive=True)
    if max_period is not None and is_concrete(max_period):
        check_span("max_period", max_period, positive=True)
    if is_concrete(transient):
        check_span("transient", transient, positive=False)
    if tolerance is None:
        tolerance = default_tolerance(start.dtype)
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must be in (0, 1), got {tolerance}.")
    functions = resolve(conserved, field, inputs)
    dtype = start.dtype
    local = jnp.asarray(tolerance, dtype)
    start = _check_autonomous(field, start, inputs)
    fine = jnp.all(jnp.isfinite(start))
    if not is_concrete(transient) or np.asarray(transient) > 0:
        span = jnp.asarray(transient, dtype)
        start, fine = _settle(field, start, inputs, span, local)
    if period is not None:
        guess = Return(jnp.asarray(period, dtype), local, jnp.ones((), int), fine)
    else:
        guess = _guess(field, start, inputs, max_period)
    steps = jnp.asarray(max_steps)
    if nodes is None:
        nodes = _spread(field, start, guess, inputs, local, num_segments)
    orbit = _find(field, nodes, guess, inputs, functions, local, steps)
    while is_concrete(orbit.rounds) and is_okay(orbit.result) and orbit.rounds > 1:
        least = orbit.period / orbit.rounds.astype(dtype)
        guess = Return(least, local, jnp.ones((), int), fine)
        nodes = _spread(field, orbit.y0, guess, inputs, local, num_segments)
        orbit = _find(field, nodes, guess, inputs, functions, local, steps)
    return orbit


def _guess(
    field: Callable, start: Vector, inputs: PyTree, max_period: ScalarLike | None
) -> Return:
    """Look for a return, for longer and longer unless a time is given."""
    if max_period is not None:
        return _look(field, start, inputs, jnp.asarray(max_period, start.dtype))
    if not is_concrete(start):
        raise ValueError(
            "Under jit and vmap give period, or max_period: how long to wait for a "
            "return cannot be decided there."
        )
    horizon = 16 * _turning_time(field, start, inputs)
    found = _look(field, start, inputs, horizon)
    for _ in range(_DOUBLINGS):
        if not found.okay or found.is_close:
            break
        horizon = 2 * horizon
        later = _look(field, start, inputs, horizon)
        # A solve that ran out of steps leaves what was found before.
        if not later.okay:
            break
        found = later
    return found


@eqx.filter_jit
def _turning_time(field: Callable, start: Vector, inputs: PyTree) -> Scalar:
    return turning_time(autonomous(field, inputs), start)


@eqx.filter_jit
def _look(field: Callable, start: Vector, inputs: PyTree, horizon: Scalar) -> Return:
    # A guess: a thousandth of the digits that Newton will give is enough.
    tolerance = jnp.asarray(jnp.finfo(start.dtype).eps ** 0.5, start.dtype)
    return first_return(autonomous(field, inputs), start, horizon, tolerance)


@eqx.filter_jit
def _check_autonomous(field: Callable, start: Vector, inputs: PyTree) -> Vector:
    early, late = (
        field(jnp.asarray(t, start.dtype), start, inputs) for t in (0.0, 0.7310585786)
    )
    return eqx.error_if(
        start,
        jnp.all(jnp.isfinite(start)) & jnp.any(early != late),
        "The field depends on time, so its orbits do not close. Hold the inputs "
        "constant, or add the phase of the drive as a state.",
    )


@eqx.filter_jit
def _settle(
    field: Callable, start: Vector, inputs: PyTree, transient: Scalar, tolerance: Scalar
) -> tuple[Vector, Array]:
    """Follow the flow for a while."""
    none = jnp.zeros((0,), start.dtype)
    rhs = autonomous(field, inputs)
    end, okay = flow_time(rhs, start, none, transient, tolerance)
    return jnp.where(okay, end, start), okay


@eqx.filter_jit
def _spread(
    field: Callable,
    start: Vector,
    guess: Return,
    inputs: PyTree,
    tolerance: Scalar,
    num_segments: int,
) -> Float[Array, "m n"]:
    """Return states a time period/m apart along the orbit of `start`."""
    if num_segments == 1:
        return start[None]
    rhs = autonomous(field, inputs)
    ys, _ = sample_segments(rhs, start[None], guess.time, tolerance, num_segments)
    return ys[:-1]


@eqx.filter_jit
def _find(
    field: Callable,
    nodes: Float[Array, "m n"],
    guess: Return,
    inputs: PyTree,
    conserved: tuple[Callable, ...],
    tolerance: Scalar,
    max_steps: Int[Array, ""],
) -> PeriodicOrbit:
    rhs = autonomous(field, inputs)
    at_rest = ~(jnp.linalg.norm(rhs(nodes[0], jnp.zeros((0,), nodes.dtype))) > 0)
    found = guess.okay & (guess.crossings > 0) & (guess.time > 0)
    period = jnp.where(found, guess.time, 1.0)
    levels, _ = levels_and_gradients(conserved, nodes[0])
    closed, shot, newton = close_orbit(
        rhs,
        nodes,
        period,
        levels,
        conserved,
        tolerance=tolerance,
        # Where there is no return there is nothing to improve.
        max_steps=jnp.where(found, max_steps, 0),
    )
    count = nodes.shape[0]
    per_segment = math.lcm(_SAMPLES, count) // count
    ys, fine = sample_segments(rhs, closed.nodes, closed.period, tolerance, per_segment)
    away = jnp.linalg.norm(ys - ys[:1], axis=1)
    size, scale = jnp.max(away), 1.0 + jnp.linalg.norm(ys[0])
    # Gaps up to 100 tolerances are closed: an orbit no larger is none.
    still = ~(size > 1e4 * tolerance * scale)
    # Passing the start after a q-th of the period, it is gone round q times.
    rounds = jnp.ones((), int)
    for q in _ROUNDS:
        back = away[(ys.shape[0] - 1) // q] <= 1e-5 * size
        rounds = jnp.where(back, q, rounds)
    result = mark(~guess.okay, OUTCOMES.escaped, OUTCOMES.successful)
    result = mark(at_rest, OUTCOMES.trivial, result)
    result = mark(~found, OUTCOMES.no_crossing, result)
    result = mark(~(newton.converged & fine), OUTCOMES.not_converged, result)
    result = mark(still, OUTCOMES.trivial, result)
    period = jnp.where(is_okay(result), closed.period, jnp.nan)
    ts = jnp.arange(ys.shape[0], dtype=ys.dtype) / (ys.shape[0] - 1)
    return PeriodicOrbit(
        y0=closed.nodes[0],
        period=period,
        ts=ts * period,
        ys=ys,
        nodes=closed.nodes,
        monodromies=shot.monodromies,
        miss=shot.miss,
        levels=levels,
        rounds=jnp.where(is_okay(result), rounds, 1),
        rank_deficiency=newton.rank_deficiency,
        num_steps=newton.num_steps,
        result=result,
    )
