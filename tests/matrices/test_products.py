"""W x on lanes: written out or not, the same values and the same derivatives."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax.test_util import check_grads

import ctrnn_jax as cj
from ctrnn_jax.matrices._base import contract, mirror

#: (n, lanes, a matrix a lane): written out, few lanes, neither, and of each lane.
CASES = [
    (2, 50, False),
    (3, 5000, False),
    (8, 20, False),
    (8, 500, False),
    (2, 5, True),
    (6, 5, True),
    (18, 3, True),
]


def operands(n, lanes, per_lane, zero_diagonal, key=0):
    shape = (n, n, lanes) if per_lane else (n, n)
    matrix = jr.normal(jr.key(key), shape)
    if zero_diagonal:
        matrix = matrix.at[np.arange(n), np.arange(n)].set(0.0)
    return matrix, jr.normal(jr.key(key + 1), (n, lanes))


@pytest.mark.parametrize("zero_diagonal", [False, True])
@pytest.mark.parametrize("n, lanes, per_lane", CASES)
def test_products_are_those_of_each_lane(n, lanes, per_lane, zero_diagonal):
    matrix, x = operands(n, lanes, per_lane, zero_diagonal)
    found = contract(matrix, x, zero_diagonal=zero_diagonal)
    subscripts = "ijb,jb->ib" if per_lane else "ij,jb->ib"
    assert np.allclose(found, np.einsum(subscripts, matrix, x), rtol=0, atol=1e-13)


@pytest.mark.parametrize("zero_diagonal", [False, True])
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("per_lane", [False, True])
def test_derivatives_agree_in_both_modes_and_to_second_order(
    n, per_lane, zero_diagonal
):
    matrix, x = operands(n, 4, per_lane, zero_diagonal)
    off_diagonal = 1.0 - jnp.eye(n) if zero_diagonal else jnp.ones((n, n))

    def product(matrix, x):
        matrix, x = jnp.asarray(matrix), jnp.asarray(x)
        mask = off_diagonal[..., None] if per_lane else off_diagonal
        return jnp.tanh(contract(mask * matrix, x, zero_diagonal=zero_diagonal))

    check_grads(product, (matrix, x), order=2, modes=("fwd", "rev"), rtol=1e-5)


def test_only_what_is_asked_for_is_differentiated():
    matrix, x = operands(3, 4, False, False)
    text = jax.jit(jax.grad(lambda x: jnp.sum(contract(matrix, x)))).lower(x).as_text()
    assert text.count("dot_general") == 1


def test_a_mirrored_triangle_is_skew_to_the_last_bit():
    upper = jr.normal(jr.key(0), (10,)).at[3].set(jnp.inf)
    matrix = np.asarray(mirror(upper, 5))
    rows, cols = np.triu_indices(5, k=1)
    assert np.array_equal(matrix[rows, cols], upper)
    assert np.array_equal(matrix.T, -matrix)
    assert np.array_equal(np.diag(matrix), np.zeros(5))
    assert mirror(jnp.zeros(0), 1).shape == (1, 1)
    assert np.array_equal(cj.SkewSymmetric(1, key=jr.key(0)).as_matrix(), [[0.0]])
