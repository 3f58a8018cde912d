"""Experiments give what the library's plain functions give, one run at a time."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy.special import ellipk
from settings import SMALL, fixed_of, keys_of, run, settings_of, take

from ctrnn_jax import energy, simulate
from ctrnn_jax.analysis import (
    ORBIT_KINDS,
    chaos_indicators,
    classify_orbit,
    lyapunov_spectrum,
    memory_capacity,
)
from ctrnn_jax.experiments import MOTIONS
from ctrnn_jax.experiments._random_fields import SOLVERS, draw_fields
from ctrnn_jax.fields import RateCTRNN, VoltageCTRNN
from ctrnn_jax.matrices import GainPlusSkew, SkewSymmetric
from ctrnn_jax.networks import make_network
from ctrnn_jax.tasks import CopyMemory
from ctrnn_jax.train import evaluate, fit, make_optimiser

ABSENT = {"leak": 0.0, "gain": 0.0, "bias": 0.0, "activation.scale": 1.0}


def one_of(models, lane):
    return jax.tree.map(lambda leaf: leaf[lane] if eqx.is_array(leaf) else leaf, models)


def network_of(name, settings, keys, lane, beyond=None, **chosen):
    """Return one run's network and state, by the public classes.

    `beyond`: what the experiment itself fixes and offers as no parameter.
    """
    fixed = fixed_of(name, **chosen) | (beyond or {})
    models, starts, _ = draw_fields(fixed, settings, keys)
    model = one_of(models, lane)
    form = VoltageCTRNN if isinstance(model, VoltageCTRNN) else RateCTRNN
    plain = form(
        model.weight,
        activation=model.activation,
        leak=model.leak,
        bias=model.bias,
        input_weight=model.input_weight,
    )
    return plain, starts[lane]


def maxima(signal, dt):
    """Return the times of a sampled signal's maxima, by parabolas."""
    a, b, c = signal[:-2], signal[1:-1], signal[2:]
    at = np.flatnonzero((b > a) & (b >= c))
    shift = 0.5 * (c[at] - a[at]) / (2 * b[at] - a[at] - c[at])
    return dt * (at + 1 + shift)


@pytest.mark.parametrize("form", ["voltage", "rate"])
def test_an_oscillation_is_that_of_simulate_and_its_drift_that_of_the_energy(form):
    chosen = {"form": form, "num_neurons": 4, "energy_every": 5, "gain": 0.0}
    settings = settings_of("oscillation", 2, bias=[0.1, 0.3], gain=[0.0, 0.0])
    settings["activation.scale"] = jnp.array([1.0, 0.7])
    keys = keys_of(2)
    found = run("oscillation", settings, keys, **chosen)
    fixed = fixed_of("oscillation", **chosen)
    steps, start, dt = fixed["steps"], fixed["transient"], fixed["dt0"]
    for lane in range(2):
        model, y0 = network_of("oscillation", settings, keys, lane, **chosen)
        ts = dt * np.arange(steps + 1)
        ys = np.asarray(simulate(model, y0, ts, dt0=dt, solver=SOLVERS["rk4"]).ys)
        times = maxima(ys[start:, 0], dt)
        assert found["maxima"][lane] == len(times) > 1
        period = (times[-1] - times[0]) / (len(times) - 1)
        np.testing.assert_allclose(found["period"][lane], period, rtol=1e-9)
        middle = (start + steps) // 2
        early, late = (
            np.sqrt(np.mean(np.ptp(part, axis=0) ** 2)) / 2
            for part in (ys[start:middle], ys[middle:])
        )
        np.testing.assert_allclose(found["amplitude"][lane], late, rtol=1e-10)
        growth = np.log(late / early) / ((steps - start) * dt / 2)
        np.testing.assert_allclose(found["growth"][lane], growth, rtol=1e-6, atol=1e-9)
        values = np.asarray(jax.vmap(lambda y, model=model: energy(model, y))(ys[::5]))
        drift = np.max(np.abs(values - values[0])) / abs(values[0])
        np.testing.assert_allclose(found["energy_drift"][lane], drift, rtol=1e-7)
    # The first lane has no leak, and conserves what the method lets it.
    assert found["energy_drift"][0] < 1e-4


def test_the_period_of_two_neurons_is_the_complete_elliptic_integral():
    amplitudes = jnp.array([0.1, 1.0, 3.0])
    settings = settings_of(
        "oscillation", 3, initial_amplitude=amplitudes, scale=[1.0, 1.0, 2.0]
    )
    settings |= {name: jnp.zeros(3) for name in ("leak", "gain")}
    found = run("oscillation", settings, keys_of(3), steps=3000, **ABSENT)
    for lane in range(3):
        model, y0 = network_of("oscillation", settings, keys_of(3), lane)
        level = np.sum(np.log(np.cosh(np.asarray(y0))))
        exact = 4 * ellipk(1 - np.exp(-2 * level)) / float(settings["scale"][lane])
        np.testing.assert_allclose(found["period"][lane], exact, rtol=2e-4)
    assert [MOTIONS[code] for code in found["motion"]] == ["sustained"] * 3


