import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from ctrnn_jax import SkewSymmetric, VoltageCTRNN, energy, simulate
from ctrnn_jax.plot import (
    OKABE_ITO,
    plot_level_sets,
    plot_phase_portrait,
    plot_vector_field,
)

WINDOW = (-3.0, 3.0)


@pytest.fixture
def model():
    return VoltageCTRNN(SkewSymmetric.from_matrix(jnp.array([[0.0, 1.0], [-1.0, 0.0]])))


def contour_points(ax):
    return np.concatenate([path.vertices for path in ax.collections[0].get_paths()])


def test_the_orbit_drawn_is_the_solution(circle):
    ax = plot_phase_portrait(circle, label="one")
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xydata(), circle.ys)
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), circle.ys[:1])
    assert line.get_label() == "one"
    assert ax.get_xlabel() == "state $x_{0}$ (dimensionless)"
    assert ax.get_ylabel() == "state $x_{1}$ (dimensionless)"
    assert ax.get_aspect() == 1.0


def test_neurons_choose_the_plane(waves):
    ax = plot_phase_portrait(waves.ys, neurons=(5, 2), mark_start=False)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), waves.ys[:, [5, 2]])
    assert "x_{5}" in ax.get_xlabel()
    assert not ax.collections


def test_a_second_orbit_differs_in_colour_and_mark(circle):
    ax = plot_phase_portrait(circle)
    assert plot_phase_portrait(2 * circle.ys, ax=ax) is ax
    first, second = ax.lines
    assert first.get_color() != second.get_color()
    marks = [c.get_paths()[0].vertices.shape for c in ax.collections]
    assert marks[0] != marks[1]
    assert {first.get_color(), second.get_color()} <= set(OKABE_ITO.values())


def test_samples_that_are_not_finite_leave_a_gap(circle):
    ys = circle.ys.copy()
    ys[:2], ys[250:] = np.nan, np.inf
    ax = plot_phase_portrait(ys)
    drawn = ax.lines[0].get_xydata()
    np.testing.assert_array_equal(drawn[2:250], ys[2:250])
    assert np.isnan(drawn[250:]).all()
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), ys[2:3])


@pytest.mark.parametrize(
    ("ys", "neurons", "message"),
    [
        (np.zeros(5), (0, 1), r"shape \(time, n\)"),
        (np.zeros((0, 2)), (0, 1), "not empty"),
        (np.zeros((3, 5, 2)), (0, 1), "plot_ensemble_fan"),
        (np.full((5, 2), np.nan), (0, 1), "No sample is finite"),
        (np.zeros((5, 2)), (0, 2), "Neuron 2 does not exist"),
        (np.zeros((5, 2)), (-1, 0), "Neuron -1 does not exist"),
        (np.zeros((5, 2)), (0, 1, 1), "must be a pair"),
    ],
)
def test_states_that_cannot_be_drawn_are_refused(ys, neurons, message):
    with pytest.raises(ValueError, match=message):
        plot_phase_portrait(ys, neurons=neurons)
    assert plt.get_fignums() == []


def test_the_level_set_of_an_orbit_passes_through_it(model):
    orbit = simulate(model, jnp.array([2.0, 0.0]), jnp.linspace(0, 12, 200), dt0=0.01)
    level = energy(model, orbit.ys[0])
    ax = plot_level_sets(lambda y: energy(model, y), WINDOW, WINDOW, levels=level)
    points = contour_points(ax)
    np.testing.assert_allclose(energy(model, jnp.asarray(points)), level, atol=2e-4)
    # And the other way round: no sample is far from the level set.
    distances = np.abs(points[:, None] - np.asarray(orbit.ys)[None]).max(-1).min(0)
    assert distances.max() < 0.03


def test_level_sets_are_as_many_as_asked_and_of_the_energies_given():
    def square(y):
        return jnp.sum(y**2, axis=-1)

    counted = plot_level_sets(square, WINDOW, WINDOW, levels=5).collections[0]
    assert len(counted.levels) == 5
    # Evenly spaced in the square root, from 0 in the middle to √18 in the corners.
    np.testing.assert_allclose(np.diff(np.sqrt(counted.levels)), np.sqrt(18) / 6)
    given = plot_level_sets(square, WINDOW, WINDOW, levels=[4.0, 1.0, 4.0])
    np.testing.assert_array_equal(given.collections[0].levels, [1.0, 4.0])
    radii = np.linalg.norm(contour_points(given), axis=1)
    np.testing.assert_allclose(np.minimum(abs(radii - 1), abs(radii - 2)), 0, atol=1e-3)


