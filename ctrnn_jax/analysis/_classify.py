"""What is this orbit? One answer, with its evidence."""

import functools
from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, ArrayLike, PyTree, ScalarLike
from ..fields import AbstractField, RateCTRNN
from ..invariants import energy
from ..matrices._checks import check_integer
from ._evidence import Evidence, Options, weigh_evidence
from ._flow import Flow, check_span, check_start, default_solver, divide, make_flow
from ._lanes import check_lanes, lanes_first, run_lanes
from ._orbit_class import OrbitClass
from ._status import OUTCOMES, mark
from ._survey import WINDOWS, Plan, Survey, make_plan, survey
from ._verdict import NONFINITE, UNDECIDED

#: Lanes whose frequencies are analysed side by side: bounds the memory.
_SIDE_BY_SIDE = 8

#: Default tolerances in double and in single precision.
_TOLERANCES = {
    "return_tolerance": (1e-4, 1e-2),
    "relation_tolerance": (1e-6, 1e-4),
    "rest_tolerance": (1e-10, 1e-5),
}


@full_precision
def classify_orbit(
    field: Callable,
    y0: ArrayLike,
    *,
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike = 0.0,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
    stride: int = 2,
    num_frequencies: int = 6,
    max_frequency_samples: int = 16384,
    escape_radius: ScalarLike = 1e6,
    return_tolerance: ScalarLike | None = None,
    relation_tolerance: ScalarLike | None = None,
    rest_tolerance: ScalarLike | None = None,
) -> OrbitClass:
    r"""Say what kind of motion starts at `y0`, and on what evidence.

    One pass follows the orbit and a tangent vector for `duration` after `transient`.
    Then, the first that holds:

    - *diverging*: |y| passed `escape_radius`, or its growth from window to window is
      not slowing down at the end.
    - *fixed point*: |dy/dt| is below `rest_tolerance` (1 + |y|) throughout.
    - *dying*: the speed falls steadily and is still falling (or came to rest).
    - *chaotic*: the mean MEGNO is above 6 and the largest exponent above three of its
      standard errors.
    - *periodic*: the orbit comes back to within `return_tolerance` of where it was,
      in sizes of the orbit, and all its lines are multiples of one frequency to
      `relation_tolerance` (or the return is within `return_tolerance` squared).
    - *quasi-periodic*: the mean MEGNO is below 3 and the lines have at least two
      independent frequencies.
    - *undecided*, with the reason: in between, still settling, or too short.

    **Arguments:**

    - `field`: a `VoltageCTRNN`, `RateCTRNN`, or any autonomous `f(t, y, args)`.
    - `y0`: initial state, shape `(n,)`.
    - `dt0`: the longest step. Of fourth order, 0.3 over the fastest frequency keeps
      returns accurate enough.
    - `duration`, `transient`: in units of `tau`, known before tracing. Chaos with an
      exponent below about 12/`duration` goes unseen, periods above `duration`/2 too.
    - `solver`: default fourth-order splitting where W allows it, else
      `diffrax.Tsit5()`.
    - `inputs`: the `args` of a plain function, or a constant drive.
    - `stride`: steps from one sample to the next; lines above π/(stride·dt) fold back.
    - `num_frequencies`: lines looked for; `max_frequency_samples`: samples used for
      them, at either end of the record.
    - `escape_radius`: |y| at which the orbit is given up.
    - `return_tolerance`: default 1e-4 in float64, 1e-2 in float32.
    - `relation_tolerance`: default 1e-6 in float64, 1e-4 in float32.
    - `rest_tolerance`: default 1e-10 in float64, 1e-5 in float32.

    **Returns:** an [`OrbitClass`][ctrnn_jax.analysis.OrbitClass]: `.kind` and
    `print(...)` on the host, integer codes under `jit` and `vmap`.

    **Raises:** `ValueError` for a bad argument.

    **Warning:** a verdict is about the record. Weak chaos that sticks to a torus for
    longer looks regular; a torus whose frequencies are rational to within
    `relation_tolerance` looks periodic.

    **Reference:** Cincotta and Simó (2000), Astron. Astrophys. Suppl. 147, 205
    (MEGNO); Laskar (1993), Physica D 67, 257 (frequencies).
    """
    state = check_start(y0, field)
    plan, options = _prepare(
        state,
        dt0=dt0,
        duration=duration,
        transient=transient,
        stride=stride,
        num_frequencies=num_frequencies,
        max_frequency_samples=max_frequency_samples,
        escape_radius=escape_radius,
        return_tolerance=return_tolerance,
        relation_tolerance=relation_tolerance,
        rest_tolerance=rest_tolerance,
    )
    solver = default_solver(field, order=4) if solver is None else solver
    flow = make_flow(field, state, dt=plan.dt, solver=solver, inputs=inputs)
    found, evidence = _one(flow, state, plan, options)
    return _pack(evidence, _energy_drift(field, found, inputs))


