"""On which card, and with what, the numbers were measured."""

import importlib.metadata
import os
import re
import shutil
import subprocess

from ..machine import describe_machine, describe_versions

_QUERIES = {
    "card": "name",
    "driver": "driver_version",
    "memory": "memory.total",
    "highest clock": "clocks.max.sm",
    "power limit": "power.limit",
}
#: What belongs to the card and is not in `describe_versions`, by the start of a name.
_PACKAGES = re.compile(r"cupy|triton|jax-cuda\d+-plugin|nvidia-cudnn")


def describe_card() -> dict[str, str]:
    """Return what `nvidia-smi` says of the first card; "none" where there is none."""
    if shutil.which("nvidia-smi") is None:
        return {"card": "none"}
    fields = ",".join(_QUERIES.values())
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30
        )
    except subprocess.TimeoutExpired:
        return {"card": "unknown: nvidia-smi does not answer"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"card": f"unknown: nvidia-smi ended with {done.returncode}"}
    values = [value.strip() for value in lines[0].split(",")]
    return dict(zip(_QUERIES, values, strict=False))


def describe_all() -> dict[str, dict[str, str]]:
    """Return "card", "machine" and "versions"."""
    machine = {name: str(value) for name, value in describe_machine().items()}
    return {"card": describe_card(), "machine": machine, "versions": _versions()}


def _versions() -> dict[str, str]:
    versions = describe_versions()
    for package in importlib.metadata.distributions():
        name = (package.metadata["Name"] or "").lower()
        if _PACKAGES.match(name):
            versions[name] = package.version
    versions["nvcc"] = _nvcc()
    return versions


def _nvcc() -> str:
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    if not os.path.exists(nvcc):
        return "not installed"
    done = subprocess.run(
        [nvcc, "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"release [\d.]+, V([\d.]+)", done.stdout)
    return found.group(1) if found else "unknown"
