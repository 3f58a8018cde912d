"""C2: which activations keep the motion on closed, bounded orbits?"""

import dataclasses
import time

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..fields import VoltageCTRNN
from ..integrate import simulate_ensemble
from ..invariants import energy
from ..matrices import SkewSymmetric
from ._cases import CASES, Case
from ._claim import Advance, ClaimResult, Finding, Settings, Table, Verdict
from ._criteria import fate, upward_crossings
from ._periods import rotation
from ._portraits import PORTRAIT_DURATION, PORTRAIT_STARTS, portraits_picture

_STEP = 0.01
#: An orbit is called closed if it comes back within this fraction of its size.
_CLOSED = 1e-4
#: The energy is called conserved up to this relative drift. Where φ has kinks a
#: Runge-Kutta step across one is of low order, and the bound is the second.
_CONSERVED, _CONSERVED_KINKS = 1e-6, 1e-3
_LARGEST = 8


def settings(*, quick: bool) -> Settings:
    """Return what the result depends on."""
    return {
        "seed": 2,
        "seeds": 3 if quick else 8,
        "plane_duration": 60.0 if quick else 200.0,
        "duration": 100.0 if quick else 1000.0,
        "cases": ["tanh", "eˣ − 1 (Lotka–Volterra)", "sine", "rectified tanh"]
        if quick
        else [case.name for case in CASES],
    }


def stages(settings: Settings) -> int:
    """Return how often `run` calls `advance`."""
    return len(settings["cases"]) + 1


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was measured of one activation.

    - `drift`: largest |H(t) − H(0)| / H(0) over all runs; a run that leaves every
      bound is judged while below 1e3.
    - `gap`: how near each plane orbit comes back, over its size; NaN if it never does.
    - `plane`: fate of each orbit in the plane; `beyond`: of the runs with n = 3 and 8.
    - `orbits`: the orbits to draw, shape `(orbit, time, 2)`.
    """

    case: Case
    drift: float
    gap: np.ndarray
    plane: list[str]
    beyond: dict[int, list[str]]
    orbits: np.ndarray

    @property
    def closed(self) -> int:
        """How many plane orbits close."""
        return int(np.sum(self.gap < _CLOSED))

    @property
    def conserved(self) -> bool:
        """Whether H is kept."""
        smooth = self.case.activation.is_smooth
        return self.drift < (_CONSERVED if smooth else _CONSERVED_KINKS)

    @property
    def stays(self) -> bool:
        """Whether no run leaves."""
        fates = [*self.plane, *(f for fates in self.beyond.values() for f in fates)]
        return "diverges" not in fates


def run(settings: Settings, advance: Advance) -> ClaimResult:
    """Measure every activation, and judge the claim."""
    began = time.perf_counter()
    outcomes = []
    for case in CASES:
        if case.name in settings["cases"]:
            advance(f"C2: {case.name}")
            outcomes.append(_measure(case, settings))
    advance("C2: portraits")
    picture = portraits_picture({outcome.case: outcome.orbits for outcome in outcomes})
    findings = _findings(outcomes)
    return ClaimResult(
        key="C2",
        title="Motion invariants and the activation",
        claim="Odd, bounded and continuous activations, such as tanh, preserve the "
        "oscillation through motion invariants.",
        verdict="holds where",
        summary="Every activation keeps H = ΣΦ(xᵢ) for skew W without leak: neither "
        "oddness nor boundedness is used. What keeps the motion oscillating is that "
        "Φ grows to infinity both ways (coercive), which makes the level sets of H "
        "closed and bounded. The claim holds for tanh-like activations because odd, "
        "increasing ones are coercive. It is not necessary to be odd or bounded "
        "(Lotka–Volterra oscillates), and odd, bounded and continuous is not enough.",
        findings=findings,
        tables=(_table(outcomes, settings),),
        pictures=(picture,),
        settings=settings,
        seconds=time.perf_counter() - began,
    )


def _measure(case: Case, settings: Settings) -> Outcome:
    rng = np.random.default_rng(settings["seed"])
    ts, ys = _solve_plane(case, settings, rng)
    phi = np.asarray(case.activation(jnp.asarray(ys)))
    slopes = np.stack([phi[..., 1], -phi[..., 0]], axis=-1)
    own = slice(settings["seeds"])
    gaps = [return_gap(ts, *pair) for pair in zip(ys[own], slopes[own], strict=True)]
    beyond = _solve_beyond(case, settings, rng)
    return Outcome(
        case,
        max(_drift(case, ys), *(_drift(case, lanes) for lanes in beyond.values())),
        np.asarray(gaps),
        [fate(lane) for lane in ys[own]],
        {n: [fate(lane) for lane in lanes] for n, lanes in beyond.items()},
        ys[settings["seeds"] :, : round(PORTRAIT_DURATION / _STEP) + 1],
    )


def _solve_plane(
    case: Case, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return times and orbits of two neurons, the last of them those to draw."""
    angle = 2 * np.pi * rng.uniform(size=settings["seeds"])
    radius = np.linspace(0.5, 3.0, settings["seeds"])
    y0 = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    weight = SkewSymmetric.from_matrix(rotation(1.0))
    model = VoltageCTRNN(weight, activation=case.activation)
    ts = np.arange(round(settings["plane_duration"] / _STEP) + 1) * _STEP
    solution = simulate_ensemble(
        model,
        jnp.asarray(np.concatenate([y0, PORTRAIT_STARTS])),
        ts,
        dt0=_STEP,
        solver=diffrax.Tsit5(),
    )
    return ts, np.asarray(solution.ys)


