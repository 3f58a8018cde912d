"""Where oscillation is periodic, quasi-periodic or chaotic, by size and energy.

Random skew networks x' = W tanh x, n = 2 to 64, from small to large energy: each orbit
is classified by `ctrnn_jax.analysis.classify_orbits`. A run is cut into lots, one a W,
each written as a line when it is done; the same command goes on where it stopped.
"""

import dataclasses
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

#: Networks drawn of each size. Of two neurons there is one, up to the time scale.
DRAWS = {
    2: 10,
    3: 20,
    4: 56,
    5: 48,
    6: 48,
    8: 48,
    12: 20,
    16: 18,
    32: 8,
    64: 6,
}
#: H/n, two a decade.
LEVELS = tuple(float(f"{10**k:.4g}") for k in np.arange(-3, 1.1, 0.5))
#: Initial states at each level of each network.
STARTS = 4
SEED = 2026
#: Between samples: lines up to π/0.4 are told from their images, and W has none
#: beyond 2√2.
_SPACING = 0.4


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How orbits are followed; the variants check that it does not matter."""

    name: str
    duration: float
    step: float
    solver: str
    draws: dict[int, int]


MAIN = Protocol("main", 4000.0, 0.2, "Dopri8", DRAWS)
#: The same networks and starts, twice as long.
LONGER = Protocol("twice as long", 8000.0, 0.2, "Dopri8", {4: 3, 5: 3, 8: 3, 16: 1})
#: The same, by a method that keeps the Poisson structure exactly.
SPLIT = Protocol("splitting", 4000.0, 0.1, "CoordinateSplitting(4)", {8: 2})
CHECKS = (LONGER, SPLIT)


def draw_network(size: int, draw: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return W `(n, n)` and starts `(levels · STARTS, n)`, lowest energy first.

    $W = A - A^\top$ with A Gaussian, scaled to $\|W\|_F^2 = 2(n - 1)$, its mean for
    entries of A ~ N(0, 1)/√n: a factor of W is only another unit of time. A start is a
    Gaussian direction, of the length that gives H/n the value of its level.
    """
    rng = np.random.default_rng([SEED, size, draw])
    a = rng.normal(size=(size, size))
    weight = a - a.T
    weight *= math.sqrt(2 * (size - 1)) / np.linalg.norm(weight)
    starts = [
        _at_level(rng.normal(size=size), level)
        for level in LEVELS
        for _ in range(STARTS)
    ]
    return weight, np.stack(starts)


def _at_level(direction: np.ndarray, level: float) -> np.ndarray:
    from scipy.optimize import brentq

    def excess(log_length: float) -> float:
        x = np.abs(np.exp(log_length) * direction)
        return np.mean(x + np.log1p(np.exp(-2 * x)) - math.log(2)) - level

    root: Any = brentq(excess, -15.0, 10.0, xtol=1e-14)
    return np.exp(root) * direction


def lots() -> Iterator[tuple[Protocol, int, int]]:
    """Yield what is to be done: the protocol, the size and the draw.

    A quarter of the networks of every size come first, then the checks, so that a run
    that is stopped early has something of everything.
    """
    first = {size: math.ceil(draws / 4) for size, draws in MAIN.draws.items()}
    for size, draws in first.items():
        yield from ((MAIN, size, draw) for draw in range(draws))
    for check in CHECKS:
        for size, draws in check.draws.items():
            yield from ((check, size, draw) for draw in range(draws))
    rest = (
        (draw / draws, size, draw)
        for size, draws in MAIN.draws.items()
        for draw in range(first[size], draws)
    )
    # All sizes come forward together.
    yield from ((MAIN, size, draw) for _, size, draw in sorted(rest))


def run(folder: Path, seconds: float) -> bool:
    """Do lots that are not done for about `seconds`; return whether all are."""
    import jax

    jax.config.update("jax_enable_x64", True)
    # A run in pieces builds its programs once.
    jax.config.update("jax_compilation_cache_dir", str((folder / "programs").resolve()))
    folder.mkdir(parents=True, exist_ok=True)
    done = {(lot["protocol"], lot["n"], lot["draw"]) for lot in read(folder)}
    stop = time.monotonic() + seconds
    with (folder / "lots.jsonl").open("a", encoding="utf-8") as file:
        for protocol, size, draw in lots():
            if (protocol.name, size, draw) in done:
                continue
            if time.monotonic() > stop:
                return False
            lot = _classify(protocol, size, draw)
            file.write(json.dumps(lot) + "\n")
            file.flush()
            print(
                f"{protocol.name}, n = {size}, {draw}: {lot['cpu']:.1f} s", flush=True
            )
    return True


def read(folder: Path) -> list[dict]:
    """Return the lots that are done; a line cut short by a kill is left out."""
    path = folder / "lots.jsonl"
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def _classify(protocol: Protocol, size: int, draw: int) -> dict:
    import diffrax
    import jax.numpy as jnp

    from ctrnn_jax import SkewSymmetric, VoltageCTRNN
    from ctrnn_jax.analysis import classify_orbits
    from ctrnn_jax.integrate import CoordinateSplitting

    solvers = {
        "Dopri8": diffrax.Dopri8(),
        "CoordinateSplitting(4)": CoordinateSplitting(4),
    }
    weight, starts = draw_network(size, draw)
    cpu = time.process_time()
    found = classify_orbits(
        VoltageCTRNN(SkewSymmetric.from_matrix(weight)),
        jnp.asarray(starts),
        dt0=protocol.step,
        duration=protocol.duration,
        solver=solvers[protocol.solver],
        stride=round(_SPACING / protocol.step),
        num_frequencies=3,
        max_frequency_samples=2048,
    )
    columns = {
        name: [float(f"{value:.4g}") for value in np.asarray(getattr(found, name))]
        for name in (
            "megno",
            "exponent",
            "exponent_error",
            "frequency_drift",
            "closest_return",
            "relation_residual",
            "oscillations",
            "energy_drift",
        )
    }
    # JSON has no infinity: where there was no return there is none.
    columns = {
        name: [value if math.isfinite(value) else None for value in values]
        for name, values in columns.items()
    }
    return {
        "protocol": protocol.name,
        "n": size,
        "draw": draw,
        "code": np.asarray(found.code).tolist(),
        "reason": np.asarray(found.reason).tolist(),
        "independent": np.asarray(found.num_independent).tolist(),
        **columns,
        "cpu": round(time.process_time() - cpu, 2),
    }
