"""The equations of a periodic orbit: multiple shooting, bordered to be regular."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from .._types import Array, Float, Int, Scalar, Vector
from ._conserved import levels_and_gradients
from ._newton import Newton, newton
from ._segments import Rhs, flow_segments


class Closed(NamedTuple):
    """A solution of the shooting equations, or the best that was met.

    - `nodes`: states a time period/m apart, shape `(m, n)`.
    - `monodromies`: derivative of each segment's end by its start, `(m, n, n)`.
    - `unfolding`: multipliers of the conserved gradients, `(k,)`; rounding if what is
      said to be conserved is.
    - `miss`: the largest gap where segments should meet, `()`.
    """

    nodes: Float[Array, "m n"]
    period: Scalar
    monodromies: Float[Array, "m n n"]
    unfolding: Float[Array, " k"]
    miss: Scalar
    newton: Newton


def close_orbit(
    rhs: Rhs,
    nodes: Float[Array, "m n"],
    period: Scalar,
    levels: Float[Array, " k"],
    conserved: tuple[Callable, ...],
    *,
    tolerance: Scalar,
    max_steps: int | Int[Array, ""],
) -> Closed:
    r"""Solve the shooting equations by Newton's method.

    Unknowns are the nodes $x_i$, the period T and one $a_j$ for each conserved $I_j$:

    $$\varphi_{T/m}(x_i) - x_{i+1} + \delta_{im} \sum_j a_j \nabla I_j(x_1) = 0,
    \quad I_j(x_1) = c_j,$$

    and each step moves $x_1$ across the flow. On a family of orbits φ − id has no
    component along the gradients of what is conserved; the $a_j$ span just those, so
    that Newton's matrix is regular, and they vanish at the solution.
    """
    count, size = nodes.shape
    none = jnp.zeros((0,), nodes.dtype)
    k = levels.shape[0]

    def split(z: Array) -> tuple[Array, Array, Array]:
        nodes, rest = z[: count * size].reshape(count, size), z[count * size :]
        return nodes, rest[0], rest[1:]

    def evaluate(z: Array) -> tuple[Array, Array, tuple]:
        nodes, period, unfolding = split(z)
        ends, moves, okay = flow_segments(rhs, nodes, none, period, tolerance)
        values, gradients = levels_and_gradients(conserved, nodes[0])
        gaps = ends - jnp.roll(nodes, -1, axis=0)
        speeds = jnp.stack([rhs(end, none) for end in ends]) / count
        scale = 1.0 + jnp.max(jnp.abs(nodes))
        weights = row_weights(moves) * scale
        residual = gaps.at[-1].add(unfolding @ gradients) / weights
        blocks = shooting_blocks(moves) / weights[:, :, None, None]
        rows = count * size
        last = jnp.zeros((count, size, k), z.dtype).at[-1].set(gradients.T)
        upper = jnp.concatenate(
            [
                blocks.reshape(rows, rows),
                (speeds / weights).reshape(rows, 1),
                (last / weights[:, :, None]).reshape(rows, k),
            ],
            axis=1,
        )
        flow = unit(rhs(nodes[0], none))
        sizes = jnp.linalg.norm(gradients, axis=1) + jnp.finfo(z.dtype).tiny
        pins = gradients / sizes[:, None] / scale
        heights = (values - levels) / sizes / scale
        lower = jnp.zeros((1 + k, z.size), z.dtype)
        lower = lower.at[0, :size].set(flow / scale).at[1:, :size].set(pins)
        zero = jnp.where(okay, 0.0, jnp.nan).astype(z.dtype)
        residual = jnp.concatenate([residual.reshape(-1), zero[None], heights])
        matrix = jnp.concatenate([upper, lower])
        return residual, matrix, (moves, jnp.max(jnp.abs(gaps)))

    start = jnp.concatenate(
        [nodes.reshape(-1), period[None], jnp.zeros(k, nodes.dtype)]
    )

    def longest(z: Array, step: Array) -> Array:
        # The period may neither vanish nor grow past the next return in one step.
        change = jnp.abs(step[count * size]) / jnp.abs(z[count * size])
        return jnp.minimum(1.0, 0.3 / jnp.maximum(change, 0.3))

    # Below some hundred local errors the gaps are the integrator's own.
    found = newton(
        evaluate, start, tolerance=100 * tolerance, max_steps=max_steps, longest=longest
    )
    nodes, period, unfolding = split(found.z)
    moves, miss = found.aux
    return Closed(nodes, period, moves, unfolding, miss, found)


def shooting_blocks(moves: Float[Array, "m n n"]) -> Float[Array, "m n m n"]:
    """Return the derivative of the gaps by the nodes: M_i, and −1 one to the right."""
    count, size, _ = moves.shape
    here = jnp.arange(count)
    blocks = jnp.zeros((count, size, count, size), moves.dtype)
    blocks = blocks.at[here, :, here, :].add(moves)
    eye = jnp.broadcast_to(jnp.eye(size, dtype=moves.dtype), moves.shape)
    return blocks.at[here, :, (here + 1) % count, :].add(-eye)


def row_weights(moves: Float[Array, "m n k"]) -> Float[Array, "m n"]:
    """Return what to divide each gap by: local errors grow as the tangent flow does."""
    return jnp.maximum(1.0, jnp.max(jnp.abs(moves), axis=2))


def unit(vector: Vector) -> Vector:
    """Return a vector of length 1, or 0 for 0."""
    size = jnp.linalg.norm(vector)
    return vector / jnp.where(size > 0, size, 1.0)
