"""How much of its past input a network holds for a linear readout."""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from .._precision import full_precision
from .._types import Array, ArrayLike, Float, Int, Key, ScalarLike
from ..fields import AbstractField
from ..matrices._checks import is_concrete
from ._flow import check_start, divide, make_flow
from ._recall import jackknife_variance, measure_recall
from ._status import OUTCOMES, mark


class MemoryCapacity(eqx.Module):
    """What `memory_capacity` measured.

    - `delays`: how many inputs ago, 0 for the latest, shape `(d,)`.
    - `capacities`: share of that input's variance that a linear readout recalls,
      freed of what chance explains, so that it may be slightly negative; summed over
      the input's channels; shape `(d,)`.
    - `standard_error`: of each, by the jackknife over the sequences, `(d,)`.
    - `threshold`: the largest capacity that shuffled inputs reach at any delay: what
      exceeds it is not chance, `()`.
    - `total`: sum of the capacities, at most `rank`, `()`.
    - `total_standard_error`: of the total, `()`.
    - `control`: the total for shuffled inputs, 0 within its error, `()`.
    - `rank`: independent directions among the states: n, or fewer, `()`.
    - `result`: a member of `OUTCOMES`; if `escaped`, the numbers are NaN.
    """

    delays: Int[Array, " d"]
    capacities: Float[Array, " d"]
    standard_error: Float[Array, " d"]
    threshold: Float[Array, ""]
    total: Float[Array, ""]
    total_standard_error: Float[Array, ""]
    control: Float[Array, ""]
    rank: Int[Array, ""]
    result: OUTCOMES


@full_precision
def memory_capacity(
    field: Callable,
    y0: ArrayLike,
    *,
    dt0: float,
    key: Key,
    interval: float = 1.0,
    num_delays: int = 50,
    num_steps: int | None = None,
    num_sequences: int = 1024,
    num_inputs: int | None = None,
    amplitude: ScalarLike = 1.0,
    noise: ScalarLike = 0.0,
    solver: diffrax.AbstractSolver | None = None,
) -> MemoryCapacity:
    r"""Measure the linear memory capacity of a driven network.

    Independent Gaussian inputs $u_k$, each held for `interval`, drive the network from
    `y0` for `num_steps` intervals. Then, over many such sequences, each past input is
    read out of the final state by linear regression. With the explained share of its
    variance $R^2_d$ for the input d intervals ago, the capacity is

    $$\mathrm{MC} = \sum_d R^2_d \le n .$$

    The sequences are independent, so nothing need be stationary: a network without
    leak, which forgets nothing and spreads its capacity n over all its past, about
    n/`num_steps` to each input, is measured as soundly as one that forgets.

    **Arguments:**

    - `field`: a model with `input_weight`, or `f(t, y, args)` where `args(t)` returns
      the input, shape `(m,)`.
    - `y0`: initial state, shape `(n,)`.
    - `dt0`: longest step, in units of `tau`; steps divide the interval evenly.
    - `key`: of the inputs.
    - `interval`: how long each input is held, in units of `tau`.
    - `num_delays`: d, how many inputs to ask for, the latest first.
    - `num_steps`: inputs of a sequence; default twice `num_delays`.
    - `num_sequences`: s. Errors shrink as $1/\sqrt{s}$; must be above n + 2.
    - `num_inputs`: m, for a plain function; a model knows it.
    - `amplitude`: standard deviation of the inputs.
    - `noise`: standard deviation of noise added to the state that is read. Without
      it a readout may use directions however faint: the capacity of a linear network
      is then n, and that of a real one depends on rounding.
    - `solver`: an explicit Runge–Kutta method, or for a model one of
      `ctrnn_jax.integrate`; default `CoordinateSplitting()` where W has a zero
      diagonal, else `diffrax.Tsit5()`.

    **Returns:** a `MemoryCapacity`.

    **Raises:** `ValueError` for an argument that does not fit. In the result: `escaped`
    if a sequence drove the state out of the floating range.

    **Warning:** costs `num_sequences · num_steps · interval / dt0` steps, and memory
    for `num_sequences · num_delays` numbers a few times over.

    **Reference:** H. Jaeger, *Short term memory in echo state networks*, GMD report 152
    (2001), definition 1 and proposition 2.
    """
    state = check_start(y0, field)
    count, dt = divide("interval", interval, dt0)
    channels = _count_inputs(field, num_inputs)
    num_steps = 2 * num_delays if num_steps is None else num_steps
    if not 0 < num_delays <= num_steps:
        raise ValueError(
            "num_delays must be positive and at most num_steps, got "
            f"{num_delays} and {num_steps}."
        )
    if num_sequences < state.size + 3:
        raise ValueError(
            f"num_sequences must be at least n + 3 = {state.size + 3} for the readout "
            f"to mean anything, and should be many times that; got {num_sequences}."
        )
    for name, value in (("amplitude", amplitude), ("noise", noise)):
        if is_concrete(value) and not 0 <= float(value) < float("inf"):
            raise ValueError(f"{name} must be finite and not negative, got {value}.")
    shape = (num_steps, channels, num_sequences)
    drive_key, noise_key, shuffle_key = jr.split(key, 3)
    inputs = jnp.asarray(amplitude, state.dtype) * jr.normal(
        drive_key, shape, state.dtype
    )
    states = _drive(field, state, inputs, dt, count, solver)
    added = noise * jr.normal(noise_key, states.shape, state.dtype)
    return _measure(states, added, inputs[-num_delays:][::-1], shuffle_key)


