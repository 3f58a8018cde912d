"""The orthogonal network by the exponential of a skew-symmetric matrix."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from ..._types import Array, DTypeLike, Float, Key, Matrix, Vector
from ...matrices import SkewSymmetric
from .._cell import AbstractCell
from ._parts import check_input, check_sizes, normal, uniform

_INITIALISATIONS = ("henaff", "cayley")


class ExpRNN(AbstractCell):
    r"""$h_k = \phi_b(e^A h_{k-1} + V u_k)$ with A skew-symmetric.

    $\phi_b(x) = \mathrm{sgn}(x)\, \mathrm{relu}(|x| + b)$, called modReLU. $e^A$ is
    orthogonal whatever the parameters are, and is computed once for a whole sequence,
    in O(n³).

    **Initialisation.** A has blocks [[0, s], [-s, 0]] on its diagonal: `"henaff"` draws
    s from $\mathcal{U}(-\pi, \pi)$, `"cayley"` takes $s = -\sqrt{(1 - \cos t) / (1 +
    \cos t)}$ with t from $\mathcal{U}(0, \pi/2)$. V is He's normal one, b from
    $\mathcal{U}(-0.01, 0.01)$.

    **Arguments:**

    - `input_size`, `hidden_size`: m and n; with an odd n one unit starts unrotated.
    - `initialisation`: `"henaff"`, the paper's choice for copying, or `"cayley"`, that
      for the other tasks.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, an unknown initialisation, or an input
    that does not fit.

    **Reference:** M. Lezcano-Casado, D. Martínez-Rubio, Cheap orthogonal constraints in
    neural networks, ICML (2019), arXiv:1901.08428. The paper gives A a learning rate
    ten times smaller than that of the rest.
    """

    weight: SkewSymmetric
    input_weight: Float[Array, "n m"]
    bias: Vector
    matrix: Matrix | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        initialisation: str = "henaff",
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        if initialisation not in _INITIALISATIONS:
            raise ValueError(
                f"initialisation must be one of {_INITIALISATIONS}, got "
                f"{initialisation!r}."
            )
        angle_key, input_key, bias_key = jr.split(key, 3)
        if initialisation == "henaff":
            angles = uniform(angle_key, (n // 2,), math.pi, dtype)
        else:
            t = jr.uniform(angle_key, (n // 2,), dtype, 0.0, math.pi / 2)
            angles = -jnp.sqrt((1 - jnp.cos(t)) / (1 + jnp.cos(t)))
        blocks = jnp.zeros((n, n), dtype)
        even = 2 * jnp.arange(n // 2)
        blocks = blocks.at[even, even + 1].set(angles)
        self.weight = SkewSymmetric.from_matrix(blocks - blocks.T)
        self.input_weight = normal(input_key, (n, m), (2 / m) ** 0.5, dtype)
        self.bias = uniform(bias_key, (n,), 0.01, dtype)
        self.matrix = None

    @property
    def input_size(self) -> int:
        return self.input_weight.shape[1]

    @property
    def output_size(self) -> int:
        return self.bias.shape[0]

    def initial_state(self) -> Vector:
        return jnp.zeros_like(self.bias)

    def recurrent_matrix(self) -> Matrix:
        """Return $e^A$, orthogonal, of shape `(n, n)`."""
        return jax.scipy.linalg.expm(self.weight.as_matrix())

    def recurrent_weights(self) -> SkewSymmetric:
        return self.weight

    def prepare(self) -> "ExpRNN":
        if self.matrix is not None:
            return self
        return eqx.tree_at(
            lambda cell: cell.matrix,
            self,
            self.recurrent_matrix(),
            is_leaf=lambda x: x is None,
        )

    def step(self, state: Vector, u: Float[Array, " m"]) -> Vector:
        check_input(u, self.input_size, self.bias.dtype)
        matrix = self.recurrent_matrix() if self.matrix is None else self.matrix
        x = matrix @ state + self.input_weight @ u
        return jnp.sign(x) * jax.nn.relu(jnp.abs(x) + self.bias)

    def output(self, state: Vector) -> Vector:
        return state
