"""Poincaré sections: where an orbit meets a surface, again and again."""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, Int, PyTree, ScalarLike
from ..integrate._fixed_steps import alive
from ..matrices._checks import check_integer
from ._crossings import as_section, check_direction, crosses, locate_crossing
from ._flow import check_span, check_start, default_solver, divide, make_flow
from ._status import OUTCOMES, mark


class PoincareSection(eqx.Module):
    """What [`poincare_section`][ctrnn_jax.analysis.poincare_section] returns.

    - `ts`: times of the crossings, shape `(max_crossings,)`, in units of `tau`; from
      `count` on they are NaN, which plots leave out.
    - `ys`: states there, shape `(max_crossings, n)`, NaN likewise.
    - `count`: how many are stored.
    - `total`: how many there were; more than `count` if `max_crossings` was too small.
    - `result`: `successful`, `no_crossing`, or `escaped` (what was found before stays).
    """

    ts: Float[Array, " crossings"]
    ys: Float[Array, "crossings n"]
    count: Int[Array, ""]
    total: Int[Array, ""]
    result: OUTCOMES

    @property
    def points(self) -> np.ndarray:
        """The crossings found, shape `(count, n)`; not under a JAX transform."""
        return np.asarray(self.ys)[: int(self.count)]

    @property
    def times(self) -> np.ndarray:
        """Times of the crossings found, shape `(count,)`; not under a transform."""
        return np.asarray(self.ts)[: int(self.count)]


@full_precision
def poincare_section(
    field: Callable,
    y0: ArrayLike,
    *,
    section: Callable | tuple,
    dt0: ScalarLike,
    duration: ScalarLike,
    direction: int = 1,
    transient: ScalarLike = 0.0,
    max_crossings: int = 1024,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
) -> PoincareSection:
    r"""Find where an orbit crosses the surface $g(y) = 0$.

    Each crossing is located inside its step by Newton's iteration on the step size of
    the integrator itself, so no interpolation adds to its error.

    **Arguments:**

    - `field`: a `VoltageCTRNN`, `RateCTRNN`, or any `f(t, y, args)`.
    - `y0`: initial state, shape `(n,)`.
    - `section`: g, a function of one state `(n,)` that returns a scalar, or a pair
      `(normal, offset)` for the plane normal·y = offset.
    - `dt0`: the longest step. A surface met twice inside one step is not seen.
    - `duration`: time in which crossings are looked for, after `transient`; both must
      be known before tracing.
    - `direction`: 1 for crossings with g increasing, −1 decreasing, 0 both.
    - `max_crossings`: how many to store; the first ones count.
    - `solver`: an explicit Runge–Kutta method of diffrax or one of
      `ctrnn_jax.integrate`; by default fourth-order splitting where W allows it, else
      `diffrax.Tsit5()`.
    - `inputs`: u(t), or the `args` of a plain function.

    **Returns:** a [`PoincareSection`][ctrnn_jax.analysis.PoincareSection]. Maps over
    `y0`, `field` and `section` with `jax.vmap` or `equinox.filter_vmap`.

    **Raises:** `ValueError` for a bad argument. Failures are in `result`:
    `no_crossing`, or `escaped` if the orbit left the floating range.

    **Reference:** Hénon (1982), On the numerical computation of Poincaré maps, Physica
    D 5, 412.
    """
    state = check_start(y0, field)
    check_direction(direction)
    max_crossings = check_integer(
        "max_crossings", max_crossings, minimum=1, maximum=10**8
    )
    surface = as_section(section, state)
    num_steps, dt = divide("duration", duration, dt0)
    skipped = check_span("transient", transient, positive=False)
    # The same step before and after, so that the flow is one map throughout.
    before = int(np.ceil(skipped / dt * (1 - 1e-6)))
    solver = default_solver(field, order=4) if solver is None else solver
    flow = make_flow(field, state, dt=dt, solver=solver, inputs=inputs)
    return _scan(
        flow,
        surface,
        state,
        # Arrays, so that another number of steps is not another program.
        jnp.asarray(before),
        jnp.asarray(num_steps),
        int(direction),
        max_crossings,
    )


@eqx.filter_jit
def _scan(
    flow: PyTree,
    surface: Callable,
    y0: Float[Array, " n"],
    before: Int[Array, ""],
    num_steps: Int[Array, ""],
    direction: int,
    max_crossings: int,
) -> PoincareSection:
    def step(index: Array, y: Array) -> Array:
        # A state near overflow stays where it is: what was found before is kept.
        ok = alive(y)
        return jnp.where(ok, flow.step(index, jnp.where(ok, y, 0.0)), y)

    def look(offset: Array, carry: tuple) -> tuple:
        y, value, total, indices, states = carry
        index = before + offset
        y1 = step(index, y)
        value1 = surface(y1)
        found = crosses(value, value1, direction)
        # One past the end is dropped: so is what was not found.
        slot = jnp.where(found, total, max_crossings)
        indices = indices.at[slot].set(index, mode="drop")
        states = states.at[slot].set(y, mode="drop")
        return y1, value1, total + found.astype(int), indices, states

    y = jax.lax.fori_loop(0, before, step, y0)
    start = (
        y,
        surface(y),
        jnp.asarray(0),
        jnp.zeros(max_crossings, int),
        jnp.zeros((max_crossings, y0.shape[0]), y0.dtype),
    )
    last, _, total, indices, states = jax.lax.fori_loop(0, num_steps, look, start)
    count = jnp.minimum(total, max_crossings)
    filled = jnp.arange(max_crossings) < count

    def refine(index: Array, y: Array) -> tuple[Array, Array]:
        span, crossing = locate_crossing(flow, index, y, surface)
        return flow.time(index) + span, crossing

    ts, ys = jax.vmap(refine)(indices, states)
    result = mark(~alive(last), OUTCOMES.escaped, OUTCOMES.successful)
    return PoincareSection(
        jnp.where(filled, ts, jnp.nan),
        jnp.where(filled[:, None], ys, jnp.nan),
        count,
        total,
        mark(total == 0, OUTCOMES.no_crossing, result),
    )
