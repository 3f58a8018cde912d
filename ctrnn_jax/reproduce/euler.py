"""C3: does the nonlinearity tame forward Euler, and what else is there?"""

import time

import numpy as np

from ._claim import Advance, ClaimResult, Finding, Settings
from ._criteria import fitted_exponent, mean_and_error
from ._growth import (
    LinearGrowth,
    LongRun,
    TanhGrowth,
    growth_picture,
    growth_table,
    linear_growth,
    long_runs,
    long_runs_picture,
    tanh_growth,
)
from ._methods import METHODS, method_named
from ._stability_map import (
    StabilityMap,
    spectrum_picture,
    stability_map,
    stability_picture,
    stability_table,
)
from ._style import interval, plus_minus
from ._work_precision import work_picture, work_precision, work_table

_STAGES = 5


def settings(*, quick: bool) -> Settings:
    """Return what the result depends on."""
    return {
        "seed": 3,
        "seeds": 3 if quick else 6,
        # Numbers of steps by n, and the step sizes each is run with.
        "euler_steps": {"2": 20_000}
        if quick
        else {"2": 10**6, "8": 10**6, "32": 10**5},
        "step_sizes": [0.1, 0.5] if quick else [0.05, 0.1, 0.2, 0.5],
        "methods": ["Euler", "RK4", "splitting 2", "discrete gradient"]
        if quick
        else [method.name for method in METHODS],
        "long_step": 0.1,
        "long_count": 10**4 if quick else 10**6,
        "implicit_count": 10**3 if quick else 10**5,
        "periods": 7,
        "most_log": 10 if quick else 15,
        "map_count": 200 if quick else 10_000,
        "map_points": 20 if quick else 80,
    }


def stages(settings: Settings) -> int:
    """Return how often `run` calls `advance`."""
    return _STAGES


def run(settings: Settings, advance: Advance) -> ClaimResult:
    """Measure growth, cost and stability, and judge the claim."""
    began = time.perf_counter()
    seed = settings["seed"]
    advance("C3: Euler, linear and tanh")
    linear = linear_growth(np.geomspace(0.01, 1.0, 9), angular_frequency=1.0)
    growths = [
        tanh_growth(
            int(size),
            np.asarray(settings["step_sizes"]),
            seeds=settings["seeds"],
            seed=seed,
            count=count,
        )
        for size, count in settings["euler_steps"].items()
    ]
    advance("C3: every method, long runs")
    methods = [method_named(name) for name in settings["methods"]]
    runs = long_runs(
        methods,
        settings["long_step"],
        count=settings["long_count"],
        implicit_count=settings["implicit_count"],
    )
    advance("C3: work and precision, n = 2")
    cost = {"seed": seed, "periods": settings["periods"]}
    plane = work_precision(methods, size=2, most_log=settings["most_log"], **cost)
    advance("C3: work and precision, n = 8")
    many = work_precision(methods, size=8, most_log=settings["most_log"] - 1, **cost)
    advance("C3: stability map")
    found = stability_map(
        methods, count=settings["map_count"], points=settings["map_points"]
    )
    return ClaimResult(
        key="C3",
        title="Nonlinearity and the stability of integration",
        claim="The nonlinearity acts as a regulariser that makes numerical integration "
        "more stable, taming the instability of forward Euler.",
        verdict="holds where",
        summary="Tamed, not stable. For linear neurons forward Euler grows "
        "exponentially at every step size; with tanh the energy grows only as "
        "√(2hω²t), because the field is bounded. It still grows without bound, and the "
        "oscillation slows as it does. A method that keeps the structure (splitting, "
        "as cheap as Heun) needs no taming.",
        findings=_findings(linear, growths, runs, found),
        tables=(growth_table(growths), work_table(plane), stability_table(found)),
        pictures=(
            growth_picture(growths, linear),
            long_runs_picture(runs, settings["long_step"]),
            work_picture(plane, many),
            stability_picture(found),
            spectrum_picture(size=64, step=0.5, seed=seed),
        ),
        settings=settings,
        seconds=time.perf_counter() - began,
    )


def _findings(
    linear: LinearGrowth,
    growths: list[TanhGrowth],
    runs: list[LongRun],
    found: StabilityMap,
) -> tuple[Finding, ...]:
    off = np.max(np.abs(linear.measured / linear.exact - 1))
    plane = growths[0]
    last = len(plane.steps) - 1
    shifted = plane.exponents(plane.shifted)[last]
    ratios = plane.prefactors[last]
    others = np.concatenate([g.exponents(g.shifted).ravel() for g in growths])
    by_name = {run.method.name: run for run in runs}
    euler = by_name["Euler"]
    names = [method.name for method in found.methods]
    final = {name: run.error[-1] for name, run in by_name.items()}
    trend = {
        name: fitted_exponent(run.counts, np.maximum.accumulate(run.error) + 1e-18)
        for name, run in by_name.items()
    }
    return (
        Finding(
            "Linear: forward Euler grows exponentially, at rate ½ log(1 + h²ω²)/h.",
            "holds" if off < 1e-6 else "fails",
            f"largest relative difference {off:.1e} over {len(linear.step)} steps from "
            f"h = {linear.step[0]:g} to {linear.step[-1]:g}",
        ),
        Finding(
            "tanh: it grows as √(2hω²t), the same law for all h.",
            "holds" if abs(mean_and_error(shifted)[0] - 0.5) < 0.02 else "fails",
            f"n = 2, h = {plane.steps[last]:g}: exponent "
            f"{plus_minus(*mean_and_error(shifted), '.5f')} of H + log 4, which is "
            f"{plus_minus(*mean_and_error(ratios), '.4f')} times the law after "
            f"{plane.counts[-1]:.0e} steps; exponents over all n, h and seeds "
            f"{interval(others, '.3f')}",
        ),
        Finding(
            "The nonlinearity makes forward Euler stable.",
            "fails",
            f"energy is {1 + euler.error[-1]:.0f} times the first after "
            f"{euler.counts[-1]:.0e} steps and still rises; linear neurons overflow",
        ),
        Finding(
            "The nonlinearity makes explicit methods more stable.",
            "holds" if found.tanh.max() < 6 < found.linear.max() else "holds where",
            f"largest growth of H after {found.count} steps, h·ω ≤ 4: 10^"
            f"{found.tanh.max():.1f} with tanh, overflow without",
        ),
        Finding(
            "RK4 keeps the oscillation up to its stability limit h·ω = 2√2.",
            "fails",
            "it damps instead of growing: the linear energy falls to (at most) 10^"
            f"{found.linear[names.index('RK4')].min():.0f} of the first, for some h·ω "
            f"below the limit, in {found.count} steps",
        ),
        Finding(
            "Methods that keep the structure show no trend; Heun and RK4 drift.",
            "holds"
            if all(trend[name] < 0.2 for name in trend if "splitting" in name)
            else "holds where",
            "relative energy error at the end: "
            + ", ".join(f"{name} {value:.0e}" for name, value in final.items())
            + "; exponent of its largest so far: "
            + ", ".join(f"{name} {value:.2f}" for name, value in trend.items()),
        ),
    )
