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
INDICATORS = SimpleNamespace(
    times=np.arange(1.0, 51.0),
    megno_history=2.0 - 1.0 / np.arange(1.0, 51.0),
    log_gali_history=-0.5 * np.arange(1.0, 51.0),
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
LEARNING = SimpleNamespace(
    losses=np.geomspace(2.0, 0.01, 500),
    validation_steps=np.array([100, 300, 500]),
    validation_scores={"loss": np.array([1.0, 0.1, 0.0])},
)
POINTS = SimpleNamespace(
    points=np.array([[0.0, 0.0, 1.0], [1.0, 2.0, 1.0], [-1.0, -2.0, 1.0]]),
    kinds=("saddle", "stable", "stable"),
)
LINES = SimpleNamespace(
    angular_frequency=np.array([1.0, 2.5, 0.0]),
    amplitude=np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]),
)
PARAMETERS = np.linspace(0.0, 2.0, 21)
FIXED = SimpleNamespace(
    parameters=PARAMETERS,
    points=np.stack([0 * PARAMETERS, PARAMETERS], axis=1),
    eigenvalues=np.stack([PARAMETERS - 1 + 1j, PARAMETERS - 1 - 1j], axis=1) - 0.05,
    stable=PARAMETERS < 1.05,
    bifurcations=(
        SimpleNamespace(
            kind="hopf", parameter=1.02, point=np.array([0.0, 1.02]), period=np.nan,
            index=11,
        ),
    ),
)  # fmt: skip
FAMILY = SimpleNamespace(
    parameters=PARAMETERS,
    amplitudes=np.stack([PARAMETERS, 2 * PARAMETERS], axis=1),
    periods=6 + PARAMETERS,
    multipliers=np.zeros((21, 0), complex),
    stable=np.zeros(21, bool),
    bifurcations=(),
)
DIAGRAM = SimpleNamespace(
    gains=np.array([0.0, 1.0, 2.0]),
    leaks=np.array([0.5, 1.5]),
    kinds=np.array(
        [["fixed point", "fixed point"], ["periodic", "fixed point"], ["periodic"] * 2]
    ),
)
MAP = SimpleNamespace(
    angular_frequency=np.array([[1.0, 0.5], [1.1, 0.0], [0.0, 0.0]]),
    drift=np.array([[1e-12, 1e-3], [1e-2, 0.0], [0.0, 0.0]]),
)
SHARES = {
    "chaotic": np.array([[0.0, 0.25], [np.nan, 1.0]]),
    "quasi-periodic": np.array([[1.0, 0.75], [np.nan, 0.0]]),
}
