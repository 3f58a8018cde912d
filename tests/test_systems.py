"""The oracles are right: checked against SciPy's own integrator."""

import numpy as np
import pytest
import systems
from scipy.integrate import solve_ivp

TS = np.linspace(0.0, 7.0, 15)


def _integrate(field, y0):
    return solve_ivp(
        field, (0.0, TS[-1]), y0, "DOP853", t_eval=TS, rtol=1e-12, atol=1e-13
    ).y.T


@pytest.mark.parametrize("energy", [1e-6, 0.3, 5.0])
@pytest.mark.parametrize("omega", [1.0, 2.5])
def test_the_elliptic_orbit_solves_two_neurons(energy, omega):
    w = systems.rotation(omega)
    start = systems.elliptic_start(energy)
    assert np.log(np.cosh(start)).sum() == pytest.approx(energy, rel=1e-8)
    x = _integrate(lambda t, x: w @ np.tanh(x), start)
    np.testing.assert_allclose(
        systems.elliptic_orbit(TS, energy, omega), x, rtol=0, atol=1e-10
    )
    period = systems.elliptic_period(energy, omega)
    np.testing.assert_allclose(
        systems.elliptic_orbit([0.0, period], energy, omega)[1], start, atol=1e-12
    )


def test_the_elliptic_rate_orbit_solves_the_rate_form():
    w = systems.rotation(1.5)
    exact = systems.elliptic_rate_orbit(TS, 0.8, 1.5)
    r = _integrate(lambda t, r: np.tanh(w @ r), exact[0])
    np.testing.assert_allclose(exact, r, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("energy", "limit"),
    [(1e-9, 2 * np.pi), (16.0, 4 * (16.0 + np.log(4)))],
    ids=["small", "large"],
)
def test_the_period_has_its_limits(energy, limit):
    assert systems.elliptic_period(energy) == pytest.approx(limit, rel=1e-8)


def test_the_linear_orbit_solves_the_rotation():
    w = systems.rotation(0.7)
    x = _integrate(lambda t, x: w @ x, [1.0, -2.0])
    exact = systems.linear_orbit(TS, [1.0, -2.0], 0.7)
    np.testing.assert_allclose(exact, x, rtol=0, atol=1e-10)


def test_the_stuart_landau_orbit_solves_its_equation():
    x = _integrate(lambda t, x: systems.stuart_landau(t, x, (0.4, 1.3)), [0.1, 0.0])
    exact = systems.stuart_landau_orbit(TS, 0.1, 0.4, 1.3)
    np.testing.assert_allclose(exact, x, rtol=0, atol=1e-9)


def test_lorenz_rests_at_its_fixed_points_and_contracts_as_its_exponents_say():
    c = np.sqrt(8 / 3 * 27)
    rest = systems.lorenz(0.0, np.array([c, c, 27.0]))
    np.testing.assert_allclose(rest, 0, atol=1e-12)
    assert sum(systems.LORENZ_EXPONENTS) == pytest.approx(-41 / 3, abs=1e-3)
