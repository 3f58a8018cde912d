"""What came of an analysis, as a value: the reasons and their mends."""

import equinox as eqx
import jax
import jax.numpy as jnp

from .._results import RESULTS
from .._types import Array, Bool, PyTree


class OUTCOMES(RESULTS):  # pyright: ignore[reportGeneralTypeIssues]
    """What came of an analysis: `successful`, or why there is no answer.

    The members of `ctrnn_jax.RESULTS`, and these:

    - `escaped`: the orbit left the floating range, so it diverges or the step is
      unstable.
    - `too_short`: the orbit ended before the question could be answered.
    - `not_converged`: an iteration used up its steps.
    - `degenerate`: tangent vectors vanished, overflowed or fell together.
    - `no_crossing`: the orbit did not cross the section.
    - `trivial`: a search for an orbit ended at a fixed point.
    - `step_underflow`: a continuation could not go on with its smallest step.

    `OUTCOMES[result]` is the message, and `result == OUTCOMES.escaped` compares; for
    success there is [`is_okay`][ctrnn_jax.analysis.is_okay]. A batch's result has one
    entry a lane.
    """

    escaped = (
        "The orbit left the floating range or became NaN: it diverges, or the step is "
        "unstable. Reduce dt0, choose a solver that is stable for this field, or start "
        "elsewhere."
    )
    too_short = (
        "The orbit is too short to answer the question: increase duration, or reduce "
        "transient."
    )
    not_converged = (
        "The iteration did not converge in the steps allowed: increase max_steps, "
        "loosen the tolerance, or start closer to the answer."
    )
    degenerate = (
        "Tangent vectors vanished, overflowed or fell together between two "
        "orthonormalisations: reduce qr_interval, or ask for fewer exponents."
    )
    no_crossing = (
        "The orbit did not cross the section: move the section to where the orbit "
        "goes, or increase duration."
    )
    trivial = (
        "The search for a periodic orbit ended at a fixed point or at a period of "
        "zero: start closer to the orbit, with a better period."
    )
    step_underflow = (
        "Continuation could not go on with its smallest step: the family ends here, "
        "or the tolerance cannot be met; reduce min_step or loosen the tolerance."
    )


def is_okay(result: PyTree) -> Bool[Array, "*batch"]:
    """Return whether an analysis answered, shape `()` or one entry a lane."""
    return result == OUTCOMES.successful


def mark(failed: Bool[Array, "*batch"], outcome: PyTree, result: PyTree) -> OUTCOMES:
    """Return `result` with `outcome` where `failed` and okay before.

    `result` is a scalar or has the shape of `failed`.
    """
    # The first reason is the one that counts, so what failed before stays.
    ours, value = outcome._value, result._value
    value = jnp.where(failed & is_okay(result), jnp.asarray(ours), jnp.asarray(value))
    return eqx.tree_at(lambda item: item._value, OUTCOMES.successful, value)


def promote(result: RESULTS) -> OUTCOMES:
    """Return a solver's result, a scalar or one entry a lane, as an outcome."""
    return OUTCOMES.promote(result)


def throw_unless_okay(value: PyTree, result: PyTree) -> PyTree:
    """Return `value`, raising at run time if any entry of `result` is a failure."""
    okay = is_okay(result)
    if okay.ndim:
        first = jnp.argmin(okay.reshape(-1))
        result, okay = jax.tree.map(
            lambda leaf: leaf.reshape(-1)[first], (result, okay)
        )
    return result.error_if(value, ~okay)
