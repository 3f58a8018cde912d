"""The equations of a branch of periodic orbits, corrected as one program."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float, PyTree, Scalar, Vector
from ._arclength import Corrected, Place, correct
from ._bifurcation import Bifurcation
from ._floquet import split_multipliers
from ._periodic_orbit import PeriodicOrbit
from ._segments import autonomous, family_rhs, sample_segments
from ._shooting import Unknowns, shoot
from ._status import is_okay

#: A state and the slope there: the next orbit starts in the plane across it.
Phase = tuple[Vector, Vector]


class OrbitSystem(eqx.Module):
    """What is solved along a branch.

    - `family`: parameter ↦ field, or the field itself where a level is the parameter.
    - `levels`: of the conserved quantities, shape `(k,)`; `which` of them is the
      parameter, or `None`.
    - `like`: unknowns of the start; `phase`: where the first orbit is to start.
    """

    family: Callable
    inputs: PyTree
    conserved: tuple[Callable, ...]
    levels: Float[Array, " k"]
    which: int | None = eqx.field(static=True)
    like: Unknowns
    phase: Phase

    def rhs(self, y: Vector, parameters: Float[Array, " q"]) -> Vector:
        """Return dy/dt."""
        if self.which is None:
            return family_rhs(self.family, self.inputs)(y, parameters)
        return autonomous(self.family, self.inputs)(y, parameters)

    def pinned(self, parameters: Float[Array, " q"]) -> Float[Array, " k"]:
        """Return the levels that the orbit must have."""
        if self.which is None:
            return self.levels
        return self.levels.at[self.which].set(parameters[0])


class Extra(NamedTuple):
    """What a place on a branch of orbits knows besides."""

    phase: Phase
    trivial_error: float


class CorrectedOrbit(eqx.Module):
    """A corrected orbit, with the logarithms of its nontrivial multipliers."""

    point: Corrected
    logs: Array
    trivial_error: Scalar
    phase: Phase

    def place(self) -> Place:
        """Return it on the host."""
        point = self.point
        return Place(
            w=np.asarray(point.w),
            tangent=np.asarray(point.tangent),
            sign=float(point.sign),
            log=float(point.log),
            rates=np.asarray(self.logs),
            extra=Extra(self.phase, float(self.trivial_error)),
            num_steps=int(point.num_steps),
        )


@eqx.filter_jit
def correct_orbit(
    system: OrbitSystem,
    predicted: Float[Array, " w"],
    tangent: Float[Array, " w"],
    phase: Phase,
    weights: Float[Array, " w"],
    tolerance: Scalar,
) -> CorrectedOrbit:
    """Solve the shooting equations in the plane through `predicted`."""

    def equations(w: Array) -> tuple[Array, Array, PyTree]:
        unknowns = system.like.like(w)
        return shoot(
            system.rhs, unknowns, system.pinned, system.conserved, phase, tolerance
        )

    point = correct(equations, predicted, tangent, weights, 100 * tolerance)
    unknowns = system.like.like(point.w)
    nodes, parameters = unknowns.nodes, unknowns.parameters
    logs, trivial = split_multipliers(
        lambda y, _: system.rhs(y, parameters),
        nodes,
        point.aux.monodromies,
        system.conserved,
    )
    return CorrectedOrbit(
        point,
        logs[jnp.argsort(-jnp.real(logs))],
        jnp.max(jnp.abs(jnp.exp(trivial) - 1.0)),
        (nodes[0], system.rhs(nodes[0], parameters)),
    )


@eqx.filter_jit
def sample_orbit(
    system: OrbitSystem, w: Float[Array, " w"], tolerance: Scalar, count: int
) -> Float[Array, "s n"]:
    """Return the orbit over one period, `count` states for each node and the last."""
    nodes, period, _, parameters = system.like.like(w)
    ys, _ = sample_segments(
        lambda y, _: system.rhs(y, parameters), nodes, period, tolerance, count
    )
    return ys


def check_orbit(start: object) -> None:
    """Refuse what is not an orbit that was found."""
    if not isinstance(start, PeriodicOrbit):
        raise ValueError(
            "start must be a PeriodicOrbit (see find_periodic_orbit) or a Hopf point, "
            f"got {type(start).__name__}."
        )
    if not bool(is_okay(start.result)):
        raise ValueError("start is no periodic orbit: see its result for the reason.")


def from_orbit(start: PeriodicOrbit, parameter: float, conserved: int) -> Unknowns:
    """Return the unknowns of an orbit that was found."""
    dtype = start.nodes.dtype
    return Unknowns(
        start.nodes,
        start.period,
        jnp.zeros(conserved, dtype),
        jnp.asarray([parameter], dtype),
    )


def from_hopf(
    family: Callable,
    start: Bifurcation,
    inputs: PyTree,
    conserved: int,
    mode: int,
    num_segments: int,
) -> tuple[Unknowns, np.ndarray, Phase]:
    """Return the orbit of size 0 at a Hopf point, the direction of growth, the phase.

    Near it orbits are y + ε Re(v e^{iωt}) with v the eigenvector.
    """
    if start.kind != "hopf":
        raise ValueError(f"Orbits leave from a 'hopf' point, not a {start.kind!r}.")
    count = len(start.angular_frequencies)
    if not 0 <= mode < count:
        raise ValueError(f"mode must be in 0..{count - 1}, got {mode}.")
    frequency = float(start.angular_frequencies[mode])
    y = jnp.asarray(start.point)
    parameters = jnp.asarray([start.parameter], y.dtype)
    rhs = family_rhs(family, inputs)
    values, vectors = np.linalg.eig(np.asarray(jax.jacfwd(rhs)(y, parameters)))
    vector = vectors[:, np.argmin(np.abs(values - 1j * frequency))]
    phases = np.exp(2j * np.pi * np.arange(num_segments) / num_segments)
    shape = np.real(phases[:, None] * vector[None])
    unknowns = Unknowns(
        jnp.broadcast_to(y, (num_segments, y.shape[0])),
        jnp.asarray(2 * np.pi / frequency, y.dtype),
        jnp.zeros(conserved, y.dtype),
        parameters,
    )
    tangent = np.zeros(unknowns.flat().shape, y.dtype)
    tangent[: shape.size] = shape.reshape(-1)
    slope = jnp.asarray(np.real(1j * vector), y.dtype)
    # A quarter of a period on, the centre has no component along the slope.
    return unknowns, tangent, (y, slope)
