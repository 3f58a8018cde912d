"""Numerical failures as values: the members added to `diffrax.RESULTS`."""

import diffrax


class RESULTS(diffrax.RESULTS):  # pyright: ignore[reportGeneralTypeIssues]
    """Outcome of a solve: `diffrax.RESULTS` with the failures diffrax lets pass.

    `RESULTS.nonfinite` marks a solution that holds NaN or infinity although the
    integrator itself reported success, which is what a constant step size does
    with an unstable step or a weight that is not finite.
    """

    nonfinite = (
        "The solution is not finite (NaN or infinity). Either the initial state, the "
        "weight, the bias or the inputs hold a non-finite value, or the step is "
        "unstable: reduce `dt0`, or use an integrator that is stable for this field "
        "(`CoordinateSplitting`, `ImplicitMidpoint`, `DiscreteGradient`)."
    )
    implicit_solve_failed = (
        "The implicit equation of a step was not solved to rounding. Reduce `dt0`, or "
        "raise the solver's `max_iterations`."
    )
