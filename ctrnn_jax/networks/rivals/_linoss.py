"""Linear oscillatory state-space models, by two discretisations."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from ..._types import Array, DTypeLike, Float, Key, Vector
from ._linear_scan import AbstractBlockCell, Block, Pair, State
from ._parts import check_sizes, uniform
from ._skip import skip, skip_weight


class AbstractLinOSS(AbstractBlockCell):
    r"""Uncoupled oscillators $y'' = -A y + B u$, read as $C y + D u$."""

    frequency: Float[Array, " units"]
    log_step: Float[Array, " units"]
    input_weight: Float[Array, "units m"]
    output_weight: Float[Array, "n units"]
    skip_weight: Float[Array, "n *m"]
    prepared: tuple[Block, Pair] | None
    parallel: bool | None = eqx.field(static=True)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        state_size: int | None = None,
        parallel: bool | None = None,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        m, n, dtype = check_sizes(input_size, hidden_size, dtype)
        units = n if state_size is None else check_sizes(m, state_size, dtype)[1]
        keys = jr.split(key, 5)
        self.frequency = jr.uniform(keys[0], (units,), dtype)
        self.log_step = jr.uniform(keys[1], (units,), dtype)
        self.input_weight = uniform(keys[2], (units, m), m**-0.5, dtype)
        self.output_weight = uniform(keys[3], (n, units), units**-0.5, dtype)
        self.skip_weight = skip_weight(keys[4], n, m, dtype)
        self.parallel, self.prepared = parallel, None

    @property
    def input_size(self) -> int:
        return self.input_weight.shape[1]

    @property
    def output_size(self) -> int:
        return self.output_weight.shape[0]

    @property
    def stiffness(self) -> Float[Array, " units"]:
        """The diagonal of A, not negative, shape `(N,)`."""
        return jax.nn.relu(self.frequency)

    @property
    def dt(self) -> Float[Array, " units"]:
        """Each oscillator's time step, shape `(N,)`."""
        return jax.nn.sigmoid(self.log_step)

    @abstractmethod
    def constants(self) -> tuple[Block, Pair]:
        """Return M and F of (z, y)_k = M (z, y)_{k-1} + F B u_k, arrays `(N,)`."""

    def initial_state(self) -> State:
        zero = jnp.zeros_like(self.frequency)
        return zero, zero, jnp.zeros(self.input_size, zero.dtype)

    def drive(self, gains: Pair, u: Float[Array, " m"]) -> Pair:
        force = self.input_weight @ u
        return gains[0] * force, gains[1] * force

    def output(self, state: State) -> Vector:
        return self.output_weight @ state[1] + skip(self.skip_weight, state[2])


class LinOSSIM(AbstractLinOSS):
    r"""Oscillators $y'' = -A y + B u$ by the implicit Euler step, which forgets.

    $z_k = z_{k-1} + \Delta t (-A y_k + B u_k)$, $y_k = y_{k-1} + \Delta t z_k$; output
    $C y_k + D u_k$. The eigenvalues $(1 \pm i \Delta t \sqrt{A}) / (1 + \Delta t^2 A)$
    lie inside the unit circle for every positive A and Δt.

    A is diagonal, $A = \mathrm{relu}(a)$; each oscillator learns its own time step
    $\Delta t = \sigma(s)$, in (0, 1). The state is (z, y, u), with the last input for
    the sake of D.

    **Initialisation.** a and s from $\mathcal{U}(0, 1)$, B from $\mathcal{U}(-1/\sqrt
    m, 1/\sqrt m)$, C from $\mathcal{U}(-1/\sqrt N, 1/\sqrt N)$; D is $\mathcal{N}(0,
    1)$ on a diagonal if m = n, else a matrix of $\mathcal{N}(0, 1/m)$.

    **Arguments:**

    - `input_size`, `hidden_size`: m, and n of the output.
    - `state_size`: number N of oscillators; n if `None`.
    - `parallel`: whether `scan` is associative over time, in O(log T) rounds; `None`
      for where JAX's default device is not a CPU. Both give the same to rounding.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, or an input that does not fit.

    **Reference:** T. K. Rusch, D. Rus, Oscillatory state-space models, ICLR (2025),
    arXiv:2410.03943, equations (3) to (6). Used inside `ResidualBlock` there.
    """

    def constants(self) -> tuple[Block, Pair]:
        dt, stiffness = self.dt, self.stiffness
        schur = 1 / (1 + dt**2 * stiffness)
        matrix = (schur, -dt * stiffness * schur), (dt * schur, schur)
        return matrix, (dt * schur, dt**2 * schur)


class LinOSSIMEX(AbstractLinOSS):
    r"""Oscillators $y'' = -A y + B u$ by the symplectic Euler step, which keeps volume.

    $z_k = z_{k-1} + \Delta t (-A y_{k-1} + B u_k)$, $y_k = y_{k-1} + \Delta t z_k$;
    output $C y_k + D u_k$. The determinant of a step is 1, and its eigenvalues lie on
    the unit circle while $\Delta t^2 A \le 4$.

    A is diagonal, $A = \mathrm{relu}(a)$; each oscillator learns its own time step
    $\Delta t = \sigma(s)$, in (0, 1). The state is (z, y, u), with the last input for
    the sake of D.

    **Initialisation.** a and s from $\mathcal{U}(0, 1)$, B from $\mathcal{U}(-1/\sqrt
    m, 1/\sqrt m)$, C from $\mathcal{U}(-1/\sqrt N, 1/\sqrt N)$; D is $\mathcal{N}(0,
    1)$ on a diagonal if m = n, else a matrix of $\mathcal{N}(0, 1/m)$.

    **Arguments:**

    - `input_size`, `hidden_size`: m, and n of the output.
    - `state_size`: number N of oscillators; n if `None`.
    - `parallel`: whether `scan` is associative over time, in O(log T) rounds; `None`
      for where JAX's default device is not a CPU. Both give the same to rounding.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype of the parameters; JAX's default if `None`.

    **Raises:** `ValueError` for a size below 1, or an input that does not fit.

    **Warning:** nothing keeps $\Delta t^2 A$ below 4 in training. A starts below 1, so
    it would have to grow fourfold first; beyond, the state grows exponentially.

    **Reference:** T. K. Rusch, D. Rus, Oscillatory state-space models, ICLR (2025),
    arXiv:2410.03943, equations (3) to (6). Used inside `ResidualBlock` there.
    """

    def constants(self) -> tuple[Block, Pair]:
        dt, stiffness = self.dt, self.stiffness
        matrix = (jnp.ones_like(dt), -dt * stiffness), (dt, 1 - dt**2 * stiffness)
        return matrix, (dt, dt**2)
