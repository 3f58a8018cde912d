"""On what, and with what, the numbers were measured."""

import datetime
import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

_PACKAGES = (
    "ctrnn_jax",
    "jax",
    "jaxlib",
    "diffrax",
    "equinox",
    "optax",
    "numpy",
    "scipy",
    "torch",
    "torchdiffeq",
    "numba",
)


def describe_machine() -> dict[str, str | int]:
    """Return processor, vector units, cores and system."""
    return {
        "processor": _processor(),
        "vectors": _vectors(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
    }


def describe_versions() -> dict[str, str]:
    """Return the version of everything that took part, "not installed" if absent."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    versions["gcc"] = _gcc()
    return versions


def today() -> str:
    """Return the date, UTC."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _cpuinfo(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return ""


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or "unknown"


def _vectors() -> str:
    flags = _cpuinfo("flags").split()
    known = [name for name in ("avx2", "fma", "avx512f") if name in flags]
    return " ".join(known) or "unknown"


def _gcc() -> str:
    gcc = shutil.which("gcc")
    if gcc is None:
        return "not installed"
    done = subprocess.run(
        [gcc, "-dumpfullversion"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
