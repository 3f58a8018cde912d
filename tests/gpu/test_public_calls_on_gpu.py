"""The public calls on a GPU give what the CPU gives in float64; skipped elsewhere.

Whether a program may round its products is told without a GPU in
`tests/test_precision.py`; here is whether it does.
"""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

import ctrnn_jax as cj
from ctrnn_jax.networks import make_network
from ctrnn_jax.tasks import CopyMemory
from ctrnn_jax.train import fit

pytestmark = [
    pytest.mark.gpu,
    # optax's Adam divides a float by an int32.
    pytest.mark.standard_promotion,
]

TS = np.linspace(0.0, 10.0, 11)
#: Operands rounded to 10 bits would leave errors of about 1e-3.
SINGLE = {"rtol": 2e-5, "atol": 2e-5}


def _on_cpu(function):
    with jax.default_device(jax.devices("cpu")[0]):
        return jax.tree.map(np.asarray, function())


def _model(dtype, size=128, weight=cj.SkewSymmetric, form=cj.VoltageCTRNN):
    # Drawn in float64 and rounded, so that both precisions solve one problem.
    built = weight(size, key=jr.key(0), dtype=np.float64)
    parts = jax.tree.map(lambda leaf: leaf.astype(dtype), built)
    return form(parts)


def _starts(dtype, lanes, size=128):
    return (0.5 * np.random.default_rng(0).normal(size=(lanes, size))).astype(dtype)


@pytest.mark.parametrize("solver", [cj.RK4(), diffrax.Tsit5()], ids=["rk4", "tsit5"])
def test_a_solve_in_float32_is_as_accurate_as_float32_is(solver):
    def solve(dtype):
        y0 = _starts(dtype, 1)[0]
        return cj.simulate(_model(dtype), y0, TS, dt0=0.05, solver=solver).ys

    exact = _on_cpu(lambda: solve(np.float64))
    np.testing.assert_allclose(solve(np.float32), exact, **SINGLE)


@pytest.mark.parametrize("size", [2, 8, 32, 128])
@pytest.mark.parametrize(
    "solver",
    [diffrax.Euler(), cj.RK4(), cj.CoordinateSplitting(), cj.ImplicitMidpoint()],
    ids=["euler", "rk4", "splitting", "midpoint"],
)
def test_an_ensemble_is_that_of_the_cpu(solver, size):
    def solve(dtype):
        model, y0 = _model(dtype, size), _starts(dtype, 50, size)
        found = cj.simulate_ensemble(model, y0, TS, dt0=0.05, solver=solver)
        assert np.asarray(diffrax.is_okay(found.result)).all()
        return found.ys

    exact = _on_cpu(lambda: solve(np.float64))
    np.testing.assert_allclose(solve(np.float64), exact, rtol=1e-9, atol=1e-9)
    # The implicit solver's tolerances need float64 throughout, see its docstring.
    if not isinstance(solver, cj.ImplicitMidpoint):
        np.testing.assert_allclose(solve(np.float32), exact, **SINGLE)


@pytest.mark.parametrize("size", [8, 32, 128])
@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
@pytest.mark.parametrize("kind", ["splitting", "leapfrog", "weights", "inputs"])
def test_a_kernel_that_is_asked_for_is_xla_on_the_cpu(kind, form, size):
    weight = cj.BipartiteSkew if kind == "leapfrog" else cj.SkewSymmetric
    solver = {"splitting": cj.CoordinateSplitting(4), "leapfrog": cj.Leapfrog()}
    rng = np.random.default_rng(1)
    into, bias = rng.normal(size=(size, 2)), 0.1 * rng.normal(size=size)

    def build(key, dtype):
        built = weight(size, key=key, dtype=np.float64)
        parts = jax.tree.map(lambda leaf: leaf.astype(dtype), built)
        arrays = (array.astype(dtype) for array in (bias, into))
        return form(parts, **dict(zip(("bias", "input_weight"), arrays, strict=True)))

    def solve(dtype, engine):
        own = kind == "weights"
        keys = jr.split(jr.key(0), 50)
        model = (
            eqx.filter_vmap(lambda key: build(key, dtype))(keys)
            if own
            else build(keys[0], dtype)
        )
        found = cj.simulate_ensemble(
            model,
            _starts(dtype, 50, size),
            TS,
            dt0=0.05,
            solver=solver.get(kind, cj.RK4()),
            inputs=(lambda t: jnp.stack([jnp.sin(t), jnp.cos(t)])),
            model_axes=0 if own else None,
            engine=engine,
        )
        assert np.asarray(diffrax.is_okay(found.result)).all()
        return found.ys

    exact = _on_cpu(lambda: solve(np.float64, "xla"))
    for dtype, allowed in ((np.float64, 1e-9), (np.float32, 1e-4)):
        ours = solve(dtype, "pallas")
        np.testing.assert_allclose(ours, exact, rtol=allowed, atol=allowed)


