"""What every parametrisation of the recurrent matrix W can do."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float, Matrix, State


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
        return DenseWeight(self.as_matrix(), self.is_skew, self.has_zero_diagonal)

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
        return contract(self.matrix, x)

    def materialise(self) -> "DenseWeight":
        return self


#: Largest inner dimension for which a lane-wise matrix is multiplied element by
#: element; above it one batched product is faster (measured, see benchmarks/).
_UNROLL_LANE_MATRICES = 16


def contract(
    matrix: Float[Array, "m k *batch"], x: Float[Array, "k *batch"]
) -> Float[Array, "m *batch"]:
    """Multiply `matrix` with `x`, lanes (if any) on the last axis of either.

    Accumulates at full precision on every backend: the default on a GPU may round
    the operands of a float32 product to 10 bits, which no integrator survives.
    """
    if matrix.ndim == 2:
        return jnp.matmul(matrix, x, precision=jax.lax.Precision.HIGHEST)
    if matrix.shape[1] <= _UNROLL_LANE_MATRICES:
        total = matrix[:, 0] * x[None, 0]
        for k in range(1, matrix.shape[1]):
            total = total + matrix[:, k] * x[None, k]
        return total
    return jnp.einsum("mkb,kb->mb", matrix, x, precision=jax.lax.Precision.HIGHEST)


def check_size(size: int, *, minimum: int = 1) -> None:
    """Refuse a neuron count that is not an integer of at least `minimum`."""
    if isinstance(size, bool) or not isinstance(size, int | np.integer):
        raise ValueError(f"size must be an int, got {size!r}.")
    if size < minimum:
        raise ValueError(f"size must be at least {minimum}, got {size}.")


def check_matrix(matrix: object) -> Float[Array, "n n"]:
    """Return `matrix` as a square floating array, or say what is wrong with it."""
    array = jnp.asarray(matrix)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] == 0:
        raise ValueError(
            f"W must be a square matrix of shape (n, n), got shape {array.shape}."
        )
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            f"W must be floating, got dtype {array.dtype}; "
            "convert it with W.astype(float)."
        )
    return array


def check_skew(matrix: object) -> Float[Array, "n n"]:
    """Return `matrix` if it is skew-symmetric to rounding, else raise."""
    array = check_matrix(matrix)
    if not isinstance(array, jax.core.Tracer):
        dense = np.asarray(array)
        tolerance = 8 * np.finfo(dense.dtype).eps * np.max(np.abs(dense), initial=0.0)
        asymmetry = np.max(np.abs(dense + dense.T))
        # Written so that a NaN fails the comparison too.
        if not asymmetry <= tolerance:
            raise ValueError(
                f"W is not skew-symmetric: max |W + W^T| = {asymmetry:.3g}. Pass its "
                "skew part (W - W.T) / 2, or use Unconstrained.from_matrix."
            )
    return array


def check_frequency_range(
    angular_frequency_range: tuple[float, float],
) -> tuple[float, float]:
    """Return `(low, high)` if 0 <= low <= high and both are finite, else raise."""
    low, high = (float(bound) for bound in angular_frequency_range)
    if not (0 <= low <= high < float("inf")):
        raise ValueError(
            "angular_frequency_range must be (low, high) with 0 <= low <= high, both "
            f"finite and in radians per unit time; got {angular_frequency_range}."
        )
    return low, high