@full_precision
def classify_orbits(
    field: Callable,
    y0: ArrayLike,
    *,
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike = 0.0,
    model_axes: PyTree = None,
    batch_size: int = 128,
    solver: diffrax.AbstractSolver | None = None,
    inputs: PyTree = None,
    stride: int = 2,
    num_frequencies: int = 6,
    max_frequency_samples: int = 16384,
    escape_radius: ScalarLike = 1e6,
    return_tolerance: ScalarLike | None = None,
    relation_tolerance: ScalarLike | None = None,
    rest_tolerance: ScalarLike | None = None,
) -> OrbitClass:
    """Classify an ensemble, its lanes side by side in memory.

    **Arguments:** as [`classify_orbit`][ctrnn_jax.analysis.classify_orbit], except

    - `y0`: shape `(batch, n)`.
    - `model_axes`: as in `simulate_ensemble`: which arrays of the model lead with the
      lanes; `None` for one shared model, 0 for a model each.
    - `batch_size`: lanes that run at a time; the last lot is filled up with copies.

    **Returns:** an [`OrbitClass`][ctrnn_jax.analysis.OrbitClass] whose arrays lead
    with the batch.

    **Raises:** `ValueError` for a bad argument.
    """
    solver = default_solver(field, order=4) if solver is None else solver
    states, solver, mask = check_lanes(field, y0, solver, model_axes)
    plan, options = _prepare(
        states,
        dt0=dt0,
        duration=duration,
        transient=transient,
        stride=stride,
        num_frequencies=num_frequencies,
        max_frequency_samples=max_frequency_samples,
        escape_radius=escape_radius,
        return_tolerance=return_tolerance,
        relation_tolerance=relation_tolerance,
        rest_tolerance=rest_tolerance,
    )
    batch = states.shape[0]
    size = min(check_integer("batch_size", batch_size, minimum=1, maximum=10**6), batch)
    lots = []
    for start in range(0, batch, size):
        # A short last lot is filled up, so that it runs as the program of the others.
        lanes = np.minimum(np.arange(start, start + size), batch - 1)
        part = jax.tree.map(
            lambda leaf, own, lanes=lanes: leaf[lanes] if own else leaf, field, mask
        )
        lot = _lot(part, mask, states[lanes], solver, inputs, plan, options)
        count = min(size, batch - start)
        lots.append(jax.tree.map(lambda leaf, count=count: leaf[:count], lot))
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *lots)


def _prepare(
    state: Array,
    *,
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike,
    stride: int,
    num_frequencies: int,
    max_frequency_samples: int,
    escape_radius: ScalarLike,
    **tolerances: ScalarLike | None,
) -> tuple[Plan, Options]:
    """Check what both entry points share, and fill in what follows the dtype."""
    whole = functools.partial(check_integer, minimum=1, maximum=10**9)
    lines = whole("num_frequencies", num_frequencies)
    most = whole("max_frequency_samples", max_frequency_samples)
    divide("duration", duration, dt0)
    plan = make_plan(
        check_span("duration", duration, positive=True),
        check_span("transient", transient, positive=False),
        float(dt0),
        whole("stride", stride),
        check_span("escape_radius", escape_radius, positive=True),
    )
    # What `main_frequencies` needs of either half of the record.
    least, samples = 24 * (lines + 1), min(most, WINDOWS * plan.samples)
    if samples < least:
        raise ValueError(
            f"{lines} lines need {least} samples in each half of the record, but there "
            f"are {samples}. Increase duration or max_frequency_samples, or reduce "
            "stride or num_frequencies."
        )
    double = jnp.finfo(state.dtype).bits >= 64
    return plan, Options(
        num_frequencies=lines,
        max_frequency_samples=samples,
        **{
            name: check_span(
                name,
                _TOLERANCES[name][not double] if value is None else value,
                positive=True,
            )
            for name, value in tolerances.items()
        },
    )


@eqx.filter_jit
def _one(
    flow: Flow, y0: Array, plan: Plan, options: Options
) -> tuple[Survey, Evidence]:
    start = _sanitised(y0)
    found = survey(flow, start, plan)
    return found, weigh_evidence(flow, y0, found, plan, options)


@eqx.filter_jit
def _lot(
    field: Callable,
    mask: PyTree,
    y0: Array,
    solver: diffrax.AbstractSolver,
    inputs: PyTree,
    plan: Plan,
    options: Options,
) -> OrbitClass:
    found = run_lanes(
        lambda flow, start: lanes_first(survey(flow, start, plan), single=False),
        field,
        mask,
        _sanitised(y0),
        step=jnp.asarray(plan.dt, y0.dtype),
        t0=jnp.zeros((), y0.dtype),
        solver=solver,
        inputs=inputs,
        width=4,
    )
    own, shared = eqx.partition(field, mask)

    def look(item: tuple) -> OrbitClass:
        part, y, of_lane = item
        single = eqx.combine(part, shared)
        flow = make_flow(single, y, dt=plan.dt, solver=solver, inputs=inputs)
        evidence = weigh_evidence(flow, y, of_lane, plan, options)
        return _pack(evidence, _energy_drift(single, of_lane, inputs))

    return jax.lax.map(look, (own, y0, found), batch_size=_SIDE_BY_SIDE)


def _sanitised(y0: Array) -> Array:
    """Return y0 with zeros where it is not finite: its lane is reported anyway."""
    return jnp.where(jnp.isfinite(y0), y0, 0.0)


def _energy_drift(field: Callable, found: Survey, inputs: PyTree) -> Array | None:
    """Return the largest relative change of a conserved energy, or `None`."""
    if not isinstance(field, AbstractField):
        return None
    conserved = (
        field.weight.is_skew
        and not field.has_leak
        and inputs is None
        and (field.bias is None or isinstance(field, RateCTRNN))
    )
    if not conserved:
        return None
    try:
        values = energy(field, found.states)
    except ValueError:
        return None  # An activation without a potential: no energy is known.
    change = jnp.max(jnp.abs(values - values[0]))
    scale = jnp.abs(values[0])
    return change / jnp.where(scale > 0, scale, jnp.ones_like(scale))


def _pack(evidence: Evidence, drift: Array | None) -> OrbitClass:
    bad = evidence.reason == NONFINITE
    result = mark(bad, OUTCOMES.nonfinite, OUTCOMES.successful)
    result = mark(evidence.code == UNDECIDED, OUTCOMES.too_short, result)
    values = {name: getattr(evidence, name) for name in Evidence.__dataclass_fields__}
    return OrbitClass(**values, energy_drift=drift, result=result)
