"""What bfloat16 costs an orbit, by where it is used: state, weight or products.

`python -m benchmarks.half_precision` writes results/half_precision.{json,md}. All of
it runs on a CPU, where a rounding to bfloat16 is the same as on a GPU.
"""

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ctrnn_jax import RK4, SkewSymmetric, VoltageCTRNN, simulate

from .gradients.schemes import rk4_increment

SIZE, STEP, SPAN, AMPLITUDE = 32, 0.05, 1000.0, 0.1
TIMES = (10.0, 100.0, 1000.0)
RESULTS = Path(__file__).resolve().parent / "results"

Round = Callable[[jax.Array], jax.Array]


def exact(x: jax.Array) -> jax.Array:
    """Return `x` in float32."""
    return x


# Through fewer bits, which a compiler may not skip.
tf32 = partial(jax.lax.reduce_precision, exponent_bits=8, mantissa_bits=10)
bfloat16 = partial(jax.lax.reduce_precision, exponent_bits=8, mantissa_bits=7)


@dataclasses.dataclass(frozen=True)
class Way:
    """How W, what it is multiplied with, and the state after each step are rounded."""

    label: str
    weight: Round = exact
    active: Round = exact
    state: Round = exact


WAYS = (
    Way("float32 throughout"),
    Way("products: operands rounded to TensorFloat-32", weight=tf32, active=tf32),
    Way(
        "products: operands in bfloat16, sums in float32",
        weight=bfloat16,
        active=bfloat16,
    ),
    Way("weight kept in bfloat16, the rest float32", weight=bfloat16),
    Way("state kept in bfloat16, the rest float32", state=bfloat16),
)


@partial(jax.jit, static_argnums=(2,))
def solve(weight: jax.Array, y0: jax.Array, way: Way) -> jax.Array:
    """Return all states of RK4 in float32 with the roundings of `way`."""
    operand = way.weight(weight)

    def slope(y: jax.Array) -> jax.Array:
        return jnp.matmul(operand, way.active(jnp.tanh(y)), precision="highest")

    def step(y: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        y = way.state(y + rk4_increment(slope, y, STEP))
        return y, y

    return jax.lax.scan(step, way.state(y0), length=round(SPAN / STEP))[1]


def measure() -> dict[str, Any]:
    """Return, for each way, errors of the states and of eigenfrequencies."""
    with jax.enable_x64(True):
        weight = SkewSymmetric(SIZE, key=jax.random.key(0), dtype=jnp.float64)
        start = AMPLITUDE * jax.random.normal(jax.random.key(1), (SIZE,), jnp.float64)
        ts = np.linspace(0.0, SPAN, round(SPAN / STEP) + 1)
        solution = simulate(
            VoltageCTRNN(weight), start, ts, dt0=STEP, solver=RK4(), throw=True
        )
        right, matrix = np.asarray(solution.ys)[1:], np.asarray(weight.as_matrix())
    single = jnp.asarray(matrix, jnp.float32)
    rows = []
    for way in WAYS:
        found = np.asarray(solve(single, jnp.asarray(start, jnp.float32), way))
        size = np.linalg.norm(right, axis=1).mean()
        off = np.linalg.norm(found - right, axis=1) / size
        errors = [off[round(t / STEP) - 1] for t in TIMES]
        used = np.asarray(way.weight(single), np.float64)
        shift = float(np.max(np.abs(frequencies(used) - frequencies(matrix))))
        norm = np.linalg.norm(found, axis=1)
        rows.append(
            {
                "way": way.label,
                "errors": [float(error) for error in errors],
                "frequency": shift,
                "norm": float(norm[-1] / np.linalg.norm(right[-1])),
            }
        )
    return {"size": SIZE, "step": STEP, "times": TIMES, "jax": jax.__version__} | {
        "amplitude": AMPLITUDE,
        "rows": rows,
    }


def frequencies(matrix: np.ndarray) -> np.ndarray:
    """Return the eigenfrequencies of a skew matrix, ascending, in rad a unit time."""
    return np.sort(np.linalg.eigvalsh(1j * matrix))


def table(found: dict[str, Any]) -> str:
    """Return the page that is committed."""
    times = [f"t = {t:g}" for t in found["times"]]
    lines = [
        "# What bfloat16 costs an orbit",
        "",
        f"x' = W tanh x, {found['size']} neurons, amplitude {found['amplitude']}, RK4 "
        f"with step {found['step']}; error of the state over its mean norm, against "
        f"RK4 in float64 with the same step; on a CPU, jax {found['jax']}. The "
        "frequency column is the largest change of an eigenfrequency of W as it is "
        "used, in rad per unit time; the norm is that of the last state over the true "
        "one. Written by `python -m benchmarks.half_precision`.",
        "",
        f"| way | {' | '.join(times)} | frequency | norm |",
        f"|---|{'---|' * (len(times) + 2)}",
    ]
    for row in found["rows"]:
        errors = " | ".join(f"{error:.1e}" for error in row["errors"])
        lines.append(
            f"| {row['way']} | {errors} | {row['frequency']:.1e} | {row['norm']:.4g} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write both files."""
    found = measure()
    text = json.dumps(found, indent=1) + "\n"
    (RESULTS / "half_precision.json").write_text(text, encoding="utf-8")
    (RESULTS / "half_precision.md").write_text(table(found), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
