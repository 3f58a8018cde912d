"""Each initialiser draws the eigenfrequencies that its docstring states."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj

SEEDS = [0, 1]
every_seed = pytest.mark.parametrize("seed", SEEDS)


def _frequencies(weight):
    """Positive eigenfrequencies of a skew weight, ascending."""
    values = np.linalg.eigvalsh(1j * np.asarray(weight.as_matrix(), np.float64))
    return values[values > 1e-9]


@every_seed
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_skew_symmetric_fills_a_semicircle_of_radius_twice_the_scale(seed, scale):
    size = 200
    omega = _frequencies(cj.SkewSymmetric(size, scale=scale, key=jr.key(seed))) / scale
    # The largest fluctuates about the edge 2 by O(n^(-2/3)) (Tracy-Widom).
    assert abs(omega[-1] - 2) < 4 * size ** (-2 / 3)
    # Semicircle on [0, 2]: mean 8/(3 pi), mean square 1.
    np.testing.assert_allclose(np.mean(omega), 8 / (3 * np.pi), rtol=0.03)
    np.testing.assert_allclose(np.mean(omega**2), 1, rtol=0.03)


@every_seed
def test_unconstrained_fills_a_disc_of_radius_scale(seed):
    size, scale = 200, 1.5
    weight = cj.Unconstrained(size, scale=scale, key=jr.key(seed))
    values = np.linalg.eigvals(np.asarray(weight.as_matrix())) / scale
    assert np.max(np.abs(values)) < 1.1
    # Uniform on the disc: half within 1/sqrt(2), half to the right.
    assert abs(np.mean(np.abs(values) < np.sqrt(0.5)) - 0.5) < 0.08
    assert abs(np.mean(values.real > 0) - 0.5) < 0.08


@every_seed
@pytest.mark.parametrize("size", [2, 3, 20])
@pytest.mark.parametrize("bounds", [(0.1, 1.0), (0.7, 0.7), (2, 5)], ids=str)
def test_bipartite_frequencies_are_evenly_spaced_over_the_range(seed, size, bounds):
    weight = cj.BipartiteSkew(
        size, angular_frequency_range=bounds, key=jr.key(seed), dtype=jnp.float64
    )
    expected = np.linspace(*bounds, size // 2)
    np.testing.assert_allclose(_frequencies(weight), expected, rtol=1e-10)


@every_seed
@pytest.mark.parametrize(("size", "rank"), [(2, 1), (9, 4), (20, 3)])
def test_low_rank_frequencies_are_evenly_spaced_over_the_range(seed, size, rank):
    weight = cj.LowRankSkew(
        size, rank, angular_frequency_range=(0.2, 3.0), key=jr.key(seed)
    )
    expected = np.linspace(0.2, 3.0, rank)
    np.testing.assert_allclose(_frequencies(weight), expected, rtol=1e-9)
    assert np.linalg.matrix_rank(weight.as_matrix()) == 2 * rank


@every_seed
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_block_frequencies_are_the_parameters_and_uniform_in_the_range(seed, dtype):
    weight = cj.BlockRotation(
        801, angular_frequency_range=(0.3, 0.9), key=jr.key(seed), dtype=dtype
    )
    omega = np.asarray(weight.angular_frequency, np.float64)
    slack = np.finfo(dtype).eps
    assert omega.shape == (400,)
    assert omega.min() >= 0.3 - slack
    assert omega.max() <= 0.9 + slack
    np.testing.assert_allclose(
        np.quantile(omega, [0.25, 0.75]), [0.45, 0.75], atol=0.05
    )


def test_block_frequencies_are_the_eigenfrequencies():
    weight = cj.BlockRotation(7, key=jr.key(0))
    np.testing.assert_allclose(
        _frequencies(weight), np.sort(weight.angular_frequency), rtol=1e-12
    )


@every_seed
@pytest.mark.parametrize(("degree", "bound"), [(20, 2.6), (100, 2.2)])
def test_sparse_frequencies_reach_twice_the_scale_and_little_beyond(
    seed, degree, bound
):
    size = 300
    weight = cj.SparseSkew(size, size * degree // 2, scale=1.5, key=jr.key(seed))
    omega = _frequencies(weight) / 1.5
    assert 1.8 < omega[-1] < bound
    np.testing.assert_allclose(np.mean(omega**2), 1, rtol=0.06)


@every_seed
def test_sparse_edges_are_distinct_and_as_many_as_asked(seed):
    for size, num_edges in [(2, 1), (40, 100), (40, 700)]:
        weight = cj.SparseSkew(size, num_edges, key=jr.key(seed))
        assert weight.num_edges == num_edges
        assert np.count_nonzero(np.triu(weight.as_matrix())) == num_edges


@every_seed
def test_gain_moves_every_eigenvalue_by_the_gain(seed):
    skew = cj.SkewSymmetric(8, key=jr.key(seed))
    values = np.linalg.eigvals(cj.GainPlusSkew(skew, 0.4).as_matrix())
    np.testing.assert_allclose(values.real, 0.4, atol=1e-12)
    np.testing.assert_allclose(
        np.sort(values.imag[values.imag > 0]), _frequencies(skew), rtol=1e-10
    )


def test_the_scale_may_be_traced_so_that_it_can_be_swept():
    scales = jnp.array([0.5, 2.0])
    many = eqx.filter_vmap(lambda s: cj.SkewSymmetric(4, scale=s, key=jr.key(0)))(
        scales
    )
    one = cj.SkewSymmetric(4, key=jr.key(0)).upper
    np.testing.assert_allclose(many.upper, scales[:, None] * one[None], rtol=1e-15)
