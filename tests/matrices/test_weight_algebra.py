"""Identities of skew matrices, for parameters and states that Hypothesis chooses."""

import functools

import equinox as eqx
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given
from jax.flatten_util import ravel_pytree
from weights import SKEW, WEIGHTS, make

import ctrnn_jax as cj

SIZE = 6
_numbers = st.floats(-1e3, 1e3, allow_subnormal=False)
_states = hnp.arrays(np.float64, SIZE, elements=_numbers)
_matrices = hnp.arrays(np.float64, (SIZE, SIZE), elements=_numbers)


@functools.cache
def _compiled(name):
    """Return (number of parameters, compiled map of parameters and state)."""
    arrays, static = eqx.partition(make(name, SIZE), eqx.is_inexact_array)
    flat, unravel = ravel_pytree(arrays)

    @jax.jit
    def evaluate(flat, x):
        weight = eqx.combine(unravel(flat), static)
        return weight.as_matrix(), weight.mv(x)

    return flat.size, evaluate


@pytest.mark.parametrize("name", [name for name in WEIGHTS if "built" not in name])
@given(data=st.data(), x=_states)
def test_w_keeps_its_form_for_all_parameters(name, data, x):
    count, evaluate = _compiled(name)
    flat = data.draw(hnp.arrays(np.float64, count, elements=_numbers))
    w, wx = (np.asarray(out) for out in evaluate(flat, x))
    size = np.abs(w) @ np.abs(x)
    if "LowRank" in name:
        # The factored product rounds at the size of the factors.
        size = size + count * np.max(np.abs(flat), initial=0) ** 2 * np.abs(x).sum()
    np.testing.assert_allclose(wx, w @ x, atol=1e-13 * size.max() + 1e-280)
    if name in SKEW:
        assert not np.any(w + w.T)
        # No power is fed into the state: x.Wx = 0.
        assert abs(x @ wx) <= 1e-13 * (np.abs(x) @ size) + 1e-280


@given(w=_matrices)
def test_the_skew_part_of_any_matrix_is_taken_exactly(w):
    skew = w - w.T
    for kind in (cj.SkewSymmetric, cj.Unconstrained, cj.GainPlusSkew):
        np.testing.assert_array_equal(kind.from_matrix(skew).as_matrix(), skew)
    if np.any(skew):
        np.testing.assert_array_equal(cj.SparseSkew.from_matrix(skew).as_matrix(), skew)


@given(w=_matrices)
def test_full_rank_modes_rebuild_any_skew_matrix(w):
    skew = w - w.T
    again = cj.LowRankSkew.from_matrix(skew, SIZE // 2).as_matrix()
    np.testing.assert_allclose(again, skew, atol=1e-13 * np.abs(skew).max())


@given(w=_matrices, rank=st.integers(1, SIZE // 2))
def test_the_kept_modes_are_the_best_approximation(w, rank):
    skew = w - w.T
    error = np.asarray(cj.LowRankSkew.from_matrix(skew, rank).as_matrix()) - skew
    omega = np.linalg.svd(skew, compute_uv=False)
    left_out = omega[2 * rank] if 2 * rank < SIZE else 0.0
    np.testing.assert_allclose(
        np.linalg.norm(error, 2), left_out, atol=1e-12 * omega[0]
    )
