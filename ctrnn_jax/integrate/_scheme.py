"""A splitting solver written out as flows that can each be undone."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._types import Array
from ..fields import RateCTRNN
from ._motion import AbstractFlow, Kick, Motion, Relaxation
from ._rate_sweep import RateSweep
from ._splitting import CoordinateSplitting, Leapfrog
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
        starts = np.concatenate([[0.0], np.cumsum(self.fractions)[:-1]])
        part = jnp.asarray(starts, dtype)[index % substeps]
        return (index // substeps).astype(dtype) + part

    def opening(self, motion: Motion, index: Array) -> list[AbstractFlow]:
        """Return what begins a run of substeps at `index`; its drive is the bias."""
        if not self._merges(motion):
            return []
        half = 0.5 * self._length(index, motion)
        return [Kick(0, half, None, motion.gauge(self.count(index, motion)))]

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
            sweep = VoltageSweep
            if isinstance(motion.field, RateCTRNN):
                sweep = RateSweep
            return [
                sweep(half, start, self.block_size, False),
                *([] if rest else [Relaxation(length, start, end)]),
                sweep(half, end, self.block_size, True),
            ]
        middle = motion.gauge(self.middle(motion, index))
        inner = range(1, len(sets) - 1)
        before = [] if rest else [Relaxation(half, start, middle)]
        after = [] if rest else [Relaxation(half, middle, end)]
        flows = [
            *(Kick(i, half, None, start) for i in inner),
            *before,
            Kick(len(sets) - 1, length, None, middle),
            *after,
            *(Kick(i, half, None, end) for i in reversed(inner)),
        ]
        if not self._merges(motion):
            return [Kick(0, half, None, start), *flows, Kick(0, half, None, end)]
        following = ~last
        if len(self.fractions) > 1:
            other = 0.5 * self._length(index + 1, motion)
            following = jnp.where(last, jnp.zeros_like(other), other)
        return [*flows, Kick(0, half, following, end)]

    def _length(self, index: Array, motion: Motion) -> Array:
        dtype = motion.step.dtype
        fractions = jnp.asarray(self.fractions, dtype)
        return (
            fractions[0] if len(fractions) == 1 else fractions[index % len(fractions)]
        )

    def _merges(self, motion: Motion) -> bool:
        moving = isinstance(motion.field, RateCTRNN) and motion.inputs is not None
        return motion.field.weight.independent_sets is not None and not moving
