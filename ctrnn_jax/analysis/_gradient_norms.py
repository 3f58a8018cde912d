"""Whether a network's sensitivity to its past vanishes or explodes."""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, PyTree, Scalar
from ._flow import Flow, check_span, check_start, divide, make_flow
from ._status import OUTCOMES, mark

#: Growth of the norm from half the longest delay to the whole that regular motion,
#: whose tangents grow like a power of the delay, does not reach: that of a cube.
_REGULAR = 8.0


class GradientNorms(eqx.Module):
    r"""Singular values of $\partial x(t)/\partial x(t-\tau)$, as natural logarithms.

    - `delays`: τ, in units of `tau`, shape `(d,)`.
    - `log_largest`, `log_smallest`: of the largest and smallest, `(starts, d)`.
    - `log_rms`: of the root mean square, by which a gradient in a random direction is
      multiplied, `(starts, d)`.
    - `log_mean`: of the geometric mean, $|\det|^{1/n}$, `(starts, d)`.
    - `rate`: mean growth of `log_rms` a unit of time, over the second half of the
      delays, `()`.
    - `standard_error`: of the rate, from its spread over the starts, `()`; infinite
      for a single start.
    - `result`: a member of `OUTCOMES`; what follows a failure is NaN.
    """

    delays: Float[Array, " d"]
    log_largest: Float[Array, "starts d"]
    log_rms: Float[Array, "starts d"]
    log_mean: Float[Array, "starts d"]
    log_smallest: Float[Array, "starts d"]
    rate: Float[Array, ""]
    standard_error: Float[Array, ""]
    result: OUTCOMES

    @property
    def trend(self) -> str:
        """What gradients do over these delays: "explode", "vanish" or "neither".

        They explode or vanish if the root mean square changes by more than a factor of
        8, and by more than three standard errors, over the second half of the delays.
        Growth like a power of the delay, which regular motion has, is neither.
        """
        half = float(self.delays[-1]) / 2
        change, doubt = float(self.rate) * half, 3 * float(self.standard_error) * half
        if not np.isfinite(change):
            raise ValueError("There is no trend: see result for what went wrong.")
        if abs(change) <= max(np.log(_REGULAR), doubt if np.isfinite(doubt) else 0.0):
            return "neither"
        return "explode" if change > 0 else "vanish"


@full_precision
def gradient_norms(
    field: Callable,
    y0: ArrayLike,
    *,
    dt0: float,
    duration: float,
    num_delays: int = 50,
    num_starts: int = 8,
    transient: float = 0.0,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
) -> GradientNorms:
    r"""Measure how a change of the state is multiplied by the time it has travelled.

    What a loss of x(t) says about x(t−τ) comes back multiplied by the transpose of
    $M(\tau) = \partial x(t)/\partial x(t-\tau)$. Its singular values are measured at
    `num_delays` delays up to `duration`, from `num_starts` states, each the end of the
    stretch before. Undamped linear networks keep them all at 1; a leak γ multiplies
    their geometric mean by $e^{-\gamma\tau}$ in the voltage form, whatever W with a
    zero diagonal; chaos makes the largest grow like $e^{\lambda\tau}$.

    **Arguments:**

    - `field`: a model, or any `f(t, y, args)`.
    - `y0`: initial state, shape `(n,)`.
    - `dt0`: longest step, in units of `tau`.
    - `duration`: the longest delay, in units of `tau`.
    - `num_delays`: d, evenly spaced.
    - `num_starts`: stretches of the trajectory; the spread over them is the error.
    - `transient`: time discarded before the first.
    - `solver`: default `CoordinateSplitting()` where W has a zero diagonal, else
      `diffrax.Tsit5()`.
    - `inputs`: as for `simulate`.

    **Returns:** a `GradientNorms`.

    **Raises:** `ValueError` for an argument that does not fit. In the result: `escaped`
    if the orbit left the floating range; `degenerate` if the tangents did between two
    delays: ask for more of them.

    **Warning:** costs O(n²) a step for the products and O(n³) a delay. Singular values
    are those of the product of QR factors with its scale set apart, so that neither end
    of the spectrum is lost to overflow; both ends are accurate, not only the largest.

    **Reference:** Y. Bengio, P. Simard and P. Frasconi, *IEEE Trans. Neural Networks*
    5, 157 (1994), section IV.
    """
    state = check_start(y0, field)
    if num_delays < 2 or num_starts < 1:
        raise ValueError(
            "num_delays must be at least 2 and num_starts at least 1, got "
            f"{num_delays} and {num_starts}."
        )
    span = check_span("duration", duration, positive=True)
    stride, dt = divide("duration", span / num_delays, dt0)
    wait = round(check_span("transient", transient, positive=False) / dt)
    sizes = (stride, num_delays, num_starts, wait)
    return _measure(field, state, dt, sizes, solver, inputs)


