"""Where each method is stable on x' = λx, by its stability function R(z), z = hλ.

E. Hairer and G. Wanner, *Solving Ordinary Differential Equations II*, chapter IV.2.
"""

import numpy as np

from ._data import Number, Numbers

#: Coefficients of R of explicit methods, from the constant term up.
POLYNOMIALS = {
    "euler": (1.0, 1.0),
    "heun": (1.0, 1.0, 1 / 2),
    "rk4": (1.0, 1.0, 1 / 2, 1 / 6, 1 / 24),
    # Six stages of order five: only the last coefficient is the method's own.
    "tsit5": (1.0, 1.0, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 0.001432211324807348),
}

METHODS = (*POLYNOMIALS, "leapfrog", "implicit midpoint")

_POINTS_A_TURN = 240


def amplification(method: str, z: Number | Numbers) -> np.ndarray:
    """Return |R(z)|: the factor by which one step changes the amplitude.

    Leapfrog takes two steps of the amplitude to one another, ξ² − (2 + z²)ξ + 1 = 0;
    the larger root counts.
    """
    z = np.asarray(z, complex)
    if method == "leapfrog":
        half = 1 + z**2 / 2
        root = np.sqrt(half**2 - 1)
        return np.asarray(np.maximum(np.abs(half + root), np.abs(half - root)))
    if method == "implicit midpoint":
        return np.asarray(np.abs((1 + z / 2) / (1 - z / 2)))
    return np.asarray(np.abs(np.polynomial.Polynomial(POLYNOMIALS[method])(z)))


def region_boundary(method: str) -> np.ndarray:
    """Return the closed curve |R(z)| = 1 of an explicit method, complex `(k,)`.

    Follows the root z(θ) of R(z) = exp(iθ) from z = 0 until it is back: θ then has
    gone round once for each zero of R inside.
    """
    function = np.polynomial.Polynomial(POLYNOMIALS[method])
    slope = function.deriv()
    points = [0j]
    for turn in range(function.degree()):
        for k in range(1, _POINTS_A_TURN + 1):
            target = np.exp(2j * np.pi * k / _POINTS_A_TURN)
            z = points[-1]
            z += 2j * np.pi / _POINTS_A_TURN * function(z) / slope(z)
            for _ in range(4):
                z -= (function(z) - target) / slope(z)
            points.append(z)
        if turn and abs(points[-1]) < 1e-9:
            break
    return np.array(points, complex)
