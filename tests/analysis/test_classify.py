"""The verdict on motions whose kind is known."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ctrnn_jax import SkewSymmetric, VoltageCTRNN
from ctrnn_jax.analysis import (
    ORBIT_KINDS,
    OUTCOMES,
    classify_orbit,
    classify_orbits,
    is_okay,
)
from tests.systems import elliptic_period, elliptic_start, rotation

SEEDS = 3


class Coefficients(NamedTuple):
    """Of y' = L y + Q(y, y) + T tanh y + R relu y - c (y0² + y1²) y, in R^4."""

    linear: np.ndarray
    quadratic: np.ndarray
    tanh: np.ndarray
    relu: np.ndarray
    cubic: np.ndarray


def zoo(t, y, args):
    """One field for all: small to compile, and each lane has its own coefficients."""
    out = args.linear @ y + args.tanh @ jnp.tanh(y)
    out = out + args.relu @ jnp.maximum(y, 0.0) + (args.quadratic @ y) @ y
    return out - args.cubic * (y[0] ** 2 + y[1] ** 2) * y


def animal(linear=None, quadratic=(), tanh=None, relu=None, cubic=0.0):
    """Coefficients from what differs from 0; quadratic: (row, i, j, value)."""
    zero = np.zeros((4, 4))
    cube = np.zeros((4, 4, 4))
    for row, i, j, value in quadratic:
        cube[row, i, j] = value
    parts = [zero if part is None else part for part in (linear, tanh, relu)]
    return Coefficients(parts[0], cube, parts[1], parts[2], np.asarray(cubic))


def spins(first, second):
    """Two blocks (rate, angular frequency)."""
    blocks = np.zeros((4, 4))
    for k, (rate, omega) in enumerate((first, second)):
        part = slice(2 * k, 2 * k + 2)
        blocks[part, part] = [[rate, omega], [-omega, rate]]
    return blocks


#: Five times as fast, so that the record of the zoo is long enough; (x, v, px, pv).
HENON_HEILES = animal(
    5 * np.block([[np.zeros((2, 2)), np.eye(2)], [-np.eye(2), np.zeros((2, 2))]]),
    [(2, 0, 1, -10), (3, 0, 0, -5), (3, 1, 1, 5)],
)
LORENZ = animal(
    np.array([[-10, 10, 0, 0], [28, -1, 0, 0], [0, 0, -8 / 3, 0], [0, 0, 0, 0.0]]),
    [(1, 0, 2, -1), (2, 0, 1, 1)],
)


def anywhere(rng):
    return rng.normal(size=4)


#: Name -> (coefficients, start of a random generator, true kind).
ZOO = {
    "rest": (animal(spins((0.5, 2), (0, 1))), lambda rng: np.zeros(4), "fixed point"),
    "spiral": (animal(spins((-0.05, 2), (-0.1, 3))), anywhere, "dying"),
    "unstable spiral": (animal(spins((0.1, 2), (-0.1, 3))), anywhere, "diverging"),
    "relu": (
        animal(relu=spins((0, 2), (0, 0))),
        lambda rng: 1 + rng.uniform(size=4),
        "diverging",
    ),
    "Stuart-Landau": (
        animal(spins((0.5, 2), (-1, 1)), cubic=1.0),
        anywhere,
        "periodic",
    ),
    # x' = -x + (1.5 I + W) tanh x, whose Hopf point is at a gain of 1.
    "gain and skew": (
        animal(-np.eye(4), tanh=spins((1.5, 2), (0.5, 1.3))),
        lambda rng: np.r_[rng.normal(size=2), 0, 0],
        "periodic",
    ),
    "rational rotations": (animal(spins((0, 2), (0, 3))), anywhere, "periodic"),
    "irrational rotations": (
        animal(spins((0, 2), (0, 2 * 2**0.5))),
        anywhere,
        "quasi-periodic",
    ),
    # An orbit of energy 1/8 from Skokos (2001), J. Phys. A 34, 10029, moved a little;
    # and one of energy 0.16, where few tori are left.
    "Henon-Heiles, regular": (
        HENON_HEILES,
        lambda rng: np.array([0.0, 0.55, 0.2417, 0.0]) + 1e-3 * rng.normal(size=4),
        "quasi-periodic",
    ),
    "Henon-Heiles, chaotic": (
        HENON_HEILES,
        lambda rng: np.array([0.0, 0.0, 0.5568, 0.1]) + 1e-3 * rng.normal(size=4),
        "chaotic",
    ),
    # Infinite within a few units of time: a step of it is not finite.
    "Henon-Heiles, open": (
        HENON_HEILES,
        lambda rng: np.array([0.0, 1.5, 0.0, 0.5]) + 1e-3 * rng.normal(size=4),
        "diverging",
    ),
    "Lorenz": (LORENZ, lambda rng: np.r_[rng.normal(size=2), 20, 0], "chaotic"),
}


