"""Steps for the linear oscillator: exact, or exactly orthogonal."""

from abc import abstractmethod

import diffrax
import jax
import jax.numpy as jnp

from .._types import Array, Float, Matrix, PyTree, State
from ..fields import AbstractField, Linear, RateCTRNN, VoltageCTRNN
from ..fields._fields import as_column
from ..fields._inputs import Inputs
from ..matrices import SparseSkew
from ..matrices._base import contract
from ._base import AbstractFieldSolver


class _AbstractLinearStep(AbstractFieldSolver):
    """y⁺ = P y + Q (B u + b), with P and Q built once for the step size."""

    @abstractmethod
    def propagator(self, generator: Matrix, h: Array) -> tuple[Matrix, Matrix]:
        """Return P and Q for $y' = My + d$ over a step h."""

    def check(self, field: AbstractField) -> None:
        name = type(self).__name__
        known = isinstance(field, VoltageCTRNN | RateCTRNN)
        if not known or not isinstance(field.activation, Linear):
            raise ValueError(
                f"{name} steps the linear field only (activation=Linear()), got "
                f"{type(field.activation).__name__}. Use DiscreteGradient() or "
                "CoordinateSplitting()."
            )
        if isinstance(field.weight, SparseSkew):
            raise ValueError(
                f"{name} builds a dense (n, n) propagator, which SparseSkew is there "
                "to avoid. Use CoordinateSplitting()."
            )

    def start(
        self,
        field: AbstractField,
        t: Float[Array, ""],
        h: Float[Array, ""],
        y: State,
        inputs: Inputs,
    ) -> tuple[Array, Array, Array]:
        matrix = field.weight.as_matrix()
        identity = jnp.eye(matrix.shape[0], dtype=matrix.dtype)
        leak = jnp.asarray(field.leak, matrix.dtype)
        if matrix.ndim == 2 and leak.ndim == 0:
            return h, *self.propagator(matrix - leak * identity, h)
        # Matrices or leaks of their own: one propagator a lane, lanes last.
        stack = matrix if matrix.ndim == 3 else matrix[..., None]
        generators = stack - leak.reshape(1, 1, -1) * identity[..., None]
        build = jax.vmap(self.propagator, in_axes=(-1, None), out_axes=-1)
        return h, *build(generators, h)

    def advance(
        self,
        field: AbstractField,
        t: Float[Array, ""],
        h: Float[Array, ""],
        y: State,
        inputs: Inputs,
        carry: tuple[Array, Array, Array],
    ) -> tuple[State, tuple[Array, Array, Array], diffrax.RESULTS]:
        # A clock that sums floats hands us the same step with the last bits changed.
        clock_error = 64 * jnp.finfo(y.dtype).eps * (1 + jnp.abs(t))
        change = jnp.abs(h - carry[0])
        same = (change <= clock_error) & (change <= 1e-3 * jnp.abs(h))
        carry = jax.lax.cond(
            same, lambda: carry, lambda: self.start(field, t, h, y, inputs)
        )
        _, propagate, respond = carry
        out = contract(propagate, y)
        drive = field.drive(t + 0.5 * h, inputs)
        if drive is not None:
            out = out + as_column(contract(respond, drive), out)
        return out, carry, diffrax.RESULTS.successful


class ExponentialStep(_AbstractLinearStep):
    r"""$x^+ = e^{hM}x + h\varphi_1(hM)d$ with $M = W - \gamma I$: exact for linear φ.

    Inputs are held at their mid-step value, which is second order in h; without
    inputs the step has no error but rounding.

    **Raises:** `ValueError` unless the activation is `Linear`, or for `SparseSkew`.
    """

    def order(self, terms: PyTree) -> int:
        return 2

    def propagator(self, generator: Matrix, h: Array) -> tuple[Matrix, Matrix]:
        n = generator.shape[0]
        identity = jnp.eye(n, dtype=generator.dtype)
        # exp([[hM, hI], [0, 0]]) = [[e^{hM}, h φ₁(hM)], [0, I]] (Van Loan 1978).
        top = jnp.concatenate([h * generator, h * identity], axis=1)
        block = jnp.concatenate([top, jnp.zeros_like(top)])
        expm = jax.scipy.linalg.expm(block)
        return expm[:n, :n], expm[:n, n:]


class CayleyStep(_AbstractLinearStep):
    r"""$x^+ = (I - hM/2)^{-1}((I + hM/2)x + hd)$ with $M = W - \gamma I$.

    Orthogonal for skew W without leak, for every h; second order. It is the
    implicit midpoint rule for linear φ, with its factor inverted once a solve.

    **Raises:** `ValueError` unless the activation is `Linear`, or for `SparseSkew`.
    """

    def order(self, terms: PyTree) -> int:
        return 2

    def propagator(self, generator: Matrix, h: Array) -> tuple[Matrix, Matrix]:
        identity = jnp.eye(generator.shape[0], dtype=generator.dtype)
        left = identity - 0.5 * h * generator
        right = jnp.concatenate([identity + 0.5 * h * generator, h * identity], axis=1)
        both = jnp.linalg.solve(left, right)
        return both[:, : generator.shape[0]], both[:, generator.shape[0] :]