@pytest.mark.parametrize("size", [8, 20, 32, 128])
@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
def test_what_is_measured_of_a_trajectory_is_that_of_the_cpu(form, size):
    reductions = {
        "norm": cj.Mean(of=lambda model, y: jnp.sqrt(jnp.sum(y**2))),
        "slope": cj.Maximum(of=lambda model, y: jnp.max(model.weight.mv(y))),
        "drift": cj.Every(5, cj.EnergyDrift()),
    }

    def solve(dtype, engine):
        found = cj.simulate_ensemble(
            _model(dtype, size, form=form),
            _starts(dtype, 50, size),
            TS,
            dt0=0.05,
            solver=cj.RK4(),
            saveat=diffrax.SaveAt(ts=TS, fn=lambda t, y, args: (y[1:3], jnp.mean(y))),
            reductions=reductions,
            engine=engine,
        )
        assert np.asarray(diffrax.is_okay(found.result)).all()
        return found.ys, found.stats["reductions"]

    exact = _on_cpu(lambda: solve(np.float64, "xla"))
    for dtype, allowed in ((np.float64, 1e-9), (np.float32, 1e-4)):
        ours = solve(dtype, "pallas")
        for one, right in zip(*map(jax.tree.leaves, (ours, exact)), strict=True):
            np.testing.assert_allclose(one, right, rtol=allowed, atol=allowed)


def test_an_ensemble_is_shared_by_all_local_devices():
    devices = jax.local_devices()
    lanes = 7 * len(devices) + 1  # which does not divide evenly
    model, y0 = _model(np.float64, 8), _starts(np.float64, lanes, 8)
    found = cj.simulate_ensemble(model, y0, TS, dt0=0.05, solver=cj.RK4())
    one = cj.simulate(model, y0[-1], TS, dt0=0.05, solver=cj.RK4())
    np.testing.assert_allclose(found.ys[-1], one.ys, rtol=1e-9, atol=1e-9)
    assert found.ys.shape == (lanes, 11, 8)


@pytest.mark.parametrize(
    ("solver", "weight"),
    [(cj.Leapfrog(), cj.BipartiteSkew), (cj.CoordinateSplitting(), cj.SkewSymmetric)],
    ids=["leapfrog", "splitting"],
)
@pytest.mark.parametrize("form", [cj.VoltageCTRNN, cj.RateCTRNN])
@pytest.mark.parametrize(
    ("engine", "size"),
    [("xla", 8), ("pallas", 8), ("pallas", 20), ("pallas", 32), ("pallas", 128)],
)
def test_the_reversible_gradient_is_exact_on_a_gpu(solver, weight, form, engine, size):
    """Steps are undone bit for bit, and the gradient is that of the CPU."""

    def gradient(dtype, engine):
        def loss(model, y0):
            found = cj.simulate_ensemble(
                model,
                y0,
                np.array([0.0, 10.0]),
                dt0=0.05,
                solver=solver,
                adjoint=cj.ReversibleAdjoint(),
                engine=engine,
                throw=True,  # raises where the start was not reached again
            )
            return jnp.mean(found.ys[:, -1] ** 2)

        model = _model(dtype, size, weight, form)
        y0 = jnp.asarray(_starts(dtype, 50, size))
        both = eqx.filter_grad(lambda pair: loss(*pair))
        return jax.tree.leaves(both((model, y0)))

    exact = _on_cpu(lambda: gradient(np.float64, "xla"))
    for dtype, allowed in ((np.float64, 1e-9), (np.float32, 1e-4)):
        for ours, right in zip(gradient(dtype, engine), exact, strict=True):
            np.testing.assert_allclose(ours, right, rtol=allowed, atol=allowed)


@pytest.mark.parametrize("name", ["tanh-skew", "linear-skew", "lstm", "lru"])
def test_a_training_step_is_that_of_the_cpu(name):
    def train(dtype):
        task = CopyMemory(4, num_kept=3, dtype=dtype)
        network = make_network(name, task, size=64, key=jr.key(0), dtype=np.float64)
        network = jax.tree.map(
            lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf,
            network,
        )
        given = {"optim": optax.sgd(0.1), "num_steps": 1, "batch_size": 16}
        one = [jax.config.jax_default_device or jax.local_devices()[0]]
        model, history = fit(network, task, key=jr.key(1), devices=one, **given)
        return history.losses, jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array))

    loss, weights = train(np.float32)
    exact_loss, exact = _on_cpu(lambda: train(np.float64))
    np.testing.assert_allclose(loss, exact_loss, rtol=1e-5)
    for ours, right in zip(weights, exact, strict=True):
        np.testing.assert_allclose(ours, right, **SINGLE)


def test_nothing_but_the_launch_passes_the_host_while_training(monkeypatch):
    from ctrnn_jax.train import _session

    advance, guarded = _session.advance, []

    def watched(kept, state):
        with jax.transfer_guard("disallow"):
            new = jax.block_until_ready(advance(kept, state))
        guarded.append(True)
        return new

    task = CopyMemory(4, num_kept=3)
    network = make_network("tanh-skew", task, size=16, key=jr.key(0))
    given = {"optim": optax.adam(1e-3), "num_steps": 8, "batch_size": 16}
    options = given | {"steps_per_dispatch": 4, "key": jr.key(1)}
    fit(network, task, **options)  # compiles, which sends constants
    monkeypatch.setattr(_session, "advance", watched)
    fit(network, task, **options)
    assert guarded == [True, True]
