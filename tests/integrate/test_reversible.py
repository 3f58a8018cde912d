"""ReversibleAdjoint: steps undone bit for bit, gradients of the pass as it was run."""

import functools

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from equinox import EquinoxRuntimeError

import ctrnn_jax as cj
from ctrnn_jax.integrate._clock import lay_grid
from ctrnn_jax.integrate._motion import Held, Motion
from ctrnn_jax.integrate._reversible import choose_adjoint
from ctrnn_jax.integrate._reversible_solve import solve_reversibly
from ctrnn_jax.integrate._scheme import Scheme
from ctrnn_jax.integrate._storage import FixedPoint, Floating

TS = np.linspace(0.0, 2.0, 5)
REVERSIBLE = cj.ReversibleAdjoint()


def _wave(t):
    return jnp.stack([jnp.sin(t), jnp.cos(0.7 * t)])


def _weight(name, dtype=jnp.float64):
    key = jr.key(3)
    return {
        "dense": lambda: cj.SkewSymmetric(5, key=key, dtype=dtype),
        "dense, blocks": lambda: cj.SkewSymmetric(11, key=key, dtype=dtype),
        "bipartite": lambda: cj.BipartiteSkew(5, key=key, dtype=dtype),
        "blocks": lambda: cj.BlockRotation(5, key=key, dtype=dtype),
        "low rank": lambda: cj.LowRankSkew(9, 1, key=key, dtype=dtype),
        "sparse": lambda: cj.SparseSkew(6, 9, key=key, dtype=dtype),
    }[name]()


def _model(form, name, *, leak=0.0, driven=False, scale=1.0, dtype=jnp.float64):
    weight = _weight(name, dtype)
    n = weight.size
    extra = {}
    if driven:
        extra["bias"] = 0.1 * jnp.cos(jnp.arange(n, dtype=dtype))
        extra["input_weight"] = 0.2 * jr.normal(jr.key(8), (n, 2), dtype)
    return form(weight, leak=leak, activation=cj.Tanh(scale), **extra)


def _start(model):
    return jnp.sin(jnp.arange(1.0, model.size + 1)).astype(model.weight.dtype)


def _loss(arguments, solver, adjoint, inputs=None, ts=TS, dt0=0.1):
    model, y0 = arguments
    solution = cj.simulate(
        model, y0, ts, dt0=dt0, solver=solver, adjoint=adjoint, inputs=inputs
    )
    # Every save counts, the first one too.
    weights = jnp.cos(jnp.arange(solution.ys.size)).reshape(solution.ys.shape)
    return jnp.sum(weights.astype(solution.ys.dtype) * jnp.sin(solution.ys))


_value_and_grad = eqx.filter_jit(eqx.filter_value_and_grad(_loss))


def _distance(first, second):
    leaves = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return max(float(jnp.max(jnp.abs(a - b))) for a, b in leaves)


CASES = [
    (cj.VoltageCTRNN, "dense, blocks", cj.CoordinateSplitting(), 0.0, False),
    (cj.RateCTRNN, "dense, blocks", cj.CoordinateSplitting(block_size=4), 0.3, True),
    (cj.VoltageCTRNN, "dense", cj.CoordinateSplitting(4), 0.3, True),
    (cj.RateCTRNN, "dense", cj.CoordinateSplitting(6), 0.0, False),
    (cj.VoltageCTRNN, "bipartite", cj.Leapfrog(), 0.3, True),
    (cj.RateCTRNN, "bipartite", cj.Leapfrog(), 0.0, True),
    (cj.VoltageCTRNN, "bipartite", cj.CoordinateSplitting(6), 0.0, True),
    (cj.RateCTRNN, "blocks", cj.CoordinateSplitting(4), 0.3, False),
    (cj.VoltageCTRNN, "low rank", cj.CoordinateSplitting(), 0.0, True),
    (cj.VoltageCTRNN, "sparse", cj.CoordinateSplitting(4), 0.3, True),
    (cj.RateCTRNN, "sparse", cj.CoordinateSplitting(), 0.0, True),
]


