"""A splitting solver written out as flows that can each be undone."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._types import Array, DTypeLike
from ..fields import RateCTRNN
from ._motion import AbstractFlow, Kick, Motion, Relaxation
from ._rate_sweep import RateSweep
from ._splitting import CoordinateSplitting, Leapfrog
from ._storage import Gauge
from ._voltage_sweep import VoltageSweep


class Scheme(eqx.Module):
    """The substeps of a symmetric composition, counted through from the start.

    With independent sets the last kick of a substep and the first of the next are of
    the same set, which has not moved between: where its argument does not depend on
    time, they share one product. They are rounded apart, so that a run does not
    depend on where it is cut.
    """

    fractions: tuple[float, ...] = eqx.field(static=True)
    block_size: int = eqx.field(static=True)

    @classmethod
    def of(cls, solver: CoordinateSplitting | Leapfrog) -> "Scheme":
        """Return the flows of a solver."""
        if isinstance(solver, Leapfrog):
            return cls((1.0,), 1)
        return cls(solver.fractions, solver.block_size)

    def fitted(self, size: int) -> "Scheme":
        """Return the scheme with blocks no larger than `size` neurons need."""
        blocks = -(-size // self.block_size)
        return Scheme(self.fractions, -(-size // blocks))

    def count(self, index: Array, motion: Motion) -> Array:
        """Return how many steps lie before substep `index`."""
        dtype = motion.step.dtype
        substeps = len(self.fractions)
        if substeps == 1:
            return index.astype(dtype)
        starts = np.concatenate([[0.0], np.cumsum(self.fractions)[:-1]]).tolist()
        part = self._pick(starts, index % substeps, dtype)
        return (index // substeps).astype(dtype) + part

    def opening(self, motion: Motion, index: Array) -> list[AbstractFlow]:
        """Return what begins a run of substeps at `index`; its drive is the bias."""
        if not self._merges(motion):
            return []
        half = 0.5 * self._length(index, motion)
        return [self._kick(0, half, None, motion.gauge(self.count(index, motion)))]

    def middle(self, motion: Motion, index: Array) -> Array:
        """Return how many steps lie before the middle of substep `index`."""
        return self.count(index, motion) + 0.5 * self._length(index, motion)

    def flows(
        self, motion: Motion, index: Array, last: Array, drive: Array | None
    ) -> list[AbstractFlow]:
        """Return the flows of substep `index`, the `last` of its run or not."""
        length = self._length(index, motion)
        half = 0.5 * length
        start, end = (motion.gauge(self.count(i, motion)) for i in (index, index + 1))
        rest = Relaxation.is_rest(motion, drive)
        sets = motion.field.weight.independent_sets
        if sets is None:
            return [
                self._sweep(motion, half, start, False),
                *([] if rest else [self._relaxation(length, start, end)]),
                self._sweep(motion, half, end, True),
            ]
        middle = motion.gauge(self.middle(motion, index))
        inner = range(1, len(sets) - 1)
        before = [] if rest else [self._relaxation(half, start, middle)]
        after = [] if rest else [self._relaxation(half, middle, end)]
        flows = [
            *(self._kick(i, half, None, start) for i in inner),
            *before,
            self._kick(len(sets) - 1, length, None, middle),
            *after,
            *(self._kick(i, half, None, end) for i in reversed(inner)),
        ]
        if not self._merges(motion):
            return [
                self._kick(0, half, None, start),
                *flows,
                self._kick(0, half, None, end),
            ]
        following = ~last
        if len(self.fractions) > 1:
            other = 0.5 * self._length(index + 1, motion)
            following = jnp.where(last, jnp.zeros_like(other), other)
        return [*flows, self._kick(0, half, following, end)]

    def _length(self, index: Array, motion: Motion) -> Array:
        dtype, substeps = motion.step.dtype, len(self.fractions)
        if substeps == 1:
            return jnp.asarray(self.fractions[0], dtype)
        return self._pick(self.fractions, index % substeps, dtype)

    def _merges(self, motion: Motion) -> bool:
        moving = isinstance(motion.field, RateCTRNN) and motion.inputs is not None
        return motion.field.weight.independent_sets is not None and not moving

    # What flows are made of, which is another thing where arrays cannot be sliced.

    def _pick(self, values: Sequence[float], index: Array, dtype: DTypeLike) -> Array:
        return jnp.asarray(values, dtype)[index]

    def _kick(
        self, index: int, length: Array, following: Array | None, gauge: Gauge | None
    ) -> AbstractFlow:
        return Kick(index, length, following, gauge)

    def _relaxation(
        self, length: Array, before: Gauge | None, after: Gauge | None
    ) -> AbstractFlow:
        return Relaxation(length, before, after)

    def _sweep(
        self, motion: Motion, length: Array, gauge: Gauge | None, backward: bool
    ) -> AbstractFlow:
        sweep = RateSweep if isinstance(motion.field, RateCTRNN) else VoltageSweep
        return sweep(length, gauge, self.block_size, backward)
