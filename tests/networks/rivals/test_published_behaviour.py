"""What each paper proves or says of its cell."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from ctrnn_jax.networks.rivals import (
    GRU,
    IRNN,
    LEM,
    LRU,
    LSTM,
    AntisymmetricRNN,
    CoRNN,
    ExpRNN,
    LinOSSIM,
    LinOSSIMEX,
    LipschitzRNN,
    TanhRNN,
)


def put(cell, **fields):
    """Return a cell with some fields replaced."""
    for name, value in fields.items():
        cell = eqx.tree_at(lambda cell, name=name: getattr(cell, name), cell, value)
    return cell


def test_a_new_tanh_network_has_an_orthogonal_matrix(getkey):
    weight = TanhRNN(3, 8, key=getkey()).weight
    np.testing.assert_allclose(weight @ weight.T, np.eye(8), atol=1e-14)


def test_a_new_irnn_keeps_a_state_without_input(getkey):
    cell = IRNN(3, 8, key=getkey())
    state = jnp.abs(jr.normal(getkey(), (8,)))
    kept = cell.free_run(state, 1000)
    np.testing.assert_array_equal(kept[-1], state)
    large = IRNN(100, 100, key=getkey()).input_weight
    # 10 000 draws: the sample deviation is off by 0.7 % or so.
    assert float(jnp.std(large)) == pytest.approx(1e-3, rel=0.03)


@pytest.mark.parametrize(("ours", "theirs"), [(LSTM, "LSTMCell"), (GRU, "GRUCell")])
def test_gated_cells_equal_those_of_equinox(ours, theirs, getkey):
    key, u = getkey(), jr.normal(getkey(), (3,))
    options = {"forget_bias": None} if ours is LSTM else {}
    cell = ours(3, 8, key=key, **options)
    peer = getattr(eqx.nn, theirs)(3, 8, key=key)
    state = jax.tree.map(lambda x: x + 0.3, cell.initial_state())
    expected = peer(u, state)
    jax.tree.map(np.testing.assert_array_equal, cell.step(state, u), expected)


def test_a_new_lstm_remembers_by_its_forget_bias(getkey):
    key = getkey()
    cell, free = LSTM(3, 8, key=key), LSTM(3, 8, forget_bias=None, key=key)
    bias, untouched = cell.cell.bias, free.cell.bias
    np.testing.assert_array_equal(bias[8:16], np.ones(8))
    np.testing.assert_array_equal(bias[:8], untouched[:8])
    np.testing.assert_array_equal(bias[16:], untouched[16:])
    opened = LSTM(3, 8, forget_bias=50.0, key=key)
    # Forgets nothing and, with the input gate shut, learns nothing.
    shut = opened.cell.bias.at[:8].set(-50.0)
    opened = eqx.tree_at(lambda cell: cell.cell.bias, opened, shut)
    memory = jr.normal(getkey(), (8,))
    state, _ = opened.last((jnp.zeros(8), memory), jr.normal(getkey(), (100, 3)))
    np.testing.assert_allclose(state[1], memory, rtol=1e-12)


def test_the_antisymmetric_field_has_imaginary_eigenvalues_without_diffusion(getkey):
    # The Jacobian of the field is diag(tanh') M, similar to a skew matrix.
    for diffusion in (0.0, 0.2):
        cell = AntisymmetricRNN(3, 8, diffusion=diffusion, scale=2.0, key=getkey())
        u, state = jr.normal(getkey(), (3,)), 0.3 * jr.normal(getkey(), (8,))
        jacobian = jax.jacfwd(lambda h, cell=cell, u=u: cell.step(h, u))(state)
        field = (np.asarray(jacobian) - np.eye(8)) / cell.dt
        real = np.linalg.eigvals(field).real
        if diffusion == 0:
            np.testing.assert_allclose(real, 0, atol=1e-12)
        else:
            assert np.all(real < 0)
            assert np.all(real >= -diffusion)


def test_the_lipschitz_matrix_runs_from_free_to_skew(getkey):
    key = getkey()
    options = {"diffusion": 0.1, "scale": 8.0, "key": key}
    skew, free = (LipschitzRNN(3, 8, skewness=beta, **options) for beta in (1.0, 0.5))
    linear, _ = skew.recurrent_matrices()
    np.testing.assert_allclose(linear + linear.T, -0.2 * np.eye(8), atol=1e-14)
    linear, weight = free.recurrent_matrices()
    np.testing.assert_allclose(linear, free.linear - 0.1 * np.eye(8), atol=1e-14)
    np.testing.assert_allclose(weight, free.weight - 0.1 * np.eye(8), atol=1e-14)
    with pytest.raises(ValueError, match="skewness must lie in"):
        LipschitzRNN(3, 8, skewness=0.3, key=key)


@pytest.mark.parametrize("initialisation", ["henaff", "cayley"])
@pytest.mark.parametrize("size", [7, 32])
def test_the_exprnn_matrix_is_orthogonal_wherever_training_leads(
    initialisation, size, getkey
):
    cell = ExpRNN(3, size, initialisation=initialisation, key=getkey())
    far = cell.weight.upper + 3 * jr.normal(getkey(), cell.weight.upper.shape)
    trained = eqx.tree_at(lambda cell: cell.weight.upper, cell, far)
    for network in (cell, trained):
        matrix = network.recurrent_matrix()
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(size), atol=1e-12)
        assert np.linalg.det(matrix) == pytest.approx(1.0, abs=1e-12)


def test_an_exprnn_without_bias_or_input_keeps_the_norm(getkey):
    cell = ExpRNN(3, 32, key=getkey())
    cell = put(cell, bias=jnp.zeros(32))
    states = cell.free_run(jr.normal(getkey(), (32,)), 2000)
    norms = np.linalg.norm(states, axis=1)
    np.testing.assert_allclose(norms, norms[0], rtol=1e-12)


def test_the_exprnn_angles_are_those_of_the_two_papers(getkey):
    henaff, cayley = (
        np.abs(
            np.linalg.eigvals(
                ExpRNN(1, 400, initialisation=name, key=getkey()).weight.as_matrix()
            ).imag
        )
        for name in ("henaff", "cayley")
    )
    # 200 angles: uniform on (0, pi), so 10 to 90 % lie there to 7 %.
    quantiles = np.quantile(henaff, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(quantiles / np.pi, [0.1, 0.5, 0.9], atol=0.08)
    # tan(t / 2) of t uniform on (0, pi / 2), whose median is tan(pi / 8).
    assert cayley.max() <= 1
    assert np.median(cayley) == pytest.approx(np.tan(np.pi / 8), abs=0.06)
    with pytest.raises(ValueError, match="initialisation must be one of"):
        ExpRNN(1, 4, initialisation="random", key=getkey())


def test_an_undamped_cornn_keeps_volume(getkey):
    # Without damping and coupling of velocities a step is two shears.
    cell = CoRNN(3, 6, dt=0.3, damping=0.0, key=getkey())
    cell = put(cell, velocity_weight=jnp.zeros((6, 6)))
    u, flat = jr.normal(getkey(), (3,)), jr.normal(getkey(), (12,))

    def step(flat):
        return jnp.concatenate(cell.step((flat[:6], flat[6:]), u))

    assert np.linalg.det(jax.jacfwd(step)(flat)) == pytest.approx(1.0, abs=1e-12)
    damped = CoRNN(3, 6, dt=0.3, damping=1.0, key=getkey())
    damped = put(damped, velocity_weight=jnp.zeros((6, 6)))

    def damped_step(flat):
        return jnp.concatenate(damped.step((flat[:6], flat[6:]), u))

    determinant = np.linalg.det(jax.jacfwd(damped_step)(flat))
    assert determinant == pytest.approx((1 - 0.3) ** 6, rel=1e-10)


def test_an_implicit_cornn_stays_within_the_papers_bound(getkey):
    # dt <= (2 epsilon - 1) / gamma, with weights that drive the tanh to its ends.
    n, dt, gamma, epsilon = 6, 0.5, 2.0, 1.0
    cell = CoRNN(
        3, n, dt=dt, frequency=gamma, damping=epsilon, implicit=True, key=getkey()
    )
    for strength in (1.0, 30.0):
        cell = put(cell, input_weight=strength * jr.normal(getkey(), (n, 3)))

        def body(state, u, cell=cell):
            state = cell.step(state, u)
            y, z = state
            return state, gamma * jnp.sum(y**2) + jnp.sum(z**2)

        inputs = jr.normal(getkey(), (300, 3))
        _, energy = jax.lax.scan(body, cell.initial_state(), inputs)
        assert np.all(energy <= n * dt * np.arange(1, 301))


def test_a_lem_with_open_gates_is_two_tanh_layers_and_with_shut_gates_keeps(getkey):
    cell = LEM(3, 6, key=getkey())
    state = (jr.normal(getkey(), (6,)), jr.normal(getkey(), (6,)))
    u = jr.normal(getkey(), (3,))
    opened = put(cell, bias=cell.bias.at[:12].set(100.0))
    drive = cell.input_weight @ u + cell.bias
    z = jnp.tanh(cell.weight[12:] @ state[0] + drive[12:18])
    y = jnp.tanh(cell.output_weight @ z + drive[18:])
    found = opened.step(state, u)
    np.testing.assert_allclose(found[0], y, rtol=1e-14)
    np.testing.assert_allclose(found[1], z, rtol=1e-14)
    shut = put(cell, bias=cell.bias.at[:12].set(-100.0))
    jax.tree.map(np.testing.assert_array_equal, shut.step(state, u), state)


def test_lem_states_stay_in_the_unit_cube(getkey):
    cell = LEM(3, 6, key=getkey())
    inputs = 20 * jr.normal(getkey(), (300, 3))
    state, outputs = cell.scan(cell.initial_state(), inputs)
    assert np.max(np.abs(outputs)) <= 1
    assert np.max(np.abs(state[1])) <= 1


@pytest.mark.parametrize("ring", [(0.0, 1.0), (0.9, 0.999)])
def test_lru_eigenvalues_fill_their_ring_evenly(ring, getkey):
    cell = LRU(1, 4, state_size=4000, ring=ring, max_phase=1.0, key=getkey())
    real, imaginary = cell.eigenvalues()
    radius, phase = np.hypot(real, imaginary), np.arctan2(imaginary, real)
    low, high = ring
    assert np.all((radius >= low - 1e-12) & (radius <= high) & (radius < 1))
    assert np.all((phase > 0) & (phase < 1))
    # Uniform in area: |lambda|^2 is uniform. 4000 draws: deciles are off by 0.8 %.
    share = (radius**2 - low**2) / (high**2 - low**2)
    deciles = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(np.quantile(share, deciles), deciles, atol=0.03)
    np.testing.assert_allclose(np.quantile(phase, deciles), deciles, atol=0.03)
    gain = np.exp(cell.log_gain)
    np.testing.assert_allclose(gain, np.sqrt(1 - radius**2), rtol=1e-9)
    with pytest.raises(ValueError, match="ring must be"):
        LRU(1, 4, ring=(0.5, 1.1), key=getkey())
    with pytest.raises(ValueError, match="max_phase must lie"):
        LRU(1, 4, max_phase=7.0, key=getkey())


def test_the_lru_gain_makes_the_state_as_large_as_its_drive(getkey):
    # White input of variance 1: E|x|^2 is that of B u, whatever lambda is.
    cell = LRU(50, 2, state_size=200, ring=(0.2, 0.95), key=getkey())
    state, _ = cell.last(cell.initial_state(), jr.normal(getkey(), (400, 50)))
    mean_square = np.mean(np.square(state[0]) + np.square(state[1]))
    assert mean_square == pytest.approx(1.0, abs=0.2)


def step_matrices(cell):
    ((a, b), (c, d)), _ = cell.constants()
    return np.moveaxis(np.array([[a, b], [c, d]]), -1, 0)


def test_linoss_im_forgets_by_the_published_eigenvalues(getkey):
    cell = LinOSSIM(3, 20, key=getkey())
    cell = put(cell, frequency=10 * cell.frequency)
    values = np.linalg.eigvals(step_matrices(cell))
    dt, stiffness = np.asarray(cell.dt), np.asarray(cell.stiffness)
    expected = 1 / np.sqrt(1 + dt**2 * stiffness)
    np.testing.assert_allclose(np.abs(values).max(axis=1), expected, rtol=1e-12)
    np.testing.assert_allclose(np.abs(values).min(axis=1), expected, rtol=1e-12)
    assert np.all(np.abs(values) < 1)


def test_linoss_imex_keeps_volume_and_turns_back(getkey):
    cell = LinOSSIMEX(3, 20, key=getkey())
    matrices = step_matrices(cell)
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0, rtol=1e-12)
    moduli = np.abs(np.linalg.eigvals(matrices))
    np.testing.assert_allclose(moduli, 1.0, rtol=1e-12)
    # A modified energy z^2 + A y^2 - dt A y z is kept by symplectic Euler.
    dt, stiffness = np.asarray(cell.dt), np.asarray(cell.stiffness)
    for k, matrix in enumerate(matrices):
        mixed = -0.5 * dt[k] * stiffness[k]
        form = np.array([[1.0, mixed], [mixed, stiffness[k]]])
        np.testing.assert_allclose(matrix.T @ form @ matrix, form, atol=1e-14)


def test_linoss_stiffness_and_steps_stay_where_they_must(getkey):
    cell = put(LinOSSIM(3, 4, key=getkey()), frequency=jnp.array([-3.0, 0, 2, 5]))
    np.testing.assert_array_equal(cell.stiffness, [0, 0, 2, 5])
    wild = put(cell, log_step=jnp.array([-30.0, -1, 1, 30]))
    assert np.all((np.asarray(wild.dt) > 0) & (np.asarray(wild.dt) < 1))
