from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from ctrnn_jax import SkewSymmetric, VoltageCTRNN, drift, simulate
from ctrnn_jax.plot import plot_drift, plot_work_precision

EPSILON = np.finfo(float).eps


def drift_like(energy, initial=2.0, dtype=float):
    energy = np.asarray(energy, dtype)
    ts = 5 + np.arange(energy.shape[-1], dtype=dtype)
    initial = np.full(energy.shape[:-1], initial, dtype)
    return SimpleNamespace(ts=ts, energy=energy, initial_energy=initial)


def test_the_error_is_drawn_against_time_since_the_start_on_logarithms():
    ax = plot_drift(drift_like([0.0, 1e-3, -4e-3, 2e-3]))
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [1, 2, 3])
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [5e-4, 2e-3, 1e-3])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlabel() == r"time since start (units of $\tau$)"
    assert ax.get_ylabel() == "relative energy error"
    assert ax.get_legend() is None


def test_the_absolute_error_and_its_envelope_are_said_to_be_so():
    ax = plot_drift(
        drift_like([0.0, 1e-3, -4e-3, 2e-3, np.nan]), relative=False, envelope=True
    )
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1e-3, 4e-3, 4e-3, np.nan])
    assert ax.get_ylabel() == "largest so far of\nenergy error (dimensionless)"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exact_zeros_are_seen_at_the_rounding_of_their_dtype(dtype):
    ax = plot_drift(drift_like([0.0, 0.0, 1e-3], dtype=dtype))
    floor = np.finfo(dtype).eps
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [floor, 5e-4], rtol=1e-6)
    assert set(ax.lines[1].get_ydata()) == {floor}
    ax.figure.canvas.draw()


def test_a_mapping_gives_one_labelled_curve_each_and_so_do_two_calls():
    ax = plot_drift({"a": drift_like([0, 1.0]), "b": drift_like([0, 2.0])})
    plot_drift({"c": drift_like([0, 3.0])}, ax=ax)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["a", "b", "c"]
    lines = [line for line in ax.lines if line.get_label() in names]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 3


def test_of_an_ensemble_the_worst_lane_is_drawn_and_failures_are_counted():
    energy = [[0, 1.0, 2.0], [0, -3.0, 1.0], [0, np.nan, np.nan]]
    ax = plot_drift({"Heun": drift_like(energy)})
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1.5, 1.0])
    assert ax.lines[0].get_label() == "Heun (1 of 3 lanes failed)"


def test_a_measured_drift_can_be_drawn():
    weight = SkewSymmetric.from_matrix(jnp.array([[0.0, 1.0], [-1.0, 0.0]]))
    model = VoltageCTRNN(weight)
    solution = simulate(model, jnp.array([2.0, 0.0]), jnp.linspace(0, 5, 20), dt0=0.1)
    measured = drift(model, solution)
    ax = plot_drift(measured)
    expected = np.abs(measured.energy / measured.initial_energy)[1:]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.maximum(expected, EPSILON))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "empty"),
        (drift_like([0.0]), "at least two samples"),
        (drift_like([0.0, np.nan]), "no finite sample"),
        (drift_like([[0.0, np.nan]]), "no finite sample"),
        ({"rest": drift_like([0, 1], initial=0.0)}, "'rest' starts at energy 0"),
        (SimpleNamespace(ts=np.arange(3.0), energy=np.zeros(2)), r"energy \(time,\)"),
        (SimpleNamespace(ts=np.arange(3.0), energy=np.zeros((2, 3))), "a lane"),
        (np.zeros(3), r"energy \(time,\)"),
    ],
)
def test_drifts_that_cannot_be_drawn_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        plot_drift(data)


def methods():
    work = np.array([400.0, 100.0, 200.0])
    return {
        "Euler": (work, 30 / work),
        "RK4": (4 * work, [1e-9, np.inf, 1e-8]),
    }


def test_runs_are_drawn_by_work_and_failed_ones_counted():
    ax = plot_work_precision(methods(), work_label="time (s)")
    euler, rk4 = ax.lines[:2]
    np.testing.assert_allclose(euler.get_xdata(), [100, 200, 400])
    np.testing.assert_allclose(euler.get_ydata(), [0.3, 0.15, 0.075])
    np.testing.assert_allclose(rk4.get_xdata(), [800, 1600])
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["Euler", "RK4 (1 failed)"]
    assert euler.get_marker() != rk4.get_marker()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlabel() == "time (s)"


def test_reference_lines_have_the_slopes_they_say_and_stay_within_the_data():
    ax = plot_work_precision(methods(), orders=(1, 2.5))
    slopes = []
    for line in ax.lines[2:]:
        (x0, x1), (y0, y1) = line.get_data()
        slopes.append(np.log(y1 / y0) / np.log(x1 / x0))
        assert 100 <= x0 < x1 <= 1600
        assert 1e-9 * (1 - 1e-9) <= y1 < y0 <= 0.3
    np.testing.assert_allclose(slopes, [-1, -2.5])
    assert [text.get_text() for text in ax.texts] == ["order 1", "order 2.5"]
    assert len(plot_work_precision(methods(), orders=()).lines) == 2


@pytest.mark.parametrize(
    ("runs", "orders", "message"),
    [
        ({}, (1,), "empty"),
        ({"a": ([1, 2], [1.0])}, (1,), "as many works as errors"),
        ({"a": ([1, 2], [np.nan, np.inf])}, (1,), "no run"),
        ({"a": ([1, 2], [0.0, 1.0])}, (1,), "not positive"),
        ({"a": ([0, 2], [1.0, 1.0])}, (1,), "not positive"),
        ({"a": ([1, 2], [1.0, 1.0])}, (0,), "orders must be positive"),
    ],
)
def test_runs_that_cannot_be_drawn_are_refused(runs, orders, message):
    with pytest.raises(ValueError, match=message):
        plot_work_precision(runs, orders=orders)