@pytest.mark.slow
@pytest.mark.parametrize(("form", "name", "solver", "leak", "driven"), CASES)
def test_values_and_gradients_are_those_of_back_propagation(
    form, name, solver, leak, driven
):
    """In everything: W, scale of φ, leak, bias, input weights and y0."""
    leak = jnp.asarray(leak) if leak else 0.0
    model = _model(form, name, leak=leak, driven=driven, scale=jnp.asarray(1.3))
    arguments, inputs = (model, _start(model)), _wave if driven else None
    value, gradient = _value_and_grad(arguments, solver, REVERSIBLE, inputs)
    expected = _value_and_grad(
        arguments, solver, diffrax.RecursiveCheckpointAdjoint(), inputs
    )
    # 20 steps, each rounded to 2**-55 and to float64: 1e-13 is some hundred roundings.
    assert abs(value - expected[0]) < 1e-12
    assert _distance(gradient, expected[1]) < 1e-11


@eqx.filter_jit
def _back_propagated(model, y0, solver, storage, num_steps, step):
    """The gradient of the sum of squares at the end, every integer state kept."""
    scheme = Scheme.of(solver).fitted(model.size)
    motion = Motion(cj.materialise(model), None, jnp.zeros_like(step), step)
    value = storage.hold(y0)
    held = Held(value, storage.spilt(value))
    opening = scheme.opening(motion, jnp.asarray(0))
    for flow in opening:
        held = flow.push(motion, storage, held, None)
    opened = held.value
    indices = jnp.arange(num_steps)

    def flows(index):
        return scheme.flows(motion, index, index == num_steps - 1, None)

    def push(held, index):
        for flow in flows(index):
            held = flow.push(motion, storage, held, None)
        return held, held.value

    held, after = jax.lax.scan(push, held, indices)
    final = storage.read(held.value, None)

    own = eqx.filter(motion, eqx.is_inexact_array)
    own = eqx.tree_at(lambda m: (m.origin, m.step), own, (None, None))

    def pull(state, at):
        cotangent, total = state
        index, value = at
        for flow in reversed(flows(index)):
            value, cotangent, part, _ = flow.pull(
                motion, own, storage, value, cotangent, None
            )
            total = jax.tree.map(_add_wide, total, part)
        return (cotangent, total), None

    zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), own)
    state, _ = jax.lax.scan(pull, (2 * final, zero), (indices, after), reverse=True)
    cotangent, total = state
    for flow in opening:
        _, cotangent, part, _ = flow.pull(motion, own, storage, opened, cotangent, None)
        total = jax.tree.map(_add_wide, total, part)
    total = jax.tree.map(lambda leaf: leaf.astype(y0.dtype), total)
    _, to_model = jax.vjp(
        lambda weight: eqx.filter(weight.materialise(), eqx.is_inexact_array),
        model.weight,
    )
    return final, (to_model(total.field.weight)[0], cotangent)


def _add_wide(total, part):
    return total + part.astype(total.dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bipartite", "dense"])
def test_in_float32_it_is_back_propagation_with_every_integer_state_kept(name):
    """Over 2000 steps: what undoing brings back is what was kept, to the bit."""
    model = _model(cj.VoltageCTRNN, name, dtype=jnp.float32)
    solver = cj.Leapfrog() if name == "bipartite" else cj.CoordinateSplitting()
    y0, step, steps = 0.3 * _start(model), jnp.float32(0.1), 2000
    final, gradient = _reversible_gradient(model, y0, solver, steps, step)
    storage = FixedPoint.of(jnp.float32, None)
    expected_final, expected = _back_propagated(model, y0, solver, storage, steps, step)
    assert jnp.array_equal(final, expected_final)
    gradient = gradient[0].weight, gradient[1]
    largest = max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(gradient))
    # The cotangents are the same bits; their sum is compared with one in float64.
    assert _distance(gradient, expected) < 1e-6 * largest


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bipartite", "dense"])
def test_in_float64_it_is_back_propagation_through_the_solver(name):
    """Over 2000 steps, against code that knows nothing of integers."""
    model = _model(cj.VoltageCTRNN, name)
    solver = cj.Leapfrog() if name == "bipartite" else cj.CoordinateSplitting()
    y0, step, steps = 0.3 * _start(model), jnp.asarray(0.1), 2000
    _, gradient = _reversible_gradient(model, y0, solver, steps, step)

    @eqx.filter_jit
    @eqx.filter_grad
    def plain(arguments):
        model, y0 = arguments
        field = cj.materialise(model)
        carry = solver.start(field, jnp.zeros(()), step, y0, None)

        def body(state, _):
            y, carry, _ = solver.advance(field, jnp.zeros(()), step, *state)
            return (y, None, carry), None

        (y, _, _), _ = jax.lax.scan(body, (y0, None, carry), length=steps)
        return jnp.sum(y**2)

    expected = plain((model, y0))
    largest = max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(gradient))
    assert _distance(gradient, expected) < 1e-12 * largest


