"""What every parametrisation of W promises, one claim a test."""

import io

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from weights import SKEW, UNTRACEABLE, WEIGHTS, make

import ctrnn_jax as cj

SIZES = [5, 6]
every_weight = pytest.mark.parametrize("name", WEIGHTS)
every_size = pytest.mark.parametrize("size", SIZES)
# Both parities and both precisions, one state and lanes, in two cases each: most of
# the time here is compilation.
every_kind = pytest.mark.parametrize(
    ("size", "dtype"),
    [(5, jnp.float64), (6, jnp.float32)],
    ids=["5-float64", "6-float32"],
)
one_and_lanes = pytest.mark.parametrize(
    ("size", "batch"), [(5, ()), (6, (3,))], ids=["one", "lanes"]
)
TRACEABLE = [name for name in WEIGHTS if name not in UNTRACEABLE]


def _states(size, *batch, dtype=jnp.float64, seed=7):
    return jr.normal(jr.key(seed), (size, *batch), dtype)


def _parameters(weight):
    """Return the flat parameters and the way back to a weight."""
    arrays, static = eqx.partition(weight, eqx.is_inexact_array)
    flat, unravel = ravel_pytree(arrays)
    return flat, lambda flat: eqx.combine(unravel(flat), static)


def _loss(weight, x):
    return jnp.sum(jnp.sin(weight.mv(x)) * jnp.arange(1.0, weight.size + 1))


def _optimise(optim, weight, state, x):
    gradient = eqx.filter_grad(_loss)(weight, x)
    update, state = optim.update(gradient, state)
    return eqx.apply_updates(weight, update), state


@every_weight
@every_kind
def test_promises_hold_exactly_compiled_or_not(name, size, dtype):
    weight = make(name, size, dtype=dtype)
    for w in (weight.as_matrix(), jax.jit(lambda weight: weight.as_matrix())(weight)):
        assert w.shape == (size, size)
        if weight.is_skew:
            assert not np.any(w + w.T)
        if weight.has_zero_diagonal:
            assert not np.any(np.diagonal(w))


@every_weight
def test_promises_are_made_where_they_can_be_kept(name):
    weight = make(name)
    w = np.asarray(weight.as_matrix())
    assert weight.is_skew == (name in SKEW) == (not np.any(w + w.T))
    assert weight.has_zero_diagonal == (not np.any(np.diagonal(w)))


@every_weight
@every_kind
def test_size_and_dtype_are_those_asked_for(name, size, dtype):
    weight = make(name, size, dtype=dtype)
    assert weight.size == size
    assert weight.dtype == dtype
    assert weight.as_matrix().dtype == dtype
    assert weight.mv(_states(size, dtype=dtype)).dtype == dtype
    assert weight.materialise().dtype == dtype


@every_weight
@one_and_lanes
def test_mv_is_the_product_with_the_matrix(name, size, batch):
    weight = make(name, size)
    x = _states(size, *batch)
    expected = np.asarray(weight.as_matrix()) @ np.asarray(x)
    for built in (weight, weight.materialise()):
        assert built.mv(x).shape == x.shape
        np.testing.assert_allclose(built.mv(x), expected, atol=1e-14)
        np.testing.assert_allclose(built.as_matrix(), weight.as_matrix(), atol=0)


@every_weight
def test_mv_refuses_another_length(name, size=6):
    weight = make(name, size)
    for shape in [(size + 1,), (size - 1, 3), (2 * size,)]:
        with pytest.raises(ValueError, match=rf"n = {size}"):
            weight.mv(jnp.ones(shape))


@every_weight
@every_size
def test_independent_sets_partition_the_neurons_and_hold_no_coupling(name, size):
    weight = make(name, size)
    sets = weight.independent_sets
    if sets is None:
        with pytest.raises(ValueError, match="no known independent sets"):
            weight.mv_to(0, jnp.ones(size))
        return
    members = [np.arange(size)[np.asarray(s) if eqx.is_array(s) else s] for s in sets]
    assert all(group.size for group in members)
    assert sorted(np.concatenate(members)) == list(range(size))
    w = np.asarray(weight.as_matrix())
    assert not any(np.any(w[np.ix_(group, group)]) for group in members)


@pytest.mark.parametrize(
    "name", [name for name in WEIGHTS if make(name).independent_sets is not None]
)
@one_and_lanes
def test_products_by_independent_set_are_slices_of_the_whole(name, size, batch):
    weight = make(name, size)
    w, x = np.asarray(weight.as_matrix()), _states(size, *batch)
    for index, members in enumerate(weight.independent_sets):
        part, to = x[members], w[members] @ np.asarray(x)
        np.testing.assert_allclose(weight.mv_to(index, x), to, atol=1e-14, strict=True)
        away = w[:, members] @ np.asarray(part)
        np.testing.assert_allclose(
            weight.mv_from(index, part), away, atol=1e-14, strict=True
        )


