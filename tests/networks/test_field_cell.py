"""A CTRNN as a cell is the CTRNN solved with its inputs held."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from ctrnn_jax import (
    RK4,
    BipartiteSkew,
    BlockRotation,
    CayleyStep,
    CoordinateSplitting,
    ExponentialStep,
    Leapfrog,
    Linear,
    RateCTRNN,
    SampledInputs,
    SkewSymmetric,
    Tanh,
    VoltageCTRNN,
    simulate,
)
from ctrnn_jax.networks import FieldCell, angular_frequency_of
from ctrnn_jax.networks._phases import bipartite_weight, rotation_weight, skew_weight

N, M, TIME = 6, 3, 4


def field(form, weight, activation, *, leak=0.0):
    first, second = jr.split(jr.key(3))
    return form(
        weight,
        activation=activation,
        leak=leak,
        bias=0.3 * jr.normal(first, (weight.size,)),
        input_weight=jr.normal(second, (weight.size, M)),
    )


INPUTS = jr.normal(jr.key(5), (TIME, M))
START = 0.5 * jr.normal(jr.key(6), (N,))
BIPARTITE, DENSE = BipartiteSkew(N, key=jr.key(7)), SkewSymmetric(N, key=jr.key(8))
ROTATION = BlockRotation(N, key=jr.key(9))


@pytest.mark.parametrize(
    ("weight", "activation", "solver", "leak"),
    [
        (BIPARTITE, Tanh(), Leapfrog(), 0.0),
        (DENSE, Tanh(2.0), CoordinateSplitting(), 0.2),
        (DENSE, Tanh(), RK4(), 0.1),
        (DENSE, Tanh(), diffrax.Heun(), 0.0),
        (DENSE, Linear(), CayleyStep(), 0.1),
        (ROTATION, Linear(), ExponentialStep(), 0.1),
        (ROTATION, Linear(), CayleyStep(), 0.0),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("form", [VoltageCTRNN, RateCTRNN])
def test_a_cell_is_a_solve_with_inputs_held(form, weight, activation, solver, leak):
    model = field(form, weight, activation, leak=leak)
    cell = FieldCell(model, solver=solver, step_size=0.3, substeps=2, start=START)
    state, ys = cell.scan(cell.initial_state(), INPUTS)
    y = START
    for u, found in zip(INPUTS, ys, strict=True):
        held = SampledInputs([0.0], u[None])
        y = simulate(model, y, [0.0, 0.3], dt0=0.15, solver=solver, inputs=held).ys[-1]
        np.testing.assert_allclose(found, y, atol=1e-10)
    np.testing.assert_allclose(cell.output(state), ys[-1], atol=1e-14)
    np.testing.assert_allclose(
        cell.last(cell.initial_state(), INPUTS)[1], ys[-1], atol=1e-14
    )
    stepped = cell.initial_state()
    for u in INPUTS:
        stepped = cell.step(stepped, u)
    np.testing.assert_allclose(cell.output(stepped), ys[-1], atol=1e-13)


@pytest.mark.parametrize("size", [6, 7])
@pytest.mark.parametrize("leak", [0.0, 0.2])
@pytest.mark.parametrize("solver", [CayleyStep(), ExponentialStep()])
def test_rotations_are_the_dense_matrix_stepped(size, leak, solver):
    weight = BlockRotation(size, angular_frequency_range=(0.1, 2.0), key=jr.key(1))
    plane = field(VoltageCTRNN, weight, Linear(), leak=leak)
    dense = eqx.tree_at(
        lambda f: f.weight, plane, SkewSymmetric.from_matrix(weight.as_matrix())
    )
    outs = []
    for model, associative in ((dense, None), (plane, False), (plane, True)):
        cell = FieldCell(
            model,
            solver=solver,
            step_size=0.7,
            substeps=2,
            start=jr.normal(jr.key(2), (size,)),
            associative=associative,
        )
        outs.append(np.asarray(cell.scan(cell.initial_state(), INPUTS)[1]))
        last = cell.last(cell.initial_state(), INPUTS)[1]
        np.testing.assert_allclose(last, outs[-1][-1], atol=1e-13)
    np.testing.assert_allclose(outs[1], outs[0], atol=1e-13)
    np.testing.assert_allclose(outs[2], outs[0], atol=1e-13)


def test_a_slow_rotation_sums_its_inputs_exactly():
    weight = BlockRotation(2, angular_frequency_range=(0.0, 0.0), key=jr.key(0))
    model = VoltageCTRNN(weight, activation=Linear(), input_weight=jnp.ones((2, 1)))
    cell = FieldCell(model, solver=ExponentialStep(), step_size=0.5)
    u = jnp.arange(5.0)[:, None]
    _, ys = cell.scan(cell.initial_state(), u)
    np.testing.assert_allclose(ys[:, 0], 0.5 * np.cumsum(u), atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("form", [VoltageCTRNN, RateCTRNN])
@pytest.mark.parametrize(
    ("weight", "solver", "substeps"),
    [
        (BIPARTITE, Leapfrog(), 1),
        (BIPARTITE, CoordinateSplitting(4), 2),
        (DENSE, CoordinateSplitting(), 2),
    ],
    ids=["leapfrog", "splitting of order 4", "dense splitting"],
)
def test_undone_and_stored_gradients_agree(form, weight, solver, substeps):
    model = field(form, weight, Tanh(2.0))

    def loss(arguments, keep):
        cell, inputs = arguments
        run = cell.scan if keep else cell.last
        return jnp.sum(jnp.sin(run(cell.initial_state(), inputs)[1]) ** 2)

    for keep in (True, False):
        found = []
        for gradient in ("stored", "reversible"):
            cell = FieldCell(
                model,
                solver=solver,
                step_size=0.2,
                substeps=substeps,
                start=START,
                gradient=gradient,
            )
            run = eqx.filter_jit(eqx.filter_value_and_grad(loss))
            found.append(run((cell, INPUTS), keep))
        (value, stored), (other, undone) = found
        np.testing.assert_allclose(value, other, atol=1e-12)
        leaves = jax.tree.leaves(stored)
        assert len(leaves) == 5  # W, bias, B, the start, the inputs.
        for a, b in zip(leaves, jax.tree.leaves(undone), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-11)


def temporary_bytes(gradient, length):
    weight = BipartiteSkew(32, key=jr.key(0), dtype=jnp.float32)
    model = VoltageCTRNN(
        weight, input_weight=0.1 * jr.normal(jr.key(1), (32, 2), jnp.float32)
    )
    cell = FieldCell(model, solver=Leapfrog(), step_size=0.1, gradient=gradient)

    def loss(weight, inputs):
        changed = eqx.tree_at(lambda c: c.field.weight, cell, weight)
        return jnp.sum(changed.last(changed.initial_state(), inputs)[1] ** 2)

    inputs = jax.ShapeDtypeStruct((length, 2), jnp.float32)
    compiled = jax.jit(jax.grad(loss)).lower(weight, inputs).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_undoing_takes_memory_that_does_not_grow_with_the_sequence():
    short, long = (temporary_bytes("reversible", t) for t in (256, 4096))
    assert long <= short + 1024
    assert temporary_bytes("stored", 4096) > 20 * long


def test_a_state_beyond_the_integers_is_nan_and_not_another_number():
    model = VoltageCTRNN(BIPARTITE, input_weight=1e3 * jnp.ones((N, 1)))
    cell = FieldCell(model, solver=Leapfrog(), gradient="reversible")
    _, ys = cell.scan(cell.initial_state(), jnp.ones((5, 1)))
    assert np.all(np.isnan(ys))


@pytest.mark.parametrize(
    ("solver", "weigh"),
    [
        (ExponentialStep(), rotation_weight),
        (CayleyStep(), rotation_weight),
        (CayleyStep(), skew_weight),
        (Leapfrog(), bipartite_weight),
    ],
    ids=["exponential", "cayley", "dense cayley", "leapfrog"],
)
def test_a_step_turns_by_the_phases_that_were_placed(solver, weigh):
    size, h = 8, 0.7
    weight = weigh(size, (0.2, 2.9), solver, h, key=jr.key(11))
    model = VoltageCTRNN(weight, activation=Linear())
    cell = FieldCell(model, solver=solver, step_size=h).prepare()

    def step(y):
        return cell.output(cell.step(cell.state_from(y), jnp.zeros(0)))

    if isinstance(solver, Leapfrog):
        full = FieldCell(model, solver=solver, step_size=h)

        def step(y):
            return full.output(full.step(full.state_from(y), jnp.zeros(0)))

    values = np.linalg.eigvals(jax.jacobian(step)(jnp.zeros(size)))
    np.testing.assert_allclose(np.abs(values), 1, atol=1e-12)
    turns = np.sort(np.abs(np.angle(values)))[::2]
    # One in each of four equal stretches of the range.
    places = (turns - 0.2) / (2.9 - 0.2) * 4
    assert np.array_equal(np.floor(places), np.arange(4))
    omega = np.sort(np.abs(np.linalg.eigvals(weight.as_matrix()).imag))[::2]
    wanted = angular_frequency_of(jnp.asarray(turns), solver, h)
    np.testing.assert_allclose(omega, wanted, rtol=1e-11)


MODEL = field(VoltageCTRNN, DENSE, Tanh())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": Leapfrog()}, "two independent sets"),
        ({"solver": CayleyStep()}, "activation=Linear"),
        ({"solver": RK4(), "step_size": 0.0}, "step_size must be positive"),
        ({"solver": RK4(), "substeps": 0}, "substeps must be at least 1"),
        ({"solver": RK4(), "start": np.zeros(2)}, "start must have shape"),
        ({"solver": RK4(), "gradient": "none"}, "gradient must be one of"),
        ({"solver": RK4(), "gradient": "reversible"}, "use one of them"),
        ({"solver": diffrax.Kvaerno3()}, "give its root_finder tolerances"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FieldCell(MODEL, **options)


def test_a_leak_cannot_be_undone_over_inputs():
    model = field(VoltageCTRNN, BIPARTITE, Tanh(), leak=0.1)
    cell = FieldCell(model, solver=Leapfrog(), gradient="reversible")
    with pytest.raises(ValueError, match="gradient='stored', or leak=0"):
        cell.scan(cell.initial_state(), INPUTS)


def test_a_step_that_fails_leaves_nan():
    model = field(VoltageCTRNN, DENSE, Tanh())
    solver = diffrax.ImplicitEuler(root_finder=diffrax.VeryChord(rtol=1e-9, atol=1e-9))
    good = FieldCell(model, solver=solver, step_size=0.05)
    _, ys = good.scan(good.initial_state(), INPUTS)
    assert np.all(np.isfinite(ys))
    bad = FieldCell(model, solver=solver, step_size=1e6)
    _, ys = bad.scan(bad.initial_state(), INPUTS)
    assert np.all(np.isnan(ys[-1]))
