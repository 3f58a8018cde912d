"""What a store says about itself, and whether a sweep may go on in it."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from .._storage import write_atomically
from ._errors import MismatchError, SpecificationError, SweepStorageError
from ._plan import Plan

FORMAT = "ctrnn sweep 1"
NAME = "manifest.json"

#: What must be equal for a sweep to go on: key, how messages call it, and the group by
#: which a difference can be accepted, if it can.
_COMPARED = (
    ("experiment", "the experiment", None),
    ("design", "the axes or fixed settings", None),
    ("key", "the seed or key", None),
    ("num_runs", "the number of runs", None),
    ("chunk_size", "chunk_size", None),
    ("order", "the order of the runs", None),
    ("variables", "what the experiment returns", None),
    ("dtype", "the precision", None),
    ("x64", "JAX's 64-bit mode", None),
    ("batch_size", "batch_size", "batch_size"),
    ("device", "the kind of device", "device"),
    ("versions", "the versions", "versions"),
)
ACCEPTABLE = tuple(group for *_, group in _COMPARED if group)
_PACKAGES = ("ctrnn_jax", "jax", "jaxlib", "diffrax", "equinox", "numpy")


def describe_plan(plan: Plan) -> dict[str, Any]:
    """Return what a store must say of a plan, as JSON can hold it."""
    design = plan.design
    return {
        "format": FORMAT,
        "experiment": plan.experiment.name,
        "summary": plan.experiment.summary,
        "spec": plan.spec.tables,
        "design": design.digest,
        "dimensions": [
            {"name": item.name, "size": item.size, "axes": list(item.axes)}
            for item in design.dimensions
        ],
        "fixed": dict(design.fixed),
        "static": [item.name for item in plan.experiment.parameters if item.static],
        "help": {item.name: item.help for item in plan.experiment.parameters},
        "key": {"impl": plan.key_impl, "data": plan.key_data.tolist()},
        "num_runs": design.num_runs,
        "chunk_size": plan.chunks.size,
        "num_chunks": len(plan.chunks),
        "batch_size": plan.batch_size,
        "counts": _run_lengths(plan.chunks.counts.tolist()),
        "order": plan.order.digest,
        "variables": {
            item.name: {
                "dtype": item.dtype.name,
                "dims": list(item.dims),
                "shape": list(item.shape),
                "help": item.help,
            }
            for item in plan.outputs.variables
        },
        "dtype": str(jax.numpy.result_type(float)),
        "x64": bool(jax.config.jax_enable_x64),  # pyright: ignore[reportAttributeAccessIssue]
        "device": jax.local_devices()[0].device_kind,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions that results may depend on."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def check_same(
    there: Mapping[str, Any], here: Mapping[str, Any], path: Path, accept: Sequence[str]
) -> None:
    """Refuse to go on with another sweep than the one in a store.

    **Raises:** `MismatchError` that says what differs.
    """
    for group in accept:
        if group not in ACCEPTABLE:
            raise SpecificationError(
                f"accept holds {group!r}; it may hold {', '.join(ACCEPTABLE)}."
            )
    here = json.loads(json.dumps(here))
    found, groups = [], []
    for key, label, group in _COMPARED:
        if there.get(key) == here[key] or group in accept:
            continue
        found.append(_difference(key, label, there, here))
        groups.append(group)
    if not found:
        return
    mend = "Make them equal to go on; or choose another store, or drop this one"
    mend += " (fresh=True, --fresh)"
    if all(groups):
        mend += "; or accept that bits may differ (--accept " + ",".join(groups) + ")"
    raise MismatchError(f"{path} holds another sweep: {'; '.join(found)}. {mend}.")


def _difference(
    key: str, label: str, there: Mapping[str, Any], here: Mapping[str, Any]
) -> str:
    before, now = there.get(key), here[key]
    if key == "design":
        return f"{label} differ ({_changed_axes(there, here)})"
    if key == "order":
        return f"{label} differs (the costs that the experiment tells have changed)"
    if key in ("versions", "variables") and isinstance(before, dict):
        names = [
            name for name in {**before, **now} if before.get(name) != now.get(name)
        ]
        listed = ", ".join(
            f"{name} {_short(before.get(name))} there, {_short(now.get(name))} here"
            for name in names
        )
        return f"{label} differ ({listed})"
    return f"{label} is {_short(before)} there, {_short(now)} here"


def _changed_axes(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    before, now = there.get("dimensions", []), here["dimensions"]
    if before != now:
        return f"{_shape(before)} there, {_shape(now)} here"
    first, second = there.get("fixed", {}), here["fixed"]
    names = [
        name for name in {**first, **second} if first.get(name) != second.get(name)
    ]
    if names:
        return ", ".join(
            f"{name} {_short(first.get(name))} there, {_short(second.get(name))} here"
            for name in names
        )
    before, now = there.get("spec", {}), here["spec"]
    changed = [
        f"{name} in [{section}]"
        for section in {**before, **now}
        for name in {**before.get(section, {}), **now.get(section, {})}
        if before.get(section, {}).get(name) != now.get(section, {}).get(name)
    ]
    return f"other values of {', '.join(changed)}" if changed else "other values"


def _shape(dimensions: list[dict[str, Any]]) -> str:
    return " x ".join(f"{item['name']} {item['size']}" for item in dimensions)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _run_lengths(counts: list[int]) -> list[list[int]]:
    """Return equal neighbours as [value, how many]."""
    found: list[list[int]] = []
    for count in counts:
        if found and found[-1][0] == count:
            found[-1][1] += 1
        else:
            found.append([count, 1])
    return found


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest with a hash of itself, whole or not at all."""
    text = json.dumps({**content, "digest": _digest(content)}, indent=1)
    write_atomically(folder / NAME, lambda file: file.write(text.encode() + b"\n"))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a store.

    **Raises:** `SweepStorageError` if there is none or it is damaged.
    """
    place = folder / NAME
    try:
        content = json.loads(place.read_bytes())
        digest = content.pop("digest", None)
    except FileNotFoundError:
        what = "is no store of a sweep" if folder.exists() else "does not exist"
        raise SweepStorageError(2, f"{folder} {what}: there is no {NAME}.") from None
    except OSError as error:
        raise SweepStorageError(
            error.errno or 0, f"Cannot read {place}: {error.strerror}."
        ) from None
    except (ValueError, AttributeError):
        digest, content = None, {}
    if digest is None or digest != _digest(content):
        raise SweepStorageError(
            5, f"{place} is damaged; restore it from a copy, or begin anew (--fresh)."
        )
    if content.get("format") != FORMAT:
        raise SweepStorageError(
            5,
            f"{folder} is of the format {content.get('format')!r}, and this version "
            f"reads {FORMAT!r}.",
        )
    return content


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