def return_gap(ts: np.ndarray, ys: np.ndarray, slopes: np.ndarray) -> float:
    """Return how near an orbit comes back to its start, over its largest radius.

    Looked at where it crosses, in the direction of the start, the line (in general
    the hyperplane) through the start and normal to its motion there. NaN if it rests
    or never crosses.
    """
    start, direction = ys[0], slopes[0]
    if not np.any(direction):
        return float("nan")
    along = (ys - start) @ direction
    times = upward_crossings(ts[1:], along[1:], (slopes @ direction)[1:])
    if not len(times):
        return float("nan")
    # The states there, on the cubic through values and slopes.
    index = np.searchsorted(ts, times, side="right").clip(1, len(ts) - 1) - 1
    step = (ts[index + 1] - ts[index])[:, None]
    s = (times - ts[index])[:, None] / step
    a, b = ys[index], ys[index + 1]
    da, db = step * slopes[index], step * slopes[index + 1]
    there = a + s * (da + s * (3 * (b - a) - 2 * da - db + s * (2 * (a - b) + da + db)))
    gaps = np.linalg.norm(there - start, axis=1)
    return float(gaps.min() / np.linalg.norm(ys, axis=1).max())


def _solve_beyond(
    case: Case, settings: Settings, rng: np.random.Generator
) -> dict[int, np.ndarray]:
    """Follow 3 and 8 neurons; the smaller network is padded with idle ones."""
    seeds, sizes = settings["seeds"], (3, _LARGEST)
    weights = np.zeros((len(sizes), seeds, _LARGEST, _LARGEST))
    y0 = np.zeros((len(sizes), seeds, _LARGEST))
    for index, n in enumerate(sizes):
        upper = np.triu(rng.normal(size=(seeds, n, n)) * 0.5 / np.sqrt(n), 1)
        weights[index, :, :n, :n] = upper - np.swapaxes(upper, 1, 2)
        y0[index, :, :n] = 1.5 * rng.normal(size=(seeds, n))

    def one(weight: jnp.ndarray) -> VoltageCTRNN:
        return VoltageCTRNN(
            SkewSymmetric.from_matrix(weight), activation=case.activation
        )

    model = eqx.filter_vmap(one)(jnp.asarray(weights.reshape(-1, _LARGEST, _LARGEST)))
    ts = np.linspace(0.0, settings["duration"], 2001)
    ys = simulate_ensemble(
        model,
        jnp.asarray(y0.reshape(-1, _LARGEST)),
        ts,
        dt0=2 * _STEP,
        solver=diffrax.Tsit5(),
        model_axes=0,
    ).ys
    ys = np.asarray(ys).reshape(len(sizes), seeds, len(ts), _LARGEST)
    return dict(zip(sizes, ys, strict=True))


