"""Which runs a sweep makes: from a run's id to its settings, without listing them."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Dimension:
    """One dimension of the result, and the axes that move along it together.

    - `name`: its name; that of its axis if it has one axis only.
    - `size`: number of places along it.
    - `axes`: values `(size,)` by name; none for repeats.
    """

    name: str
    size: int
    axes: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Design:
    """All runs of a sweep: the product of its dimensions, the last one fastest.

    - `dimensions`: in order.
    - `fixed`: settings that all runs share.
    """

    dimensions: tuple[Dimension, ...]
    fixed: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        return tuple(dimension.size for dimension in self.dimensions)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(dimension.name for dimension in self.dimensions)

    @property
    def num_runs(self) -> int:
        """Number of runs."""
        return math.prod(self.shape)

    @cached_property
    def axes(self) -> dict[str, np.ndarray]:
        """Values of every axis by its name."""
        found: dict[str, np.ndarray] = {}
        for dimension in self.dimensions:
            found |= dimension.axes
        return found

    def places(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """Return the places of runs along each dimension, by its name."""
        if not self.shape:
            return {}
        return dict(zip(self.dims, np.unravel_index(ids, self.shape), strict=True))

    def settings(
        self, ids: np.ndarray, names: tuple[str, ...] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the settings of runs, `(runs,)` each, fixed ones included.

        **Arguments:**

        - `ids`: run ids, `(runs,)`.
        - `names`: which settings; all by default.
        """
        places = self.places(ids)
        found = {
            name: values[places[dimension.name]]
            for dimension in self.dimensions
            for name, values in dimension.axes.items()
            if names is None or name in names
        }
        for name, value in self.fixed.items():
            if names is None or name in names:
                found[name] = np.full(np.shape(ids), value)
        return found

    @cached_property
    def digest(self) -> str:
        """A hash of every value of every axis, of their order, and of what is fixed."""
        hashed = hashlib.sha256()
        for dimension in self.dimensions:
            head = [dimension.name, dimension.size, list(dimension.axes)]
            hashed.update(json.dumps(head).encode())
            for values in dimension.axes.values():
                if values.dtype.kind == "U":
                    hashed.update(json.dumps(values.tolist()).encode())
                else:
                    little = values.astype(values.dtype.newbyteorder("<"))
                    hashed.update(little.dtype.str.encode() + little.tobytes())
        hashed.update(json.dumps(self.fixed, sort_keys=True).encode())
        return hashed.hexdigest()
