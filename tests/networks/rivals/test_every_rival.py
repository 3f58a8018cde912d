"""What holds of every rival cell, and of each in a residual block."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from rival_equations import EQUATIONS

from ctrnn_jax.networks import count_parameters, matched_size
from ctrnn_jax.networks.rivals import (
    CELLS,
    LRU,
    AntisymmetricRNN,
    CoRNN,
    LinOSSIM,
    LinOSSIMEX,
    LipschitzRNN,
    ResidualBlock,
)

M, N, TIME = 3, 6, 40
VARIANTS = {
    "antisymmetric, gated": (AntisymmetricRNN, {"gated": True, "dt": 0.7}),
    "cornn, implicit": (CoRNN, {"implicit": True}),
    "lipschitz, two matrices": (
        LipschitzRNN,
        {"skewness": (0.6, 0.9), "diffusion": (0.1, 0.01)},
    ),
}


def nudged(cell):
    """Return a cell away from its initial values, some of which are 0 or 1."""
    leaves, treedef = jax.tree.flatten(cell)
    keys = jr.split(jr.key(7), len(leaves))
    moved = [
        leaf + 0.1 * jr.normal(key, leaf.shape, leaf.dtype)
        for leaf, key in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(treedef, moved)


@functools.cache
def make(name):
    """Return a cell or variant by name, with biases that are not zero.

    Not built while the module is imported, which every test process does.
    """
    return nudged(plain(name))


@functools.cache
def plain(name):
    key = jr.key(1)
    if name.endswith(BLOCK):
        return ResidualBlock(plain(name.removesuffix(BLOCK)), key=key)
    cell, options = VARIANTS.get(name) or (CELLS[name], {})
    return cell(M, N, key=key, **options)


BLOCK = ", in a block"
PLAIN = [*CELLS, *VARIANTS]
every_cell = pytest.mark.parametrize("name", [*PLAIN, f"gru{BLOCK}", f"lru{BLOCK}"])
every_plain_cell = pytest.mark.parametrize("name", PLAIN)
every_name = pytest.mark.parametrize("name", list(CELLS))
scan = eqx.filter_jit(lambda cell, state, inputs: cell.scan(state, inputs))
last = eqx.filter_jit(lambda cell, state, inputs: cell.last(state, inputs))
inputs = jr.normal(jr.key(2), (TIME, M))


def test_the_registry_holds_what_is_compared():
    assert list(CELLS) == list(EQUATIONS)


@every_plain_cell
def test_a_cell_follows_its_papers_equations(name):
    cell = make(name)
    _, outputs = scan(cell, cell.initial_state(), inputs)
    expected = EQUATIONS[name.split(",")[0]](cell, np.asarray(inputs))
    np.testing.assert_allclose(outputs, expected, rtol=1e-12, atol=1e-12)


@every_cell
def test_prepared_steps_equal_unprepared_ones_and_the_scan(name):
    cell = make(name)
    final, outputs = scan(cell, cell.initial_state(), inputs)
    last_state, last_output = last(cell, cell.initial_state(), inputs)

    @jax.jit
    def stepped(inputs):
        def body(states, u):
            plain = cell.step(states[0], u)
            ready = cell.prepare().prepare().step(states[1], u)
            return (plain, ready), (cell.output(plain), cell.output(ready))

        first = cell.initial_state()
        return jax.lax.scan(body, (first, first), inputs)

    (plain, ready), (of_plain, of_ready) = stepped(inputs)
    for found in (of_plain, of_ready):
        np.testing.assert_allclose(found, outputs, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(last_output, outputs[-1], rtol=1e-12, atol=1e-12)
    for state in (plain, ready, last_state):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12),
            state,
            final,
        )


@every_cell
def test_mapping_over_a_batch_equals_a_loop(name):
    cell = make(name)
    batch = jnp.stack([inputs, -inputs, 2 * inputs])

    @jax.jit
    def mapped(batch):
        return jax.vmap(lambda x: cell.scan(cell.initial_state(), x)[1])(batch)

    looped = [scan(cell, cell.initial_state(), x)[1] for x in batch]
    np.testing.assert_allclose(mapped(batch), looped, rtol=1e-12, atol=1e-12)


@every_cell
def test_running_free_is_running_on_silence(name):
    cell = make(name)
    state, output = last(cell, cell.initial_state(), inputs)
    outputs = cell.free_run(state, TIME + 1)
    _, silent = scan(cell, state, jnp.zeros_like(inputs))
    np.testing.assert_allclose(outputs[0], output, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(outputs[1:], silent, rtol=1e-12, atol=1e-12)


@every_name
def test_the_gradient_through_a_thousand_steps_is_finite_and_not_zero(name):
    cell = CELLS[name](M, N, key=jr.key(3))
    long = jr.normal(jr.key(4), (1000, M))

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(cell):
        return jnp.mean(cell.scan(cell.initial_state(), long)[1] ** 2)

    value, gradient = loss(cell)
    assert np.isfinite(value)
    for leaf in jax.tree.leaves(gradient):
        assert np.all(np.isfinite(leaf))
        assert np.any(leaf != 0)


@every_name
def test_single_precision_is_kept(name):
    cell = CELLS[name](M, N, key=jr.key(3), dtype=jnp.float32)
    block = ResidualBlock(cell, key=jr.key(4))
    short = inputs.astype(jnp.float32)
    for model in (cell, block):
        results = jax.eval_shape(lambda c: c.scan(c.initial_state(), short), model)
        dtypes = {leaf.dtype for leaf in jax.tree.leaves((model, results))}
        assert dtypes == {jnp.dtype(jnp.float32)}


@every_name
def test_the_same_key_gives_the_same_cell_and_another_one_another(name):
    first, again, other = (CELLS[name](M, N, key=jr.key(k)) for k in (3, 3, 4))
    assert eqx.tree_equal(first, again)
    assert not eqx.tree_equal(first, other)


@every_name
def test_a_size_below_one_is_refused(name):
    with pytest.raises(ValueError, match="input_size must be in 1"):
        CELLS[name](0, N, key=jr.key(0))
    with pytest.raises(ValueError, match="hidden_size must be in 1"):
        CELLS[name](M, 0, key=jr.key(0))


@every_cell
def test_an_input_that_does_not_fit_is_refused(name):
    cell = make(name)
    with pytest.raises(ValueError, match=r"shape \((time, )?3,?\)"):
        cell.step(cell.initial_state(), jnp.ones(M + 1))
    with pytest.raises(ValueError, match=r"shape \((time, )?3,?\)"):
        cell.scan(cell.initial_state(), jnp.ones((TIME, M + 1)))
    with pytest.raises(ValueError, match="the cell is float64"):
        cell.scan(cell.initial_state(), inputs.astype(jnp.float32))


@pytest.mark.parametrize("cell", [LRU, LinOSSIM, LinOSSIMEX])
def test_in_parallel_equals_one_step_after_another(cell):
    m, n, units = 3, 6, 5
    both = [
        cell(m, n, state_size=units, parallel=parallel, key=jr.key(5))
        for parallel in (False, True)
    ]
    some = jr.normal(jr.key(6), (13, m))
    start = jax.tree.map(lambda x: x + 0.3, both[0].initial_state())

    @eqx.filter_jit
    def run(cell):
        def loss(cell):
            state, outputs = cell.scan(start, some)
            return jnp.sum(jnp.sin(outputs)), (state, outputs)

        return eqx.filter_grad(loss, has_aux=True)(cell)

    (gradient, one_by_one), (parallel_gradient, parallel) = map(run, both)
    close = {"rtol": 1e-11, "atol": 1e-11}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **close), one_by_one, parallel
    )
    scale = max(np.max(np.abs(leaf)) for leaf in jax.tree.leaves(gradient))
    for a, b in zip(
        jax.tree.leaves(gradient), jax.tree.leaves(parallel_gradient), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11 * scale)


@pytest.mark.parametrize("name", ["gru", "cornn", "lru"])
def test_a_block_is_norm_cell_gate_and_skip(name):
    cell = make(name)
    block = nudged(ResidualBlock(cell, key=jr.key(8)))
    state, outputs = scan(block, block.initial_state(), inputs)
    u = np.asarray(inputs)
    centred = u - u.mean(axis=1, keepdims=True)
    normed = centred / np.sqrt(u.var(axis=1, keepdims=True) + 1e-5)
    normed = normed * np.asarray(block.norm.weight) + np.asarray(block.norm.bias)
    _, inner = scan(block.cell, cell.initial_state(), jnp.asarray(normed))
    mixed = np.asarray(jax.nn.gelu(inner)) @ np.asarray(block.mix.weight).T
    value, gate = np.split(mixed + np.asarray(block.mix.bias), 2, axis=1)
    expected = u + value / (1 + np.exp(-gate))
    np.testing.assert_allclose(outputs, expected, rtol=1e-11, atol=1e-11)
    assert block.input_size == block.output_size == M
    _, final = last(block, block.initial_state(), inputs)
    np.testing.assert_allclose(final, outputs[-1], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(block.output(state), outputs[-1], rtol=0)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("lstm", lambda n: 4 * n * (M + n + 1)),
        ("exprnn", lambda n: n * (n - 1) // 2 + n * M + n),
        ("lru", lambda n: 3 * n + 2 * n * M + 2 * n * n + n * M),
    ],
)
def test_sizes_are_matched_to_the_nearest(name, count):
    def build(size):
        return CELLS[name](M, size, key=jr.key(0))

    assert count(N) == count_parameters(build(N))
    nearest = min(range(1, 100), key=lambda n: abs(count(n) - 2000))
    assert matched_size(build, 2000) == nearest
    assert matched_size(build, count(nearest), tolerance=0.0) == nearest


def test_a_budget_that_no_size_meets_is_refused():
    def build(size):
        return CELLS["lstm"](M, size, key=jr.key(0))

    # 4 (3 + n + 1) n parameters: 20 at n = 1, 48 at n = 2.
    assert matched_size(build, 21) == 1
    with pytest.raises(ValueError, match="have 20 at 1, 48 at 2"):
        matched_size(build, 34)
    with pytest.raises(ValueError, match="have 20 at 1"):
        matched_size(build, 5)
    with pytest.raises(ValueError, match="at least 1"):
        matched_size(build, 0)
