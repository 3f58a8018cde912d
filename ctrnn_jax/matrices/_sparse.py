"""Skew-symmetric W on a graph: large, sparse and never densified."""

import itertools
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._types import Array, ArrayLike, DTypeLike, Float, Int, Key, Matrix, State
from ._base import AbstractWeight
from ._checks import (
    as_floating,
    as_scalar,
    check_concrete,
    check_dtype,
    check_integer,
    check_size,
    check_skew,
    is_concrete,
)
from ._colouring import colour_graph


class SparseSkew(AbstractWeight):
    r"""$W_{ij} = w_e,\ W_{ji} = -w_e$ for the edges e = (i, j) of a graph.

    One parameter an edge; products cost O(edges) and the dense matrix is built only
    if `as_matrix` is asked for. The graph is coloured once, at construction, so that
    neurons of one colour can be kicked together (`CoordinateSplitting`).

    **Initialisation.** `num_edges` distinct edges drawn uniformly, values
    $\mathcal{N}(0, \text{scale}^2/d)$ with $d = 2\,\text{num\_edges}/n$ the mean
    degree. For large n and d the eigenfrequencies lie in $[0, 2\,\text{scale}]$ rad
    per unit time (semicircle); at a mean degree of 20 a few exceed that by 10–30 %.

    **Arguments:**

    - `size`: number of neurons n ≥ 2.
    - `num_edges`: number of edges, at most n(n−1)/2.
    - `scale`: half the largest eigenfrequency, in rad per unit time.
    - `key`: a `jax.random` key.
    - `dtype`: floating dtype; JAX's default if `None`.

    **Raises:** `ValueError` for more edges than pairs of neurons, and under `jit` or
    `vmap`, where the graph cannot be drawn.

    The graph is made of arrays too, so leaves saved with `eqx.tree_serialise_leaves`
    carry it; loading them into a weight whose colours have other sizes is an error.
    """

    is_skew: ClassVar[bool] = True
    has_zero_diagonal: ClassVar[bool] = True

    values: Float[Array, " edges"]
    _graph: "_Graph"

    def __init__(
        self,
        size: int,
        num_edges: int,
        *,
        scale: ArrayLike = 1.0,
        key: Key,
        dtype: DTypeLike | None = None,
    ):
        size, dtype = check_size(size, minimum=2), check_dtype(dtype)
        pairs = size * (size - 1) // 2
        num_edges = check_integer("num_edges", num_edges, minimum=1, maximum=pairs)
        edge_key, value_key = jr.split(key)
        bits = jr.bits(edge_key, dtype=jnp.uint32)
        if not is_concrete(bits):
            raise ValueError(
                "SparseSkew draws its graph from the numbers of the key, so it cannot "
                "be built under jit or vmap. Build one outside and map over its "
                "`values`, or over those of SparseSkew.from_edges."
            )
        rows, cols = _draw_edges(size, num_edges, np.random.default_rng(int(bits)))
        width = as_scalar("scale", scale, dtype) / np.sqrt(2 * num_edges / size).item()
        self.values = width * jr.normal(value_key, (num_edges,), dtype)
        self._graph = _Graph.build(size, rows, cols)

    @classmethod
    def from_edges(
        cls, size: int, rows: object, cols: object, values: object
    ) -> "SparseSkew":
        """Build from concrete integer `rows`, `cols` and `values`, shapes `(edges,)`.

        `values[e]` is W at `(rows[e], cols[e])`; they alone may be traced.

        **Raises:** `ValueError` for an edge out of range, from a neuron to itself, or
        listed twice (in either direction).
        """
        size = check_size(size, minimum=2)
        i, j = _as_indices("rows", rows), _as_indices("cols", cols)
        weights = as_floating("values", values)
        if i.ndim != 1 or not i.shape == j.shape == weights.shape or not i.size:
            raise ValueError(
                "rows, cols and values must share one shape (edges,), got "
                f"{i.shape}, {j.shape} and {weights.shape}."
            )
        if min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= size:
            raise ValueError(f"Edges must join neurons 0..{size - 1}.")
        if np.any(i == j):
            raise ValueError(
                "An edge joins a neuron to itself; a skew-symmetric W has none."
            )
        if np.unique(np.minimum(i, j) * size + np.maximum(i, j)).size < i.size:
            raise ValueError("An edge is listed twice; sum its values into one entry.")
        return eqx.tree_at(
            lambda weight: (weight.values, weight._graph),
            cls(2, 1, key=jr.key(0)),
            (weights, _Graph.build(size, i, j)),
        )

    @classmethod
    def from_matrix(cls, matrix: object) -> "SparseSkew":
        """Build from the non-zero entries of a concrete skew array `(n, n)`.

        **Raises:** `ValueError` if it is not skew, or is zero: a graph needs an edge.
        """
        check_concrete(matrix, "SparseSkew.from_matrix")
        array = check_skew(matrix)
        rows, cols = np.nonzero(np.triu(np.asarray(array), k=1))
        if not rows.size:
            raise ValueError("W is zero; SparseSkew needs at least one edge.")
        return cls.from_edges(array.shape[0], rows, cols, array[rows, cols])

    @property
    def size(self) -> int:
        return self._graph.rank.shape[0]

    @property
    def num_edges(self) -> int:
        """Number of edges, which is the number of parameters."""
        return self.values.shape[0]

    @property
    def independent_sets(self) -> tuple[Array, ...]:
        return self._graph.order

    def as_matrix(self) -> Matrix:
        dense = jnp.zeros((self.size, self.size), self.values.dtype)
        entries = self._signed(slice(None))
        return dense.at[self._graph.source, self._graph.target].set(entries)

    def mv(self, x: State) -> State:
        self._check_operand(x)
        return self._receive(slice(None), 0, self.size, x)[self._graph.rank]

    def mv_from(self, index: int, x: Float[Array, "k *batch"]) -> State:
        graph, span = self._graph, self._span(index)
        nodes, _ = graph.offsets
        local = graph.rank[graph.source[span]] - nodes[index]
        # W[target, source] = -W[source, target]
        sent = _scale_rows(-self._signed(span), x[local])
        out = jnp.zeros_like(x, shape=(self.size, *x.shape[1:]))
        return out.at[graph.target[span]].add(sent)

    def mv_to(self, index: int, x: State) -> Float[Array, "k *batch"]:
        self._check_operand(x)
        nodes, _ = self._graph.offsets
        start, stop = nodes[index : index + 2]
        return self._receive(self._span(index), start, stop - start, x)

    def materialise(self) -> "SparseSkew":
        return self

    def _span(self, index: int) -> slice:
        _, edges = self._graph.offsets
        return slice(*edges[index : index + 2])

    def _signed(self, span: slice) -> Float[Array, " directed"]:
        values = self.values[self._graph.edge[span]]
        return values * self._graph.forward[span].astype(values.dtype)

    def _receive(
        self, span: slice, first: int, count: int, x: State
    ) -> Float[Array, "k *batch"]:
        graph = self._graph
        return jax.ops.segment_sum(
            _scale_rows(self._signed(span), x[graph.target[span]]),
            graph.rank[graph.source[span]] - first,
            num_segments=count,
            indices_are_sorted=True,
        )


