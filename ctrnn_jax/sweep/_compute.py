"""Compute one chunk: compiled calls on all devices, and what to do if one fails."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from .._machine import available_memory
from .._types import Array, Key
from ._experiment import STATUS
from ._layout import Bucket
from ._outputs import device_values, traced_names
from ._plan import Plan

DONE, NOT_FINITE, FAILED, OUT_OF_MEMORY = (
    STATUS.index(name) for name in ("done", "not finite", "failed", "out of memory")
)
#: Calls that may be spent on finding which runs of a batch raise an error.
_SEARCH = 64
#: Compiled calls that are kept: buckets come one after another, but for a few workers.
_MOST_PROGRAMS = 16
#: Share of the free memory that a call may plan to use.
_SHARE = 0.9


@dataclass
class ChunkResult:
    """The numbers of a chunk's runs, in its order.

    - `columns`: by name, each leading with the runs; `status` and `num_steps` too.
    - `reasons`: what was raised, by run id.
    """

    columns: dict[str, np.ndarray]
    reasons: dict[int, str] = field(default_factory=dict)


class OutOfMemoryError(MemoryError):
    """A call would not fit, or did not."""


class Computer:
    """Computes chunks of a plan, and keeps what it has compiled."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.names = traced_names(plan.experiment, plan.design)
        self.devices = jax.local_devices()
        self._placement = None
        if len(self.devices) > 1:
            mesh = jax.make_mesh(
                (len(self.devices),),
                ("runs",),
                devices=self.devices,
                axis_types=(AxisType.Auto,),
            )
            self._placement = NamedSharding(mesh, PartitionSpec("runs"))
            self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._programs: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._errors: dict[int, Exception] = dict(plan.outputs.errors)
        self._lanes: dict[int, int] = {}
        self.notes: list[str] = []

    def lanes(self, bucket: int) -> int:
        """Return the runs that a device computes at once for a bucket.

        They depend on the plan alone, as a compiler may round otherwise for another
        number of them; devices only decide how many such blocks are done at a time.
        """
        most = self.plan.order.buckets[bucket].num_runs
        # A batch of one lane is compiled to other operations altogether.
        return self._lanes.get(bucket, max(min(self.plan.batch_size, most), 2))

    def batch(self, bucket: int) -> int:
        """Return the runs of a call for a bucket."""
        return self.lanes(bucket) * len(self.devices)

    def chunk(self, index: int) -> ChunkResult:
        """Compute a chunk."""
        ids = self.plan.ids(index)
        bucket = int(self.plan.chunks.owners[index])
        while True:
            result = ChunkResult(self._blank(len(ids)))
            if self._fill(result, bucket, ids):
                return result
            # All of a chunk with calls of one size.
            before = self.lanes(bucket)
            self._lanes[bucket] = max(before // 2, 2)
            self.notes.append(
                f"out of memory with {before} runs a device; going on with "
                f"{self.lanes(bucket)}"
            )

    def _fill(self, result: ChunkResult, bucket: int, ids: np.ndarray) -> bool:
        """Compute runs call by call; and return whether they all did fit."""
        batch = self.batch(bucket)
        for first in range(0, len(ids), batch):
            part = ids[first : first + batch]
            try:
                found = self._attempt(bucket, batch, part, result.reasons)
            except OutOfMemoryError as error:
                if self.lanes(bucket) > 2:
                    return False
                found = self._blank(len(part))
                found["status"][:] = OUT_OF_MEMORY
                result.reasons |= dict.fromkeys(part.tolist(), _reason(error))
            for name, values in found.items():
                _put(result.columns[name], first, values[: len(part)])
        return True

    def compile(self, bucket: int, batch: int) -> Any:
        """Return the compiled call of a bucket for a size of batch."""
        place = (bucket, batch)
        if bucket in self._errors:
            raise self._errors[bucket]
        if place not in self._programs:
            ids = self.plan.order.runs(self.plan.order.buckets[bucket].first, 1)
            arguments = self._arguments(np.resize(ids, batch))
            run = _batched(self.plan, self.plan.order.buckets[bucket])
            try:
                program = jax.jit(run).lower(*arguments).compile()
            except Exception as error:
                if not _is_memory(error):
                    self._errors[bucket] = error
                raise
            _refuse_if_large(program)
            self._programs[place] = program
            if len(self._programs) > _MOST_PROGRAMS:
                self._programs.popitem(last=False)
        self._programs.move_to_end(place)
        return self._programs[place]

    def _attempt(
        self, bucket: int, batch: int, ids: np.ndarray, reasons: dict[int, str]
    ) -> dict[str, np.ndarray]:
        """Run one call; if it raises, find the runs that make it, keep the others."""
        try:
            return self._call(bucket, batch, ids)
        except Exception as error:
            if _is_memory(error):
                raise OutOfMemoryError(str(error)) from error
            failure = error
        blank = self._blank(len(ids))
        blank["status"][:] = FAILED
        if bucket in self._errors:  # No run of this bucket can be traced.
            reasons |= dict.fromkeys(ids.tolist(), _reason(failure))
            return blank
        budget = [_SEARCH]

        def search(first: int, last: int, error: Exception) -> None:
            """Fill in the runs of a part that is known to raise."""
            if last - first == 1 or budget[0] <= 0:
                reasons.update(dict.fromkeys(ids[first:last].tolist(), _reason(error)))
                return
            middle = (first + last) // 2
            for start, end in ((first, middle), (middle, last)):
                budget[0] -= 1
                try:
                    # In their own places, where a compiler rounds as it did before.
                    chosen = np.full_like(ids, ids[start])
                    chosen[start:end] = ids[start:end]
                    found = self._call(bucket, batch, chosen)
                except Exception as error:
                    if _is_memory(error):
                        raise OutOfMemoryError(str(error)) from error
                    search(start, end, error)
                else:
                    for name, values in found.items():
                        _put(blank[name], start, values[start:end])

        search(0, len(ids), failure)
        return blank

    def _call(self, bucket: int, batch: int, ids: np.ndarray) -> dict[str, np.ndarray]:
        program = self.compile(bucket, batch)
        # The last run again fills up the batch.
        padded = np.concatenate([ids, np.full(batch - len(ids), ids[-1])])
        try:
            return jax.device_get(program(*self._arguments(padded)))
        except jax.errors.JaxRuntimeError as error:
            if "\nKeyboardInterrupt" in str(error):
                # It came while a callback of the experiment ran.
                raise KeyboardInterrupt from error
            raise

    def _arguments(self, ids: np.ndarray) -> tuple[Array, dict[str, Array]]:
        settings = self.plan.design.settings(ids, self.names)
        lanes = {name: device_values(name, settings[name]) for name in self.names}
        key = self.plan.key
        if self._placement is not None:
            key = jax.device_put(key, self._everywhere)
        folded, lanes = jax.device_put((ids.astype(np.uint32), lanes), self._placement)
        return _run_keys(key, folded), lanes

    def _blank(self, count: int) -> dict[str, np.ndarray]:
        columns = {
            item.name: np.full((count, *item.shape), item.fill, item.dtype)
            for item in self.plan.outputs.variables
        }
        columns["status"] = np.full(count, STATUS.index("not run"), np.int8)
        columns["num_steps"] = np.full(count, -1, np.int32)
        return columns


@jax.jit
def _run_keys(root: Key, ids: Array) -> Array:
    """Return the keys of runs; a program of its own, compiled once for all sweeps."""
    return jax.vmap(lambda run_id: jr.fold_in(root, run_id))(ids)


def _batched(plan: Plan, bucket: Bucket) -> Any:
    """Return what a compiled call computes."""
    run = plan.experiment.build({**plan.design.fixed, **bucket.static})

    def call(keys: Array, settings: Mapping[str, Array]) -> dict[str, Array]:
        found = {
            name: jnp.asarray(value) for name, value in run(settings, keys).items()
        }
        status, num_steps = found.pop("status", None), found.pop("num_steps", None)
        if status is None:
            finite = jnp.ones(keys.shape, bool)
            for value in found.values():
                if jnp.issubdtype(value.dtype, jnp.floating):
                    finite &= jnp.isfinite(value).all(axis=tuple(range(1, value.ndim)))
            status = jnp.where(finite, DONE, NOT_FINITE)
        found["status"] = status.astype(jnp.int8)
        if num_steps is not None:
            found["num_steps"] = num_steps.astype(jnp.int32)
        return found

    return call


def _put(column: np.ndarray, first: int, values: np.ndarray) -> None:
    """Write values into a column whose further dimensions may be larger."""
    place = tuple(slice(0, size) for size in values.shape[1:])
    column[(slice(first, first + len(values)), *place)] = values


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


def _refuse_if_large(program: Any) -> None:
    """Refuse a call that would not fit, where running it would kill the process."""
    if jax.default_backend() != "cpu":
        return  # A GPU's allocator says so itself.
    analysis, have = program.memory_analysis(), available_memory()
    if analysis is None or have is None:
        return
    need = analysis.temp_size_in_bytes + analysis.output_size_in_bytes
    if need > _SHARE * have:
        raise OutOfMemoryError(
            f"RESOURCE_EXHAUSTED: a call needs {need} bytes and {have} are free"
        )


def _reason(error: Exception) -> str:
    """Return an error in one line of bounded length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any(line.startswith("Traceback") or "Traceback (" in line for line in lines):
        # Raised in a callback: the line that says what comes last.
        return lines[-1][:300]
    return f"{type(error).__name__}: {' '.join(lines)[:300]}".rstrip(": ")
