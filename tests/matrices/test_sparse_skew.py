"""SparseSkew at the size it is for, its graph, and its colouring."""

import io
import itertools
import time

import equinox as eqx
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from hypothesis import given

import ctrnn_jax as cj
from ctrnn_jax.matrices._colouring import colour_graph

NEURONS, EDGES = 100_000, 1_000_000


@pytest.fixture(scope="module")
def large():
    """10^5 neurons, 10^6 edges, and the seconds it took to build."""
    begin = time.perf_counter()
    weight = cj.SparseSkew(NEURONS, EDGES, key=jr.key(0), dtype=jnp.float32)
    jax.block_until_ready(weight)
    return weight, time.perf_counter() - begin


def _largest_array(function, *args):
    """Return the size of the largest array anywhere in the program of `function`."""
    closed = jax.make_jaxpr(function)(*args)

    def walk(jaxpr):
        for equation in jaxpr.eqns:
            for variable in (*equation.invars, *equation.outvars):
                yield int(np.prod(variable.aval.shape, dtype=np.int64))
            for inner in jax.tree.leaves(
                list(equation.params.values()),
                is_leaf=lambda x: hasattr(x, "jaxpr") or hasattr(x, "eqns"),
            ):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from walk(inner)

    return max(walk(closed.jaxpr))


def test_a_large_graph_builds_in_seconds(large):
    weight, seconds = large
    assert (weight.size, weight.num_edges) == (NEURONS, EDGES)
    assert seconds < 60  # about 3 on an idle core


def test_no_product_or_gradient_of_a_large_graph_holds_a_dense_matrix(large):
    weight, _ = large
    x = jnp.ones(NEURONS, jnp.float32)
    members = weight.independent_sets[0]

    def loss(values, weight, x):
        weight = eqx.tree_at(lambda weight: weight.values, weight, values)
        return jnp.sum(weight.mv(x) ** 2)

    programs = [
        _largest_array(lambda weight, x: weight.mv(x), weight, x),
        _largest_array(lambda weight, x: weight.mv_to(0, x), weight, x),
        _largest_array(lambda weight, x: weight.mv_from(0, x), weight, x[members]),
        _largest_array(jax.grad(loss), weight.values, weight, x),
    ]
    # Both directions of each edge, and nothing larger.
    assert max(programs) == 2 * EDGES


def test_products_with_a_large_graph_are_skew_and_quick(large):
    weight, _ = large
    x, y = jr.normal(jr.key(1), (2, NEURONS), jnp.float32)
    mv = jax.jit(lambda weight, x: weight.mv(x))
    wx, wy = np.float64(mv(weight, x)), np.float64(mv(weight, y))
    scale = np.linalg.norm(wx) * np.linalg.norm(y)
    assert abs(wx @ np.float64(y) + wy @ np.float64(x)) < 1e-6 * scale
    begin = time.perf_counter()
    mv(weight, x).block_until_ready()
    assert time.perf_counter() - begin < 5  # about 0.03 on an idle core
    members = weight.independent_sets[0]
    np.testing.assert_allclose(weight.mv_to(0, x), wx[members], atol=1e-4)
    sent = weight.mv_from(0, x[members])
    silent = weight.mv(x.at[members].set(0))
    np.testing.assert_allclose(sent + silent, wx, atol=1e-4)


def test_the_colouring_of_a_large_graph_is_proper_and_uses_few_colours(large):
    weight, _ = large
    colour = np.empty(NEURONS, int)
    for index, members in enumerate(weight.independent_sets):
        colour[np.asarray(members)] = index
    source, target = np.asarray(weight._graph.source), np.asarray(weight._graph.target)
    assert not np.any(colour[source] == colour[target])
    # Mean degree 20: greedy colourings need about ten, far below max degree + 1.
    assert colour.max() + 1 <= 14


def _check_colouring(size, rows, cols):
    colour = colour_graph(size, np.asarray(rows, int), np.asarray(cols, int))
    assert colour.shape == (size,)
    assert set(colour) == set(range(colour.max() + 1))
    assert not np.any(colour[rows] == colour[cols])
    return colour.max() + 1


