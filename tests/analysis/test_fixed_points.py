"""Fixed points: all of them where their number is known, and a reason for the rest."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optimistix as optx
import pytest
from scipy.optimize import brentq

import ctrnn_jax as cj
from ctrnn_jax.analysis import (
    OUTCOMES,
    find_fixed_points,
    find_slow_points,
    is_okay,
    refine_fixed_point,
    sample_candidates,
)

#: Some near the origin, some far.
CANDIDATES = jnp.linspace(0.0, 3.0, 300)[:, None] * jr.normal(jr.key(3), (300, 3))


def units(gain, size=3, dtype=jnp.float64):
    """x' = −x + g tanh x for each unit alone."""
    weight = cj.Unconstrained.from_matrix(gain * jnp.eye(size, dtype=dtype))
    return cj.VoltageCTRNN(weight, leak=1.0)


def root(gain):
    """The positive solution of x = g tanh x."""
    return brentq(lambda x: x - gain * np.tanh(x), 1e-6, gain + 1, xtol=1e-15)


def test_three_bistable_units_have_27_fixed_points_of_which_8_are_stable():
    found = find_fixed_points(units(2.0), CANDIDATES)
    x = root(2.0)
    grid = np.stack(np.meshgrid(*[[-x, 0.0, x]] * 3), axis=-1).reshape(-1, 3)
    gaps = np.linalg.norm(grid[:, None] - np.asarray(found.points)[None], axis=2)
    assert len(found) == 27
    assert np.max(np.min(gaps, axis=1)) < 1e-14
    number = {kind: len(found.of_kind(kind)) for kind in set(found.kinds)}
    assert number == {"stable": 8, "unstable": 1, "saddle": 18}
    assert np.min(np.abs(found.of_kind("stable"))) > 1
    # −1 + g/cosh² of each unit.
    slopes = -1 + 2.0 / np.cosh(np.asarray(found.points)) ** 2
    expected = -np.sort(-slopes, axis=1)
    np.testing.assert_allclose(found.eigenvalues.real, expected, atol=1e-13)
    assert np.all(is_okay(found.result))
    assert found.counts.sum() == 300
    reached = np.asarray(found.points)[np.asarray(found.labels)]
    np.testing.assert_allclose(found.ends, reached, atol=1e-12)


@pytest.mark.parametrize(("gain", "number"), [(0.7, 1), (1.3, 27)])
def test_a_pitchfork_in_each_unit_turns_1_point_into_27(gain, number):
    assert len(find_fixed_points(units(gain), CANDIDATES)) == number


def test_at_the_pitchfork_the_point_is_degenerate():
    found = find_fixed_points(units(1.0), CANDIDATES, separation=1e-2)
    assert found.kinds == ("degenerate",)
    assert np.max(np.abs(found.points)) < 1e-3


def test_a_network_of_two_orthogonal_patterns_remembers_those():
    patterns = np.array([[1, 1, 1, 1, 1, 1, 1, 1], [1, 1, -1, -1, 1, 1, -1, -1]]) * 1.0
    gain = 2.0
    weight = cj.Unconstrained.from_matrix(gain / 8 * patterns.T @ patterns)
    model = cj.VoltageCTRNN(weight, leak=1.0)
    found = find_fixed_points(model, 3 * jr.normal(jr.key(0), (64, 8)))
    stable = np.asarray(found.of_kind("stable"))
    assert stable.shape == (4, 8)
    overlaps = stable @ patterns.T / 8
    expected = root(gain) * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    gaps = np.linalg.norm(expected[:, None] - overlaps[None], axis=2)
    assert np.max(np.min(gaps, axis=1)) < 1e-13
    # Between the attractors, and at 0, there are saddles.
    assert set(found.kinds) == {"stable", "saddle"}


def test_the_kernel_of_an_odd_skew_matrix_is_a_line_of_degenerate_points():
    skew = cj.SkewSymmetric(3, key=jr.key(5))
    model = cj.VoltageCTRNN(cj.Unconstrained.from_matrix(skew.as_matrix()), leak=1e-300)
    found = find_fixed_points(model, CANDIDATES)
    assert set(found.kinds) == {"degenerate"}
    assert len(found) > 150
    kernel = cj.casimirs(cj.VoltageCTRNN(skew))[0]
    across = np.linalg.norm(np.cross(np.tanh(found.points), kernel), axis=1)
    assert np.max(across) < 1e-13


def test_the_origin_of_an_even_skew_matrix_is_a_centre_of_its_frequencies():
    weight = cj.SkewSymmetric(4, key=jr.key(5))
    found = find_fixed_points(cj.VoltageCTRNN(weight), jr.normal(jr.key(1), (4, 4)))
    assert found.kinds == ("centre",)
    expected = np.sort(np.linalg.eigvals(weight.as_matrix()).imag)
    np.testing.assert_allclose(np.sort(found.eigenvalues[0].imag), expected, atol=1e-12)


def test_a_candidate_that_is_nan_gets_a_reason_and_harms_no_other():
    mixed = CANDIDATES.at[7].set(jnp.nan).at[9, 1].set(jnp.inf)
    found = find_fixed_points(units(2.0), mixed)
    bad = np.isin(np.arange(300), [7, 9])
    np.testing.assert_array_equal(found.result == OUTCOMES.escaped, bad)
    np.testing.assert_array_equal(np.asarray(found.labels) < 0, bad)
    assert np.all(np.isnan(found.ends[7]))
    assert len(found) == 27


