"""What constructors refuse, each with a `ValueError` that says what to change."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj
from ctrnn_jax.matrices import DenseWeight

KEY = jr.key(0)
ROTATION = np.array([[0.0, 1.0], [-1.0, 0.0]])
KINDS = {
    "SkewSymmetric": cj.SkewSymmetric,
    "BipartiteSkew": cj.BipartiteSkew,
    "LowRankSkew": lambda size, **kw: cj.LowRankSkew(size, 1, **kw),
    "BlockRotation": cj.BlockRotation,
    "SparseSkew": lambda size, **kw: cj.SparseSkew(size, 1, **kw),
    "Unconstrained": cj.Unconstrained,
}
FROM_MATRIX = {
    "SkewSymmetric": cj.SkewSymmetric.from_matrix,
    "BipartiteSkew": cj.BipartiteSkew.from_matrix,
    "LowRankSkew": lambda w: cj.LowRankSkew.from_matrix(w, 1),
    "BlockRotation": cj.BlockRotation.from_matrix,
    "SparseSkew": cj.SparseSkew.from_matrix,
    "GainPlusSkew": cj.GainPlusSkew.from_matrix,
    "Unconstrained": cj.Unconstrained.from_matrix,
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
every_from_matrix = pytest.mark.parametrize(
    "build", FROM_MATRIX.values(), ids=FROM_MATRIX.keys()
)


@every_kind
@pytest.mark.parametrize(
    ("size", "says"), [(0, "at least"), (-3, "at least"), (True, "an int")]
)
def test_a_size_must_be_a_positive_int(kind, size, says):
    with pytest.raises(ValueError, match=f"size must be {says}"):
        kind(size, key=KEY)


@pytest.mark.parametrize(
    "kind", [KINDS["BipartiteSkew"], KINDS["LowRankSkew"], KINDS["BlockRotation"]]
)
def test_one_neuron_cannot_rotate(kind):
    with pytest.raises(ValueError, match="at least 2"):
        kind(1, key=KEY)


def test_one_neuron_with_a_skew_weight_is_uncoupled():
    np.testing.assert_array_equal(cj.SkewSymmetric(1, key=KEY).as_matrix(), [[0.0]])


@every_kind
@pytest.mark.parametrize("dtype", [jnp.int32, jnp.complex64, bool])
def test_parameters_must_be_floating(kind, dtype):
    with pytest.raises(ValueError, match="dtype must be floating"):
        kind(4, key=KEY, dtype=dtype)


@every_kind
def test_double_precision_without_x64_is_refused_not_rounded(kind):
    with jax.enable_x64(False):
        with pytest.raises(ValueError, match="jax_enable_x64"):
            kind(4, key=KEY, dtype=np.float64)
        assert kind(4, key=KEY).dtype == jnp.float32


@every_from_matrix
def test_a_double_matrix_without_x64_is_refused_not_rounded(build):
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        build(ROTATION)


@pytest.mark.parametrize("name", ["SkewSymmetric", "SparseSkew", "Unconstrained"])
@pytest.mark.parametrize("scale", [np.nan, np.inf, np.ones(2)], ids=str)
def test_a_scale_must_be_a_finite_scalar(name, scale):
    with pytest.raises(ValueError, match="scale must be"):
        KINDS[name](4, scale=scale, key=KEY)


@pytest.mark.parametrize("name", ["BipartiteSkew", "LowRankSkew", "BlockRotation"])
@pytest.mark.parametrize(
    "bounds",
    [(1.0, 0.5), (-0.1, 1.0), (0.1, np.inf), (np.nan, 1.0), (0.1,), (0.1, 0.2, 0.3)],
    ids=str,
)
def test_a_frequency_range_must_be_ordered_finite_and_not_negative(name, bounds):
    with pytest.raises(ValueError, match="0 <= low <= high"):
        KINDS[name](4, angular_frequency_range=bounds, key=KEY)


@every_from_matrix
@pytest.mark.parametrize(
    "shape", [(), (4,), (1, 4), (4, 1), (2, 3), (0, 0), (2, 2, 2)], ids=str
)
def test_w_must_be_square(build, shape):
    with pytest.raises(ValueError, match=r"shape \(n, n\)"):
        build(np.zeros(shape))


@every_from_matrix
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_w_must_be_finite(build, bad):
    with pytest.raises(ValueError, match="finite"):
        build(np.array([[0.0, bad], [-bad, 0.0]]))


@every_from_matrix
@pytest.mark.parametrize("dtype", [int, complex, bool])
def test_w_must_be_floating(build, dtype):
    with pytest.raises(ValueError, match="must be floating"):
        build(np.abs(ROTATION).astype(dtype))


def test_a_list_of_whole_numbers_states_no_dtype_and_is_taken():
    weight = cj.SkewSymmetric.from_matrix([[0, 2], [-2, 0]])
    assert weight.dtype == jnp.float64
    np.testing.assert_array_equal(weight.as_matrix(), 2 * ROTATION)


@pytest.mark.parametrize("name", [n for n in FROM_MATRIX if n != "Unconstrained"])
@pytest.mark.parametrize(
    "w", [np.abs(ROTATION), ROTATION + [[0, 1e-9], [0, 0]]], ids=["symmetric", "nearly"]
)
def test_w_must_be_skew_and_the_error_says_by_how_much_it_is_not(name, w):
    with pytest.raises(ValueError, match=r"not skew-symmetric: max .* = .*W - W\.T"):
        FROM_MATRIX[name](w)


@pytest.mark.parametrize("name", [n for n in FROM_MATRIX if n != "Unconstrained"])
def test_a_w_that_is_skew_to_rounding_is_taken(name):
    weight = FROM_MATRIX[name](ROTATION + np.array([[0, 1e-16], [0, 0]]))
    w = np.asarray(weight.as_matrix())
    np.testing.assert_allclose(w, ROTATION, atol=1e-15)
    assert not np.any(w + w.T)


def test_a_diagonal_is_not_skew():
    with pytest.raises(ValueError, match="not skew"):
        cj.SkewSymmetric.from_matrix(np.diag([1.0, 0.0]))


def test_a_coupling_inside_a_group_is_not_bipartite():
    w = np.zeros((4, 4))
    w[0, 1], w[1, 0] = 1, -1
    with pytest.raises(ValueError, match="not bipartite.*Permute"):
        cj.BipartiteSkew.from_matrix(w)


@pytest.mark.parametrize(
    ("coupling", "says"),
    [
        (np.ones(3), "shape"),
        (np.ones((0, 2)), "shape"),
        (np.ones((2, 2), int), "floating"),
        (np.full((1, 2), np.nan), "finite"),
    ],
    ids=["vector", "empty", "int", "nan"],
)
def test_a_coupling_must_be_a_finite_floating_matrix(coupling, says):
    with pytest.raises(ValueError, match=says):
        cj.BipartiteSkew.from_coupling(coupling)


def test_a_coupling_outside_the_blocks_is_not_block_diagonal():
    w = np.zeros((4, 4))
    w[0, 3], w[3, 0] = 1, -1
    with pytest.raises(ValueError, match="Schur"):
        cj.BlockRotation.from_matrix(w)


@pytest.mark.parametrize("rank", [0, 3, -1, True])
def test_a_rank_must_leave_two_neurons_a_mode(rank):
    with pytest.raises(ValueError, match="rank must be"):
        cj.LowRankSkew(5, rank, key=KEY)


@pytest.mark.parametrize("num_edges", [0, 11, True])
def test_edges_must_be_fewer_than_pairs(num_edges):
    with pytest.raises(ValueError, match="num_edges must be"):
        cj.SparseSkew(5, num_edges, key=KEY)


@pytest.mark.parametrize(
    ("rows", "cols", "values", "says"),
    [
        ([0, 1], [1, 1], [1.0, 1.0], "itself"),
        ([0, 1], [1, 0], [1.0, 1.0], "listed twice"),
        ([0, 0], [1, 1], [1.0, 1.0], "listed twice"),
        ([0], [3], [1.0], r"0\.\.2"),
        ([-1], [2], [1.0], r"0\.\.2"),
        ([0, 1], [1], [1.0], "share one shape"),
        ([0], [1], [1.0, 2.0], "share one shape"),
        ([[0]], [[1]], [[1.0]], "share one shape"),
        ([], [], [], "share one shape"),
        ([0.5], [1.0], [1.0], "must hold integers"),
        ([0], [1], [np.nan], "finite"),
        ([0], [1], np.array([1]), "floating"),
    ],
)
def test_edges_must_join_different_neurons_once(rows, cols, values, says):
    with pytest.raises(ValueError, match=says):
        cj.SparseSkew.from_edges(3, rows, cols, values)


def test_a_zero_w_has_no_graph():
    with pytest.raises(ValueError, match="at least one edge"):
        cj.SparseSkew.from_matrix(np.zeros((3, 3)))


@pytest.mark.parametrize(
    "skew",
    [
        cj.Unconstrained(3, key=KEY),
        cj.GainPlusSkew(cj.SkewSymmetric(3, key=KEY), 0.1),
        DenseWeight(jnp.zeros((3, 3)), is_skew=False, has_zero_diagonal=True),
    ],
    ids=lambda weight: type(weight).__name__,
)
def test_a_gain_goes_on_top_of_a_skew_weight(skew):
    with pytest.raises(ValueError, match="skew-symmetric by construction"):
        cj.GainPlusSkew(skew, 1.0)


@pytest.mark.parametrize("gain", [np.ones(3), np.nan, np.inf], ids=str)
def test_a_gain_must_be_a_finite_scalar(gain):
    with pytest.raises(ValueError, match="gain must be"):
        cj.GainPlusSkew(cj.SkewSymmetric(3, key=KEY), gain)


def test_a_gain_is_not_rounded_in_silence():
    skew = cj.SkewSymmetric(3, key=KEY, dtype=jnp.float32)
    with pytest.raises(ValueError, match="cast one of them"):
        cj.GainPlusSkew(skew, jnp.asarray(0.1, jnp.float64))
    assert cj.GainPlusSkew(skew, np.float64(0.1)).gain.dtype == jnp.float32


def test_a_matrix_with_two_gains_has_none():
    with pytest.raises(ValueError, match=r"from 0 to 1.*Unconstrained"):
        cj.GainPlusSkew.from_matrix(ROTATION + np.diag([0.0, 1.0]))


@pytest.mark.parametrize("gain", [1e6, 1 / 3, 0.1, -1e-9])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_a_gain_of_any_size_is_split_off_exactly(gain, size):
    skew = cj.SkewSymmetric(size, key=KEY)
    w = np.asarray(cj.GainPlusSkew(skew, gain).as_matrix())
    again = cj.GainPlusSkew.from_matrix(w)
    assert again.gain == gain
    np.testing.assert_array_equal(again.skew.as_matrix(), skew.as_matrix())


@pytest.mark.parametrize("name", ["LowRankSkew", "SparseSkew", "GainPlusSkew"])
def test_structure_found_from_numbers_needs_them_concrete(name):
    with pytest.raises(ValueError, match="outside jit, vmap and grad"):
        jax.jit(lambda w: FROM_MATRIX[name](w).as_matrix())(ROTATION)


@pytest.mark.parametrize(
    "name", ["SkewSymmetric", "BipartiteSkew", "BlockRotation", "Unconstrained"]
)
def test_a_fixed_structure_takes_a_traced_matrix(name):
    w = jax.jit(lambda w: FROM_MATRIX[name](w).as_matrix())(ROTATION)
    np.testing.assert_array_equal(w, ROTATION)