@st.composite
def _graphs(draw):
    size = draw(st.integers(2, 12))
    pairs = list(itertools.combinations(range(size), 2))
    edges = draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))
    flip = draw(st.lists(st.booleans(), min_size=len(edges), max_size=len(edges)))
    ends = [
        pair[::-1] if turn else pair for pair, turn in zip(edges, flip, strict=True)
    ]
    return size, *np.array(ends).T


@given(_graphs())
def test_every_colouring_is_proper_with_at_most_max_degree_plus_one_colours(graph):
    size, rows, cols = graph
    degree = np.bincount(np.concatenate([rows, cols]), minlength=size)
    assert _check_colouring(size, rows, cols) <= degree.max() + 1


@pytest.mark.parametrize("size", [3, 4, 5, 8, 9, 64, 65])
def test_rings_take_two_colours_if_even_and_three_if_odd(size):
    nodes = np.arange(size)
    colours = _check_colouring(size, nodes, (nodes + 1) % size)
    assert colours == 2 + size % 2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_bipartite_graph_takes_two_colours_however_its_neurons_are_numbered(seed):
    rng = np.random.default_rng(seed)
    label = rng.permutation(30)
    flat = rng.choice(10 * 15, size=60, replace=False)
    rows, cols = label[flat // 15], label[10 + flat % 15]
    assert _check_colouring(30, rows, cols) == 2
    weight = cj.SparseSkew.from_edges(30, rows, cols, rng.normal(size=60))
    cj.Leapfrog().check(cj.VoltageCTRNN(weight))


def test_a_complete_graph_takes_a_colour_a_neuron():
    rows, cols = np.triu_indices(6, k=1)
    assert _check_colouring(6, rows, cols) == 6


def test_isolated_neurons_are_coloured_and_stay_at_rest():
    assert _check_colouring(7, np.array([1]), np.array([4])) == 2
    weight = cj.SparseSkew.from_edges(7, [1, 4, 5], [4, 5, 1], np.ones(3))
    out = np.asarray(weight.mv(jnp.ones(7)))
    assert not np.any(out[[0, 2, 3, 6]])
    assert sum(len(members) for members in weight.independent_sets) == 7


def test_an_edge_is_the_entry_at_its_row_and_column():
    weight = cj.SparseSkew.from_edges(4, [2, 0], [1, 3], np.array([5.0, -7.0]))
    expected = np.zeros((4, 4))
    expected[2, 1], expected[1, 2] = 5, -5
    expected[0, 3], expected[3, 0] = -7, 7
    np.testing.assert_array_equal(weight.as_matrix(), expected)


def test_values_on_one_graph_may_be_traced():
    rows, cols = np.array([0, 1, 2]), np.array([1, 2, 3])
    values = jr.normal(jr.key(0), (3, 3))

    def product(values):
        return cj.SparseSkew.from_edges(4, rows, cols, values).mv(jnp.ones(4))

    loop = np.stack([product(row) for row in values])
    np.testing.assert_allclose(jax.vmap(product)(values), loop, atol=1e-15)


def test_leaves_loaded_into_a_weight_of_another_graph_are_refused():
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, cj.SparseSkew(30, 60, key=jr.key(0)))
    file.seek(0)
    with pytest.raises(Exception, match="shape|leaf"):
        eqx.tree_deserialise_leaves(file, cj.SparseSkew(30, 60, key=jr.key(1)))


def test_leaves_carry_the_graph_where_the_colours_have_the_same_sizes():
    ring = cj.SparseSkew.from_edges(4, [0, 1, 2, 3], [1, 2, 3, 0], np.arange(4.0) + 1)
    other = cj.SparseSkew.from_edges(4, [0, 2, 1, 3], [2, 1, 3, 0], np.zeros(4))
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, ring)
    file.seek(0)
    loaded = eqx.tree_deserialise_leaves(file, other)
    assert eqx.tree_equal(loaded, ring)


def test_no_graph_can_be_drawn_under_vmap_and_the_error_says_what_to_do():
    with pytest.raises(ValueError, match="from_edges"):
        jax.vmap(lambda key: cj.SparseSkew(6, 4, key=key))(jr.split(jr.key(0)))
