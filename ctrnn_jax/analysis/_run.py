"""What every tool that follows tangent vectors is given, checked and divided."""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Float, PyTree, ScalarLike
from ._flow import (
    Flow,
    check_solver,
    check_span,
    check_start,
    default_solver,
    divide,
    make_flow,
)
from ._lanes import check_lanes, run_lanes

#: Steps between renormalisations of tangent vectors, unless an interval is given.
_STEPS_PER_INTERVAL = 10


class Run(eqx.Module):
    """One orbit from `y0` `(n,)`, or an ensemble from `(batch, n)`, and its steps.

    `skipped` intervals, then `intervals` of them that count, of `steps` steps each.
    """

    field: PyTree
    mask: PyTree
    y0: Float[Array, "*batch n"]
    t0: Float[Array, ""]
    step: Float[Array, ""]
    solver: diffrax.AbstractSolver
    inputs: PyTree
    skipped: int = eqx.field(static=True)
    intervals: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    @property
    def interval(self) -> Float[Array, ""]:
        """Time between two renormalisations."""
        return self.step * self.steps

    @property
    def times(self) -> Float[Array, " N"]:
        """Ends of the intervals that count, from the end of the transient."""
        counts = jnp.arange(1, self.intervals + 1).astype(self.step.dtype)
        return self.interval * counts

    def measure(
        self,
        measure: Callable[[Flow, Array, Array], PyTree],
        vectors: Float[Array, "n k"],
    ) -> PyTree:
        """Call `measure(flow, y, vectors)` on the orbit, or on chunks of lanes.

        Lanes are last in its arguments and first in what it returns. All lanes start
        with the same vectors, so that none depends on its company.
        """
        if self.y0.ndim == 1:
            flow = make_flow(
                self.field,
                self.y0,
                dt=self.step,
                t0=self.t0,
                solver=self.solver,
                inputs=self.inputs,
            )
            return measure(flow, self.y0, vectors)

        def lanes(flow: Flow, start: Float[Array, "n lanes"]) -> PyTree:
            shape = (*vectors.shape, start.shape[1])
            return measure(flow, start, jnp.broadcast_to(vectors[..., None], shape))

        return run_lanes(
            lanes,
            self.field,
            self.mask,
            self.y0,
            step=self.step,
            t0=self.t0,
            solver=self.solver,
            inputs=self.inputs,
            width=1 + vectors.shape[1],
        )


def set_up(
    field: Callable,
    y0: object,
    *,
    ndim: int,
    dt0: ScalarLike,
    duration: ScalarLike,
    transient: ScalarLike,
    interval: ScalarLike | None,
    interval_name: str,
    solver: diffrax.AbstractSolver | None,
    inputs: PyTree,
    t0: ScalarLike,
    model_axes: PyTree = None,
) -> Run:
    """Check the arguments, and divide the duration into equal intervals of steps.

    **Raises:** `ValueError` for what does not fit or cannot be divided.
    """
    if ndim == 1:
        state = check_start(y0, field)
        solver = default_solver(field) if solver is None else solver
        check_solver(field, solver)
        mask = jax.tree.map(lambda leaf: False, field)
    else:
        state, solver, mask = check_lanes(field, y0, solver, model_axes)
    span = check_span("duration", duration, positive=True)
    skip = check_span("transient", transient, positive=False)
    least, _ = divide("duration", span, dt0)
    if interval is None:
        length = min(_STEPS_PER_INTERVAL * span / least, span)
    else:
        length = check_span(interval_name, interval, positive=True)
        if length > span * (1 + 1e-6):
            raise ValueError(
                f"{interval_name} = {length} is longer than duration = {span}: there "
                "is nothing to average over."
            )
    intervals, length = divide("duration", span, length)
    steps, step = divide(interval_name, length, dt0)
    skipped = divide("transient", skip, length)[0] if skip else 0
    return Run(
        field,
        mask,
        state,
        jnp.asarray(t0, state.dtype),
        jnp.asarray(step, state.dtype),
        solver,
        inputs,
        skipped,
        intervals,
        steps,
    )
