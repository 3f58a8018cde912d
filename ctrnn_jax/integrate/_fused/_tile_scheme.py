"""A splitting solver as flows on tiles that can each be undone."""

from collections.abc import Sequence

from ..._types import Array, DTypeLike
from ...fields import VoltageCTRNN
from .._motion import AbstractFlow, Motion
from .._scheme import Scheme
from .._storage import Gauge
from ._on_tiles import call_exactly_on_tiles as exactly
from ._tile_flows import TileKick, TileRelaxation
from ._tile_steps import choose
from ._tile_sweeps import TileRateSweep, TileVoltageSweep


class TileScheme(Scheme):
    """The same flows, for tiles."""

    def flows(
        self, motion: Motion, index: Array, last: Array, drive: Array | None
    ) -> list[AbstractFlow]:
        return exactly(super().flows, motion, index, last, drive)

    def opening(self, motion: Motion, index: Array) -> list[AbstractFlow]:
        return exactly(super().opening, motion, index)

    def _pick(self, values: Sequence[float], index: Array, dtype: DTypeLike) -> Array:
        return choose(values, index, dtype)

    def _kick(
        self, index: int, length: Array, following: Array | None, gauge: Gauge | None
    ) -> AbstractFlow:
        return TileKick(index, length, following, gauge)

    def _relaxation(
        self, length: Array, before: Gauge | None, after: Gauge | None
    ) -> AbstractFlow:
        return TileRelaxation(length, before, after)

    def _sweep(
        self, motion: Motion, length: Array, gauge: Gauge | None, backward: bool
    ) -> AbstractFlow:
        is_voltage = isinstance(motion.field, VoltageCTRNN)
        sweep = TileVoltageSweep if is_voltage else TileRateSweep
        return sweep(length, gauge, backward)