def _reversible_gradient(model, y0, solver, steps, step):
    storage = REVERSIBLE.storage(y0.dtype)

    def loss(arguments):
        model, y0 = arguments
        counts = jnp.asarray([0, steps])
        ys, _ = solve_reversibly(
            model, y0, None, jnp.zeros_like(step), step, counts, solver, storage
        )
        return jnp.sum(ys[-1] ** 2), ys[-1]

    run = eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))
    (_, final), gradient = run((model, y0))
    return final, gradient


def test_gradients_are_finite_differences():
    model = _model(cj.VoltageCTRNN, "bipartite")
    y0 = _start(model)
    _, gradient = _value_and_grad((model, y0), cj.Leapfrog(), REVERSIBLE)
    direction = jr.normal(jr.key(5), model.weight.coupling.shape)

    def moved(amount):
        shifted = eqx.tree_at(
            lambda m: m.weight.coupling,
            model,
            model.weight.coupling + amount * direction,
        )
        return _value_and_grad((shifted, y0), cj.Leapfrog(), REVERSIBLE)[0]

    slope = (moved(1e-5) - moved(-1e-5)) / 2e-5
    exact = jnp.sum(gradient[0].weight.coupling * direction)
    assert abs(slope - exact) < 1e-8 * abs(exact) + 1e-8