def test_where_there_is_no_root_no_point_is_reported():
    found = find_fixed_points(lambda t, y, args: 1 + y**2, CANDIDATES[:5])
    assert len(found) == 0
    assert found.points.shape == (0, 3)
    assert np.all(found.result == OUTCOMES.not_converged)


def test_the_ghost_of_a_fold_is_a_slow_point_and_no_fixed_point():
    def ghost(t, y, args):
        return jnp.stack([0.01 + y[0] ** 2, -y[1]])

    candidates = jr.normal(jr.key(2), (20, 2))
    slow = find_slow_points(ghost, candidates, max_speed=0.1)
    assert len(find_fixed_points(ghost, candidates)) == 0
    assert len(slow) == 1
    np.testing.assert_allclose(slow.points[0], [0.0, 0.0], atol=1e-3)
    np.testing.assert_allclose(slow.speeds[0], 0.01, rtol=1e-3)
    assert np.sum(is_okay(slow.result)) == slow.counts[0]
    assert len(find_slow_points(ghost, candidates, max_speed=1e-3)) == 0


def test_points_far_from_the_candidates_are_left_out_on_request():
    # Roots at 0 and 100.
    def far(t, y, args):
        return y * (y - 100.0)

    candidates = jnp.array([[-0.2], [0.1], [0.3], [52.0]])
    assert len(find_fixed_points(far, candidates)) == 2
    kept = find_fixed_points(far, candidates, outlier_scale=2.0)
    np.testing.assert_allclose(kept.points, [[0.0]], atol=1e-12)
    assert kept.labels.tolist() == [0, 0, 0, -1]


@pytest.mark.parametrize("solver", [optx.Newton, optx.Dogleg])
def test_other_solvers_of_optimistix_find_the_same_points(solver):
    near = jnp.asarray([[2.0, -2.0, 1.8], [2.0, 0.1, 1.8]])
    found = find_fixed_points(units(2.0), near, solver=solver(1e-8, 1e-8))
    x = root(2.0)
    np.testing.assert_allclose(found.points, [[x, -x, x], [x, 0, x]], atol=1e-13)
    assert found.kinds == ("stable", "saddle")


def test_the_core_maps_and_differs_not_from_the_batch():
    run = jax.jit(lambda y: refine_fixed_point(units(2.0), y))
    found = find_fixed_points(units(2.0), CANDIDATES)
    for index in (3, 100, 299):
        one = run(CANDIDATES[index])
        np.testing.assert_allclose(one.point, found.ends[index], atol=1e-13)
        assert is_okay(one.result)


def test_single_precision_finds_all_points_to_its_rounding():
    model = units(2.0, dtype=jnp.float32)
    found = find_fixed_points(model, CANDIDATES.astype(jnp.float32))
    assert found.points.dtype == jnp.float32
    assert len(found) == 27
    assert sorted(set(found.kinds)) == ["saddle", "stable", "unstable"]
    distance = np.abs(np.abs(found.points) - root(2.0))
    assert np.max(np.minimum(distance, np.abs(found.points))) < 5e-6


class Counted(cj.VoltageCTRNN):
    """Counts its traces."""

    def __call__(self, t, y, inputs=None):
        TRACES.append(1)
        return super().__call__(t, y, inputs)


TRACES = []


def test_another_model_of_the_same_shape_is_not_compiled_again():
    counts = []
    for gain in (1.5, 2.0, 2.5):
        weight = cj.Unconstrained.from_matrix(gain * jnp.eye(2))
        find_fixed_points(Counted(weight, leak=1.0), CANDIDATES[:4, :2])
        counts.append(len(TRACES))
    assert counts[0] > 0
    assert counts[0] == counts[2]


def test_candidates_are_drawn_from_finite_states_with_noise():
    ys = np.full((5, 7, 2), np.nan)
    ys[2] = [1.0, -1.0]
    exact = sample_candidates(ys, 40, key=jr.key(0))
    np.testing.assert_array_equal(exact, np.tile([1.0, -1.0], (40, 1)))
    noisy = sample_candidates(ys, 4000, noise=0.1, key=jr.key(0))
    np.testing.assert_allclose(np.std(noisy, axis=0), 0.1, rtol=0.05)
    with pytest.raises(ValueError, match="no finite state"):
        sample_candidates(ys[:1], 4, key=jr.key(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": np.zeros(3)}, r"y\[None\]"),
        ({"candidates": np.zeros((2, 4))}, "neurons"),
        ({"max_steps": 0}, "positive int"),
        ({"max_speed": -1.0}, "max_speed must be positive"),
        ({"separation": 0.0}, "separation must be positive"),
        ({"outlier_scale": np.inf}, "outlier_scale must be positive"),
    ],
)
def test_bad_input_is_refused_with_the_mend(change, message):
    arguments = {"field": units(2.0), "candidates": np.zeros((2, 3))} | change
    with pytest.raises(ValueError, match=message):
        find_fixed_points(**arguments)
