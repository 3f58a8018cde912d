"""Covariant Lyapunov vectors: the directions themselves, which the flow maps."""

from collections.abc import Callable, Sequence

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, Key, PyTree, ScalarLike
from ..integrate._fixed_steps import alive
from ..matrices._checks import check_integer
from ._flow import make_flow
from ._orthonormal import random_frame, signed_qr
from ._run import Run, set_up
from ._status import OUTCOMES, is_okay, mark, throw_unless_okay


class CovariantVectors(eqx.Module):
    r"""Covariant Lyapunov vectors along a stretch of one orbit.

    - `ts`, `ys`: times and states, shapes `(N,)` and `(N, n)`.
    - `vectors`: unit vectors, the columns of `(N, n, k)`. The flow carries column i
      at one time to column i at the next, times $\pm e^{\text{rate}\,\Delta t}$.
    - `rates`: growth rates from each time to the next, shape `(N, k)`; their means are
      the exponents of this stretch.
    - `exponents`: shape `(k,)`, in the order of the vectors, which is descending but
      for the noise of a finite orbit.
    - `result`: a member of `OUTCOMES`; where it is a failure, all but `ts` is NaN.
    """

    ts: Float[Array, " N"]
    ys: Float[Array, "N n"]
    vectors: Float[Array, "N n k"]
    rates: Float[Array, "N k"]
    exponents: Float[Array, " k"]
    result: OUTCOMES


@full_precision
def covariant_vectors(
    field: Callable,
    y0: ArrayLike | Sequence,
    *,
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike,
    num_vectors: int | None = None,
    qr_interval: ScalarLike | None = None,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
    t0: ScalarLike = 0.0,
    key: Key | None = None,
    throw: bool = False,
) -> CovariantVectors:
    r"""Find the k fastest covariant Lyapunov vectors along an orbit.

    Orthonormal vectors Q are carried forward and renewed by $M Q_j = Q_{j+1}
    R_{j+1}$; any upper triangular C carried backward by $C_j \propto R_{j+1}^{-1}
    C_{j+1}$ turns to the one for which $Q_j C_j$ are covariant.

    **Arguments:** as [`lyapunov_spectrum`][ctrnn_jax.analysis.lyapunov_spectrum],
    except

    - `transient`: time discarded before the stretch, for Q to turn, and again after
      it, for C to turn: some multiples of the inverse of the smallest gap between
      the exponents.
    - `num_vectors`: k in 1…n; all n by default.

    **Returns:** [`CovariantVectors`][ctrnn_jax.analysis.CovariantVectors] at the start
    of each interval of the stretch of length `duration`.

    **Raises:** as `lyapunov_spectrum`.

    **Warning:** where exponents coincide (the two zeros of a conservative network)
    only the space spanned by their vectors is determined, and no transient is long
    enough to tell the vectors apart.

    **Cost:** as `lyapunov_spectrum` over duration + 2·transient, and memory for
    `(N + transient/qr_interval) · (n k + k²)` numbers.

    **Reference:** Ginelli et al. (2007), Phys. Rev. Lett. 99, 130601.
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
    size = run.y0.shape[0]
    count = size
    if num_vectors is not None:
        count = check_integer("num_vectors", num_vectors, minimum=1, maximum=size)
    return _covariant(run, count, jax.random.key(0) if key is None else key, throw)


@eqx.filter_jit
def _covariant(run: Run, count: int, key: Key, throw: bool) -> CovariantVectors:
    flow = make_flow(
        run.field,
        run.y0,
        dt=run.step,
        t0=run.t0,
        solver=run.solver,
        inputs=run.inputs,
    )
    frame_key, back_key = jax.random.split(key)
    frame = random_frame(run.y0.shape[0], count, key=frame_key, dtype=run.y0.dtype)
    good = jnp.all(jnp.isfinite(run.y0) & jnp.isfinite(flow.slope(0, run.y0)))

    def forward(state: PyTree, index: Array) -> tuple[PyTree, PyTree]:
        y, frame = state
        y1, pushed = flow.advance_tangents(index * run.steps, run.steps, y, frame)
        frame1, triangle = signed_qr(pushed)
        return (y1, frame1), (y, frame, triangle)

    total = run.intervals + 2 * run.skipped
    (end, _), (ys, frames, triangles) = jax.lax.scan(
        forward, (jnp.where(good, run.y0, 0.0), frame), jnp.arange(total)
    )

    def backward(coefficients: Array, triangle: Array) -> tuple[Array, PyTree]:
        earlier = jax.scipy.linalg.solve_triangular(triangle, coefficients)
        lengths = jnp.linalg.norm(earlier, axis=0)
        earlier = earlier / lengths[None]
        return earlier, (earlier, -jnp.log(lengths))

    start = jnp.triu(jax.random.normal(back_key, (count, count), frame.dtype))
    start = start + jnp.eye(count, dtype=frame.dtype)
    start = start / jnp.linalg.norm(start, axis=0)[None]
    _, (coefficients, growth) = jax.lax.scan(backward, start, triangles, reverse=True)
    kept = slice(run.skipped, run.skipped + run.intervals)
    vectors = jnp.einsum(
        "tnk,tkj->tnj",
        frames[kept],
        coefficients[kept],
        precision=jax.lax.Precision.HIGHEST,
    )
    rates = growth[kept] / run.interval
    escaped = ~alive(end)
    flat = ~jnp.all(jnp.isfinite(vectors) & jnp.isfinite(rates[:, None]))
    result = mark(~good, OUTCOMES.nonfinite, OUTCOMES.successful)
    result = mark(flat, OUTCOMES.degenerate, mark(escaped, OUTCOMES.escaped, result))
    okay = is_okay(result)
    ys, vectors, rates = (
        jnp.where(okay, values, jnp.nan) for values in (ys[kept], vectors, rates)
    )
    found = CovariantVectors(
        flow.time(run.steps * jnp.arange(run.skipped, run.skipped + run.intervals)),
        ys,
        vectors,
        rates,
        jnp.mean(rates, axis=0),
        result,
    )
    return throw_unless_okay(found, result) if throw else found
