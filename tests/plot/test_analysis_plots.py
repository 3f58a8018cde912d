"""Figures of the analysis: what is drawn is what was measured."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from analysis_results import (
    CAPACITY,
    DIAGRAM,
    FAMILY,
    FIXED,
    INDICATORS,
    LEARNING,
    LINES,
    MAP,
    NORMS,
    PARAMETERS,
    POINTS,
    SHARES,
    SPECTRUM,
    TIMES,
)

from ctrnn_jax import plot


def names_in(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_running_estimates_end_in_bars_of_one_standard_error():
    ax = plot.plot_lyapunov_convergence(SPECTRUM)
    curves = [line for line in ax.lines if line.get_label().startswith("$")]
    assert [float(line.get_ydata()[-1]) for line in curves] == pytest.approx(
        list(SPECTRUM.history[-1])
    )
    bars = [bar.lines[2][0].get_segments()[0][:, 1] for bar in ax.containers]
    np.testing.assert_allclose(bars[0], [0.89, 0.91])
    np.testing.assert_allclose(bars[2], [-14.6, -14.4])
    assert names_in(ax)[:2] == [
        r"$\lambda_{1} = 0.90 \pm 0.01$",
        r"$\lambda_{2} = 0.000 \pm 0.002$",
    ]
    assert ax.get_xscale() == "log"
    # The first estimates, far off, do not set the scale.
    assert ax.get_ylim()[0] > -16.5


def test_many_exponents_are_drawn_without_a_name_each():
    exponents = np.linspace(1, -1, 20)
    history = np.tile(exponents, (50, 1))
    many = SimpleNamespace(
        times=np.arange(1.0, 51.0), exponents=exponents, history=history,
        standard_error=np.zeros(20),
    )  # fmt: skip
    assert plot.plot_lyapunov_convergence(many).get_legend() is None


def test_indicators_are_drawn_against_time_beside_what_regular_motion_has():
    ax = plot.plot_chaos_indicators(INDICATORS)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), INDICATORS.megno_history)
    assert set(ax.lines[1].get_ydata()) == {2.0}
    ax = plot.plot_chaos_indicators(INDICATORS, "gali")
    (line,) = ax.lines
    assert line.get_ydata()[-1] == pytest.approx(-25 / np.log(10))
    assert ax.get_ylabel() == r"$\log_{10}$ GALI"


def test_pairing_mirrors_the_exponents_at_their_mean():
    exponents = np.array([0.3, 0.0, -0.2, -0.5])
    data = SimpleNamespace(exponents=exponents, standard_error=np.full(4, 0.01))
    ax = plot.plot_lyapunov_spectrum(data, pairing=True)
    mirrored = next(line for line in ax.lines if line.get_label() == "mirrored")
    np.testing.assert_allclose(mirrored.get_ydata(), exponents)
    assert plot.plot_lyapunov_spectrum(SPECTRUM).get_legend() is None


def test_the_norm_is_the_mean_over_starts_inside_the_range_of_all():
    ax = plot.plot_gradient_norms(NORMS, label="one")
    np.testing.assert_allclose(
        ax.lines[0].get_ydata(), np.exp(-0.1 * np.arange(1.0, 11.0))
    )
    corners = ax.collections[0].get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx(np.e)
    assert corners[:, 1].min() == pytest.approx(np.exp(-20))
    assert ax.get_yscale() == "log"
    # The axis fits the curve; the band may leave it.
    assert ax.get_ylim()[0] > 1e-3
    plot.plot_gradient_norms(NORMS, label="two", ax=ax)
    assert names_in(ax) == ["one", "two"]


def test_the_learning_curve_averages_batches_and_breaks_at_zero():
    ax = plot.plot_learning_curve(LEARNING, trivial_loss=0.7, label="one")
    batches, validation, trivial = ax.lines
    assert len(batches.get_xdata()) == 200
    np.testing.assert_allclose(batches.get_ydata()[0], LEARNING.losses[:3].mean())
    assert np.isnan(validation.get_ydata()[-1])
    assert set(trivial.get_ydata()) == {0.7}
    assert names_in(ax) == ["one"]
    plot.plot_learning_curve(LEARNING, label="two", ax=ax)
    assert names_in(ax) == ["one", "two"]
    assert ax.lines[3].get_color() != batches.get_color()
    assert names_in(plot.plot_learning_curve(LEARNING)) == ["training", "validation"]
    assert ax.get_yscale() == "log"


def test_scores_against_delay_are_the_median_and_range_of_seeds():
    scores = [[0.2, 1.0, np.nan], [0.4, 0.9, np.nan], [0.9, np.nan, np.nan]]
    ax = plot.plot_score_against_delay([300, 30, 5], scores, label="one", trivial=0.1)
    curve = ax.lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), [30, 300])
    np.testing.assert_allclose(curve.get_ydata(), [0.95, 0.4])
    (bars,) = ax.collections
    ends = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [[0.9, 1.0], [0.2, 0.9]])
    plot.plot_score_against_delay([100], [[0.5]], label="two", ax=ax)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["30", "100", "300"]
    assert names_in(ax) == ["one", "two"]
    assert ax.lines[-1].get_color() != curve.get_color()


def test_the_capacity_curve_names_its_area_and_the_level_of_chance():
    ax = plot.plot_memory_capacity(CAPACITY, label="leaky")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), CAPACITY.capacities)
    assert names_in(ax) == [r"leaky: $1.75 \pm 0.03$"]
    assert set(ax.lines[1].get_ydata()) == {0.005}
    corners = ax.collections[0].get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx(1.01)


def test_fixed_points_differ_in_mark_and_colour_by_kind():
    ax = plot.plot_fixed_points(POINTS, neurons=(0, 1))
    saddle, stable = sorted(ax.lines, key=lambda line: len(line.get_xdata()))
    np.testing.assert_array_equal(stable.get_xydata(), [[1, 2], [-1, -2]])
    assert saddle.get_marker() != stable.get_marker()
    assert saddle.get_color() != stable.get_color()
    assert sorted(names_in(ax)) == ["saddle (1)", "stable (2)"]


def test_points_that_rounding_sets_apart_do_not_fill_the_axes():
    data = SimpleNamespace(points=np.array([[1e-60, 2e-60]]), kinds=("stable",))
    ax = plot.plot_fixed_points(data)
    assert np.ptp(ax.get_xlim()) >= 1
    assert np.ptp(ax.get_ylim()) >= 1


def test_multipliers_are_told_apart_by_the_circle_and_counted_where_they_meet():
    values = [1.0, 1.0 + 1e-5, 0.3 + 0.4j, 0.3 - 0.4j, -1.6]
    ax = plot.plot_multipliers(values)
    sizes = {line.get_label(): len(line.get_xdata()) for line in ax.lines}
    assert sizes["on the circle"] == 2
    assert sizes["inside: fades"] == 2
    assert sizes["outside: grows"] == 1
    assert [text.get_text() for text in ax.texts] == [r"$\times$2"]
    assert ax.get_xlim()[0] < -1.6
    again = plot.plot_multipliers(SimpleNamespace(multipliers=values), tolerance=1e-7)
    sizes = {line.get_label(): len(line.get_xdata()) for line in again.lines}
    assert sizes["on the circle"] == 1


def test_a_section_is_drawn_as_points_and_gaps_are_left_out():
    ys = np.stack([np.cos(TIMES[:90]), np.sin(TIMES[:90]), 0 * TIMES[:90]], axis=1)
    ys[50:] = np.nan
    ax = plot.plot_section(SimpleNamespace(ys=ys), neurons=(0, 2))
    assert ax.lines[0].get_linestyle() == "None"
    np.testing.assert_allclose(ax.lines[0].get_xdata()[:50], ys[:50, 0])
    plot.plot_section(ys, ax=ax)
    assert ax.lines[0].get_color() != ax.lines[1].get_color()


def test_a_section_of_one_point_does_not_show_its_rounding():
    ys = np.array([1.5, 0.0]) + 1e-15 * np.random.default_rng(0).normal(size=(50, 2))
    ax = plot.plot_section(ys)
    assert np.ptp(ax.get_xlim()) > 0.1
    assert np.ptp(ax.get_ylim()) > 0.1


def test_lines_have_their_size_over_all_channels_and_empty_ones_are_none():
    ax = plot.plot_frequencies(LINES)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1.0, 5.0], [2.5, 0.5]])
    assert ax.get_ylim()[0] < 0.5


def test_a_branch_is_dashed_where_it_is_unstable_and_marked_where_it_changes():
    ax = plot.plot_branch(FIXED, "points", neuron=1, label="rest")
    stable, unstable, mark = ax.lines
    assert (stable.get_linestyle(), unstable.get_linestyle()) == ("-", "--")
    assert stable.get_xdata().max() == unstable.get_xdata().min()
    assert stable.get_xdata().max() == pytest.approx(1.1)
    assert mark.get_xydata().tolist() == [[1.02, 1.02]]
    assert names_in(ax) == ["rest", "Hopf"]
    # The same mark on another branch is not named twice, and the colour is another.
    plot.plot_branch(FIXED, "points", ax=ax)
    assert names_in(ax) == ["rest", "Hopf"]
    assert len({line.get_color() for line in ax.lines if line.get_gid()}) == 2


def test_a_conservative_family_is_neither_stable_nor_dashed():
    ax = plot.plot_branch(FAMILY, "periods", parameter_label="energy", label="T(E)")
    (line,) = ax.lines
    assert line.get_linestyle() == "-"
    np.testing.assert_allclose(line.get_ydata(), 6 + PARAMETERS)
    assert ax.get_xlabel() == "energy"
    # The amplitude is that of the neuron that moves most, unless one is named.
    ax = plot.plot_branch(FAMILY)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 2 * PARAMETERS)


def test_a_map_of_kinds_has_gain_across_and_leak_up():
    ax = plot.plot_bifurcation_diagram(DIAGRAM)
    (mesh,) = ax.collections
    codes = mesh.get_array().reshape(2, 3)
    np.testing.assert_array_equal(codes, [[0, 1, 1], [0, 0, 1]])
    assert names_in(ax) == ["fixed point", "periodic"]


def test_shares_fill_their_cells_from_order_to_disorder():
    ax = plot.plot_phase_diagram([4, 8], [0.1, 1.0], SHARES)
    assert names_in(ax) == ["quasi-periodic", "chaotic"]
    heights = np.array([bar.get_height() for bar in ax.patches]).reshape(2, 2, 2)
    np.testing.assert_allclose(heights[0] / 0.88, [[1.0, 0.75], [0.0, 0.25]])
    np.testing.assert_allclose(heights[1] / 0.88, [[0.0, 0.0], [0.0, 1.0]])
    bottoms = np.array([bar.get_y() for bar in ax.patches]).reshape(2, 2, 2)
    assert bottoms[0, 1, 1] == pytest.approx(-0.44 + 0.88 * 0.75)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["4", "8"]


def test_frequencies_are_coloured_by_their_relative_drift():
    ax = plot.plot_frequency_map(MAP, [0.1, 0.2, 0.3])
    (points,) = ax.collections
    np.testing.assert_allclose(points.get_offsets(), [[0.1, 1.0], [0.2, 1.1]])
    np.testing.assert_allclose(
        points.get_array(), np.log10([1e-12, 1e-2 / 1.1]), rtol=1e-6
    )
    ax = plot.plot_frequency_map(MAP, np.ones((3, 2)), line=1)
    assert len(ax.collections[0].get_offsets()) == 1


def without(data, **changes):
    return SimpleNamespace(**{**vars(data), **changes})


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot.plot_chaos_indicators(INDICATORS, "sali"), "which must be"),
        (
            lambda: plot.plot_chaos_indicators(
                without(INDICATORS, megno_history=np.ones((3, 50)))
            ),
            "an ensemble keeps no history",
        ),
        (
            lambda: plot.plot_chaos_indicators(
                without(INDICATORS, megno_history=np.full(50, np.nan))
            ),
            "indicators.result",
        ),
        (lambda: plot.plot_branch(FAMILY, "points"), "`points` is needed"),
        (lambda: plot.plot_branch(FAMILY, "energy"), "quantity must be one of"),
        (lambda: plot.plot_branch(FAMILY, neuron=2), "Neuron 2 does not exist"),
        (
            lambda: plot.plot_branch(without(FAMILY, periods=np.ones(3)), "periods"),
            "must have shape",
        ),
        (
            lambda: plot.plot_branch(
                without(FAMILY, periods=np.ones(0), parameters=np.ones(0)), "periods"
            ),
            "branch.result",
        ),
        (
            lambda: plot.plot_bifurcation_diagram(without(DIAGRAM, leaks=np.ones(3))),
            "must have shape",
        ),
        (
            lambda: plot.plot_bifurcation_diagram(
                without(DIAGRAM, kinds=np.full((3, 2), "odd"))
            ),
            "Unknown kinds",
        ),
        (
            lambda: plot.plot_phase_diagram([4], [0.1, 1.0], SHARES),
            "shares must have shape",
        ),
        (
            lambda: plot.plot_phase_diagram([4], [0.1], {"chaotic": [[0.5]]}),
            "sum to 1",
        ),
        (lambda: plot.plot_frequency_map(MAP, [1.0]), "starts"),
        (lambda: plot.plot_frequency_map(MAP, [1.0] * 3, line=2), "line must be"),
        (
            lambda: plot.plot_frequency_map(
                without(MAP, angular_frequency=np.zeros((3, 2))), [1.0] * 3
            ),
            "No orbit has this line",
        ),
        (lambda: plot.plot_lyapunov_convergence(np.zeros(3)), "`exponents` is needed"),
        (
            lambda: plot.plot_lyapunov_convergence(without(SPECTRUM, times=TIMES[1:])),
            "history must have shape",
        ),
        (
            lambda: plot.plot_lyapunov_spectrum(
                without(SPECTRUM, exponents=np.full(3, np.nan))
            ),
            "spectrum.result",
        ),
        (
            lambda: plot.plot_lyapunov_spectrum(
                without(SPECTRUM, exponents=np.zeros((2, 3)))
            ),
            "one by one",
        ),
        (
            lambda: plot.plot_gradient_norms(without(NORMS, delays=np.arange(3.0))),
            "must have shape",
        ),
        (
            lambda: plot.plot_gradient_norms(
                without(NORMS, log_rms=np.full((3, 10), np.nan))
            ),
            "norms.result",
        ),
        (
            lambda: plot.plot_gradient_norms(
                without(NORMS, log_largest=np.full((3, 10), 800.0))
            ),
            "floating range",
        ),
        (
            lambda: plot.plot_learning_curve(
                without(LEARNING, validation_steps=np.arange(4))
            ),
            "at least one step",
        ),
        (lambda: plot.plot_score_against_delay([1, 2], [[1.0]]), "shape"),
        (lambda: plot.plot_score_against_delay([0], [[1.0]]), "must be positive"),
        (
            lambda: plot.plot_memory_capacity(without(CAPACITY, delays=np.arange(4))),
            "one shape",
        ),
        (
            lambda: plot.plot_memory_capacity(
                without(CAPACITY, capacities=np.full(5, np.nan))
            ),
            "capacity.result",
        ),
        (lambda: plot.plot_fixed_points(without(POINTS, kinds=("saddle",))), "shape"),
        (
            lambda: plot.plot_fixed_points(
                SimpleNamespace(points=np.zeros((0, 3)), kinds=())
            ),
            "more candidates",
        ),
        (
            lambda: plot.plot_fixed_points(without(POINTS, kinds=("sink",) * 3)),
            "Unknown kinds",
        ),
        (lambda: plot.plot_fixed_points(POINTS, neurons=(0, 3)), "does not exist"),
        (lambda: plot.plot_multipliers([[1.0]]), r"shape \(n,\)"),
        (lambda: plot.plot_multipliers([np.nan]), "finite"),
        (lambda: plot.plot_section(np.full((3, 2), np.nan)), "No sample is finite"),
        (
            lambda: plot.plot_frequencies(without(LINES, amplitude=np.zeros(3))),
            "no line",
        ),
        (
            lambda: plot.plot_frequencies(without(LINES, amplitude=np.zeros(2))),
            "must have shape",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
    assert not plt.get_fignums()