def test_energies_that_are_not_finite_are_left_out():
    def half(y):
        return jnp.where(y[..., 0] > 0, y[..., 0], jnp.nan)

    ax = plot_level_sets(half, WINDOW, WINDOW, levels=[1.0, 2.0])
    assert contour_points(ax)[:, 0].min() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("energy_fn", "options", "message"),
    [
        (lambda y: y, {}, r"must map states \(\.\.\., 2\)"),
        (lambda y: 0 * y[..., 0], {}, "no level sets"),
        (lambda y: jnp.nan * y[..., 0], {}, "no level sets"),
        (lambda y: y[..., 0], {"levels": [7.0]}, "No level lies within"),
        (lambda y: y[..., 0], {"levels": 0}, "at least 1"),
        (lambda y: y[..., 0], {"resolution": 1}, "at least 2"),
    ],
)
def test_energies_without_level_sets_are_refused(energy_fn, options, message):
    with pytest.raises(ValueError, match=message):
        plot_level_sets(energy_fn, WINDOW, WINDOW, **options)


@pytest.mark.parametrize("limits", [(1.0, -1.0), (0.0, np.inf), (0.0, 1.0, 2.0)])
def test_a_window_that_is_none_is_refused(model, limits):
    with pytest.raises(ValueError, match="ylim must be"):
        plot_vector_field(model, WINDOW, limits)


def test_arrows_show_the_field(model):
    ax = plot_vector_field(model, WINDOW, WINDOW, kind="arrows", resolution=5)
    arrows = ax.collections[0]
    states = np.stack([arrows.X, arrows.Y], axis=-1)
    np.testing.assert_allclose(arrows.U, np.tanh(states[:, 1]), atol=1e-12)
    np.testing.assert_allclose(arrows.V, -np.tanh(states[:, 0]), atol=1e-12)


def test_streamlines_of_a_rotation_run_round_its_centre(model):
    ax = plot_vector_field(model, WINDOW, WINDOW)
    pieces = ax.collections[0].get_segments()
    start = np.concatenate([piece[:-1] for piece in pieces])
    end = np.concatenate([piece[1:] for piece in pieces])
    turns = start[:, 0] * end[:, 1] - start[:, 1] * end[:, 0]
    # Clockwise, but for segments next to nothing long.
    assert (turns < 1e-9).all()


def test_time_and_arguments_reach_the_field():
    def field(t, y, args):
        return jnp.stack([jnp.full_like(y[0], t), jnp.full_like(y[0], args)])

    ax = plot_vector_field(field, WINDOW, WINDOW, t=3.0, args=2.0, kind="arrows")
    assert set(ax.collections[0].U) == {3.0}
    assert set(ax.collections[0].V) == {2.0}


@pytest.mark.parametrize(
    ("field", "options", "message"),
    [
        (lambda t, y, args: y, {"kind": "wind"}, "streamlines"),
        (lambda t, y, args: y[0], {}, r"derivative \(2,\)"),
        (lambda t, y, args: 0 * y, {}, "zero in all"),
        (lambda t, y, args: 1 / (y - 3), {}, "not finite"),
    ],
)
def test_fields_that_cannot_be_drawn_are_refused(field, options, message):
    with pytest.raises(ValueError, match=message):
        plot_vector_field(field, WINDOW, WINDOW, **options)


def test_all_three_share_axes_and_no_setting_changes(model, circle):
    before = dict(mpl.rcParams)
    _, ax = plt.subplots()
    assert plot_level_sets(lambda y: energy(model, y), WINDOW, WINDOW, ax=ax) is ax
    assert plot_vector_field(model, WINDOW, WINDOW, ax=ax) is ax
    assert plot_phase_portrait(circle, neurons=(1, 0), ax=ax) is ax
    assert "x_{1}" in ax.get_xlabel()
    assert len(plt.get_fignums()) == 1
    assert dict(mpl.rcParams) == before
    ax.figure.canvas.draw()
