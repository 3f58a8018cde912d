"""What bfloat16 costs an orbit, by where it is used: state, weight or products.

`python -m benchmarks.half_precision` writes results/half_precision.{json,md}. All of
it runs on a CPU, where a rounding to bfloat16 is the same as on a GPU.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ctrnn_jax import RK4, SkewSymmetric, VoltageCTRNN, simulate

SIZE, STEP, SPAN, AMPLITUDE = 32, 0.05, 1000.0, 0.1
TIMES = (10.0, 100.0, 1000.0)
RESULTS = Path(__file__).resolve().parent / "results"
WAYS = {
    "float32 throughout": (),
    "products: operands rounded to TensorFloat-32": ("tf32",),
    "products: operands in bfloat16, sums in float32": ("products",),
    "weight kept in bfloat16, the rest float32": ("weight",),
    "state kept in bfloat16, the rest float32": ("state",),
}


def rounded(x: jax.Array) -> jax.Array:
    """Return `x` through bfloat16, which a compiler may not skip."""
    return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7)


@partial(jax.jit, static_argnums=(2,))
def solve(weight: jax.Array, y0: jax.Array, where: tuple[str, ...]) -> jax.Array:
    """Return all states of RK4 in float32 with roundings where said."""
    if "weight" in where:
        weight = rounded(weight)
    cut: Any = lambda x: x  # noqa: E731
    if "products" in where:
        cut = rounded
    if "tf32" in where:
        cut = partial(jax.lax.reduce_precision, exponent_bits=8, mantissa_bits=10)
    operand = cut(weight)

    def field(y: jax.Array) -> jax.Array:
        return jnp.matmul(operand, cut(jnp.tanh(y)), precision="highest")

    def step(y: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        h = jnp.float32(STEP)
        k1 = field(y)
        k2 = field(y + h / 2 * k1)
        k3 = field(y + h / 2 * k2)
        k4 = field(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if "state" in where:
            y = rounded(y)
        return y, y

    start = rounded(y0) if "state" in where else y0
    return jax.lax.scan(step, start, length=round(SPAN / STEP))[1]


def measure() -> dict[str, Any]:
    """Return, for each way, errors of the states and of eigenfrequencies."""
    with jax.enable_x64(True):
        weight = SkewSymmetric(SIZE, key=jax.random.key(0), dtype=jnp.float64)
        start = AMPLITUDE * jax.random.normal(jax.random.key(1), (SIZE,), jnp.float64)
        ts = np.linspace(0.0, SPAN, round(SPAN / STEP) + 1)
        solution = simulate(
            VoltageCTRNN(weight), start, ts, dt0=STEP, solver=RK4(), throw=True
        )
        exact, matrix = np.asarray(solution.ys)[1:], np.asarray(weight.as_matrix())
    single = jnp.asarray(matrix, jnp.float32)
    right = frequencies(matrix)
    rows = []
    for label, where in WAYS.items():
        found = np.asarray(solve(single, jnp.asarray(start, jnp.float32), where))
        size = np.linalg.norm(exact, axis=1).mean()
        off = np.linalg.norm(found - exact, axis=1) / size
        errors = [off[round(t / STEP) - 1] for t in TIMES]
        seen = {"weight": rounded, "products": rounded}.get(where[0] if where else "")
        if where == ("tf32",):
            seen = partial(jax.lax.reduce_precision, exponent_bits=8, mantissa_bits=10)
        used = np.asarray(single if seen is None else seen(single), np.float64)
        shift = float(np.max(np.abs(frequencies(used) - right)))
        norm = np.linalg.norm(found, axis=1)
        rows.append(
            {
                "way": label,
                "errors": [float(error) for error in errors],
                "frequency": shift,
                "norm": float(norm[-1] / np.linalg.norm(exact[-1])),
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
