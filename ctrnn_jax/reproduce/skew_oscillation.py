"""C1: is a skew-symmetric W what keeps a network oscillating?"""

import time

import numpy as np

from ._chaos import (
    Exponents,
    exponents_picture,
    exponents_table,
    is_chaotic,
    largest_exponents,
    resolution,
)
from ._claim import Advance, ClaimResult, Finding, Settings, Table
from ._fates import (
    LINEAR,
    RATE,
    SKEW,
    TANH,
    Runs,
    fates_table,
    first_and_last_picture,
    run_fates,
    swings_picture,
)
from ._limit_cycle import (
    LEAK,
    STARTS,
    Onset,
    amplitudes_without_gain,
    attractors,
    measure_onset,
    onset_law,
    onset_picture,
)
from ._periods import Periods, measure_periods, periods_picture, periods_table
from ._style import interval


def settings(*, quick: bool) -> Settings:
    """Return what the result depends on."""
    return {
        "seed": 1,
        "sizes": [2, 3, 8] if quick else [2, 3, 8, 64],
        # The largest network is run with fewer seeds.
        "seeds": 3 if quick else 8,
        "seeds_largest": 3 if quick else 5,
        "duration": 400.0 if quick else 1e4,
        "energies": [0.01, 0.1, 1.0]
        if quick
        else [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0],
        "angular_frequency": 0.7,
        "least_periods": 2 if quick else 5,
        "gains_above": 6 if quick else 16,
        "onset_duration": 3000.0 if quick else 6000.0,
        "lyapunov_sizes": [2, 3, 5] if quick else [2, 3, 4, 5, 8],
        "lyapunov_scales": [3.0] if quick else [0.5, 3.0],
        "lyapunov_duration": 500.0 if quick else 1e4,
    }


def stages(settings: Settings) -> int:
    """Return how often `run` calls `advance`."""
    return 3 + len(settings["sizes"]) + len(settings["lyapunov_sizes"])


def run(settings: Settings, advance: Advance) -> ClaimResult:
    """Measure fates, periods, the limit cycle and chaos, and judge the claim."""
    began = time.perf_counter()
    omega, seed = settings["angular_frequency"], settings["seed"]
    fates: list[Runs] = []
    for size in settings["sizes"]:
        advance(f"C1: who keeps oscillating, n = {size}")
        large = size > 8
        for form in (LINEAR, TANH, RATE):
            fates += run_fates(
                form,
                size,
                seeds=settings["seeds_largest" if large else "seeds"],
                seed=seed,
                duration=settings["duration"],
            )
    advance("C1: periods")
    periods = measure_periods(
        np.asarray(settings["energies"]),
        angular_frequency=omega,
        least_periods=settings["least_periods"],
    )
    advance("C1: gain against leak")
    above = LEAK + np.geomspace(0.003, 1.6, settings["gains_above"])
    onset = measure_onset(
        np.concatenate([[0.9, 0.95, 0.98], above]),
        angular_frequency=omega,
        duration=settings["onset_duration"],
    )
    law = onset_law(onset, nearest=4)
    family = amplitudes_without_gain(omega)
    modes = attractors(8, gain=1.3, seeds=settings["seeds"], states=12, seed=seed)
    exponents: list[Exponents] = []
    for size in settings["lyapunov_sizes"]:
        advance(f"C1: Lyapunov exponents, n = {size}")
        exponents += [
            largest_exponents(
                size,
                scale,
                seeds=settings["seeds"],
                seed=seed,
                duration=settings["lyapunov_duration"],
            )
            for scale in settings["lyapunov_scales"]
        ]
    advance("C1: figures")
    return ClaimResult(
        key="C1",
        title="Skew-symmetric weights and oscillation",
        claim="Skew-symmetric weight matrices are fundamental to stable limit cycles, "
        "in linear and in nonlinear networks.",
        verdict="holds where",
        summary="A skew W without leak keeps every network oscillating, linear or "
        "tanh, for all n tried: oscillation holds. “Limit cycle” does not: without "
        "leak the flow keeps volume and energy, nothing attracts, and each initial "
        "state keeps an orbit of its own, with its own period (a conservative "
        "family); from n = 4 on, orbits need not be periodic at all, and at n = 8 "
        "large ones are chaotic. Any leak stops it. An isolated, attracting limit "
        "cycle needs gain against leak beside the skew part, x' = −γx + (gI + W) "
        "tanh x with g > γ. And skew is not necessary: what is similar to it "
        "oscillates while linear, and some unconstrained networks with gain and "
        "leak do so by saturation.",
        findings=_findings(fates, periods, onset, law, family, exponents),
        tables=(
            fates_table(fates, settings["duration"]),
            periods_table(periods),
            _onset_table(onset),
            modes,
            exponents_table(exponents, settings["lyapunov_duration"]),
        ),
        pictures=(
            swings_picture(fates, 8),
            first_and_last_picture(fates, 8, 60.0),
            periods_picture(periods, omega),
            onset_picture(onset, law, omega),
            exponents_picture(exponents),
        ),
        settings=settings,
        seconds=time.perf_counter() - began,
    )


