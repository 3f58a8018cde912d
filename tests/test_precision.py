"""No float32 product of the dynamics, of a network or of an analysis may be rounded.

JAX's default lets a GPU round operands to 10 bits. What a program asks for is seen in
its lowered text, so that no GPU is needed here.
"""

import ast
from pathlib import Path

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from products import lowered_products, recorded_products

import ctrnn_jax as cj
from ctrnn_jax import analysis
from ctrnn_jax.networks import make_network, network_names
from ctrnn_jax.tasks import CopyMemory, SignalSchoolTask
from ctrnn_jax.train import _session, evaluate, fit

ROOM = Path(analysis.__file__).parent
SINGLE = jnp.float32


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch):
    """Take the ways through the code that are taken on an accelerator."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


@pytest.fixture(autouse=True)
def _in_single_precision():
    with jax.enable_x64(False):
        yield


def _split(model):
    dynamic, static = eqx.partition(model, eqx.is_inexact_array)
    return dynamic, lambda dynamic: eqx.combine(dynamic, static)


DENSE = lambda n: cj.SkewSymmetric(n, key=jr.key(0), dtype=SINGLE)  # noqa: E731
WEIGHTS = {
    "dense": DENSE,
    "low rank": lambda n: cj.LowRankSkew(n, 1, key=jr.key(0), dtype=SINGLE),
    "bipartite": lambda n: cj.BipartiteSkew(n, key=jr.key(0), dtype=SINGLE),
}
SOLVERS = {
    "euler": (diffrax.Euler(), "dense", {}),
    "tsit5": (diffrax.Tsit5(), "dense", {}),
    "rk4": (cj.RK4(), "low rank", {}),
    "splitting": (cj.CoordinateSplitting(), "dense", {}),
    "leapfrog": (cj.Leapfrog(), "bipartite", {}),
    "midpoint": (cj.ImplicitMidpoint(), "dense", {}),
    "discrete gradient": (cj.DiscreteGradient(), "dense", {}),
    "cayley": (cj.CayleyStep(), "dense", {"activation": cj.Linear()}),
    "exponential": (cj.ExponentialStep(), "dense", {"activation": cj.Linear()}),
    "splitting, reversible": (cj.CoordinateSplitting(), "dense", {}),
    "leapfrog, reversible": (cj.Leapfrog(), "bipartite", {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
@pytest.mark.parametrize("name", list(SOLVERS))
def test_every_solver_multiplies_in_full_forward_and_backward(name, form):
    solver, weight, options = SOLVERS[name]
    adjoint = cj.ReversibleAdjoint() if "reversible" in name else None
    driven = not isinstance(solver, cj.DiscreteGradient)
    if driven:
        options = options | {"input_weight": jnp.ones((20, 3), SINGLE)}
    dynamic, whole = _split(form(WEIGHTS[weight](20), **options))
    inputs = (lambda t: jnp.full(3, jnp.cos(t), SINGLE)) if driven else None

    def loss(dynamic, y0):
        given = {"dt0": 0.1, "solver": solver, "inputs": inputs, "adjoint": adjoint}
        ts = np.linspace(0.0, 1.0, 3)
        return jnp.sum(cj.simulate_ensemble(whole(dynamic), y0, ts, **given).ys)

    y0 = jnp.ones((5, 20), SINGLE)
    found, loose = lowered_products(jax.grad(loss, argnums=(0, 1)), dynamic, y0)
    assert found
    assert loose == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "solver", [diffrax.Tsit5(), diffrax.Kvaerno3(), cj.RK4()], ids=type
)
def test_one_trajectory_multiplies_in_full_with_adaptive_steps_too(solver):
    dynamic, whole = _split(cj.VoltageCTRNN(DENSE(20)))
    controller = None if isinstance(solver, cj.RK4) else diffrax.PIDController(0.1, 0.1)

    def loss(dynamic, y0):
        given = {"dt0": 0.1, "solver": solver, "stepsize_controller": controller}
        ts = np.linspace(0.0, 1.0, 3)
        return jnp.sum(cj.simulate(whole(dynamic), y0, ts, **given).ys)

    gradient = jax.grad(loss, argnums=(0, 1))
    found, loose = lowered_products(gradient, dynamic, jnp.ones(20, SINGLE))
    assert found
    assert loose == []


@pytest.mark.parametrize("per_lane", [False, True])
@pytest.mark.parametrize("size", [2, 8, 32])
def test_products_of_lanes_are_in_full_written_out_or_not(size, per_lane):
    def build(key):
        return cj.VoltageCTRNN(cj.SkewSymmetric(size, key=key, dtype=SINGLE))

    keys = jr.split(jr.key(0), 6)
    model = eqx.filter_vmap(build)(keys) if per_lane else build(keys[0])
    dynamic, whole = _split(model)

    def loss(dynamic, y0):
        given = {"solver": cj.RK4(), "model_axes": 0 if per_lane else None}
        ts = np.linspace(0.0, 1.0, 2)
        return jnp.sum(
            cj.simulate_ensemble(whole(dynamic), y0, ts, dt0=0.5, **given).ys
        )

    y0 = jnp.ones((6, size), SINGLE)
    found, loose = lowered_products(jax.grad(loss, argnums=(0, 1)), dynamic, y0)
    assert found
    assert loose == []


def _network_gradient(name, task, **options):
    network = make_network(name, task, size=6, key=jr.key(0), dtype=SINGLE, **options)
    dynamic, whole = _split(network)
    batch = task.sample(2, key=jr.key(1))

    def loss(dynamic):
        return task.loss(jax.vmap(whole(dynamic))(batch.inputs), batch)

    return jax.grad(loss), dynamic


TASKS = {
    "copy": (CopyMemory(4, num_kept=3), {"hidden": 3, "features": 5}),
    "signals": (SignalSchoolTask(), {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("name", network_names())
def test_every_network_multiplies_in_full_forward_and_backward(name, task):
    found, loose = lowered_products(
        *_network_gradient(name, TASKS[task][0], **TASKS[task][1])
    )
    assert found
    assert loose == []


@pytest.mark.parametrize(
    "name", ["tanh-skew", "linear-skew", "linear-rotation", "lstm"]
)
def test_less_is_had_by_asking_but_never_in_our_dynamics(name):
    task, options = TASKS["copy"]
    with jax.default_matmul_precision("bfloat16"):
        gradient, dynamic = _network_gradient(name, task, **options)
        found, loose = lowered_products(gradient, dynamic)
    assert loose
    if name == "lstm":
        assert len(loose) == len(found)
    else:
        # What is left is of the encoder and the readout: 5 features, 9 answers, 3
        # hidden units. Ours alone map 6 neurons to 6, or 5 features to 6 neurons.
        own = [line for line in loose if "6x6xf32" in line or "6x5xf32" in line]
        assert own == []
        assert len(loose) < len(found)


@pytest.mark.standard_promotion
@pytest.mark.parametrize(
    ("asked", "got"), [(None, "highest"), ("tensorfloat32", "tensorfloat32")]
)
def test_training_is_in_full_unless_asked_for_less(asked, got, monkeypatch):
    plans, advance = [], _session.advance

    def watched(kept, state):
        plans.append(kept[0])
        return advance(kept, state)

    monkeypatch.setattr(_session, "advance", watched)
    task = TASKS["copy"][0]
    network = make_network("tanh-skew", task, size=4, key=jr.key(0), dtype=SINGLE)
    given = {"optim": optax.sgd(0.1), "num_steps": 1, "batch_size": 2}
    fit(network, task, key=jr.key(1), precision=asked, **given)
    assert plans[0].precision == got


def test_a_score_is_computed_in_full():
    task, options = TASKS["copy"]
    network = make_network("lstm", task, size=4, key=jr.key(0), dtype=SINGLE, **options)
    with recorded_products() as (found, loose):
        evaluate(network, task)
    assert found
    assert loose == []


def test_every_public_function_of_the_analysis_is_in_full():
    public = set(analysis.__all__) - {"is_okay", "sample_candidates"}
    seen = set()
    for path in ROOM.glob("_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name in public:
                seen.add(node.name)
                first = node.decorator_list[0] if node.decorator_list else None
                assert isinstance(first, ast.Name), node.name
                assert first.id == "full_precision", node.name
    assert {name for name in public if name.islower()} == seen


PAIR = cj.VoltageCTRNN(cj.SkewSymmetric(4, key=jr.key(0), dtype=SINGLE))
START = np.array([0.3, -0.2, 0.5, 0.1], np.float32)
SPAN = {"dt0": 0.1, "duration": 10.0}
ANALYSES = {
    "lyapunov": lambda: analysis.lyapunov_spectrum(PAIR, START, **SPAN),
    "covariant": lambda: analysis.covariant_vectors(PAIR, START, transient=5.0, **SPAN),
    "indicators": lambda: analysis.chaos_indicators(PAIR, START, **SPAN),
    "gradients": lambda: analysis.gradient_norms(PAIR, START, num_delays=5, **SPAN),
    "frequencies": lambda: analysis.main_frequencies(
        np.cos(0.3 * np.arange(256, dtype=np.float32)), 1.0
    ),
    "fixed points": lambda: analysis.find_fixed_points(PAIR, START[None]),
    "section": lambda: analysis.poincare_section(
        PAIR, START, section=(np.eye(4, dtype=np.float32)[0], 0.0), **SPAN
    ),
    "orbit": lambda: analysis.find_periodic_orbit(PAIR, 0.1 * START, max_period=50.0),
    "capacity": lambda: analysis.memory_capacity(
        cj.VoltageCTRNN(PAIR.weight, leak=0.1, input_weight=jnp.ones((4, 1), SINGLE)),
        np.zeros(4, np.float32),
        dt0=0.5,
        key=jr.key(0),
        num_delays=4,
        num_steps=8,
        num_sequences=64,
    ),
    "class": lambda: analysis.classify_orbit(PAIR, START, dt0=0.1, duration=100.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ANALYSES))
def test_an_analysis_multiplies_in_full(name):
    with recorded_products() as (found, loose):
        ANALYSES[name]()
    assert found
    assert loose == []


def test_a_product_that_could_be_rounded_is_noticed():
    x = jnp.ones((3, 3), SINGLE)
    found, loose = lowered_products(lambda x: x @ x, x)
    assert len(found) == len(loose) == 1
    with recorded_products() as (recorded, rounded):
        jax.jit(lambda x: x @ x + jnp.matmul(x, x, precision="highest"))(x)
    assert (len(recorded), len(rounded)) == (2, 1)
    with recorded_products() as (wide, _):
        _ = np.float64(1.0)
    assert wide == []