def confusion(truth, found):
    """Rows: what it is; columns: what was said."""
    table = np.zeros((len(ORBIT_KINDS), len(ORBIT_KINDS)), int)
    for was, said in zip(truth, found, strict=True):
        table[ORBIT_KINDS.index(was), ORBIT_KINDS.index(said)] += 1
    return table


def has_nan(found):
    """Whether any number of the evidence is NaN: escapes and bad input have none."""
    return any(
        jnp.issubdtype(leaf.dtype, jnp.inexact) and bool(jnp.any(jnp.isnan(leaf)))
        for leaf in jax.tree.leaves(found)
    )


@pytest.fixture(scope="module")
def animals():
    """All of the zoo, `SEEDS` orbits each, in one program."""
    rng = np.random.default_rng(4)
    starts = np.stack(
        [start(rng) for _, start, _ in ZOO.values() for _ in range(SEEDS)]
    )
    which = [found for found, _, _ in ZOO.values() for _ in range(SEEDS)]
    coefficients = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *which)
    return jax.vmap(
        lambda y, args: classify_orbit(
            zoo,
            y,
            inputs=args,
            dt0=0.02,
            duration=240.0,
            transient=40.0,
            num_frequencies=4,
            max_frequency_samples=2048,
        )
    )(jnp.asarray(starts), coefficients)


def test_every_kind_of_motion_is_told(animals):
    truth = np.repeat([kind for _, _, kind in ZOO.values()], SEEDS)
    table = confusion(truth, animals.kinds)
    assert table.sum() == np.trace(table), f"\n{ORBIT_KINDS}\n{table}\n{animals.kinds}"
    assert bool(np.all(is_okay(animals.result)))
    assert not has_nan(animals)


def test_the_evidence_has_the_values_that_theory_gives(animals):
    def lane(name, values, seed=0):
        return np.asarray(values)[list(ZOO).index(name) * SEEDS + seed]

    # Sums of exponentials: rates, frequencies and periods are exact.
    np.testing.assert_allclose(lane("spiral", animals.decay_rate), -0.05, atol=1e-3)
    np.testing.assert_allclose(lane("Stuart-Landau", animals.period), np.pi, rtol=1e-8)
    np.testing.assert_allclose(
        lane("rational rotations", animals.period), 2 * np.pi, rtol=1e-7
    )
    lines = np.sort(lane("irrational rotations", animals.angular_frequency)[:2])
    np.testing.assert_allclose(lines, [2, 2 * 2**0.5], rtol=1e-8)
    assert lane("irrational rotations", animals.num_independent) == 2
    # Isochronous rotations: tangent vectors do not grow.
    assert abs(lane("irrational rotations", animals.megno)) < 1e-2
    # Within four standard errors; Viswanath's value.
    error = lane("Lorenz", animals.exponent_error)
    assert abs(lane("Lorenz", animals.exponent) - 0.9056) < 4 * error < 0.2
    assert lane("unstable spiral", animals.escape_time) < 240
    assert np.isinf(lane("Lorenz", animals.escape_time))


def skew(size, seed):
    a = np.random.default_rng(seed).normal(size=(size, size)) / np.sqrt(size)
    return a - a.T


