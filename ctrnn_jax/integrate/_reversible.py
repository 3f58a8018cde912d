"""Gradients in constant memory: the backward pass rebuilds every state exactly."""

from typing import Any, NoReturn

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, DTypeLike, Int
from ..fields import AbstractField
from ..matrices._checks import is_concrete
from ._clock import Grid
from ._splitting import CoordinateSplitting, Leapfrog
from ._storage import AbstractStorage, FixedPoint, Floating


class ReversibleAdjoint(diffrax.AbstractAdjoint):
    r"""Exact gradients with memory that does not grow with the number of steps.

    For `CoordinateSplitting` and `Leapfrog` on constant steps, as `adjoint=` of
    [`simulate`][ctrnn_jax.integrate.simulate] and
    [`simulate_ensemble`][ctrnn_jax.integrate.simulate_ensemble]. Each exact flow of a
    splitting step changes only neurons that it does not read. The state is held in
    integers, $y = 2^{-b} q$, and each change is rounded once, so that the backward
    pass undoes every step bit for bit and differentiates it where it was taken. The
    gradient is that of the forward pass itself (rounding counts as the identity), at
    any horizon; that the backward pass ended on the bits it started from is checked
    each time.

    **Arguments:**

    - `mode`: `"fixed"`, as above; `"float"` undoes steps in plain floating point,
      where the rebuilt trajectory drifts from the true one by rounding, and in chaos
      leaves it. For comparison only.
    - `fraction_bits`: b. The default is 24 for float32, in 32 bits, and 54 for
      float64, in 64: a resolution of $6 \cdot 10^{-8}$ and $6 \cdot 10^{-17}$, and a
      range of |y| < 64 and |y| < 256. Each bit less doubles both. With a leak γ it is
      $e^{\gamma t}y$ that must stay in range: always so for a network that is left to
      itself, and up to $\gamma t = \ln(\text{range}/|y|)$ for a driven one.

    **Raises:** `ValueError` where a solve cannot be undone (another solver, adaptive
    steps, events, save times between steps), saying what to change. A state out of
    range is `RESULTS.nonfinite`, as infinity would be. A runtime error if the
    backward pass does not return to the start, which is possible only on a machine
    whose products are not reproducible (some scatters on a GPU).

    **Cost:** about three times the solve itself. Gradients with respect to everything
    in the model, to `y0` and to `inputs`; with a `SampledInputs` differentiated in,
    each step costs as much as it has samples. Reverse mode only, once.

    In an ensemble of up to 128 neurons `engine="pallas"` runs the solve in one GPU
    kernel, and the backward pass in another.

    **Warning:** in a chaotic regime the exact gradient grows like $e^{\lambda t}$:
    compare the horizon with 1/λ, from `ctrnn_jax.lyapunov_spectrum`.

    **Reference:** Levesque and Verlet (1993), J. Stat. Phys. 72, for integer
    reversible motion; Maclaurin, Duvenaud and Adams (2015), for gradients by it.
    """

    mode: str = eqx.field(static=True)
    fraction_bits: int | None = eqx.field(static=True)

    def __init__(
        self,
        mode: str = "fixed",
        *,
        fraction_bits: int | None = None,
    ):
        if mode not in ("fixed", "float"):
            raise ValueError(f"mode must be 'fixed' or 'float', got {mode!r}.")
        if mode == "float" and fraction_bits is not None:
            raise ValueError("fraction_bits is for mode='fixed'; drop it.")
        self.mode = mode
        self.fraction_bits = fraction_bits

    def loop(self, **kwargs: Any) -> NoReturn:
        """Refuse to run inside `diffrax.diffeqsolve`, which owns its loop."""
        raise ValueError(
            "ReversibleAdjoint is for ctrnn_jax.simulate and simulate_ensemble; with "
            "diffrax.diffeqsolve use diffrax.RecursiveCheckpointAdjoint()."
        )

    def storage(self, dtype: DTypeLike) -> AbstractStorage:
        """Return how states of a dtype are held."""
        if self.mode == "float":
            return Floating()
        return FixedPoint.of(dtype, self.fraction_bits)

    def out_of_range(self, dtype: DTypeLike) -> str:
        """Return what to say of a state that left the range."""
        storage = self.storage(dtype)
        if not isinstance(storage, FixedPoint):
            return "The solution is not finite (NaN or infinity); reduce dt0."
        return (
            f"The state left the range of ReversibleAdjoint, |y| < {storage.limit:g} "
            f"with fraction_bits={storage.bits}, or is not finite. Check the initial "
            "state, the weight and the inputs for NaN; reduce dt0 if the step is "
            "unstable; give fewer fraction_bits for a wider range (with a leak it is "
            "e^(leak·t)·y that must stay in it); or use "
            "adjoint=diffrax.RecursiveCheckpointAdjoint()."
        )

    def accept(
        self,
        model: object,
        solver: diffrax.AbstractSolver,
        options: dict[str, object],
    ) -> tuple[AbstractField, CoordinateSplitting | Leapfrog]:
        """Return what can be undone, the model and the solver, as they are.

        **Raises:** `ValueError` for another, and for `options` that are not `None`.
        """
        if not isinstance(solver, CoordinateSplitting | Leapfrog):
            raise ValueError(
                "ReversibleAdjoint undoes CoordinateSplitting and Leapfrog, got "
                f"{type(solver).__name__}. Use one of them, or "
                "adjoint=diffrax.RecursiveCheckpointAdjoint()."
            )
        if not isinstance(model, AbstractField):
            raise ValueError(
                "ReversibleAdjoint needs a VoltageCTRNN or RateCTRNN, got "
                f"{type(model).__name__}."
            )
        given = [name for name, value in options.items() if value is not None]
        if given:
            raise ValueError(
                f"ReversibleAdjoint takes no {', '.join(given)}: it makes equal steps "
                "from ts[0] to ts[-1] and saves at ts. Drop it, or use "
                "adjoint=diffrax.RecursiveCheckpointAdjoint()."
            )
        return model, solver


