"""The Lipschitz recurrent network: a linear part and a tanh part."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from ..._types import Array, DTypeLike, Float, Key, Matrix, Vector
from .._cell import AbstractCell
from ._parts import check_input, check_positive, check_sizes, normal


class LipschitzRNN(AbstractCell):
    r"""$h_k = h_{k-1} + \epsilon (A h_{k-1} + \tanh(W h_{k-1} + V u_k + b))$.

    A and W are each $(1-\beta)(M + M^\top) + \beta(M - M^\top) - \gamma I$ with a
    matrix M of their own: β = 1 is skew-symmetric, β = 1/2 free.

    **Initialisation.** As in the authors' code, whose default settings are the defaults
    here: the entries of both M are $\mathcal{N}(0, (\text{scale}/n)^2)$, V is Glorot's
    normal one, b zero.

    **Arguments:**

    - `input_size`, `hidden_size`: m and n.
    - `dt`: the Euler step ε.
    - `skewness`: β of A and of W, a pair or one number for both, in [1/2, 1].
    - `diffusion`: γ of A and of W, a pair or one number for both, not negative.
    - `scale`: of both M.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, a β outside [1/2, 1], or an input that
    does not fit.

    **Reference:** N. B. Erichson, O. Azencot, A. Queiruga, L. Hodgkinson, M. Mahoney,
    Lipschitz recurrent neural networks, ICLR (2021), arXiv:2006.12070.
    """

    linear: Matrix
    weight: Matrix
    input_weight: Float[Array, "n m"]
    bias: Vector
    matrices: tuple[Matrix, Matrix] | None
    dt: float = eqx.field(static=True)
    skewness: tuple[float, float] = eqx.field(static=True)
    diffusion: tuple[float, float] = eqx.field(static=True)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        dt: float = 0.05,
        skewness: float | tuple[float, float] = 0.7,
        diffusion: float | tuple[float, float] = 0.001,
        scale: float = 6.0,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        self.dt = check_positive("dt", dt)
        self.skewness = _pair(skewness)
        self.diffusion = _pair(diffusion)
        for beta, gamma in zip(self.skewness, self.diffusion, strict=True):
            if not 0.5 <= beta <= 1:
                raise ValueError(f"skewness must lie in [1/2, 1], got {skewness!r}.")
            check_positive("diffusion", gamma, zero=True)
        scale = check_positive("scale", scale, zero=True)
        linear_key, weight_key, input_key = jr.split(key, 3)
        self.linear = normal(linear_key, (n, n), scale / n, dtype)
        self.weight = normal(weight_key, (n, n), scale / n, dtype)
        self.input_weight = normal(input_key, (n, m), (2 / (n + m)) ** 0.5, dtype)
        self.bias = jnp.zeros(n, dtype)
        self.matrices = None

    @property
    def input_size(self) -> int:
        return self.input_weight.shape[1]

    @property
    def output_size(self) -> int:
        return self.bias.shape[0]

    def initial_state(self) -> Vector:
        return jnp.zeros_like(self.bias)

    def recurrent_matrices(self) -> tuple[Matrix, Matrix]:
        """Return A and W, each of shape `(n, n)`."""
        identity = jnp.eye(self.output_size, dtype=self.bias.dtype)

        def build(free: Matrix, beta: float, gamma: float) -> Matrix:
            # (1 - β)(M + Mᵀ) + β(M - Mᵀ) = M + (1 - 2β)Mᵀ
            return free + (1 - 2 * beta) * free.T - gamma * identity

        return (
            build(self.linear, self.skewness[0], self.diffusion[0]),
            build(self.weight, self.skewness[1], self.diffusion[1]),
        )

    def prepare(self) -> "LipschitzRNN":
        if self.matrices is not None:
            return self
        return eqx.tree_at(
            lambda cell: cell.matrices,
            self,
            self.recurrent_matrices(),
            is_leaf=lambda x: x is None,
        )

    def step(self, state: Vector, u: Float[Array, " m"]) -> Vector:
        check_input(u, self.input_size, self.bias.dtype)
        known = self.matrices
        linear, weight = self.recurrent_matrices() if known is None else known
        bent = jnp.tanh(weight @ state + self.input_weight @ u + self.bias)
        return state + self.dt * (linear @ state + bent)

    def output(self, state: Vector) -> Vector:
        return state


def _pair(value: float | tuple[float, float]) -> tuple[float, float]:
    if isinstance(value, tuple):
        first, second = value
        return float(first), float(second)
    return float(value), float(value)