def _drift(case: Case, ys: np.ndarray) -> float:
    """Return the largest relative drift, of each run while it is below 1e3."""
    size = ys.shape[-1]
    zero = VoltageCTRNN(
        SkewSymmetric.from_matrix(np.zeros((size, size))), activation=case.activation
    )
    values = np.asarray(energy(zero, jnp.asarray(ys)))
    near = np.max(np.abs(ys), axis=-1) < 1e3
    near = np.logical_and.accumulate(near, axis=-1)
    scale = np.maximum(np.abs(values[:, :1]), 1e-3)
    return float(np.max(np.where(near, np.abs(values - values[:, :1]) / scale, 0.0)))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(outcomes: list[Outcome], settings: Settings) -> Table:
    rows = []
    for outcome in outcomes:
        case, total = outcome.case, len(outcome.plane)
        runaway = [
            f.count("diverges") for f in (outcome.plane, *outcome.beyond.values())
        ]
        rows.append(
            (
                case.name,
                _yes(case.odd),
                _yes(case.bounded),
                _yes(case.coercive),
                f"{outcome.drift:.0e}",
                f"{outcome.closed} of {total}",
                *(f"{count} of {total}" for count in runaway),
            )
        )
    return Table(
        "What each activation keeps",
        (
            "φ",
            "odd",
            "bounded",
            "Φ coercive",
            "drift of H",
            "closed, n = 2",
            "run away, n = 2",
            "n = 3",
            "n = 8",
        ),
        tuple(rows),
        "Skew W, no leak, Tsit5 with h = 0.01 (n = 2) or 0.02, so that what is "
        "conserved is so by the flow and not by the method. Drift: relative, the "
        "largest over all runs. Closed: comes back to its start within "
        f"{_CLOSED:g} of its size. Kinks cost the method accuracy, not the "
        f"flow. n = 2: t = {settings['plane_duration']:g}, starts at "
        f"radii 0.5 to 3; n = 3 and 8: t = {settings['duration']:g}, starts 1.5·N(0, "
        "1). An orbit that neither closes nor runs away rests.",
    )


def _findings(outcomes: list[Outcome]) -> tuple[Finding, ...]:
    def verdict(okay: bool) -> Verdict:
        return "holds" if okay else "fails"

    worst = max(outcomes, key=lambda outcome: outcome.drift)
    coercive = [o for o in outcomes if o.case.coercive]
    open_ = [o for o in outcomes if not o.case.coercive]
    named = [o for o in outcomes if o.case.odd and o.case.bounded]
    enough = [o for o in named if o.stays]
    lost = [o for o in named if not o.stays]
    free = [o for o in coercive if not (o.case.odd and o.case.bounded)]
    orbits = sum(len(o.gap) for o in coercive)
    found = [
        Finding(
            "Skew W without leak keeps H = ΣΦ(xᵢ), whatever the activation.",
            verdict(all(o.conserved for o in outcomes)),
            f"largest relative drift {worst.drift:.1e} ({worst.case.name}), over "
            f"{len(outcomes)} activations",
        ),
        Finding(
            "Coercive Φ: every orbit of two neurons closes, none runs away for any n.",
            verdict(all(o.stays and o.closed == len(o.gap) for o in coercive)),
            f"{sum(o.closed for o in coercive)} of {orbits} closed, worst return gap "
            f"{max(np.nanmax(o.gap) for o in coercive):.1e} of the size; "
            f"{', '.join(o.case.name for o in coercive)}",
        ),
        Finding(
            "Odd, bounded and continuous is enough (the claim, read literally).",
            "holds where" if lost and enough else verdict(not lost),
            f"nothing runs away: {_names(enough)}; runs away: {_names(lost)}",
        ),
        Finding(
            "Odd and bounded is necessary.",
            verdict(not any(o.stays for o in free)),
            f"oscillate without being both: {_names([o for o in free if o.stays])}",
        ),
        Finding(
            "The rectified tanh (the paper's counter-example) loses the oscillation.",
            verdict(all(not o.stays for o in open_ if "rectified" in o.case.name)),
            "H is kept, its level sets are open: "
            + "; ".join(
                f"{o.case.name}: {o.plane.count('diverges')} of {len(o.plane)} plane "
                f"orbits run away, {o.closed} close"
                for o in open_
                if o.case.name in ("rectified tanh", "relu", "logistic")
            ),
        ),
    ]
    return tuple(found)


def _names(outcomes: list[Outcome]) -> str:
    return ", ".join(outcome.case.name for outcome in outcomes) or "none"
