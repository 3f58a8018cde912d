"""A network that remembers: a descriptor sets its state, and it runs on alone."""

import dataclasses

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, Float, Key
from ..fields import AbstractActivation, Linear, Tanh, VoltageCTRNN
from ..integrate import Leapfrog, simulate_ensemble
from ..matrices import BipartiteSkew, Unconstrained

#: Of the trained numbers: single precision takes about two thirds of the time.
DTYPE = jnp.float32


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is compared: a weight, an activation, and the step that goes with them.

    - `name`: for tables and figures.
    - `activation`: φ.
    - `skew`: whether W is held skew-symmetric, or all its entries are free.
    """

    name: str
    activation: AbstractActivation
    skew: bool

    @property
    def solver(self) -> diffrax.AbstractSolver:
        """Leapfrog for skew W; for a free one Heun's method, of order two as well.

        Euler would make the state grow by itself, whatever W is.
        """
        return Leapfrog() if self.skew else diffrax.Heun()


def kinds(scale: float) -> tuple[Kind, Kind, Kind]:
    """Return the three networks; where not linear, φ = α tanh(x/α) with α = `scale`."""
    return (
        Kind("linear, skew", Linear(), True),
        Kind("tanh, skew", Tanh(scale), True),
        Kind("tanh, unconstrained", Tanh(scale), False),
    )


class MemoryNetwork(eqx.Module):
    r"""Signals from a descriptor: $x(0) = S d$, $x' = W\varphi(x)$, $u = r(x)$.

    The readout is $r(x) = c \cdot x + v \cdot \tanh(U x + b)$: its linear part can
    pass a sine on, its hidden layer can make an edge. Nothing drives the state.

    - `field`: the CTRNN, n neurons.
    - `start`: S, shape `(n, descriptors)`.
    - `linear`, `hidden`, `offset`, `output`: c `(n,)`, U `(hidden, n)`, b and v
      `(hidden,)`.
    """

    field: VoltageCTRNN
    start: Float[Array, "n descriptors"]
    linear: Float[Array, " n"]
    hidden: Float[Array, "hidden n"]
    offset: Float[Array, " hidden"]
    output: Float[Array, " hidden"]

    def states(
        self,
        codes: Float[Array, "signals descriptors"],
        ts: np.ndarray,
        dt0: float,
        solver: diffrax.AbstractSolver,
    ) -> Float[Array, "signals time n"]:
        """Return the states from each descriptor's initial one."""
        y0 = codes @ self.start.T
        ys = simulate_ensemble(self.field, y0, ts, dt0=dt0, solver=solver).ys
        assert ys is not None
        return ys

    def read(self, ys: Float[Array, "*shape n"]) -> Float[Array, "*shape"]:
        """Return the output at each state."""
        hidden = jnp.tanh(ys @ self.hidden.T + self.offset)
        return ys @ self.linear + hidden @ self.output


@dataclasses.dataclass(frozen=True)
class Size:
    """How large a network is.

    - `pairs`: half the number of neurons.
    - `hidden`: hidden units of the readout.
    - `band`: least and greatest frequency at the start, in cycles per unit of time.
    """

    pairs: int
    hidden: int
    band: tuple[float, float]


def build(kind: Kind, size: Size, descriptors: int, *, key: Key) -> MemoryNetwork:
    """Return an untrained network.

    Frequencies are spread over the band, one at random in each of `pairs` equal
    stretches: nearer to any frequency of a signal than the reciprocal of the
    horizon, where the error still has a slope towards it, but never placed on it.
    A free W starts from the very same matrix, and gives up hidden units so that it
    has at most a tenth more parameters than the skew network.
    """
    band_key, start_key, hidden_key, output_key = jr.split(key, 4)
    pairs, hidden = size.pairs, size.hidden
    low, high = size.band
    place = np.arange(pairs) + jr.uniform(band_key, (pairs,), DTYPE)
    frequency = low + (high - low) / pairs * place
    frequency = frequency.astype(DTYPE)
    weight = BipartiteSkew.from_coupling(jnp.diag(2 * np.pi * frequency))
    if not kind.skew:
        weight = Unconstrained.from_matrix(weight.as_matrix())
        hidden = _matched_hidden(size, descriptors)
    n = 2 * pairs
    return MemoryNetwork(
        field=VoltageCTRNN(weight, activation=kind.activation),
        start=0.5 * jr.normal(start_key, (n, descriptors), DTYPE),
        linear=jnp.zeros(n, DTYPE),
        hidden=0.5 / n**0.5 * jr.normal(hidden_key, (hidden, n), DTYPE),
        offset=jnp.zeros(hidden, DTYPE),
        output=0.1 / hidden**0.5 * jr.normal(output_key, (hidden,), DTYPE),
    )


def count_parameters(network: MemoryNetwork) -> int:
    """Return the number of trained numbers; the activation's scale is none."""
    parts = (
        network.field.weight,
        network.start,
        network.linear,
        network.hidden,
        network.offset,
        network.output,
    )
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(parts, eqx.is_array)))


def _matched_hidden(size: Size, descriptors: int) -> int:
    n = 2 * size.pairs
    rest = n * descriptors + n
    skew = size.pairs**2 + rest + size.hidden * (n + 2)
    hidden = int((1.1 * skew - n * n - rest) // (n + 2))
    if hidden < 1:
        raise ValueError(
            f"{n} neurons with a free W have over a tenth more parameters than the "
            f"skew network with {size.hidden} hidden units; take more of these."
        )
    return min(hidden, size.hidden)