def test_motion_tells_dying_growing_and_resting_networks_apart():
    settings = settings_of(
        "oscillation",
        5,
        scale=[1.0] * 5,
        leak=[0.0, 0.2, 20.0, 0.0, 0.0],
        gain=[0.0, 0.0, 0.0, 0.005, 0.0],
        initial_amplitude=[1.0, 1.0, 1.0, 0.01, 0.0],
    )
    found = run("oscillation", settings, keys_of(5), steps=3000)
    names = [MOTIONS[code] for code in found["motion"]]
    assert names == ["sustained", "dying", "at rest", "growing", "at rest"]
    # Near the origin the pair is linear, and its amplitude e^(gain t).
    np.testing.assert_allclose(found["growth"][3], 0.005, rtol=0.02)


def test_a_gain_where_the_solver_splits_fails_alone():
    settings = settings_of("oscillation", 3, gain=[0.0, 0.1, 0.0], leak=[0.0] * 3)
    absent = {"leak": 0.0, "bias": 0.0, "activation.scale": 1.0}
    found = run("oscillation", settings, keys_of(3), solver="splitting", **absent)
    np.testing.assert_array_equal(found["status"], [0, 2, 0])
    assert np.isnan(found["period"][1])
    assert np.all(found["energy_drift"][[0, 2]] < 0.01)


def test_what_is_known_to_be_absent_changes_rounding_alone():
    settings = settings_of("oscillation", 2, gain=[0.0, 0.0], leak=[0.0, 0.0])
    keys = keys_of(2)
    found = run("oscillation", settings, keys, steps=3000, **ABSENT)
    wanted = run("oscillation", settings, keys, steps=3000)
    for name in ("period", "amplitude"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-10)
    np.testing.assert_array_equal(found["motion"], wanted["motion"])


@pytest.mark.slow
def test_classification_is_that_of_single_orbits_and_of_any_batch():
    chosen = {"num_neurons": 3, "steps": 2000, "transient": 0}
    settings = settings_of("oscillation", 9)
    settings |= {name: jnp.zeros(9) for name in ("leak", "gain")}
    keys = keys_of(9)
    absent = {"leak": 0.0, "gain": 0.0, "bias": 0.0}
    for classify in ("chaos", "orbit"):
        options = {"classify": classify, "solver": "splitting 4", **chosen, **absent}
        found = run("oscillation", settings, keys, **options)
        model, y0 = network_of("oscillation", settings, keys, 1, **options)
        follow = {"dt0": 0.1, "duration": 200.0, "solver": SOLVERS["splitting 4"]}
        if classify == "chaos":
            one = chaos_indicators(model, y0, **follow)
            np.testing.assert_allclose(found["log_gali"][1], one.log_gali, rtol=1e-6)
        else:
            one = classify_orbit(model, y0, **follow)
            assert ORBIT_KINDS[found["orbit"][1]] == one.kind
        np.testing.assert_allclose(found["megno"][1], one.megno, rtol=1e-6)
        np.testing.assert_allclose(found["exponent"][1], one.exponent, rtol=1e-6)
        lanes = [1, 7, 4]
        part = run("oscillation", take(settings, lanes), take(keys, lanes), **options)
        for name, value in part.items():
            assert value.tobytes() == take(found, lanes)[name].tobytes(), name


def test_energies_under_euler_are_those_of_a_run_with_that_step():
    settings, keys = settings_of("euler-drift", 3), keys_of(3)
    found = run("euler-drift", settings, keys)
    absent = {"form": "voltage", "leak": 0.0, "gain": 0.0, "bias": 0.0}
    zeros = {name: jnp.zeros(3) for name in ("leak", "gain", "bias")}
    model, y0 = network_of("euler-drift", settings | zeros, keys, 2, absent)
    fixed, dt = fixed_of("euler-drift"), float(settings["dt0"][2])
    every = fixed["steps"] // fixed["num_samples"]
    ts = dt * every * np.arange(fixed["num_samples"] + 1)
    ys = simulate(model, y0, ts, dt0=dt, solver=diffrax.Euler()).ys
    np.testing.assert_allclose(found["energy"][2], energy(model, ys), rtol=1e-11)


