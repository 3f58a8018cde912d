"""Systems whose motion is known: the oracles that tests of every room share.

Fields are `f(t, y, args)` on JAX arrays; exact motions take and return NumPy arrays.
"""

import jax.numpy as jnp
import numpy as np
from scipy.special import ellipj, ellipk, ellipkm1

#: Of the Lorenz system at its classical parameters (Viswanath 1998, and Sprott 2003).
#: Their sum is the divergence, -(sigma + 1 + beta).
LORENZ_EXPONENTS = (0.9056, 0.0, -14.5723)

#: Of the Rössler system at a = b = 0.2, c = 5.7 (Sprott 2003, Chaos and Time-Series
#: Analysis, appendix A).
ROESSLER_EXPONENTS = (0.0714, 0.0, -5.3943)
#: Of the chaotic sea of Hénon and Heiles at energy 1/8 (Skokos 2010, The Lyapunov
#: characteristic exponents and their computation, §5).
HENON_HEILES_EXPONENT = 0.047


def rotation(angular_frequency=1.0):
    """W of the two-neuron oscillator, shape (2, 2)."""
    return angular_frequency * np.array([[0.0, 1.0], [-1.0, 0.0]])


def linear_orbit(ts, y0, angular_frequency=1.0):
    """x(t) of x' = W x with W the rotation, shape (time, 2)."""
    phase = angular_frequency * np.asarray(ts)
    cos, sin = np.cos(phase), np.sin(phase)
    return np.stack([cos * y0[0] + sin * y0[1], cos * y0[1] - sin * y0[0]], axis=1)


def elliptic_start(energy):
    """State of that energy on the positive first axis, shape (2,)."""
    return np.array([np.arcsinh(np.sqrt(np.expm1(2 * energy))), 0.0])


def elliptic_period(energy, angular_frequency=1.0):
    """T(E) = 4 K(m)/omega of x' = W tanh x with W the rotation."""
    return 4 * ellipkm1(np.exp(-2 * energy)) / angular_frequency


def elliptic_orbit(ts, energy, angular_frequency=1.0):
    """x(t) of x' = W tanh x from `elliptic_start(energy)`, shape (time, 2).

    The second neuron is the first a quarter period later.
    """
    m = -np.expm1(-2 * energy)
    amplitude = np.sqrt(np.expm1(2 * energy))
    phase = angular_frequency * np.asarray(ts)
    _, first, _, _ = ellipj(phase, m)
    _, second, _, _ = ellipj(phase + ellipk(m), m)
    return np.arcsinh(amplitude * np.stack([first, second], axis=1))


def elliptic_rate_orbit(ts, energy, angular_frequency=1.0):
    """r(t) of r' = tanh(W r) with W r(t) the orbit above, shape (time, 2)."""
    x = elliptic_orbit(ts, energy, angular_frequency)
    return np.stack([-x[:, 1], x[:, 0]], axis=1) / angular_frequency


def stuart_landau(t, y, args):
    """r' = mu r - r^3, theta' = omega, with args = (mu, omega): a limit cycle."""
    mu, omega = args
    growth = mu - jnp.sum(y**2)
    return jnp.stack([growth * y[0] - omega * y[1], growth * y[1] + omega * y[0]])


def stuart_landau_orbit(ts, radius, mu, omega):
    """x(t) from (radius, 0), shape (time, 2); the cycle has radius sqrt(mu).

    Its Floquet multipliers are 1 and exp(-4 pi mu/omega).
    """
    ts = np.asarray(ts)
    r = np.sqrt(mu / (1 + (mu / radius**2 - 1) * np.exp(-2 * mu * ts)))
    return r[:, None] * np.stack([np.cos(omega * ts), np.sin(omega * ts)], axis=1)


def lorenz(t, y, args=None):
    """The Lorenz (1963) system at sigma = 10, rho = 28, beta = 8/3."""
    x, v, z = y
    return jnp.stack([10.0 * (v - x), x * (28.0 - z) - v, x * v - 8.0 / 3.0 * z])


def roessler(t, y, args=None):
    """The Rössler (1976) system at a = b = 0.2, c = 5.7."""
    x, v, z = y
    return jnp.stack([-v - z, x + 0.2 * v, 0.2 + z * (x - 5.7)])


def henon_heiles(t, y, args=None):
    """The Hénon–Heiles (1964) Hamiltonian system on (q1, q2, p1, p2)."""
    q1, q2, p1, p2 = y
    return jnp.stack([p1, p2, -q1 - 2 * q1 * q2, -q2 - q1**2 + q2**2])


def henon_heiles_start(energy, q2, p2):
    """State of that energy on the section q1 = 0, p1 > 0, shape (4,)."""
    return np.array([0.0, q2, np.sqrt(2 * energy - p2**2 - q2**2 + 2 * q2**3 / 3), p2])
