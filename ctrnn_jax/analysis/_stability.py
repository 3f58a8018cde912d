"""What the eigenvalues of a Jacobian say about a fixed point."""

import numpy as np

#: What a fixed point can be; see `FixedPoints`.
KINDS = ("stable", "unstable", "saddle", "centre", "marginal", "degenerate")


def sorted_eigenvalues(jacobian: np.ndarray) -> np.ndarray:
    """Return the complex eigenvalues `(..., n)`, by real part, greatest first."""
    values = np.linalg.eigvals(jacobian).astype(np.result_type(jacobian, 1j))
    order = np.lexsort((-np.imag(values), -np.real(values)), axis=-1)
    return np.take_along_axis(values, order, axis=-1)


def kind_of(jacobian: np.ndarray, eigenvalues: np.ndarray) -> str:
    """Name one fixed point by its Jacobian `(n, n)` and eigenvalues `(n,)`.

    What is within √eps of the size of the Jacobian counts as zero: rounding moves a
    double eigenvalue by that much.
    """
    singular = np.linalg.svd(jacobian, compute_uv=False)
    zero = np.sqrt(np.finfo(jacobian.dtype).eps) * singular[0]
    if singular[-1] <= zero:
        return "degenerate"
    growing = np.count_nonzero(np.real(eigenvalues) > zero)
    decaying = np.count_nonzero(np.real(eigenvalues) < -zero)
    size = eigenvalues.size
    if growing and decaying:
        return "saddle"
    if growing == size:
        return "unstable"
    if decaying == size:
        return "stable"
    return "marginal" if growing or decaying else "centre"
