from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from ctrnn_jax import SkewSymmetric, VoltageCTRNN, simulate_ensemble
from ctrnn_jax.plot import plot_ensemble_fan, plot_time_series


def test_few_neurons_lie_over_each_other(circle):
    ax = plot_time_series(circle)
    assert len(ax.lines) == 2
    for neuron, line in enumerate(ax.lines):
        np.testing.assert_array_equal(line.get_xdata(), circle.ts)
        np.testing.assert_array_equal(line.get_ydata(), circle.ys[:, neuron])
    assert ax.get_xlabel() == r"time (units of $\tau$)"
    assert ax.get_ylabel() == "states (dimensionless)"
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["$x_{0}$", "$x_{1}$"]
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(looks) == 2


def test_one_neuron_is_named_on_its_axis(waves):
    ax = plot_time_series(waves, neurons=[3], label="mine")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), waves.ys[:, 3])
    assert ax.get_ylabel() == "state $x_{3}$ (dimensionless)"
    assert ax.get_legend().get_texts()[0].get_text() == "mine"
    assert plot_time_series(waves, neurons=[3]).get_legend() is None


def test_the_legend_lies_outside_the_data(circle):
    ax = plot_time_series(circle)
    ax.figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    assert legend.y0 >= ax.get_window_extent().y1
    assert legend.y1 <= ax.figure.bbox.y1


def test_many_neurons_are_stacked_in_order_and_do_not_touch(waves):
    ax = plot_time_series(waves)
    assert len(ax.lines) == 8
    bases = ax.get_yticks()
    for neuron, line in enumerate(ax.lines):
        np.testing.assert_allclose(
            line.get_ydata() - bases[neuron], waves.ys[:, neuron], atol=1e-12
        )
    drawn = np.array([line.get_ydata() for line in ax.lines])
    assert (np.diff(drawn, axis=0) < 0).all()
    assert [t.get_text() for t in ax.get_yticklabels()][3] == "$x_{3}$"


def test_the_scale_bar_is_as_long_as_it_says(waves):
    ax = plot_time_series(waves, offset=7.0)
    (bar,) = ax.collections[0].get_segments()
    assert bar[1, 1] - bar[0, 1] == pytest.approx(5.0)
    assert ax.texts[0].get_text() == "5"
    np.testing.assert_allclose(np.diff(ax.get_yticks()), -7.0)


def test_every_fourth_of_64_neurons_is_named():
    ys = np.random.default_rng(0).normal(size=(50, 64))
    ax = plot_time_series(SimpleNamespace(ts=np.arange(50.0), ys=ys))
    assert len(ax.lines) == 64
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == [f"$x_{{{i}}}$" for i in range(0, 64, 4)]


def test_neurons_at_rest_and_gaps_can_be_stacked(waves):
    ys = np.zeros((201, 5))
    ys[7, 2] = np.inf
    ax = plot_time_series(SimpleNamespace(ts=waves.ts, ys=ys))
    np.testing.assert_allclose(np.diff(ax.get_yticks()), -1.0)
    assert np.isnan(ax.lines[2].get_ydata()[7])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"ts": None}, {}, "with times"),
        ({"ts": np.arange(3.0)}, {}, r"shape \(301,\)"),
        ({"ys": None}, {}, "holds no states"),
        ({"ys": np.full((301, 2), np.nan)}, {}, "No sample is finite"),
        ({}, {"neurons": [2]}, "does not exist"),
        ({}, {"neurons": []}, "empty"),
        ({}, {"offset": -1.0}, "offset"),
    ],
)
def test_series_that_cannot_be_drawn_are_refused(circle, change, options, message):
    solution = SimpleNamespace(**{**vars(circle), **change})
    with pytest.raises(ValueError, match=message):
        plot_time_series(solution, **options)


@pytest.fixture
def ensemble():
    """Eleven constant lanes, 0 to 10, the last of which failed."""
    lanes = np.arange(11.0)
    ys = np.tile(lanes[:, None, None], (1, 4, 2))
    ys[10, 2:] = np.nan
    return SimpleNamespace(ts=np.arange(4.0), ys=ys)


def test_the_fan_shows_median_and_quantiles_of_the_lanes_that_did_not_fail(ensemble):
    ax = plot_ensemble_fan(ensemble, neuron=1, quantiles=(0.25, 0.05))
    (median,) = ax.lines
    np.testing.assert_array_equal(median.get_ydata(), np.full(4, 4.5))
    assert median.get_label() == "median of 10 lanes (1 failed, left out)"
    bands = [c.get_paths()[0].vertices[:, 1] for c in ax.collections if c.get_paths()]
    bands = [(band.min(), band.max()) for band in bands if len(band)]
    np.testing.assert_allclose(bands, [(0.45, 8.55), (2.25, 6.75)])
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names[1:] == ["5–95 %", "25–75 %"]
    assert ax.get_ylabel() == "state $x_{1}$ (dimensionless)"
    ax.figure.canvas.draw()


def test_the_fan_takes_what_simulate_ensemble_returns():
    weight = SkewSymmetric.from_matrix(jnp.array([[0.0, 1.0], [-1.0, 0.0]]))
    y0 = jnp.array([[1.0, 0.0], [2.0, 0.0], [jnp.nan, 0.0]])
    solution = simulate_ensemble(
        VoltageCTRNN(weight), y0, jnp.linspace(0, 1, 5), dt0=0.05
    )
    ax = plot_ensemble_fan(solution)
    assert ax.lines[0].get_label() == "median of 2 lanes (1 failed, left out)"
    np.testing.assert_allclose(
        ax.lines[0].get_ydata(), np.asarray(solution.ys[:2, :, 0]).mean(axis=0)
    )


@pytest.mark.parametrize(
    ("ys", "options", "message"),
    [
        (np.zeros((4, 2)), {}, r"shape \(batch, time, n\)"),
        (np.full((3, 4, 2), np.nan), {}, "All 3 lanes failed"),
        (np.zeros((3, 4, 2)), {"neuron": 2}, "does not exist"),
        (np.zeros((3, 4, 2)), {"quantiles": (0.5,)}, "between 0 and 0.5"),
        (np.zeros((3, 5, 2)), {}, "ts must have shape"),
    ],
)
def test_fans_that_cannot_be_drawn_are_refused(ys, options, message):
    with pytest.raises(ValueError, match=message):
        plot_ensemble_fan(SimpleNamespace(ts=np.arange(4.0), ys=ys), **options)
