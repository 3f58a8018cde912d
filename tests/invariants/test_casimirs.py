"""Linear invariants: how many, and that the field never moves them."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from weights import WEIGHTS, make

import ctrnn_jax as cj
from ctrnn_jax.matrices import DenseWeight

T0 = jnp.zeros(())


def _number(model):
    basis = cj.casimirs(model)
    assert basis.shape[1] == model.size
    assert basis.dtype == model.weight.dtype
    np.testing.assert_allclose(
        basis @ basis.T, np.eye(len(basis)), atol=20 * jnp.finfo(basis.dtype).eps
    )
    return len(basis)


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1, jnp.float64), (2, jnp.float64), (7, jnp.float64), (7, jnp.float32)],
)
def test_an_odd_network_has_one_and_an_even_one_none(size, dtype):
    weight = cj.SkewSymmetric(size, key=jr.key(size), dtype=dtype)
    assert _number(cj.VoltageCTRNN(weight)) == size % 2


@pytest.mark.parametrize(("size", "rank"), [(6, 1), (9, 4), (8, 4)])
def test_low_rank_leaves_all_but_two_directions_a_mode(size, rank):
    weight = cj.LowRankSkew(size, rank, key=jr.key(0))
    assert _number(cj.VoltageCTRNN(weight)) == size - 2 * rank


@pytest.mark.parametrize("groups", [(4, 1), (2, 5), (3, 3)], ids=str)
def test_unequal_groups_have_one_for_each_neuron_too_many(groups):
    weight = cj.BipartiteSkew.from_coupling(jr.normal(jr.key(0), groups))
    assert _number(cj.VoltageCTRNN(weight)) == abs(groups[0] - groups[1])


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("size", [5, 6])
@pytest.mark.parametrize("phi", [cj.Tanh(), cj.Relu()], ids=["Tanh", "Relu"])
def test_the_field_never_moves_them(name, size, phi):
    weight = make(name, size)
    model = cj.VoltageCTRNN(weight, activation=phi)
    rank = np.linalg.matrix_rank(weight.as_matrix())
    assert _number(model) == size - rank
    slope = model(T0, jr.normal(jr.key(1), (size,)))
    np.testing.assert_allclose(cj.casimirs(model) @ slope, 0, atol=1e-13)


@pytest.mark.parametrize("bias_size", [1e-9, 1.0, 1e9])
def test_a_bias_or_an_input_takes_the_direction_it_pushes(bias_size):
    weight = cj.LowRankSkew(7, 1, key=jr.key(0))  # five of its own
    push = jr.normal(jr.key(1), (7, 2))
    models = {
        4: {"bias": bias_size * push[:, 0]},
        3: {"input_weight": bias_size * push},
        2: {"bias": jr.normal(jr.key(2), 7), "input_weight": bias_size * push},
        5: {"bias": weight.mv(push[:, 0])},
    }
    for number, options in models.items():
        model = cj.VoltageCTRNN(weight, **options)
        assert _number(model) == number
        inputs = None if "input_weight" not in options else lambda t: jnp.ones(2)
        slope = model(T0, jnp.arange(7.0), inputs)
        np.testing.assert_allclose(
            cj.casimirs(model) @ slope, 0, atol=1e-13 * max(1, bias_size)
        )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_without_coupling_every_direction_is_one(dtype):
    zero = DenseWeight(jnp.zeros((3, 3), dtype), is_skew=True, has_zero_diagonal=True)
    assert _number(cj.VoltageCTRNN(zero)) == 3
    assert _number(cj.VoltageCTRNN(zero, bias=jnp.zeros(3, dtype))) == 3
    assert _number(cj.VoltageCTRNN(zero, bias=jnp.ones(3, dtype))) == 2


def test_a_leak_and_the_rate_form_leave_none():
    weight = cj.SkewSymmetric(5, key=jr.key(0))
    assert _number(cj.VoltageCTRNN(weight, leak=0.1)) == 0
    assert _number(cj.RateCTRNN(weight)) == 0
    # The kernel of W is where the rate form's motion is free.
    kernel = cj.casimirs(cj.VoltageCTRNN(weight))[0]
    slope = cj.RateCTRNN(weight)(T0, jr.normal(jr.key(1), (5,)))
    assert abs(kernel @ slope) > 1e-3


def test_an_array_leak_of_zero_is_no_leak():
    weight = cj.SkewSymmetric(5, key=jr.key(0))
    assert _number(cj.VoltageCTRNN(weight, leak=jnp.asarray(0.0))) == 1


def test_their_number_cannot_be_traced_and_the_error_says_so():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(5, key=jr.key(0)))
    with pytest.raises(ValueError, match="outside jit, vmap and grad"):
        jax.jit(cj.casimirs)(model)


def test_a_weight_that_is_not_finite_has_none_to_count():
    weight = DenseWeight(
        jnp.full((3, 3), jnp.nan), is_skew=True, has_zero_diagonal=True
    )
    with pytest.raises(ValueError, match="NaN"):
        cj.casimirs(cj.VoltageCTRNN(weight))
