"""What both kinds of continuation are told about their steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..matrices._checks import check_integer


class BranchOptions(NamedTuple):
    """Checked options: the direction, and what `follow` takes."""

    direction: int
    steps: dict[str, Any]


def check_options(
    family: Callable,
    num_points: int,
    step: float,
    min_step: float,
    max_step: float,
    bounds: tuple[float, float],
    direction: int,
) -> BranchOptions:
    """Return the options, or raise `ValueError` saying which does not fit."""
    if not callable(family):
        raise ValueError(
            "family must be a function of the parameter that returns a field, got "
            f"{type(family).__name__}."
        )
    num_points = check_integer("num_points", num_points, minimum=1, maximum=10**6)
    if not 0 < min_step <= step <= max_step < np.inf:
        raise ValueError(
            "Steps must satisfy 0 < min_step <= step <= max_step, got "
            f"{min_step}, {step}, {max_step}."
        )
    low, high = (float(bound) for bound in bounds)
    if not low < high:
        raise ValueError(f"bounds must be (low, high) with low < high, got {bounds}.")
    if direction not in (-1, 1):
        raise ValueError(f"direction must be 1 or -1, got {direction!r}.")
    return BranchOptions(
        direction,
        {
            "step": float(step),
            "min_step": float(min_step),
            "max_step": float(max_step),
            "num_points": num_points,
            "bounds": (low, high),
        },
    )
