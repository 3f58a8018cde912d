import diffrax
import numpy as np
import pytest

from ctrnn_jax import RK4
from ctrnn_jax.plot import plot_spectrum
from ctrnn_jax.plot._stability import (
    METHODS,
    POLYNOMIALS,
    amplification,
    region_boundary,
)


def polynomial_of(tableau):
    """R(z) = 1 + z bᵀ(1 + zA + z²A² + …)1 of an explicit method."""
    size = tableau.num_stages
    matrix = np.zeros((size, size))
    for row, entries in enumerate(tableau.a_lower, start=1):
        matrix[row, :row] = entries
    powers = [np.linalg.matrix_power(matrix, k) @ np.ones(size) for k in range(size)]
    return np.array([1.0, *(tableau.b_sol @ power for power in powers)])


@pytest.mark.parametrize(
    ("method", "solver"),
    [("heun", diffrax.Heun), ("rk4", RK4), ("tsit5", diffrax.Tsit5)],
)
def test_stability_functions_are_those_of_the_solvers(method, solver):
    expected = polynomial_of(solver.tableau)
    own = np.zeros_like(expected)
    own[: len(POLYNOMIALS[method])] = POLYNOMIALS[method]
    np.testing.assert_allclose(own, expected, atol=1e-13)


@pytest.mark.parametrize("method", list(POLYNOMIALS))
def test_boundaries_are_closed_and_neither_grow_nor_decay(method):
    curve = region_boundary(method)
    np.testing.assert_allclose(amplification(method, curve), 1.0, atol=1e-12)
    assert abs(curve[0] - curve[-1]) < 1e-9
    assert np.abs(np.diff(curve)).max() < 0.2
    # Symmetric about the real axis, and the whole of it: both crossings are there.
    assert curve.imag.max() == pytest.approx(-curve.imag.min(), abs=1e-3)
    inside = 0.5 * curve.real.min()
    assert amplification(method, inside) < 1


def test_limits_on_the_axes_are_the_known_ones():
    real = {method: -region_boundary(method).real.min() for method in POLYNOMIALS}
    assert real["euler"] == pytest.approx(2.0, abs=1e-3)
    assert real["heun"] == pytest.approx(2.0, abs=1e-3)
    assert real["rk4"] == pytest.approx(2.7853, abs=1e-3)
    on_axis = 1j * np.array([2.8, np.sqrt(8), 2.9])
    below, at, above = amplification("rk4", on_axis)
    assert below < 1 < above
    assert at == pytest.approx(1.0)
    assert (amplification("euler", on_axis) > 1).all()


def test_leapfrog_is_stable_on_its_segment_and_midpoint_on_the_whole_axis():
    axis = 1j * np.linspace(-5, 5, 101)
    np.testing.assert_allclose(amplification("implicit midpoint", axis), 1.0)
    growth = amplification("leapfrog", axis)
    stable = np.abs(axis) <= 2
    np.testing.assert_allclose(growth[stable], 1.0, atol=1e-12)
    assert (growth[~stable] > 1.0).all()
    assert (amplification("leapfrog", axis[stable] - 0.1) > 1.0).all()


def test_points_are_eigenvalues_times_step():
    eigenvalues = np.array([1j, -1j, 0.0, -0.5 + 2j])
    ax = plot_spectrum(eigenvalues, step=0.5)
    points = ax.lines[-1].get_xydata()
    np.testing.assert_allclose(points[:, 0] + 1j * points[:, 1], 0.5 * eigenvalues)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [
        "forward Euler",
        "Heun",
        "RK4",
        "leapfrog",
        "implicit midpoint",
        "eigenvalues",
    ]
    assert ax.get_xlabel() == r"Re $h\lambda$, with $h = 0.5\,\tau$"
    np.testing.assert_array_equal(ax.lines[3].get_xydata(), [[0, -2], [0, 2]])
    boundary = ax.lines[2].get_xydata() @ [1, 1j]
    np.testing.assert_allclose(amplification("rk4", boundary), 1.0, atol=1e-12)


def test_everything_lies_within_the_axes_however_far_the_spectrum_reaches():
    ax = plot_spectrum(np.array([40j, -40j, -100.0, 9.0]), step=1.0, methods=METHODS)
    left, right = ax.get_xlim()
    low, high = ax.get_ylim()
    for line in (*ax.lines[:4], ax.lines[-1]):
        x, y = line.get_xydata().T
        assert left < x.min()
        assert x.max() < right
        assert low < y.min()
        assert y.max() < high
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    ("eigenvalues", "options", "message"),
    [
        (np.zeros((2, 2)), {}, r"shape \(n,\)"),
        (np.array([]), {}, r"shape \(n,\)"),
        (np.array([np.nan]), {}, "finite"),
        (np.array([1j]), {"step": 0.0}, "step must be positive"),
        (np.array([1j]), {"methods": ["rk5"]}, "Unknown methods"),
    ],
)
def test_spectra_that_cannot_be_drawn_are_refused(eigenvalues, options, message):
    with pytest.raises(ValueError, match=message):
        plot_spectrum(eigenvalues, **{"step": 1.0, **options})
