"""The equations of a periodic orbit: multiple shooting, bordered to be regular."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .._types import Array, Float, Int, Scalar, Vector
from ._conserved import levels_and_gradients
from ._newton import Newton, newton
from ._segments import Rhs, flow_segments


class Unknowns(NamedTuple):
    """What shooting solves for.

    - `nodes`: states a time period/m apart, shape `(m, n)`.
    - `unfolding`: multipliers of the conserved gradients, `(k,)`; rounding at a
      solution, if what is said to be conserved is.
    - `parameters`: of a family, `(q,)`.
    """

    nodes: Float[Array, "m n"]
    period: Scalar
    unfolding: Float[Array, " k"]
    parameters: Float[Array, " q"]

    def flat(self) -> Float[Array, " N"]:
        """Return all of it as one vector."""
        nodes = self.nodes.reshape(-1)
        return jnp.concatenate(
            [nodes, self.period[None], self.unfolding, self.parameters]
        )

    def like(self, z: Float[Array, " N"]) -> "Unknowns":
        """Return a vector as unknowns of the same shapes."""
        rows, k = self.nodes.size, self.unfolding.size
        return Unknowns(
            z[:rows].reshape(self.nodes.shape),
            z[rows],
            z[rows + 1 : rows + 1 + k],
            z[rows + 1 + k :],
        )


class Shot(NamedTuple):
    """What a shot gives besides its equations.

    - `monodromies`: derivative of each segment's end by its start, `(m, n, n)`.
    - `miss`: the largest gap where segments should meet, `()`.
    """

    monodromies: Float[Array, "m n n"]
    miss: Scalar


def shoot(
    rhs: Rhs,
    unknowns: Unknowns,
    levels: Callable,
    conserved: tuple[Callable, ...],
    phase: tuple[Vector, Vector],
    tolerance: Scalar,
) -> tuple[Float[Array, " rows"], Float[Array, "rows N"], Shot]:
    r"""Return the shooting equations and their Jacobian, mn + 1 + k rows.

    Unknowns are the nodes $x_i$, the period T, one $a_j$ for each conserved $I_j$, and
    parameters p, of which field and levels may depend:

    $$\varphi_{T/m}(x_i) - x_{i+1} + \delta_{im} \sum_j a_j \nabla I_j(x_1) = 0,
    \quad I_j(x_1) = c_j(p), \quad \hat f \cdot (x_1 - \hat x) = 0.$$

    On a family of orbits φ − id has no component along the gradients of what is
    conserved; the $a_j$ span just those, so that Newton's matrix is regular, and they
    vanish at the solution. `phase` holds x̂ and f̂. Gaps are in units of the growth of
    local errors over a segment.
    """
    nodes, period, unfolding, parameters = unknowns
    count, size = nodes.shape
    rows, k, q = nodes.size, unfolding.size, parameters.size
    dtype = nodes.dtype
    ends, moves, okay = flow_segments(rhs, nodes, parameters, period, tolerance)
    monodromies = moves[:, :, :size]
    values, gradients = levels_and_gradients(conserved, nodes[0])
    gaps = ends - jnp.roll(nodes, -1, axis=0)
    speeds = jax.vmap(rhs, in_axes=(0, None))(ends, parameters) / count
    scale = 1.0 + jnp.max(jnp.abs(nodes))
    weights = scale * jnp.maximum(1.0, jnp.max(jnp.abs(monodromies), axis=2))
    close = gaps.at[-1].add(unfolding @ gradients) / weights
    last = jnp.zeros((count, size, k), dtype).at[-1].set(gradients.T)
    by_parts = [
        _blocks(monodromies).reshape(count, size, rows),
        speeds[:, :, None],
        last,
        moves[:, :, size:],
    ]
    upper = jnp.concatenate(by_parts, axis=2) / weights[:, :, None]

    sizes = jnp.linalg.norm(gradients, axis=1)
    sizes = scale * jnp.where(sizes > 0, sizes, 1.0)
    pins = jnp.zeros((k, rows + 1 + k + q), dtype).at[:, :size].set(gradients)
    pins = pins.at[:, rows + 1 + k :].add(-jax.jacfwd(levels)(parameters))
    centre, direction = phase
    direction = unit(direction) / scale
    turn = jnp.zeros((1, rows + 1 + k + q), dtype).at[0, :size].set(direction)
    residual = jnp.concatenate(
        [
            close.reshape(-1),
            jnp.vdot(direction, nodes[0] - centre)[None],
            (values - levels(parameters)) / sizes,
        ]
    )
    jacobian = jnp.concatenate([upper.reshape(rows, -1), turn, pins / sizes[:, None]])
    residual = jnp.where(okay, residual, jnp.nan)
    return residual, jacobian, Shot(monodromies, jnp.max(jnp.abs(gaps)))


def close_orbit(
    rhs: Rhs,
    nodes: Float[Array, "m n"],
    period: Scalar,
    levels: Float[Array, " k"],
    conserved: tuple[Callable, ...],
    *,
    tolerance: Scalar,
    max_steps: int | Int[Array, ""],
) -> tuple[Unknowns, Shot, Newton]:
    """Solve the shooting equations by Newton's method, each step across the flow."""
    dtype = nodes.dtype
    none = jnp.zeros((0,), dtype)
    start = Unknowns(nodes, period, jnp.zeros_like(levels), none)

    def evaluate(z: Array) -> tuple[Array, Array, Shot]:
        unknowns = start.like(z)
        first = unknowns.nodes[0]
        phase = (first, rhs(first, none))
        return shoot(rhs, unknowns, lambda _: levels, conserved, phase, tolerance)

    def longest(z: Array, step: Array) -> Array:
        # The period may neither vanish nor grow past the next return in one step.
        change = jnp.abs(start.like(step).period / start.like(z).period)
        return jnp.minimum(1.0, 0.3 / jnp.maximum(change, 0.3))

    found = newton(
        evaluate,
        start.flat(),
        # Below some hundred local errors the gaps are the integrator's own.
        tolerance=100 * tolerance,
        max_steps=max_steps,
        longest=longest,
    )
    return start.like(found.z), found.aux, found


def unit(vector: Vector) -> Vector:
    """Return a vector of length 1, or 0 for 0."""
    size = jnp.linalg.norm(vector)
    return vector / jnp.where(size > 0, size, 1.0)


def _blocks(monodromies: Float[Array, "m n n"]) -> Float[Array, "m n m n"]:
    """Return the derivative of the gaps by the nodes: M_i, and −1 one to the right."""
    count, size, _ = monodromies.shape
    here = jnp.arange(count)
    blocks = jnp.zeros((count, size, count, size), monodromies.dtype)
    blocks = blocks.at[here, :, here, :].add(monodromies)
    eye = jnp.broadcast_to(jnp.eye(size, dtype=blocks.dtype), monodromies.shape)
    return blocks.at[here, :, (here + 1) % count, :].add(-eye)