def _findings(
    fates: list[Runs],
    periods: Periods,
    onset: Onset,
    law: tuple[float, float, float],
    family: tuple[np.ndarray, np.ndarray],
    exponents: list[Exponents],
) -> tuple[Finding, ...]:
    skew = [run for run in fates if run.kind == SKEW]
    leaky = [run for run in fates if run.kind.shape == "skew" and run.kind.leak]
    rest = [r for r in fates if r.kind.shape != "skew" and r.form == TANH]
    kept = np.concatenate([run.kept for run in skew])
    floor = resolution(exponents)
    chaotic = [
        f"n = {r.size}, x₀ ~ {r.scale:g}·N(0, 1): "
        f"{is_chaotic(r, floor).sum()} of {len(r.value)}, λ {interval(r.value, '.4f')}"
        for r in exponents
        if r.size > 3
    ]
    turns = onset.gain[onset.turns]
    stopped = onset.gain[~onset.turns & onset.above]
    ends = (
        f"; gone at g = {stopped[0]:.2f} (it meets rest points)" if len(stopped) else ""
    )
    okay = abs(law[0] - 0.5) < 0.01 and onset.spread.max() < 1e-4
    return (
        Finding(
            "Skew W without leak keeps oscillating (linear, tanh, rate form).",
            "holds" if _share(skew, "oscillates")[0] == 1 else "holds where",
            f"{_share(skew, 'oscillates')[1]} runs oscillate to the end; swing kept "
            f"{interval(kept)}",
        ),
        Finding(
            "Any leak against skew W stops it.",
            "holds" if _share(leaky, "dies")[0] == 1 else "fails",
            f"{_share(leaky, 'dies')[1]} runs with leak 0.05 die",
        ),
        Finding(
            "Only skew W oscillates.",
            "fails" if _share(rest, "oscillates")[0] > 0 else "holds",
            f"{_share(rest, 'oscillates')[1]} other tanh runs oscillate at the end: "
            + _by_kind(rest, "oscillates"),
        ),
        Finding(
            "Two tanh neurons have the period T(E) = 4K(m)/ω, m = 1 − exp(−2E).",
            "holds" if periods.relative_error.max() <= 1e-8 else "fails",
            f"largest relative error {periods.relative_error.max():.1e} over E = "
            f"{periods.energy[0]:g} to {periods.energy[-1]:g}",
        ),
        Finding(
            "Skew W without leak has limit cycles (isolated, attracting).",
            "fails",
            f"amplitudes late over first, from starts {STARTS}: "
            + ", ".join(f"{b / a:.6f}" for a, b in zip(*family, strict=True))
            + "; periods differ from orbit to orbit: a family",
        ),
        Finding(
            "Gain against leak with skew W has one, from a Hopf point at g = γ.",
            "holds" if okay else "holds where",
            f"amplitude {law[1]:.3f}·((g − γ)/g)^{law[0]:.4f} near onset (averaging: "
            f"2, ½), frequency there {law[2]:.5f} (eigenfrequency {_omega(onset)}); "
            f"amplitudes from {len(STARTS)} starts agree within "
            f"{onset.spread.max():.1e}; found from g = {turns[0]:.3f} to "
            f"{turns[-1]:.2f}{ends}",
        ),
        Finding(
            "Orbits of skew tanh networks are periodic.",
            "holds where",
            "n = 2 always, by theory; chaotic: " + "; ".join(chaotic),
        ),
    )


def _omega(onset: Onset) -> str:
    """Return the eigenfrequency as seen below onset, where the motion is linear."""
    below = onset.frequency[~onset.above]
    return f"{np.nanmean(below):.5f}"


def _share(runs: list[Runs], fate: str) -> tuple[float, str]:
    found = [name for run in runs for name in run.fates]
    return found.count(fate) / len(found), f"{found.count(fate)} of {len(found)}"


def _by_kind(runs: list[Runs], fate: str) -> str:
    kinds = dict.fromkeys(run.kind for run in runs)
    counts = {
        k.name: sum(r.fates.count(fate) for r in runs if r.kind == k) for k in kinds
    }
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)


def _onset_table(onset: Onset) -> Table:
    rows = []
    for g, radius, frequency, turns in zip(
        onset.gain, onset.radius, onset.frequency, onset.turns, strict=True
    ):
        law = 2 * np.sqrt(max(g - LEAK, 0) / g)
        rows.append(
            (
                f"{g:.4f}",
                "cycle" if turns else "rest",
                f"{radius.mean():.6f}" if turns else "–",
                f"{radius.max() / radius.min() - 1:.0e}" if turns else "–",
                f"{law:.4f}",
                f"{frequency.mean():.5f}" if turns else "–",
            )
        )
    return Table(
        "Gain against leak: what three initial states reach",
        ("g", "reached", "amplitude", "spread", "2√((g−γ)/g)", "angular frequency"),
        tuple(rows),
        f"x' = −γx + (gI + W) tanh x, γ = {LEAK:g}, n = 2; starts at |x| = "
        f"{', '.join(f'{start:g}' for start in STARTS)}. Spread: largest over least "
        "amplitude, less one.",
    )
