"""The result of a run as one .npz, which says itself what it is."""

import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import jax
import numpy as np

from ._build import Problem
from ._checkpoint import differences
from ._config import Config
from ._errors import RefusedError
from ._files import write_atomically
from ._segments import OKAY, STATUS_NAMES, Samples

#: What a file says it is: the command that wrote it, and the version of its format.
SIMULATION = "ctrnn simulate 1"
#: The largest n for which W is written beside the states.
_LARGEST_WEIGHT = 2048


def made_with() -> dict[str, object]:
    """Return what, besides the specification, decides the last bits of a result."""
    names = ("ctrnn_jax", "jax", "jaxlib", "diffrax", "equinox", "numpy")
    devices = jax.local_devices()
    return {
        **{name: importlib.metadata.version(name) for name in names},
        "machine": platform.machine(),
        "device": f"{len(devices)} x {devices[0].device_kind}",
    }


def write_result(
    out: Path, config: Config, problem: Problem, samples: Samples
) -> dict[str, Any]:
    """Write a finished run and return its header.

    Nothing in the file depends on when or how often the run was interrupted.
    """
    arrays = {
        "ts": samples.ts,
        "ys": samples.ys,
        "status": np.array([STATUS_NAMES[index] for index in samples.status]),
    }
    if samples.energy is not None:
        arrays["energy"] = samples.energy
    weight = problem.model.weight
    if weight.size <= _LARGEST_WEIGHT:
        arrays["weight"] = np.asarray(weight.as_matrix())
    if problem.model.bias is not None:
        arrays["bias"] = np.asarray(problem.model.bias)
    return write_arrays(out, SIMULATION, config, arrays, summarise(samples))


def write_arrays(
    out: Path,
    kind: str,
    config: Config,
    arrays: dict[str, np.ndarray],
    summary: dict[str, Any],
) -> dict[str, Any]:
    """Write arrays and, as one more, a header that says how they came about."""
    header = {
        "format": kind,
        "config": config.values,
        "fingerprint": config.fingerprint,
        "made_with": made_with(),
        "summary": summary,
        "sha256": {name: _digest(array) for name, array in arrays.items()},
    }
    text = np.array(json.dumps(header, indent=1))
    everything = {**arrays, "header": text}
    write_atomically(out, lambda file: np.savez(file, **everything))  # pyright: ignore[reportArgumentType]
    return header


def find_finished(
    out: Path, config: Config, *, fresh: bool, kind: str = SIMULATION
) -> dict[str, Any] | None:
    """Return the header of a finished run of `config` at `out`, or `None`.

    **Raises:** `RefusedError` if something else is there that must not be lost.
    """
    if not out.exists():
        return None
    try:
        with np.load(out, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["format"] != kind:
                raise ValueError
            if fresh:
                return None
            if header["config"] == config.values:
                sound = all(
                    _digest(file[name]) == digest
                    for name, digest in header["sha256"].items()
                )
                if not sound:
                    raise RefusedError(
                        f"{out} is damaged: its SHA-256 does not match. Add --fresh to "
                        "compute it again."
                    )
                return header
    except RefusedError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        raise RefusedError(
            f"{out} exists and is not a sound result of {kind.rpartition(' ')[0]}. "
            "Move it away, or choose another --out."
        ) from None
    changes = differences({"": header["config"]}, {"": config.values})
    raise RefusedError(
        f"{out} holds the result of another specification: {changes}. Choose another "
        "--out, or add --fresh to replace it."
    )


def read_samples(out: Path, header: dict[str, Any]) -> Samples:
    """Return the samples of a finished run."""
    with np.load(out, allow_pickle=False) as file:
        return Samples(
            file["ts"],
            file["ys"],
            file.get("energy"),
            np.array([STATUS_NAMES.index(str(name)) for name in file["status"]]),
            header["summary"].get("no_energy"),
        )


def summarise(samples: Samples) -> dict[str, Any]:
    """Return the numbers that the terminal shows, as JSON can hold them."""
    okay = samples.status == OKAY
    failed = []
    for lane in np.flatnonzero(~okay):
        finite = np.isfinite(samples.ys[lane]).all(axis=-1)
        after = int(np.flatnonzero(finite)[-1]) if finite.any() else 0
        failed.append(
            {
                "lane": int(lane),
                "status": STATUS_NAMES[samples.status[lane]],
                "after_t": float(samples.ts[after]),
            }
        )
    summary: dict[str, Any] = {"lanes": len(okay), "failed": failed}
    if samples.energy is None:
        summary["no_energy"] = samples.no_energy
    elif okay.any():
        energy = samples.energy[okay]
        error = np.max(np.abs(energy - energy[:, :1]), axis=1)
        summary["energy_error"] = float(np.max(error))
        size = np.abs(energy[:, 0])
        if np.all(size > 0):
            summary["relative_energy_error"] = float(np.max(error / size))
    return summary


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