class _Graph(eqx.Module):
    """Both directions of every edge, sorted by the colour of their source."""

    source: Int[Array, " directed"]
    target: Int[Array, " directed"]
    edge: Int[Array, " directed"]
    forward: Int[Array, " directed"]
    # The neurons of each colour, and the place of each when these are joined.
    order: tuple[Int[Array, " _"], ...]
    rank: Int[Array, " n"]
    # One array a colour that holds nothing but its shape: edges that leave it × 0. A
    # shape is static under jit, as slicing needs, and yet saved and checked with the
    # leaves, as a static field is not.
    sizes: tuple[Int[Array, "_ 0"], ...]

    @property
    def offsets(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where each colour starts among the neurons, and among the edges."""
        nodes = (0, *itertools.accumulate(array.shape[0] for array in self.order))
        edges = (0, *itertools.accumulate(array.shape[0] for array in self.sizes))
        return nodes, edges

    @classmethod
    def build(cls, size: int, rows: np.ndarray, cols: np.ndarray) -> "_Graph":
        colour = colour_graph(size, rows, cols)
        order = np.argsort(colour, kind="stable")
        rank = np.empty(size, np.int32)
        rank[order] = np.arange(size, dtype=np.int32)
        source = np.concatenate([rows, cols])
        by_source = np.argsort(rank[source], kind="stable")
        nodes = np.bincount(colour)
        edges = np.bincount(colour[source], minlength=nodes.size)
        return cls(
            source=jnp.asarray(source[by_source], jnp.int32),
            target=jnp.asarray(np.concatenate([cols, rows])[by_source], jnp.int32),
            edge=jnp.asarray(np.tile(np.arange(rows.size), 2)[by_source], jnp.int32),
            forward=jnp.asarray(np.repeat([1, -1], rows.size)[by_source], jnp.int8),
            order=tuple(
                jnp.asarray(part, jnp.int32)
                for part in np.split(order, np.cumsum(nodes)[:-1])
            ),
            rank=jnp.asarray(rank),
            sizes=tuple(
                jnp.asarray(np.empty((count, 0), np.int8)) for count in edges.tolist()
            ),
        )


def _as_indices(name: str, value: object) -> np.ndarray:
    """Return concrete neuron numbers as int64, refusing floats."""
    check_concrete(value, "SparseSkew.from_edges")
    array = np.asarray(value)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must hold integers, got dtype {array.dtype}.")
    return array.astype(np.int64)


def _scale_rows(
    factor: Float[Array, " k"], x: Float[Array, "k *batch"]
) -> Float[Array, "k *batch"]:
    return factor * x if x.ndim == 1 else factor[:, None] * x


def _draw_edges(
    size: int, num_edges: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw distinct pairs i < j uniformly, without listing all pairs when sparse."""
    pairs = size * (size - 1) // 2
    if num_edges > pairs // 4:
        flat = np.sort(rng.permutation(pairs)[:num_edges])
        rows, cols = np.triu_indices(size, k=1)
        return rows[flat], cols[flat]
    drawn = np.empty(0, np.int64)
    while drawn.size < num_edges:
        i, j = rng.integers(size, size=(2, 2 * num_edges))
        fresh = (np.minimum(i, j) * size + np.maximum(i, j))[i != j]
        drawn = np.unique(np.concatenate([drawn, fresh]))
    drawn = np.sort(rng.permutation(drawn)[:num_edges])
    return drawn // size, drawn % size
