"""Covariant vectors: eigenvectors, the flow's own direction, and covariance itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import systems

import ctrnn_jax as cj
from ctrnn_jax.analysis import OUTCOMES, covariant_vectors
from ctrnn_jax.analysis._flow import make_flow


def test_of_a_linear_system_they_are_the_eigenvectors():
    matrix = jnp.array([[0.3, 2.0, -1.0], [0.0, -0.4, 3.0], [0.0, 0.0, -1.2]])
    found = covariant_vectors(
        lambda t, y, matrix: matrix @ y,
        jnp.zeros(3),
        inputs=matrix,
        dt0=0.05,
        duration=5.0,
        transient=50.0,
        solver=cj.RK4(),
    )
    values, expected = np.linalg.eig(np.asarray(matrix))
    expected = expected[:, np.argsort(-values)]
    cosines = np.abs(np.sum(np.asarray(found.vectors) * expected[None], axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-12)
    np.testing.assert_allclose(found.exponents, np.sort(values)[::-1], atol=1e-6)


@pytest.fixture(scope="module")
def lorenz():
    return covariant_vectors(
        systems.lorenz,
        [1.0, 2.0, 20.0],
        dt0=0.005,
        duration=30.0,
        transient=40.0,
        qr_interval=0.1,
        solver=cj.RK4(),
    )


def test_the_neutral_one_of_lorenz_is_the_direction_of_the_flow(lorenz):
    slopes = jax.vmap(lambda y: systems.lorenz(0.0, y))(lorenz.ys)
    slopes = slopes / jnp.linalg.norm(slopes, axis=1, keepdims=True)
    cosines = np.abs(jnp.sum(lorenz.vectors[:, :, 1] * slopes, axis=1))
    # What orthonormal vectors could not show: it is neither first nor last. They
    # turn to it at the gap between the exponents, e^{-0.9 t}.
    np.testing.assert_allclose(cosines, 1, atol=1e-8)
    np.testing.assert_allclose(jnp.linalg.norm(lorenz.vectors, axis=1), 1, rtol=1e-12)


def test_the_flow_carries_each_to_the_next(lorenz):
    flow = make_flow(systems.lorenz, lorenz.ys[0], dt=0.005, solver=cj.RK4())
    push = jax.jit(jax.vmap(lambda y, v: flow.advance_tangents(0, 20, y, v)))
    ends, carried = push(lorenz.ys[:-1], lorenz.vectors[:-1])
    np.testing.assert_allclose(ends, lorenz.ys[1:], atol=1e-10)
    lengths = np.linalg.norm(carried, axis=1)
    np.testing.assert_allclose(np.log(lengths) / 0.1, lorenz.rates[:-1], atol=1e-7)
    cosines = np.sum(np.asarray(carried) * np.asarray(lorenz.vectors[1:]), axis=1)
    np.testing.assert_allclose(np.abs(cosines / lengths), 1, atol=1e-9)
    # Strongly contracted over a long stretch, the third would be lost forward.
    np.testing.assert_allclose(lorenz.ts, 40 + 0.1 * np.arange(300), rtol=1e-12)


@pytest.mark.parametrize(
    ("start", "outcome"),
    [([np.nan, 1.0], OUTCOMES.nonfinite), ([5.0, 1.0], OUTCOMES.escaped)],
)
def test_what_has_none_says_why(start, outcome):
    found = covariant_vectors(
        lambda t, y, args: jnp.abs(y) * y,
        jnp.asarray(start),
        dt0=0.05,
        duration=2.0,
        transient=1.0,
    )
    assert found.result == outcome
    assert np.isnan(found.vectors).all()


def test_more_vectors_than_dimensions_are_refused():
    with pytest.raises(ValueError, match="num_vectors must be in 1..3"):
        covariant_vectors(
            systems.lorenz,
            jnp.ones(3),
            dt0=0.1,
            duration=1.0,
            transient=1.0,
            num_vectors=4,
        )