@every_weight
@every_kind
def test_the_matrix_survives_from_matrix_exactly(name, size, dtype):
    weight = make(name, size, dtype=dtype)
    kind = type(weight)
    if name == "BipartiteSkew, unequal groups" and size > 5:
        with pytest.raises(ValueError, match="not bipartite"):
            kind.from_matrix(weight.as_matrix())
        return
    if name == "SkewSymmetric, built":
        return
    w = np.asarray(weight.as_matrix())
    if kind is cj.LowRankSkew:
        again = kind.from_matrix(w, weight.rank).as_matrix()
        np.testing.assert_allclose(again, w, atol=20 * np.finfo(dtype).eps, strict=True)
    else:
        np.testing.assert_array_equal(kind.from_matrix(w).as_matrix(), w, strict=True)


@every_weight
def test_jit_and_vmap_equal_plain_calls(name):
    weight = make(name)
    x = _states(6, 3)
    compiled = jax.jit(lambda weight, x: weight.mv(x))
    np.testing.assert_allclose(compiled(weight, x), weight.mv(x), atol=1e-15)
    lanes = jax.vmap(weight.mv, in_axes=1, out_axes=1)(x)
    np.testing.assert_allclose(lanes, weight.mv(x), atol=1e-15)


@pytest.mark.parametrize("name", TRACEABLE)
def test_weights_built_under_vmap_equal_those_built_one_by_one(name):
    keys = jr.split(jr.key(3), 3)
    build = WEIGHTS[name]
    many = eqx.filter_vmap(lambda key: build(5, key, jnp.float64))(keys)
    matrices = eqx.filter_vmap(lambda weight: weight.as_matrix())(many)
    loop = [build(5, key, jnp.float64).as_matrix() for key in keys]
    np.testing.assert_allclose(matrices, np.stack(loop), atol=1e-14)


@every_weight
def test_two_weights_of_one_shape_compile_once(name):
    traces = []

    @eqx.filter_jit
    def product(weight, x):
        traces.append(None)
        return weight.mv(x)

    weight = make(name)
    flat, rebuild = _parameters(weight)
    x = _states(6)
    product(weight, x)
    product(rebuild(2 * flat), x)
    assert len(traces) == 1


@every_weight
def test_the_gradient_is_the_finite_difference_forwards_and_backwards(name):
    flat, rebuild = _parameters(make(name))
    x = _states(6)

    def loss(flat):
        return _loss(rebuild(flat), x)

    loss = jax.jit(loss)
    direction = jr.normal(jr.key(1), flat.shape)
    h = 1e-6
    difference = (loss(flat + h * direction) - loss(flat - h * direction)) / (2 * h)
    _, forwards = jax.jvp(loss, (flat,), (direction,))
    backwards = jax.grad(loss)(flat) @ direction
    np.testing.assert_allclose(forwards, difference, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(backwards, forwards, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in WEIGHTS if "built" not in name])
@pytest.mark.standard_promotion  # optax's Adam divides a float by an int32
def test_an_optimiser_step_changes_w_and_keeps_its_promises(name):
    weight = make(name)
    x = _states(6)
    optim = optax.adam(0.1)
    state = optim.init(eqx.filter(weight, eqx.is_inexact_array))
    before = np.asarray(weight.as_matrix())
    step = eqx.filter_jit(_optimise)
    for _ in range(2):
        weight, state = step(optim, weight, state, x)
    after = np.asarray(weight.as_matrix())
    assert np.max(np.abs(after - before)) > 0.02
    if weight.is_skew:
        assert not np.any(after + after.T)
    if weight.has_zero_diagonal:
        assert not np.any(np.diagonal(after))


@every_weight
def test_leaves_saved_and_loaded_give_the_same_weight(name):
    weight = make(name, 6, dtype=jnp.float32)
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, weight)
    file.seek(0)
    blank = jax.tree.map(
        lambda leaf: jnp.zeros_like(leaf) if eqx.is_array(leaf) else leaf, weight
    )
    loaded = eqx.tree_deserialise_leaves(file, blank)
    assert eqx.tree_equal(weight, loaded)


@every_weight
def test_the_same_key_gives_the_same_weight_and_another_key_another(name):
    assert eqx.tree_equal(make(name, 5, seed=4), make(name, 5, seed=4))
    assert np.any(
        make(name, 5, seed=4).as_matrix() != make(name, 5, seed=5).as_matrix()
    )