def test_the_law_of_euler_holds_at_large_energies_and_for_linear_pairs_exactly():
    settings = settings_of(
        "euler-drift", 3, scale=[1.0, 1.0, 2.0], initial_amplitude=[8.0] * 3
    )
    settings["activation.scale"] = jnp.array([1.0, 2.0, 1.0])
    long = {"steps": 40_000, "num_samples": 4}
    found = run("euler-drift", settings, keys_of(3), **long)
    np.testing.assert_allclose(found["energy"], found["law"], rtol=0.02)
    np.testing.assert_allclose(
        found["exponent"], np.diff(np.log(found["law"][:, [2, 4]]))[:, 0] / np.log(2),
        atol=0.02,
    )  # fmt: skip
    linear = run("euler-drift", settings, keys_of(3), activation="linear")
    np.testing.assert_allclose(linear["energy"], linear["law"], rtol=1e-10)
    other = run("euler-drift", settings, keys_of(3), solver="rk4")
    assert np.all(np.isnan(other["law"]))
    assert np.all(np.abs(other["energy_change"]) < 1e-3)


@pytest.mark.slow
def test_exponents_are_those_of_a_single_spectrum():
    settings, keys = settings_of("lyapunov", 3), keys_of(3)
    found, fixed = run("lyapunov", settings, keys), fixed_of("lyapunov")
    model, y0 = network_of("lyapunov", settings, keys, 1)
    one = lyapunov_spectrum(
        model,
        y0,
        dt0=fixed["dt0"],
        duration=fixed["duration"],
        transient=fixed["transient"],
        num_exponents=2,
        solver=SOLVERS["rk4"],
    )
    np.testing.assert_allclose(found["exponents"][1], one.exponents, atol=1e-11)
    np.testing.assert_allclose(
        found["standard_error"][1], one.standard_error, atol=1e-11
    )


@pytest.mark.slow
def test_memory_capacity_is_that_of_a_single_network():
    settings, keys = settings_of("memory-capacity", 3), keys_of(3)
    found, fixed = run("memory-capacity", settings, keys), fixed_of("memory-capacity")
    network_key, input_key = jr.split(keys[1])
    models, starts, _ = draw_fields(
        fixed,
        take(settings, [1]),
        network_key[None],
        input_channels=1,
    )
    one = memory_capacity(
        one_of(models, 0),
        starts[0],
        key=input_key,
        dt0=fixed["dt0"],
        num_delays=fixed["num_delays"],
        num_sequences=fixed["num_sequences"],
        solver=SOLVERS["rk4"],
    )
    np.testing.assert_allclose(found["capacities"][1], one.capacities, atol=1e-10)
    np.testing.assert_allclose(found["total"][1], one.total, rtol=1e-10)
    assert found["rank"][1] == int(one.rank)


@pytest.mark.slow
@pytest.mark.standard_promotion  # Adam divides a float by an int32.
def test_training_is_fit_with_the_same_seed_and_rate():
    settings, keys = settings_of("training", 2), keys_of(2)
    found, chosen = run("training", settings, keys), SMALL["training"]
    network_key, train_key = jr.split(keys[1])
    task = CopyMemory(chosen["delay"], num_symbols=4, num_kept=chosen["num_kept"])
    network = make_network(
        chosen["network"], task, size=chosen["num_neurons"], key=network_key
    )
    rate = float(settings["learning_rate"][1])
    trained, history = fit(
        network,
        task,
        optim=make_optimiser(rate, chosen["steps"]),
        num_steps=chosen["steps"],
        batch_size=chosen["batch_size"],
        key=train_key,
        devices=jax.local_devices()[:1],
    )
    losses = np.asarray(history.losses).reshape(chosen["num_points"], -1).mean(axis=1)
    # optax computes its schedule in single precision.
    np.testing.assert_allclose(found["train_loss"][1], losses, rtol=1e-6)
    scores = evaluate(trained, task, split="validation")
    for name in ("loss", "recall", "perfect"):
        np.testing.assert_allclose(found[name][1], scores[name], rtol=1e-6)


def test_w_has_the_eigenfrequencies_that_scale_says():
    settings = settings_of("lyapunov", 4)
    models, starts, _ = draw_fields(
        fixed_of("lyapunov", num_neurons=6), settings, keys_of(4)
    )
    for lane in range(4):
        model = one_of(models, lane)
        assert isinstance(model.weight, GainPlusSkew)
        assert isinstance(model.weight.skew, SkewSymmetric)
        frequencies = np.linalg.eigvals(model.weight.skew.as_matrix()).imag
        rms = np.sqrt(np.mean(frequencies**2))
        np.testing.assert_allclose(rms, settings["scale"][lane], rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.mean(starts**2, axis=1)), 1.0, rtol=1e-12)
