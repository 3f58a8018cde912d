"""The network of a skew-symmetric matrix inside tanh, plain or gated."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from ..._types import Array, DTypeLike, Float, Key, Matrix, Vector
from ...matrices import SkewSymmetric
from .._cell import AbstractCell
from ._parts import check_input, check_positive, check_sizes, normal


class AntisymmetricRNN(AbstractCell):
    r"""$h_k = h_{k-1} + \epsilon \tanh(M h_{k-1} + V u_k + b)$, M nearly skew.

    $M = W - W^\top - \gamma I$, and a step is one of forward Euler, of size ε. The
    Jacobian of the field is a positive diagonal times M, so its eigenvalues have real
    part zero without γ; the small γ makes up for what Euler's method adds. Gated, the
    step of each unit is $\epsilon \sigma(M h_{k-1} + V_z u_k + b_z)$ instead of ε,
    with the same M.

    **Initialisation.** $W_{ij} \sim \mathcal{N}(0, \text{scale}^2/n)$ for i < j and
    zero elsewhere, which is all that $W - W^\top$ can tell apart and what the paper's
    parameter counts amount to; V from $\mathcal{N}(0, 1/m)$; biases zero.

    **Arguments:**

    - `input_size`, `hidden_size`: m and n.
    - `gated`: whether each unit's step is gated.
    - `dt`: ε; the paper searches 0.01, 0.1 and 1.
    - `diffusion`: γ, not negative.
    - `scale`: of W; the paper searches 0 to 16.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, or an input that does not fit.

    **Reference:** B. Chang, M. Chen, E. Haber, E. Chi, AntisymmetricRNN, ICLR (2019),
    arXiv:1902.09689, section 4 and appendix C.
    """

    weight: SkewSymmetric
    input_weight: Float[Array, "n m"]
    bias: Vector
    gate_weight: Float[Array, "n m"] | None
    gate_bias: Vector | None
    matrix: Matrix | None
    dt: float = eqx.field(static=True)
    diffusion: float = eqx.field(static=True)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        gated: bool = False,
        dt: float = 0.01,
        diffusion: float = 0.01,
        scale: float = 1.0,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        self.dt = check_positive("dt", dt)
        self.diffusion = check_positive("diffusion", diffusion, zero=True)
        weight_key, input_key, gate_key = jr.split(key, 3)
        self.weight = SkewSymmetric(
            n,
            scale=check_positive("scale", scale, zero=True),
            key=weight_key,
            dtype=dtype,
        )
        self.input_weight = normal(input_key, (n, m), m**-0.5, dtype)
        self.bias = jnp.zeros(n, dtype)
        self.gate_weight, self.gate_bias, self.matrix = None, None, None
        if gated:
            self.gate_weight = normal(gate_key, (n, m), m**-0.5, dtype)
            self.gate_bias = jnp.zeros(n, dtype)

    @property
    def input_size(self) -> int:
        return self.input_weight.shape[1]

    @property
    def output_size(self) -> int:
        return self.bias.shape[0]

    def initial_state(self) -> Vector:
        return jnp.zeros_like(self.bias)

    def recurrent_matrix(self) -> Matrix:
        r"""Return $M = W - W^\top - \gamma I$, shape `(n, n)`."""
        n = self.output_size
        return self.weight.as_matrix() - self.diffusion * jnp.eye(
            n, dtype=self.bias.dtype
        )

    def prepare(self) -> "AntisymmetricRNN":
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
        recurrent = matrix @ state
        change = jnp.tanh(recurrent + self.input_weight @ u + self.bias)
        if self.gate_weight is not None:
            assert self.gate_bias is not None
            gate = recurrent + self.gate_weight @ u + self.gate_bias
            change = jax.nn.sigmoid(gate) * change
        return state + self.dt * change

    def output(self, state: Vector) -> Vector:
        return state