@eqx.filter_jit
def _there_and_back(model, y0, scheme, storage, steps, step):
    """The state held at the start, and what undoing every step brings back."""
    motion = Motion(cj.materialise(model), None, jnp.zeros_like(step), step)
    nothing = jax.tree.map(lambda _: None, motion)
    start = storage.hold(y0)
    flows = functools.partial(scheme.flows, motion, drive=None)
    last = jnp.asarray(False)

    def push(index, held):
        for flow in flows(index, last):
            held = flow.push(motion, storage, held, None)
        return held

    def pull(back, value):
        for flow in reversed(flows(steps - 1 - back, last)):
            value = flow.pull(motion, nothing, storage, value, jnp.zeros_like(y0), None)
            value = value[0]
        return value

    held = jax.lax.fori_loop(0, steps, push, Held(start, storage.spilt(start)))
    return start, held.value, jax.lax.fori_loop(0, steps, pull, held.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bipartite", "dense"])
def test_a_million_steps_are_undone_bit_for_bit_and_floats_are_not(name):
    """A chaotic orbit in float32: rounding grows, integers do not care."""
    weight = _weight("bipartite" if name == "bipartite" else "dense", jnp.float32)
    model = cj.VoltageCTRNN(weight)
    y0 = 3.0 * _start(model)
    solver = cj.Leapfrog() if name == "bipartite" else cj.CoordinateSplitting()
    scheme = Scheme.of(solver).fitted(model.size)
    run = functools.partial(_there_and_back, model, y0, scheme)
    storage = FixedPoint.of(jnp.float32, None)
    start, end, back = run(storage, jnp.asarray(1_000_000), jnp.float32(0.1))
    assert jnp.max(jnp.abs(end - start)) > 2**20
    assert jnp.array_equal(start, back)
    start, _, back = run(Floating(), jnp.asarray(100_000), jnp.float32(0.1))
    assert jnp.max(jnp.abs(start - back)) > 1e-4


def test_a_backward_pass_that_misses_the_start_is_an_error(monkeypatch):
    monkeypatch.setattr(
        FixedPoint, "differs", lambda self, held, other: jnp.any(held == other)
    )
    model = _model(cj.VoltageCTRNN, "blocks")
    with pytest.raises(EquinoxRuntimeError, match="bit for bit"):
        _value_and_grad((model, _start(model)), cj.Leapfrog(), REVERSIBLE)


def test_float_mode_gives_the_gradient_over_a_short_time():
    model = _model(cj.VoltageCTRNN, "bipartite")
    arguments = model, _start(model)
    _, exact = _value_and_grad(arguments, cj.Leapfrog(), REVERSIBLE)
    _, floats = _value_and_grad(
        arguments, cj.Leapfrog(), cj.ReversibleAdjoint(mode="float")
    )
    assert 0 < _distance(exact, floats) < 1e-11


def test_one_program_serves_every_number_of_steps():
    model = _model(cj.VoltageCTRNN, "bipartite")
    traces = []

    @eqx.filter_jit
    def solve(model, y0, ts):
        traces.append(None)
        return cj.simulate(
            model, y0, ts, dt0=0.1, solver=cj.Leapfrog(), adjoint=REVERSIBLE
        ).ys

    y0 = _start(model)
    for end in (1.0, 10.0, 100.0):
        solve(model, y0, jnp.asarray([0.0, end]))
    assert len(traces) == 1


def test_memory_does_not_grow_with_the_number_of_steps():
    """One program, whose loops have no length, holds a few states at any length."""
    model = _model(cj.VoltageCTRNN, "bipartite")
    run = eqx.filter_jit(eqx.filter_grad(_loss)).lower(
        (model, _start(model)),
        cj.Leapfrog(),
        REVERSIBLE,
        ts=jnp.asarray([0.0, 1.0]),
    )
    assert run.compile().compiled.memory_analysis().temp_size_in_bytes < 4096


def test_traced_times_are_differentiated_in_too():
    model = _model(cj.VoltageCTRNN, "bipartite")
    y0 = _start(model)

    @jax.jit
    @jax.grad
    def slope(end):
        ts = jnp.stack([jnp.zeros(()), end])
        ys = cj.simulate(
            model, y0, ts, dt0=0.05, solver=cj.Leapfrog(), adjoint=REVERSIBLE
        ).ys
        return jnp.sum(ys[-1])

    end = jnp.asarray(1.98)
    final = cj.simulate(model, y0, [0.0, 1.98], dt0=0.05, solver=cj.Leapfrog()).ys[-1]
    # The step stretches with the end, so the slope is that of the flow to its order.
    assert slope(end) == pytest.approx(float(jnp.sum(model(0.0, final))), rel=1e-3)


def test_what_inputs_close_over_is_differentiated_in():
    model = _model(cj.VoltageCTRNN, "bipartite", driven=True)

    def loss(amplitude, adjoint):
        return _loss(
            (model, _start(model)),
            cj.Leapfrog(),
            adjoint,
            lambda t: amplitude * _wave(t),
        )

    amplitude = jnp.asarray(0.8)
    gradient = jax.grad(lambda a: loss(a, REVERSIBLE))(amplitude)
    step = 1e-5
    up, down = (loss(amplitude + d, None) for d in (step, -step))
    assert gradient == pytest.approx(float(up - down) / (2 * step), rel=1e-8)


def test_sampled_inputs_are_differentiated_in():
    model = _model(cj.VoltageCTRNN, "bipartite", driven=True)
    inputs = cj.SampledInputs(
        np.linspace(0.0, 2.0, 9), jr.normal(jr.key(4), (9, 2)), method="linear"
    )

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(inputs, adjoint):
        return _loss((model, _start(model)), cj.Leapfrog(), adjoint, inputs)

    ours = gradient(inputs, REVERSIBLE)
    theirs = gradient(inputs, diffrax.RecursiveCheckpointAdjoint())
    assert np.allclose(ours.values, theirs.values, rtol=0, atol=1e-12)


def test_saves_may_be_uneven_as_long_as_they_fall_on_steps():
    model = _model(cj.VoltageCTRNN, "bipartite")
    y0 = _start(model)
    run = functools.partial(
        cj.simulate, model, y0, dt0=0.1, solver=cj.Leapfrog(), adjoint=REVERSIBLE
    )
    uneven = run(np.array([0.0, 0.3, 0.4, 2.0])).ys
    even = run(np.linspace(0.0, 2.0, 21)).ys
    # A run does not depend on where it is cut: the same bits.
    assert jnp.array_equal(uneven, even[np.array([0, 3, 4, 20])])
    with pytest.raises(ValueError, match="on steps only"):
        run(np.array([0.0, 0.33, 2.0]))
    with pytest.raises(EquinoxRuntimeError, match="on steps only"):
        eqx.filter_jit(lambda ts: run(ts).ys)(jnp.array([0.0, 0.33, 2.0]))


def test_gradients_map_over_states_and_train_with_optax():
    model = _model(cj.VoltageCTRNN, "bipartite")
    starts = jr.normal(jr.key(2), (3, model.size))

    @eqx.filter_jit
    def loss(model):
        def one(y0):
            return jnp.sum(
                cj.simulate(
                    model, y0, TS, dt0=0.1, solver=cj.Leapfrog(), adjoint=REVERSIBLE
                ).ys[-1]
                ** 2
            )

        return jnp.mean(jax.vmap(one)(starts)[:2])

    step = eqx.filter_jit(eqx.filter_value_and_grad(loss))
    optimiser = optax.sgd(0.05)
    state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))
    first, gradient = step(model)
    for _ in range(3):
        updates, state = optimiser.update(gradient, state)
        model = eqx.apply_updates(model, updates)
        last, gradient = step(model)
    assert last < first


