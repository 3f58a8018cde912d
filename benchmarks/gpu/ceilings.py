"""What the card can do at most, measured by small kernels."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..race import Spread
from .clock import how_often, repeat, seconds_of
from .cupy_device import load_cupy
from .options import Options
from .store import Store
from .tasks import Task

_SOURCE = Path(__file__).with_name("ceilings.cu")
#: Chains a thread runs, as in the source.
_CHAINS = 8
#: Threads a block, and blocks a multiprocessor.
_BLOCK, _BLOCKS = 256, 8

#: Kernel -> (what a result counts, its bits, the multiplier of its chains' x, steps).
#: The multiplier keeps x moving among values of both signs.
CHAINS: dict[str, tuple[str, int, float, int]] = {
    "fma_float32": ("multiply-adds", 32, 0.999, 1 << 14),
    "fma_float64": ("multiply-adds", 64, 0.999, 1 << 13),
    "tanh_float32": ("tanh (libm)", 32, -1.5, 1 << 10),
    "tanh_float64": ("tanh (libm)", 64, -1.5, 1 << 8),
    "quick_tanh_float32": ("tanh without branches", 32, -1.5, 1 << 12),
    "exp2_float32": ("special functions", 32, 1.0, 1 << 12),
}


def tasks(options: Options, bits: int, store: Store) -> Iterator[Task]:
    """Yield the rows."""
    for name, (unit, width, scale, steps) in CHAINS.items():
        steps = 16 if options.tiny else steps
        yield _task(
            name,
            f"{unit} a second",
            lambda name=name, width=width, scale=scale, steps=steps: _chains(
                name, width, scale, steps
            ),
        )
    size = 1 << (20 if options.tiny else 30)
    yield _task("copy", "bytes read and written a second", lambda: _copy(size, True))
    yield _task("memcpy", "bytes read and written a second", lambda: _copy(size, False))
    yield _task("launch", "kernel launches a second", _launches)
    yield _task("jax_call", "calls of a compiled JAX function a second", _jax_calls)


def _task(name: str, unit: str, measure: Callable[[], dict[str, Any]]) -> Task:
    about = {"part": "ceilings", "name": name, "unit": unit}
    return Task(f"ceilings/{name}", about, measure)


@lru_cache(maxsize=1)
def _module() -> Any:
    cupy = load_cupy()
    code = _SOURCE.read_text(encoding="utf-8")
    return cupy.RawModule(code=code, options=("--std=c++17",))


def _timed_by_events(launch: Callable[[], None]) -> dict[str, float]:
    """Return the spread of the seconds between events around a launch."""
    cupy = load_cupy()

    def once() -> float:
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        launch()
        end.record()
        end.synchronize()
        return cupy.cuda.get_elapsed_time(start, end) / 1e3

    # The clock of a card that was idle takes some runs to rise.
    one = min(once() for _ in range(3))
    return repeat(once, one)


def _chains(name: str, bits: int, scale: float, steps: int) -> dict[str, Any]:
    cupy = load_cupy()
    real = np.dtype(f"float{bits}").type
    kernel = _module().get_function(name)
    count = cupy.cuda.runtime.getDeviceProperties(0)["multiProcessorCount"]
    grid = count * _BLOCKS
    out = cupy.zeros(1, real)
    arguments = (out, real(0.3), real(scale), np.int32(steps))
    seconds = _timed_by_events(lambda: kernel((grid,), (_BLOCK,), arguments))
    total = grid * _BLOCK * _CHAINS * steps
    return {"seconds": seconds, "rate": total / seconds["median"]}


def _copy(size: int, by_kernel: bool) -> dict[str, Any]:
    cupy = load_cupy()
    source = cupy.zeros(size // 4, np.float32)
    target = cupy.empty_like(source)
    if by_kernel:
        kernel = _module().get_function("copy")
        count = cupy.cuda.runtime.getDeviceProperties(0)["multiProcessorCount"]
        arguments = (source, target, np.int64(size // 16))

        def launch() -> None:
            kernel((count * 16,), (512,), arguments)
    else:

        def launch() -> None:
            target.data.copy_from_device_async(source.data, size)

    seconds = _timed_by_events(launch)
    return {"seconds": seconds, "rate": 2 * size / seconds["median"], "bytes": size}


def _launches() -> dict[str, Any]:
    """Launch a kernel that does nothing a thousand times."""
    cupy = load_cupy()
    kernel, many = _module().get_function("nothing"), 1000

    def launch() -> float:
        for _ in range(many):
            kernel((1,), (1,), ())
        cupy.cuda.get_current_stream().synchronize()
        return 0.0

    launch()
    return _per_call(launch, many)


def _jax_calls() -> dict[str, Any]:
    """Call a compiled function of one small array, and wait for it, each time."""
    import jax
    import jax.numpy as jnp

    add, many = jax.jit(lambda x: x + 1), 100
    x = jnp.zeros(8, jnp.float32)

    def call() -> float:
        for _ in range(many):
            jax.block_until_ready(add(x))
        return 0.0

    call()
    return _per_call(call, many)


def _per_call(run: Callable[[], float], many: int) -> dict[str, Any]:
    one = seconds_of(run)[1]
    times = [seconds_of(run)[1] / many for _ in range(how_often(one))]
    seconds = dataclasses.asdict(Spread.of(times))
    return {"seconds": seconds, "rate": 1 / seconds["median"]}


def rates(store: Store) -> dict[str, float]:
    """Return name -> rate of the ceilings that were measured."""
    return {row["name"]: row["rate"] for row in store.of("ceilings", status="done")}