def _count_inputs(field: Callable, num_inputs: int | None) -> int:
    """Return m, the number of the field's input channels."""
    if not isinstance(field, AbstractField):
        if num_inputs is None or num_inputs < 1:
            raise ValueError(
                "num_inputs must say how many inputs a plain function takes, at least "
                f"1; got {num_inputs}."
            )
        return num_inputs
    if field.input_weight is None:
        raise ValueError(
            "The model has no input_weight, so no input reaches it; build it with "
            "input_weight=B of shape (n, m)."
        )
    channels = field.input_weight.shape[1]
    if num_inputs not in (None, channels):
        raise ValueError(
            f"num_inputs is {num_inputs}, but input_weight has {channels} channels; "
            "drop it."
        )
    return channels


@eqx.filter_jit
def _drive(
    field: Callable,
    y0: Float[Array, " n"],
    inputs: Float[Array, "steps m s"],
    dt: float,
    count: int,
    solver: diffrax.AbstractSolver | None,
) -> Float[Array, "s n"]:
    """Return the state at the end of each sequence of inputs."""

    def run(
        start: Float[Array, "n *s"], sequence: Float[Array, "steps m *s"]
    ) -> Float[Array, "n *s"]:
        # An input is held through all stages of its steps, the last one included.
        held = jnp.zeros_like(sequence[0])
        flow = make_flow(field, start, dt=dt, solver=solver, inputs=lambda t: held)

        def hold(
            y: Float[Array, "n *s"], u: Float[Array, "m *s"]
        ) -> tuple[Float[Array, "n *s"], None]:
            driven = eqx.tree_at(lambda flow: flow.inputs, flow, lambda t: u)
            return driven.advance(0, count, y), None

        return jax.lax.scan(hold, start, sequence)[0]

    if isinstance(field, AbstractField):
        lanes = jnp.broadcast_to(y0[:, None], (y0.size, inputs.shape[-1]))
        return run(lanes, inputs).T
    return jax.vmap(run, in_axes=(None, -1))(y0, inputs)


@jax.jit
def _measure(
    states: Float[Array, "s n"],
    noise: Float[Array, "s n"],
    targets: Float[Array, "d m s"],
    key: Key,
) -> MemoryCapacity:
    num_delays, channels, sequences = targets.shape
    okay = jnp.all(jnp.isfinite(states))
    # A failure is kept out of the decomposition; its numbers become NaN afterwards.
    states = jnp.where(okay, states, 0.0) + noise
    wanted = targets.reshape(-1, sequences).T
    shuffled = jr.permutation(key, wanted, axis=0)
    recall, control = (measure_recall(states, each) for each in (wanted, shuffled))

    def per_delay(shares: Float[Array, "*s dm"]) -> Float[Array, "*s d"]:
        shares = shares.reshape(*shares.shape[:-1], num_delays, channels)
        return jnp.where(okay, jnp.sum(shares, axis=-1), jnp.nan)

    capacities, chance = per_delay(recall.unbiased), per_delay(control.unbiased)
    without_one = per_delay(recall.leave_one_out)
    # Where nothing is recalled the jackknife sees no slope; what is left there is the
    # spread of a share explained by chance, of variance 2 p/s².
    rank = recall.rank.astype(states.dtype)
    floor = 2 * channels * rank / sequences**2
    return MemoryCapacity(
        jnp.arange(num_delays),
        capacities,
        jnp.sqrt(jackknife_variance(without_one) + floor),
        jnp.max(chance),
        jnp.sum(capacities),
        jnp.sqrt(
            jackknife_variance(jnp.sum(without_one, axis=-1)) + num_delays * floor
        ),
        jnp.sum(chance),
        recall.rank,
        mark(~okay, OUTCOMES.escaped, OUTCOMES.successful),
    )