BAD = [
    (dict(solver=cj.RK4()), "undoes CoordinateSplitting and Leapfrog"),
    (dict(saveat=diffrax.SaveAt(t1=True)), "takes no saveat"),
    (dict(max_steps=100), "takes no max_steps"),
    (
        dict(stepsize_controller=diffrax.PIDController(rtol=1e-3, atol=1e-3)),
        "takes no stepsize_controller",
    ),
    (dict(adjoint="automatic"), "'auto'"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_what_cannot_be_undone_is_refused_with_the_mend(options, message):
    model = _model(cj.VoltageCTRNN, "bipartite")
    options = {"solver": cj.Leapfrog(), "adjoint": REVERSIBLE, **options}
    with pytest.raises(ValueError, match=message):
        cj.simulate(model, _start(model), TS, dt0=0.1, **options)
    ensemble = _start(model)[None]
    with pytest.raises(ValueError, match=message):
        cj.simulate_ensemble(model, ensemble, TS, dt0=0.1, **options)


def test_a_plain_function_is_refused():
    with pytest.raises(ValueError, match="VoltageCTRNN or RateCTRNN"):
        cj.simulate(
            lambda t, y, args: -y,
            jnp.ones(2),
            TS,
            dt0=0.1,
            solver=cj.Leapfrog(),
            adjoint=REVERSIBLE,
        )


@pytest.mark.parametrize("bits", [0, 62, True])
def test_bits_that_leave_no_range_or_no_fraction_are_refused(bits):
    model = _model(cj.VoltageCTRNN, "bipartite")
    adjoint = cj.ReversibleAdjoint(fraction_bits=bits)
    with pytest.raises(ValueError, match="from 1 to 61"):
        cj.simulate(
            model, _start(model), TS, dt0=0.1, solver=cj.Leapfrog(), adjoint=adjoint
        )


def test_bad_modes_are_refused():
    with pytest.raises(ValueError, match="'fixed' or 'float'"):
        cj.ReversibleAdjoint("integer")
    with pytest.raises(ValueError, match="drop it"):
        cj.ReversibleAdjoint("float", fraction_bits=20)


def test_diffrax_itself_is_refused():
    with pytest.raises(ValueError, match=r"ctrnn_jax\.simulate"):
        diffrax.diffeqsolve(
            diffrax.ODETerm(_model(cj.VoltageCTRNN, "bipartite")),
            cj.Leapfrog(),
            0.0,
            1.0,
            0.1,
            jnp.ones(5),
            adjoint=REVERSIBLE,
        )


@pytest.mark.parametrize("spoil", ["range", "nan weight", "runaway"])
def test_a_state_out_of_range_is_a_status_and_an_error_never_a_wrap(spoil):
    activation = cj.Linear() if spoil == "runaway" else cj.Tanh()
    coupling = jnp.array([[1.0]])
    if spoil == "nan weight":
        coupling = coupling * jnp.nan
    weight = eqx.tree_at(
        lambda w: w.coupling, cj.BipartiteSkew(2, key=jr.key(0)), coupling
    )
    model = cj.VoltageCTRNN(weight, activation=activation)
    y0 = jnp.array([300.0, 0.0]) if spoil == "range" else jnp.ones(2)
    # A linear leapfrog with h·ω > 2 is unstable.
    dt0 = 2.5 if spoil == "runaway" else 0.1
    run = functools.partial(
        cj.simulate,
        model,
        y0,
        [0.0, 100.0],
        dt0=dt0,
        solver=cj.Leapfrog(),
        adjoint=REVERSIBLE,
    )
    assert run(throw=False).result == cj.RESULTS.nonfinite
    with pytest.raises(EquinoxRuntimeError, match=r"\|y\| < 256"):
        run()


def test_a_wider_range_holds_what_the_default_does_not():
    model = _model(cj.VoltageCTRNN, "bipartite")
    wide = cj.ReversibleAdjoint(fraction_bits=50)
    ys = cj.simulate(
        model, 300.0 * _start(model), TS, dt0=0.1, solver=cj.Leapfrog(), adjoint=wide
    ).ys
    expected = cj.simulate(
        model, 300.0 * _start(model), TS, dt0=0.1, solver=cj.Leapfrog()
    ).ys
    assert np.allclose(ys, expected, rtol=0, atol=1e-11)


def test_a_driven_leak_reaches_its_horizon_and_says_so():
    """e^(γt)·y leaves the range of 256 at γt = log(256/|y|), not before."""
    leak, force = 0.5, 1.0
    model = cj.VoltageCTRNN(
        cj.BlockRotation(2, angular_frequency_range=(0.0, 0.0), key=jr.key(0)),
        leak=leak,
        bias=jnp.full(2, force * leak),
    )
    horizon = float(np.log(256.0 / force)) / leak
    run = functools.partial(
        cj.simulate,
        model,
        jnp.full(2, force),
        dt0=0.01,
        solver=cj.Leapfrog(),
        adjoint=REVERSIBLE,
        throw=False,
    )
    before, after = run([0.0, 0.99 * horizon]), run([0.0, 1.01 * horizon])
    assert before.result == cj.RESULTS.successful
    assert np.allclose(before.ys[-1], force, rtol=0, atol=1e-12)
    assert after.result == cj.RESULTS.nonfinite


def test_an_undriven_leak_has_no_horizon():
    model = _model(cj.VoltageCTRNN, "bipartite", leak=0.5)
    solution = cj.simulate(
        model,
        3.0 * _start(model),
        [0.0, 60.0],
        dt0=0.1,
        solver=cj.Leapfrog(),
        adjoint=REVERSIBLE,
    )
    # Relative to e^(-30), the resolution of a state that shrinks is kept too.
    expected = cj.simulate(
        model, 3.0 * _start(model), [0.0, 60.0], dt0=0.1, solver=cj.Leapfrog()
    )
    scale = np.exp(-0.5 * 60.0)
    assert np.allclose(solution.ys[-1], expected.ys[-1], rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize(
    ("options", "reversible"),
    [
        ({}, True),
        (dict(solver=cj.RK4()), False),
        (dict(saveat=diffrax.SaveAt(t1=True)), False),
        (dict(ts=np.array([0.0, 0.33, 2.0])), False),
        (dict(leak=0.1), False),
    ],
)
def test_auto_is_reversible_where_that_is_right(options, reversible):
    options = {"ts": TS, "solver": cj.Leapfrog(), **options}
    model = _model(cj.VoltageCTRNN, "bipartite", leak=options.pop("leak", 0.0))
    y0 = _start(model)
    grid = lay_grid(options.pop("ts"), 0.1, y0.dtype)
    chosen = choose_adjoint(
        "auto", model, options.pop("solver"), grid, y0.dtype, options
    )
    assert isinstance(chosen, cj.ReversibleAdjoint) == reversible
    assert reversible or chosen is None


def test_auto_runs():
    model = _model(cj.VoltageCTRNN, "bipartite")
    run = functools.partial(
        cj.simulate, model, _start(model), TS, dt0=0.1, solver=cj.Leapfrog()
    )
    assert jnp.array_equal(run(adjoint="auto").ys, run(adjoint=REVERSIBLE).ys)


def _many(name, per_lane):
    keys = jr.split(jr.key(1), 3)
    build = {
        "dense": lambda key: cj.SkewSymmetric(5, key=key),
        "large": lambda key: cj.SkewSymmetric(17, key=key),
        "bipartite": lambda key: cj.BipartiteSkew(5, key=key),
    }[name]

    def model(key):
        weight = build(key)
        return cj.VoltageCTRNN(weight, leak=0.1 * jr.uniform(key))

    return eqx.filter_vmap(model)(keys) if per_lane else model(keys[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "per_lane"),
    [("dense", False), ("dense", True), ("large", True), ("bipartite", True)],
)
def test_an_ensemble_is_its_lanes_in_values_and_gradients(name, per_lane):
    model = _many(name, per_lane)
    n = {"dense": 5, "large": 17, "bipartite": 5}[name]
    y0 = jr.normal(jr.key(9), (3, n))
    options = dict(dt0=0.1, solver=cj.CoordinateSplitting(), adjoint=REVERSIBLE)
    weights = jnp.cos(jnp.arange(3.0 * 5 * n)).reshape(3, 5, n)

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def together(arguments):
        model, y0 = arguments
        solution = cj.simulate_ensemble(
            model, y0, TS, model_axes=0 if per_lane else None, **options
        )
        return jnp.sum(weights * solution.ys)

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def apart(arguments):
        model, y0 = arguments
        axes = (eqx.if_array(0) if per_lane else None, 0)
        one = eqx.filter_vmap(
            lambda model, y0: cj.simulate(model, y0, TS, **options).ys, in_axes=axes
        )
        return jnp.sum(weights * one(model, y0))

    value, gradient = together((model, y0))
    expected = apart((model, y0))
    assert abs(value - expected[0]) < 1e-12
    assert _distance(gradient, expected[1]) < 1e-11


def test_a_lane_out_of_range_costs_that_lane_only():
    model = _model(cj.VoltageCTRNN, "bipartite")
    good = _start(model)
    y0 = jnp.stack([good, 300.0 * good, jnp.full_like(good, jnp.nan)])

    @eqx.filter_jit
    @eqx.filter_value_and_grad(has_aux=True)
    def run(model, y0):
        solution = cj.simulate_ensemble(
            model, y0, TS, dt0=0.1, solver=cj.Leapfrog(), adjoint=REVERSIBLE
        )
        return jnp.sum(solution.ys[0] ** 2), solution

    (_, solution), gradient = run(model, y0)
    okay = np.asarray(diffrax.is_okay(solution.result))
    assert okay.tolist() == [True, False, False]
    assert np.isnan(solution.ys[1:]).all()
    (_, alone), expected = run(model, y0[:1])
    assert np.allclose(solution.ys[0], alone.ys[0], rtol=0, atol=1e-14)
    assert _distance(gradient, expected) < 1e-13
    with pytest.raises(EquinoxRuntimeError, match="left the range"):
        cj.simulate_ensemble(
            model,
            y0,
            TS,
            dt0=0.1,
            solver=cj.Leapfrog(),
            adjoint=REVERSIBLE,
            throw=True,
        )


def test_forward_mode_is_refused_by_jax():
    model = _model(cj.VoltageCTRNN, "bipartite")

    def final(y0):
        return cj.simulate(
            model, y0, TS, dt0=0.1, solver=cj.Leapfrog(), adjoint=REVERSIBLE
        ).ys[-1]

    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(final, (_start(model),), (_start(model),))
