"""What the analysis returns, as far as figures look at it."""

from types import SimpleNamespace

import numpy as np

TIMES = np.arange(1.0, 5001.0)
EXPONENTS = np.array([0.9, 0.0, -14.5])
SPECTRUM = SimpleNamespace(
    times=TIMES,
    exponents=EXPONENTS,
    history=EXPONENTS + np.array([1.0, 1.0, -2.0]) / TIMES[:, None],
    standard_error=np.array([0.01, 0.002, 0.1]),
)
NORMS = SimpleNamespace(
    delays=np.arange(1.0, 11.0),
    log_smallest=np.tile(-2.0 * np.arange(1.0, 11.0), (3, 1)),
    log_rms=np.tile(-0.1 * np.arange(1.0, 11.0), (3, 1)) + [[-0.2], [0.0], [0.2]],
    log_largest=np.tile(0.1 * np.arange(1.0, 11.0), (3, 1)),
)
CAPACITY = SimpleNamespace(
    delays=np.arange(5),
    capacities=np.array([1.0, 0.5, 0.25, 0.0, -0.001]),
    standard_error=np.full(5, 0.01),
    threshold=np.array(0.005),
    total=np.array(1.749),
    total_standard_error=np.array(0.03),
)
POINTS = SimpleNamespace(
    points=np.array([[0.0, 0.0, 1.0], [1.0, 2.0, 1.0], [-1.0, -2.0, 1.0]]),
    kinds=("saddle", "stable", "stable"),
)
LINES = SimpleNamespace(
    angular_frequency=np.array([1.0, 2.5, 0.0]),
    amplitude=np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]),
)