def choose_adjoint(
    adjoint: diffrax.AbstractAdjoint | str | None,
    model: object,
    solver: diffrax.AbstractSolver,
    grid: Grid | None,
    dtype: DTypeLike,
    options: dict[str, object],
) -> diffrax.AbstractAdjoint | None:
    """Return what `"auto"` stands for; anything else as it is."""
    if not isinstance(adjoint, str):
        return adjoint
    if adjoint != "auto":
        raise ValueError(
            f"adjoint must be 'auto', ReversibleAdjoint() or one of diffrax, got "
            f"{adjoint!r}."
        )
    reversible = (
        isinstance(model, AbstractField)
        and not model.has_leak
        and isinstance(solver, CoordinateSplitting | Leapfrog)
        and FixedPoint.holds(dtype)
        and grid is not None
        and _on_steps(grid)
        and all(value is None for value in options.values())
    )
    return ReversibleAdjoint() if reversible else None


def counts_on_steps(grid: Grid) -> Int[Array, " time"]:
    """Return how many steps lie before each save.

    **Raises:** `ValueError` if a save lies between steps; where `ts` is traced, at
    run time.
    """
    message = (
        "ReversibleAdjoint saves on steps only: space ts evenly, or choose dt0 so that "
        "every difference of ts is a whole number of steps."
    )
    if not _on_steps(grid):
        raise ValueError(message)
    whole = jnp.round(grid.counts)
    if not is_concrete(grid.counts):
        whole = eqx.error_if(whole, jnp.any(whole != grid.counts), message)
    return jax.lax.stop_gradient(whole).astype(int)


def _on_steps(grid: Grid) -> bool:
    """Whether saves fall on steps, as far as is known before running."""
    if not is_concrete(grid.counts):
        return True
    counts = np.asarray(grid.counts)
    return np.array_equal(counts, np.round(counts))
