"""A kernel written by hand in C, compiled for this machine when it is prepared."""

import ctypes
import platform
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from ..problem import STEP, Problem
from ..suites import Candidate, NotInstalled
from ._way import Way

_SOURCE = Path(__file__).with_name("rk4.c")

FLAGS = ("-O3", "-march=native", "-ffast-math")

#: Lanes a block, measured: (n, bits): (with 256-bit, with 512-bit vectors).
_LANES = {
    (2, 32): (128, 512),
    (2, 64): (64, 512),
    (8, 32): (512, 512),
    (8, 64): (128, 256),
    (32, 32): (64, 64),
    (32, 64): (32, 32),
    (128, 32): (32, 32),
    (128, 64): (32, 32),
}

_keep: list[tempfile.TemporaryDirectory] = []


def _folder() -> Path:
    """Return a folder that lives as long as the process, whose libraries it holds."""
    if not _keep:
        _keep.append(tempfile.TemporaryDirectory(prefix="ctrnn-bench-"))
    return Path(_keep[0].name)


def _command(problem: Problem, vector_bits: int) -> list[str]:
    narrow, wide = _LANES[problem.size, problem.bits]
    definitions = {
        "N": problem.size,
        "REAL_BITS": problem.bits,
        "VBYTES": vector_bits // 8,
        "LANES": wide if vector_bits == 512 else narrow,
        "TI": 8 if vector_bits == 512 and problem.size > 8 else 4,
        "TV": 2 if vector_bits == 512 else 4,
    }
    # Said aloud, since what gcc prefers by itself depends on the machine.
    extra = (f"-mprefer-vector-width={vector_bits}",) if _is_x86() else ()
    definition = [f"-D{name}={value}" for name, value in definitions.items()]
    return ["gcc", *FLAGS, *extra, "-shared", "-fPIC", *definition]


def _prepare(problem: Problem, vector_bits: int) -> Candidate:
    if shutil.which("gcc") is None:
        raise NotInstalled("gcc")
    if vector_bits == 512 and not _has_avx512():
        raise NotInstalled("a processor with AVX-512")
    library = _folder() / f"rk4_{problem.size}_{problem.bits}_{vector_bits}.so"
    if not library.exists():
        command = [*_command(problem, vector_bits), str(_SOURCE), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    rk4 = ctypes.CDLL(str(library)).rk4
    rk4.restype = None
    pointer, integer = ctypes.c_void_p, ctypes.c_long
    rk4.argtypes = [pointer, pointer, integer, integer, ctypes.c_double]

    weight = np.ascontiguousarray(problem.weight)
    narrow, wide = _LANES[problem.size, problem.bits]
    excess = -problem.lanes % max(narrow, wide)
    y0 = np.pad(problem.y0_lanes_last, ((0, 0), (0, excess)))

    def run() -> np.ndarray:
        y = y0.copy()
        rk4(weight.ctypes.data, y.ctypes.data, y.shape[1], problem.steps, STEP)
        return y

    return Candidate(run, lambda y: y.T[: problem.lanes])


def _is_x86() -> bool:
    return platform.machine() in ("x86_64", "AMD64")


def _has_avx512() -> bool:
    try:
        return "avx512f" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


WAYS = (
    Way(
        "c",
        "C, 256-bit vectors",
        "floor",
        partial(_prepare, vector_bits=256),
        sizes=(2, 8, 32, 128),
    ),
    Way(
        "c-512",
        "C, 512-bit vectors",
        "floor",
        partial(_prepare, vector_bits=512),
        sizes=(2, 8, 32, 128),
    ),
)
