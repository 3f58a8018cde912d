"""Figures of memory."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ctrnn_jax.plot.memory import plot_memory, plot_memory_error

TS = np.linspace(0.0, 10.0, 51)
WAVE = np.sin(TS)


def test_signal_and_output_are_drawn_as_given_into_the_axes_given():
    _, ax = plt.subplots()
    assert plot_memory(TS, WAVE, 0.9 * WAVE, ax=ax) is ax
    signal, output = ax.lines
    np.testing.assert_array_equal(signal.get_ydata(), WAVE)
    np.testing.assert_array_equal(output.get_ydata(), 0.9 * WAVE)
    assert not ax.patches
    assert not ax.texts


def test_output_that_leaves_the_frame_is_clipped_and_its_size_written():
    ax = plot_memory(TS, WAVE, 100 * WAVE, limits=(-2.0, 2.0))
    assert np.max(np.abs(ax.lines[1].get_ydata())) == 2
    assert "1e+02" in ax.texts[0].get_text()
    assert plot_memory(TS, WAVE, np.full(51, np.nan), limits=(-2.0, 2.0)).texts


def test_what_lies_beyond_the_horizon_is_shaded():
    ax = plot_memory(TS, WAVE, WAVE, horizon=4.0)
    (shade,) = ax.patches
    assert shade.get_x() == pytest.approx(4)
    assert shade.get_x() + shade.get_width() == pytest.approx(10)
    assert not plot_memory(TS, WAVE, WAVE, horizon=10.0).patches


def test_errors_show_the_median_of_runs_on_a_logarithmic_axis():
    errors = np.array([[1e-4, 1e-3], [1e-2, 1e-1], [1e-3, 1e-2]])
    ax = plot_memory_error([0.5, 1.5], errors, label="one", levels=[(1.0, "silence")])
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1e-3, 1e-2])
    assert [text.get_text() for text in ax.texts] == ["silence"]
    plot_memory_error([0.5, 1.5], errors, label="two", ax=ax)
    curves = [line for line in ax.lines if not line.get_label().startswith("_ref")]
    assert curves[0].get_color() != curves[1].get_color()
    assert curves[0].get_linestyle() != curves[1].get_linestyle()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_memory(TS, WAVE[1:], WAVE),
        lambda: plot_memory(TS, WAVE, WAVE[None]),
        lambda: plot_memory_error([0.5], np.ones((2, 2)), label="x"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(draw):
    with pytest.raises(ValueError, match="shape"):
        draw()