def padded(*blocks):
    """Uncoupled networks as one of eight neurons."""
    weight, place = np.zeros((8, 8)), 0
    for block in blocks:
        stop = place + len(block)
        weight[place:stop, place:stop] = block
        place = stop
    return weight


def networks():
    """Yield (W, start, true kind) of skew tanh networks."""
    rng = np.random.default_rng(7)
    for seed in range(SEEDS):
        pair, other = rotation(1.0), rotation(0.7)
        # Integrable: every orbit is a closed curve.
        yield padded(pair), np.r_[rng.normal(size=2), np.zeros(6)], "periodic"
        start = np.r_[2 * rng.normal(size=3), np.zeros(5)]
        yield padded(skew(3, seed)), start, "periodic"
        start = np.r_[rng.normal(size=4), np.zeros(4)]
        yield padded(pair, other), start, "quasi-periodic"
        yield skew(8, seed), 0.05 * rng.normal(size=8), "quasi-periodic"
        start = np.r_[3 * rng.normal(size=5), np.zeros(3)]
        yield padded(skew(5, 11 + seed)), start, "chaotic"
        yield skew(8, seed), 3 * rng.normal(size=8), "chaotic"


@pytest.mark.slow
def test_random_networks_of_every_kind_are_told():
    weights, starts, truth = zip(*networks(), strict=True)
    models = eqx.filter_vmap(
        lambda weight: VoltageCTRNN(SkewSymmetric.from_matrix(weight))
    )(jnp.stack(weights))
    found = classify_orbits(
        models,
        np.stack(starts),
        model_axes=0,
        dt0=0.1,
        duration=2000.0,
        num_frequencies=4,
        max_frequency_samples=2048,
    )
    table = confusion(truth, found.kinds)
    assert table.sum() == np.trace(table), f"\n{ORBIT_KINDS}\n{table}\n{found.kinds}"
    assert np.max(found.energy_drift) < 1e-4
    # One orbit of the batch, classified alone.
    assert found[0].kind == "periodic"


@pytest.fixture(scope="module")
def two_neurons():
    model = VoltageCTRNN(SkewSymmetric.from_matrix(rotation()))
    return classify_orbit(model, elliptic_start(1.5), dt0=0.1, duration=800.0)


def test_two_neurons_have_their_exact_period(two_neurons):
    period = elliptic_period(1.5)
    assert two_neurons.kind == "periodic"
    np.testing.assert_allclose(two_neurons.period, period, rtol=1e-6)
    np.testing.assert_allclose(
        two_neurons.angular_frequency[0], 2 * np.pi / period, rtol=1e-6
    )
    assert float(two_neurons.relation_residual) < 1e-10
    assert float(two_neurons.closest_return) < 1e-8
    assert 0 < float(two_neurons.energy_drift) < 1e-6


def test_the_answer_reads_as_a_paragraph(two_neurons):
    words = str(two_neurons)
    assert words.startswith("Periodic. Largest exponent")
    assert "period 11.64157" in words
    assert "nan" not in words.lower()
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), two_neurons)
    assert str(batch) == "2 orbits: 2 periodic."
    assert batch[1].kind == "periodic"
    with pytest.raises(ValueError, match="kinds"):
        _ = batch.kind


def test_a_state_that_is_not_finite_is_reported():
    model = VoltageCTRNN(SkewSymmetric.from_matrix(rotation()))
    found = classify_orbit(model, np.array([np.nan, 1.0]), dt0=0.1, duration=800.0)
    assert found.result == OUTCOMES.nonfinite
    assert found.kind == "undecided"
    assert "not finite" in str(found)
    assert not has_nan(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration": 1.0}, "samples"),
        ({"stride": 0}, "stride"),
        ({"return_tolerance": -1.0}, "return_tolerance"),
        ({"escape_radius": 0.0}, "escape_radius"),
    ],
)
def test_misuse_is_refused_with_the_mend(change, message):
    model = VoltageCTRNN(SkewSymmetric.from_matrix(rotation()))
    options = {"dt0": 0.1, "duration": 800.0, **change}
    with pytest.raises(ValueError, match=message):
        classify_orbit(model, elliptic_start(1.0), **options)
