"""Which runs are computed and stored together: buckets, and chunks of these."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ._design import Design
from ._experiment import AbstractExperiment

#: Runs whose costs are asked for at once.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Bucket:
    """Runs that one compiled program can do: they share the static parameters.

    - `static`: these parameters.
    - `first`: the place of its first run in the order of a sweep.
    - `num_runs`: how many there are.
    """

    static: Mapping[str, Any]
    first: int
    num_runs: int


@dataclass(frozen=True)
class Order:
    """The order in which runs are laid out, bucket by bucket.

    - `buckets`: in order.
    - `ids`: the run at each place, or `None` where places are run ids.
    """

    buckets: tuple[Bucket, ...]
    ids: np.ndarray | None

    def runs(self, first: int, count: int) -> np.ndarray:
        """Return the ids of the runs at some places."""
        if self.ids is None:
            return np.arange(first, first + count)
        return self.ids[first : first + count]

    @cached_property
    def digest(self) -> str:
        """A hash of the order."""
        if self.ids is None:
            return "by run id"
        return hashlib.sha256(self.ids.astype("<i8").tobytes()).hexdigest()


def lay_out(design: Design, experiment: AbstractExperiment) -> Order:
    """Sort runs into buckets, and by cost in each where the experiment tells it."""
    names = [
        item.name
        for item in experiment.parameters
        if item.static or isinstance(item.default, str)
    ]
    swept = [name for name in names if name in design.axes]
    shared = {name: design.fixed[name] for name in names if name not in swept}
    code, combinations = _static_codes(design, swept)
    cost = _costs(design, experiment)
    if cost is None and code is None:
        bucket = Bucket(shared | combinations[0], 0, design.num_runs)
        return Order((bucket,), None)
    keys = [item for item in (cost, code) if item is not None]
    ids = np.lexsort(keys)
    counts = [design.num_runs] if code is None else np.bincount(code).tolist()
    firsts = np.concatenate([[0], np.cumsum(counts)]).tolist()
    buckets = tuple(
        Bucket(shared | combination, firsts[i], counts[i])
        for i, combination in enumerate(combinations)
    )
    return Order(buckets, ids)


def _static_codes(
    design: Design, swept: list[str]
) -> tuple[np.ndarray | None, list[dict[str, Any]]]:
    """Return which combination of static values each run has, and the combinations."""
    code = np.zeros(design.shape, np.int64)
    combinations: list[dict[str, Any]] = [{}]
    for place, dimension in enumerate(design.dimensions):
        axes = [name for name in dimension.axes if name in swept]
        if not axes:
            continue
        rows = list(zip(*(dimension.axes[name].tolist() for name in axes), strict=True))
        unique = list(dict.fromkeys(rows))
        index = {row: i for i, row in enumerate(unique)}
        own = np.array([index[row] for row in rows])
        shape = [1] * len(design.shape)
        shape[place] = -1
        code = code * len(unique) + own.reshape(shape)
        combinations = [
            before | dict(zip(axes, row, strict=True))
            for before in combinations
            for row in unique
        ]
    if len(combinations) == 1:
        return None, combinations
    return code.ravel(), combinations


def _costs(design: Design, experiment: AbstractExperiment) -> np.ndarray | None:
    if type(experiment).cost is AbstractExperiment.cost:
        return None
    parts = []
    for first in range(0, design.num_runs, _BLOCK):
        ids = np.arange(first, min(first + _BLOCK, design.num_runs))
        part = experiment.cost(design.settings(ids))
        if part is None:
            return None
        parts.append(np.broadcast_to(np.asarray(part, np.float64), ids.shape))
    return np.concatenate(parts)


@dataclass(frozen=True)
class Chunks:
    """Runs cut into chunks, each of one bucket.

    - `size`: places for runs in each chunk of the store.
    - `firsts`: the place in the order of each chunk's first run.
    - `counts`: number of runs in each.
    - `owners`: the bucket of each.
    """

    size: int
    firsts: np.ndarray
    counts: np.ndarray
    owners: np.ndarray

    def __len__(self) -> int:
        return len(self.firsts)


def cut(order: Order, size: int) -> Chunks:
    """Cut every bucket into chunks of `size`, the last one shorter."""
    firsts, counts, owners = [], [], []
    for index, bucket in enumerate(order.buckets):
        starts = np.arange(0, bucket.num_runs, size)
        firsts.append(bucket.first + starts)
        counts.append(np.minimum(bucket.num_runs - starts, size))
        owners.append(np.full(len(starts), index))
    return Chunks(
        size, np.concatenate(firsts), np.concatenate(counts), np.concatenate(owners)
    )


def choose_chunk_size(num_runs: int, bytes_per_run: int) -> int:
    """Return how many runs to store together.

    Some thirty chunks where that makes them neither tiny nor huge: a chunk is what an
    interruption costs, and each takes a file a variable.
    """
    size = 1 << max(-(-num_runs // 32) - 1, 1).bit_length()
    most = max((64 << 20) // max(bytes_per_run, 1), 16)
    return max(min(max(size, 256), 1 << 17, 1 << (most.bit_length() - 1), num_runs), 2)
