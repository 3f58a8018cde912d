"""The linear recurrent unit: a diagonal, complex, stable recurrence."""

import math

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from ..._types import Array, DTypeLike, Float, Key, PyTree, Vector
from ._linear_scan import AbstractBlockCell, Block, Pair, State
from ._parts import check_sizes, normal
from ._skip import skip, skip_weight


class LRU(AbstractBlockCell):
    r"""$x_k = \lambda x_{k-1} + \gamma B u_k$, output $\mathrm{Re}(C x_k) + D u_k$.

    λ, complex and one for each unit, is $\exp(-e^\nu + i e^\theta)$, inside the unit
    circle whatever ν and θ are; B and C are complex, γ and D real. The state is (Re x,
    Im x, u), with the last input for the sake of D.

    **Initialisation.** λ is uniform in area on the ring $r_{min} \le |\lambda| \le
    r_{max}$ with phases below `max_phase`; $\gamma = \sqrt{1 - |\lambda|^2}$; the parts
    of B are $\mathcal{N}(0, 1/2m)$, those of C $\mathcal{N}(0, 1/N)$, D is
    $\mathcal{N}(0, 1)$ on a diagonal if m = n, else a matrix of $\mathcal{N}(0, 1/m)$.

    **Arguments:**

    - `input_size`, `hidden_size`: m, and n of the output.
    - `state_size`: number N of complex units; n if `None`.
    - `ring`: $r_{min}$ and $r_{max}$, in [0, 1]. The paper narrows it to [0.9, 0.999]
      for long memories.
    - `max_phase`: largest phase at first, in radians a step, at most 2π.
    - `parallel`: whether `scan` is associative over time, in O(log T) rounds; `None`
      for where JAX's default device is not a CPU. Both give the same to rounding.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, a ring outside the unit disc, or an
    input that does not fit.

    **Reference:** A. Orvieto and others, Resurrecting recurrent neural networks for
    long sequences, ICML (2023), arXiv:2303.06349, section 3. Used inside
    `ResidualBlock` there.
    """

    log_decay: Float[Array, " units"]
    log_phase: Float[Array, " units"]
    log_gain: Float[Array, " units"]
    input_weight: Float[Array, "2 units m"]
    output_weight: Float[Array, "2 n units"]
    skip_weight: Float[Array, "n *m"]
    prepared: tuple[Block, Array] | None
    _input_size: int = eqx.field(static=True)
    parallel: bool | None = eqx.field(static=True)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        state_size: int | None = None,
        ring: tuple[float, float] = (0.0, 1.0),
        max_phase: float = 2 * math.pi,
        parallel: bool | None = None,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        units = n if state_size is None else check_sizes(m, state_size, dtype)[1]
        low, high = (float(radius) for radius in ring)
        if not 0 <= low < high <= 1:
            raise ValueError(
                f"ring must be (r_min, r_max) with 0 <= r_min < r_max <= 1, got {ring}."
            )
        if not 0 < max_phase <= 2 * math.pi:
            raise ValueError(f"max_phase must lie in (0, 2 pi], got {max_phase!r}.")
        self._input_size, self.parallel, self.prepared = m, parallel, None
        keys = jr.split(key, 5)
        # Neither end may be drawn: log 0 would make ν or θ infinite.
        limits = jnp.finfo(dtype)
        low_end, high_end = float(limits.tiny), 1 - float(limits.epsneg)
        share = jr.uniform(keys[0], (units,), dtype, low_end)
        squared = jnp.minimum(share * (high**2 - low**2) + low**2, high_end)
        self.log_decay = jnp.log(-0.5 * jnp.log(squared))
        phase = max_phase * jr.uniform(keys[1], (units,), dtype, low_end)
        self.log_phase = jnp.log(phase)
        self.log_gain = 0.5 * jnp.log1p(-squared)
        self.input_weight = normal(keys[2], (2, units, m), (2 * m) ** -0.5, dtype)
        self.output_weight = normal(keys[3], (2, n, units), units**-0.5, dtype)
        self.skip_weight = skip_weight(keys[4], n, m, dtype)

    @property
    def input_size(self) -> int:
        return self._input_size

    @property
    def output_size(self) -> int:
        return self.output_weight.shape[1]

    def initial_state(self) -> State:
        zero = jnp.zeros_like(self.log_decay)
        return zero, zero, jnp.zeros(self._input_size, zero.dtype)

    def recurrent_weights(self) -> PyTree:
        return self.log_decay, self.log_phase, self.log_gain

    def eigenvalues(self) -> tuple[Float[Array, " units"], Float[Array, " units"]]:
        """Return real and imaginary parts of λ, each of shape `(N,)`."""
        modulus = jnp.exp(-jnp.exp(self.log_decay))
        phase = jnp.exp(self.log_phase)
        return modulus * jnp.cos(phase), modulus * jnp.sin(phase)

    def constants(self) -> tuple[Block, Array]:
        real, imaginary = self.eigenvalues()
        return ((real, -imaginary), (imaginary, real)), jnp.exp(self.log_gain)

    def drive(self, gains: Array, u: Float[Array, " m"]) -> Pair:
        return gains * (self.input_weight[0] @ u), gains * (self.input_weight[1] @ u)

    def output(self, state: State) -> Vector:
        real, imaginary, u = state
        read = self.output_weight[0] @ real - self.output_weight[1] @ imaginary
        return read + skip(self.skip_weight, u)
