"""What every parametrisation of the recurrent matrix W can do."""

from abc import abstractmethod
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from .._types import Array, ArrayLike, Float, Matrix, State


class AbstractWeight(eqx.Module):
    r"""A parametrised recurrent matrix $W \in \mathbb{R}^{n \times n}$.

    Subclasses hold parameters and say what the matrix built from them is. The two
    promises hold for *every* value of the parameters, so integrators
    and invariants may rely on them before any number is known.

    - `is_skew`: $W + W^\top = 0$ exactly.
    - `has_zero_diagonal`: $W_{ii} = 0$ exactly.
    """

    is_skew: eqx.AbstractVar[bool]
    has_zero_diagonal: eqx.AbstractVar[bool]

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of neurons n."""

    @property
    def dtype(self) -> jnp.dtype:
        """Floating dtype of the parameters."""
        arrays = jax.tree.leaves(eqx.filter(self, eqx.is_inexact_array))
        return jnp.result_type(*arrays)

    @abstractmethod
    def as_matrix(self) -> Matrix:
        """Return W as a dense array of shape `(n, n)`."""

    @abstractmethod
    def mv(self, x: State) -> State:
        """Return `W @ x` for `x` of shape `(n,)` or `(n, batch)`."""

    @property
    def independent_sets(self) -> tuple[slice | Array, ...] | None:
        """Index sets that cover the neurons, none coupled inside itself.

        `None` where no useful cover is known from the structure alone. With one,
        all neurons of a set can be kicked at once (see `CoordinateSplitting`).
        """
        return None

    def mv_from(self, index: int, x: Float[Array, "k *batch"]) -> State:
        """Return `W[:, I] @ x` with I the `index`-th independent set."""
        return contract(self.as_matrix()[:, self._set(index)], x)

    def mv_to(self, index: int, x: State) -> Float[Array, "k *batch"]:
        """Return `W[I, :] @ x` with I the `index`-th independent set."""
        return contract(self.as_matrix()[self._set(index)], x)

    def materialise(self) -> "AbstractWeight":
        """Return a weight whose products need no further construction.

        Called once a solve. The default builds the dense matrix; structures with a
        cheap product return themselves.
        """
        return DenseWeight(
            matrix=self.as_matrix(),
            is_skew=self.is_skew,
            has_zero_diagonal=self.has_zero_diagonal,
        )

    def _check_operand(self, x: State) -> None:
        """Refuse an `x` that indexing or broadcasting would accept in silence."""
        if x.ndim == 0 or x.shape[0] != self.size:
            raise ValueError(
                f"x must have shape (n,) or (n, batch) with n = {self.size}, got "
                f"{x.shape}."
            )

    def _set(self, index: int) -> slice | Array:
        sets = self.independent_sets
        if sets is None:
            raise ValueError(f"{type(self).__name__} has no known independent sets.")
        return sets[index]


class DenseWeight(AbstractWeight):
    """A matrix already built, with the promises of the weight it came from.

    `matrix` has shape `(n, n)`, or `(n, n, batch)` where each ensemble lane has a
    matrix of its own.
    """

    matrix: Float[Array, "n n *batch"]
    is_skew: bool = eqx.field(static=True)
    has_zero_diagonal: bool = eqx.field(static=True)

    @property
    def size(self) -> int:
        return self.matrix.shape[0]

    def as_matrix(self) -> Float[Array, "n n *batch"]:
        return self.matrix

    def mv(self, x: State) -> State:
        self._check_operand(x)
        return contract(self.matrix, x, zero_diagonal=self.has_zero_diagonal)

    def materialise(self) -> "DenseWeight":
        return self


def mirror(upper: Float[Array, " pairs"], size: int) -> Matrix:
    """Return the skew matrix whose rows above the diagonal are `upper`, in order."""
    # Gathered, which XLA does six times faster than the scatter of a triangle.
    rows, cols = np.triu_indices(size, k=1)
    source = np.zeros((size, size), np.int32)
    source[rows, cols] = source[cols, rows] = 1 + np.arange(rows.size)
    sign = jnp.asarray(np.where(np.tri(size, k=-1), -1.0, 1.0), upper.dtype)
    return sign * jnp.concatenate([jnp.zeros(1, upper.dtype), upper])[source]


#: A product is written out as multiply-adds, which fuse with the activation around
#: them, up to these inner dimensions: for one matrix and any number of lanes; for one
#: matrix while rows × terms × lanes are few, where calling a product costs more than
#: the product; and for a matrix a lane (measured, see benchmarks/).
UNROLL_SHARED = 3
UNROLL_FEW_LANES = 16
UNROLL_PRODUCTS = 8192
UNROLL_PER_LANE = 16


def contract(
    matrix: Float[Array, "m k *lanes"],
    x: Float[Array, "k *batch"],
    *,
    zero_diagonal: bool = False,
) -> Float[Array, "m *batch"]:
    """Multiply `matrix` with `x`, lanes (if any) on the last axis of either.

    Accumulates at full precision on every backend: the default on a GPU may round
    the operands of a float32 product to 10 bits, which no integrator survives.
    `zero_diagonal` promises that the diagonal is exactly 0.
    """
    if x.ndim == 2 and _is_written_out(matrix, x):
        return _multiply_add(zero_diagonal, matrix, x)
    return _dot(matrix, x)


def _is_written_out(
    matrix: Float[Array, "m k *lanes"], x: Float[Array, "k batch"]
) -> bool:
    rows, terms = matrix.shape[:2]
    if matrix.ndim == 3:
        return 0 < terms <= UNROLL_PER_LANE
    few = rows * terms * x.shape[1] <= UNROLL_PRODUCTS and terms <= UNROLL_FEW_LANES
    return 0 < terms <= UNROLL_SHARED or (terms > 0 and few)


def _dot(
    matrix: Float[Array, "m k *lanes"], x: Float[Array, "k *batch"]
) -> Float[Array, "m *batch"]:
    if matrix.ndim == 3:
        return jnp.einsum("mkb,kb->mb", matrix, x, precision=jax.lax.Precision.HIGHEST)
    return jnp.matmul(matrix, x, precision=jax.lax.Precision.HIGHEST)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _multiply_add(
    zero_diagonal: bool, matrix: Float[Array, "m k *lanes"], x: Float[Array, "k batch"]
) -> Float[Array, "m batch"]:
    """Multiply term by term, but differentiate as a product.

    The transpose of written-out terms is a sum over lanes for each, and takes up to
    twenty times as long as the product that it amounts to.
    """
    if zero_diagonal and matrix.shape[:2] == (2, 2):
        # One φ an output: each is computed where it is used, and nothing is stored.
        return jnp.stack([matrix[0, 1] * x[1], matrix[1, 0] * x[0]])
    columns = matrix if matrix.ndim == 3 else matrix[..., None]
    total = columns[:, 0] * x[:1]
    for k in range(1, matrix.shape[1]):
        total = total + columns[:, k] * x[k : k + 1]
    return total


@partial(_multiply_add.defjvp, symbolic_zeros=True)
def _multiply_add_jvp(
    zero_diagonal: bool,
    primals: tuple[Array, Array],
    tangents: tuple[ArrayLike | SymbolicZero, ArrayLike | SymbolicZero],
) -> tuple[Array, Array]:
    (matrix, x), (matrix_dot, x_dot) = primals, tangents
    out = _multiply_add(zero_diagonal, matrix, x)
    out_dot = jnp.zeros_like(out)
    if not isinstance(matrix_dot, SymbolicZero):
        out_dot = out_dot + _dot(jnp.asarray(matrix_dot), x)
    if not isinstance(x_dot, SymbolicZero):
        out_dot = out_dot + _dot(matrix, jnp.asarray(x_dot))
    return out, out_dot