@eqx.filter_jit
def _measure(
    field: Callable,
    y0: Float[Array, " n"],
    dt: float,
    sizes: tuple[int, int, int, int],
    solver: diffrax.AbstractSolver | None,
    inputs: PyTree,
) -> GradientNorms:
    stride, num_delays, num_starts, wait = sizes
    flow = make_flow(field, y0, dt=dt, solver=solver, inputs=inputs)
    y = flow.advance(0, wait, y0)

    def follow(
        y: Float[Array, " n"], start: Array
    ) -> tuple[Float[Array, " n"], Float[Array, "d 4"]]:
        first = wait + start * (num_delays * stride)
        return _follow(flow, y, first, stride, num_delays)

    y, logs = jax.lax.scan(follow, y, jnp.arange(num_starts))
    delays = (jnp.arange(num_delays) + 1).astype(y.dtype) * (stride * flow.dt)
    largest, rms, mean, smallest = jnp.moveaxis(logs, -1, 0)
    rates = _slope(delays, rms)
    okay = jnp.all(jnp.isfinite(y))
    result = mark(~okay, OUTCOMES.escaped, OUTCOMES.successful)
    result = mark(~jnp.all(jnp.isfinite(logs)), OUTCOMES.degenerate, result)
    error = jnp.asarray(jnp.inf, y.dtype)
    if num_starts > 1:
        error = jnp.std(rates, ddof=1) / num_starts**0.5
    return GradientNorms(
        delays, largest, rms, mean, smallest, jnp.mean(rates), error, result
    )


def _follow(
    flow: Flow, y: Float[Array, " n"], first: Array, stride: int, num_delays: int
) -> tuple[Float[Array, " n"], Float[Array, "d 4"]]:
    """Return the state after the longest delay, and the logarithms at each delay.

    M = Q R_k … R_1. The product of the R is kept at norm 1, and so is that of their
    inverses, whose largest singular value is the smallest of M.
    """
    size = y.size
    eye = jnp.eye(size, dtype=y.dtype)
    zero = jnp.zeros((), y.dtype)

    def onward(carry: PyTree, index: Array) -> tuple[PyTree, Float[Array, " 4"]]:
        y, basis, ahead, back, scales = carry
        y, moved = flow.advance_tangents(first + index * stride, stride, y, basis)
        basis, factor = jnp.linalg.qr(moved)
        ahead, grown = _normalise(factor @ ahead)
        inverse = jax.scipy.linalg.solve_triangular(factor, eye)
        back, shrunk = _normalise(back @ inverse)
        volume = jnp.sum(jnp.log(jnp.abs(jnp.diagonal(factor))))
        scales = scales + jnp.stack([grown, shrunk, volume])
        top, bottom = _largest(ahead), _largest(back)
        logs = jnp.stack(
            [
                scales[0] + jnp.log(top),
                # The product has Frobenius norm 1.
                scales[0] - 0.5 * jnp.log(jnp.asarray(size, y.dtype)),
                scales[2] / size,
                -scales[1] - jnp.log(bottom),
            ]
        )
        return (y, basis, ahead, back, scales), logs

    start = (y, eye, eye, eye, jnp.stack([zero, zero, zero]))
    (y, *_), logs = jax.lax.scan(onward, start, jnp.arange(num_delays))
    return y, logs


def _normalise(matrix: Float[Array, "n n"]) -> tuple[Float[Array, "n n"], Scalar]:
    size = jnp.linalg.norm(matrix)
    return matrix / size, jnp.log(size)


def _largest(matrix: Float[Array, "n n"]) -> Scalar:
    return jnp.linalg.norm(matrix, ord=2)


def _slope(
    delays: Float[Array, " d"], logs: Float[Array, "starts d"]
) -> Float[Array, " starts"]:
    """Return the slope of a straight line through the second half of each row."""
    half = delays.shape[0] // 2
    x = delays[half - 1 :] - jnp.mean(delays[half - 1 :])
    return logs[:, half - 1 :] @ x / jnp.sum(x**2)
