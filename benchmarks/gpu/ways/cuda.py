"""Kernels written by hand in CUDA, compiled when they are prepared."""

import dataclasses
import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...problem import STEP
from ..clock import seconds_of
from ..cupy_device import load_cupy
from ..problem import Ensemble
from ._way import DeviceWay, Solver

_SOURCE = Path(__file__).parent.parent / "kernels.cu"
#: Steps of the runs that choose between variants.
_TRIAL = 50


@dataclasses.dataclass(frozen=True)
class Variant:
    """A kernel of `kernels.cu`, with what is defined when it is compiled.

    - `block`: threads a block; `lanes`: lanes that a block solves.
    - `shared`: bytes of shared memory asked for at launch.
    """

    kernel: str
    defines: tuple[str, ...]
    block: int
    lanes: int
    shared: int = 0

    @property
    def name(self) -> str:
        """What a table calls it."""
        chosen = (define for define in self.defines if not define.startswith("REAL"))
        return f"{self.kernel} {' '.join(chosen)}, blocks of {self.block}"


def by_lane(
    size: int, bits: int, *, block: int, vec: int = 1, constant: bool, fast: bool
) -> Variant:
    """Return the kernel in which a thread has whole lanes."""
    defines = (
        *_common(size, bits, fast),
        f"CONSTANT={int(constant)}",
        f"VEC={vec}",
    )
    return Variant("by_lane", defines, block, block * vec)


def by_tile(
    size: int, bits: int, *, lanes: int, rows: int, columns: int, fast: bool
) -> Variant:
    """Return the kernel in which a block shares its lanes' product."""
    defines = (
        *_common(size, bits, fast),
        f"BT={lanes}",
        f"TM={rows}",
        f"TN={columns}",
    )
    threads = size // rows * (lanes // columns)
    shared = (size * size + size * lanes) * bits // 8
    return Variant("by_tile", defines, threads, lanes, shared)


def _common(size: int, bits: int, fast: bool) -> tuple[str, ...]:
    real = "float" if bits == 32 else "double"
    return f"N={size}", f"REAL={real}", f"FAST={int(fast)}"


def plain_variant(size: int, bits: int) -> Variant:
    """Return the kernel as one would write it first, with the libm's tanh."""
    if size <= 8:
        return by_lane(size, bits, block=128, constant=False, fast=False)
    if size <= 32 and bits == 32:
        return by_lane(size, bits, block=128, constant=True, fast=False)
    return _tiles(size, bits, fast=False)[0]


def tuned_variants(size: int, bits: int) -> list[Variant]:
    """Return the kernels of which the fastest counts.

    In float32 with the tanh without branches.
    """
    fast = bits == 32
    lane = partial(by_lane, size, bits, constant=True, fast=fast)
    if size <= 8:
        shapes = itertools.product((64, 128, 256), (1, 2))
        return [lane(block=block, vec=vec) for block, vec in shapes]
    found = _tiles(size, bits, fast=fast)
    if size <= 32 and bits == 32:
        found += [lane(block=64), lane(block=128)]
    return found


def _tiles(size: int, bits: int, *, fast: bool) -> list[Variant]:
    tile = partial(by_tile, size, bits, fast=fast)
    if size <= 32 and bits == 32:
        shapes = [(256, 8, 4), (128, 8, 4)]
    elif size <= 32:
        shapes = [(64, 4, 4), (64, 4, 2)]
    elif bits == 32:
        shapes = [(64, 8, 4), (32, 8, 2)]
    else:
        shapes = [(32, 4, 2), (16, 4, 2)]
    return [tile(lanes=lanes, rows=rows, columns=cols) for lanes, rows, cols in shapes]


def source() -> str:
    """Return the kernels' source."""
    return _SOURCE.read_text(encoding="utf-8")


class _Launch:
    """A variant, compiled and with its arrays on the device."""

    def __init__(
        self, cupy: Any, variant: Variant, weight: Any, y0: Any, out: Any
    ) -> None:
        options = ("--std=c++17", *(f"-D{define}" for define in variant.defines))
        module = cupy.RawModule(code=source(), options=options)
        self._cupy, self.variant = cupy, variant
        self._kernel = module.get_function(variant.kernel)
        if "CONSTANT=1" in variant.defines:
            pointer = module.get_global("weight_constant")
            constant = cupy.ndarray(weight.shape, weight.dtype, pointer)
            constant[...] = weight
        if variant.shared > 48 * 1024:
            self._kernel.max_dynamic_shared_size_bytes = variant.shared
        self._module, self._arrays = module, (weight, y0, out)

    def __call__(self, steps: int) -> Any:
        weight, y0, out = self._arrays
        lanes = y0.shape[1]
        blocks = -(-lanes // self.variant.lanes)
        arguments = (
            weight,
            y0,
            out,
            np.int64(lanes),
            np.int32(steps),
            y0.dtype.type(STEP),
        )
        self._kernel(
            (blocks,), (self.variant.block,), arguments, shared_mem=self.variant.shared
        )
        self._cupy.cuda.get_current_stream().synchronize()
        return out


def _fastest(
    variants: list[Variant], build: Callable[[Variant], Callable[[int], Any]]
) -> tuple[Callable[[int], Any], dict[str, Any]]:
    """Return the fastest variant, ready, and the seconds of each or what stopped it."""
    ready: list[tuple[float, Variant, Callable[[int], Any]]] = []
    trials: dict[str, Any] = {}
    for variant in variants:
        try:
            launch = build(variant)
            launch(_TRIAL)
            seconds = min(
                seconds_of(lambda launch=launch: launch(_TRIAL))[1] for _ in range(3)
            )
        except Exception as error:  # the other variants may still do
            trials[variant.name] = f"{type(error).__name__}: {error}"[:200]
            continue
        trials[variant.name] = seconds
        ready.append((seconds, variant, launch))
    if not ready:
        raise RuntimeError(f"no variant runs: {trials}")
    _, variant, launch = min(ready, key=lambda one: one[0])
    return launch, {"variant": variant.name, "trials": trials}


def _prepare(problem: Ensemble, *, tuned: bool) -> Solver:
    cupy = load_cupy()
    weight = cupy.asarray(problem.weight)
    y0 = cupy.asarray(problem.y0_lanes_last)
    out = cupy.empty_like(y0)
    if tuned:
        variants = tuned_variants(problem.size, problem.bits)
    else:
        variants = [plain_variant(problem.size, problem.bits)]
    if len(variants) == 1:
        best = _Launch(cupy, variants[0], weight, y0, out)
        details: dict[str, Any] = {"variant": variants[0].name}
    else:
        best, details = _fastest(
            variants, lambda variant: _Launch(cupy, variant, weight, y0, out)
        )

    def states(result: Any, lanes: np.ndarray) -> np.ndarray:
        return cupy.asnumpy(result[:, cupy.asarray(lanes)]).astype(np.float64).T

    return Solver(best, states, details)


WAYS = (
    DeviceWay(
        "cuda",
        "CUDA by hand, `tanhf`",
        "floor",
        partial(_prepare, tuned=False),
    ),
    DeviceWay(
        "cuda-tuned",
        "CUDA by hand, fastest of several",
        "floor",
        partial(_prepare, tuned=True),
    ),
)
