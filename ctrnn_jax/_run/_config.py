"""From a TOML file and flags to one complete specification."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._nearest import nearest
from ._errors import UsageError
from ._keys import BY_FREQUENCY, KEYS, Key, by_path, sections
from ._values import check_value, from_flag

#: Samples of one segment held on the device at most, in bytes.
_SEGMENT_BYTES = 2**28

#: Values given outright, and what draws them at random otherwise.
_INSTEAD_OF = {
    "weight.matrix": (
        "weight.scale",
        "weight.angular_frequency_range",
        "weight.num_edges",
        "weight.gain",
        "weight.seed",
    ),
    "initial.y0": ("initial.batch", "initial.scale", "initial.seed"),
}


@dataclass(frozen=True)
class Config:
    """A complete specification.

    - `values`: each key by its dotted name, defaults included; of an array, its
      shape and SHA-256. It says all that decides the numbers.
    - `arrays`: the arrays themselves, float64, by dotted name.
    """

    values: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of `values`."""
        text = json.dumps(self.values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def load_config(file: Path | None, flags: Mapping[str, str]) -> Config:
    """Read a specification; flags (dotted name: text) override the file.

    **Raises:** `UsageError`, naming the key, what was given and what is allowed.
    """
    given, sources = read_given(file, flags, KEYS)
    values = complete(given, sources, KEYS)
    t0, t1 = values["time.t0"], values["time.t1"]
    if not t1 > t0:
        raise UsageError(
            f"{sources.get('time.t1', 'time.t1')} must be after time.t0 = {t0:g}, got "
            f"{t1:g}."
        )
    if "initial.y0" in values:
        values["initial.batch"] = len(values["initial.y0"])
    if "run.segment" not in values:
        width = (
            values["initial.batch"]
            * values["weight.size"]
            * (8 if values["run.dtype"] == "float64" else 4)
        )
        intervals = values["time.saves"] - 1
        most = max(_SEGMENT_BYTES // width, 1)
        values["run.segment"] = min(-(-intervals // 50), most)
    return as_config(values)


def read_given(
    file: Path | None, flags: Mapping[str, str], keys: tuple[Key, ...]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values given by file and flags, and how messages call each."""
    given: dict[str, Any] = {}
    sources: dict[str, str] = {}
    known = by_path(keys)
    for path, value in _read(file, keys).items() if file is not None else ():
        source = f"{file}: {path}"
        given[path] = check_value(known[path], value, source)
        sources[path] = source
    for path, text in flags.items():
        key = known[path]
        given[path] = check_value(key, from_flag(key, text), key.flag)
        sources[path] = key.flag
    return given, sources


def _read(file: Path, keys: tuple[Key, ...]) -> dict[str, object]:
    """Return the keys of a TOML file by dotted name, refusing unknown ones."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not a text file.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not valid TOML: {error}.") from None
    found, allowed_sections = {}, sections(keys)
    for section, table in tables.items():
        if section not in allowed_sections:
            homes = [key.path for key in keys if key.name == section]
            belongs = f" It belongs in a section: {', '.join(homes)}." if homes else ""
            raise UsageError(
                f'{file}: unknown section "{section}"; allowed: '
                f"{', '.join(allowed_sections)}."
                f"{belongs or nearest(section, allowed_sections)}"
            )
        if not isinstance(table, dict):
            raise UsageError(f"{file}: {section} must be a table, [{section}].")
        allowed = [key.name for key in keys if key.section == section]
        for name, value in table.items():
            if name not in allowed:
                raise UsageError(
                    f'{file}: unknown key "{section}.{name}"; allowed in [{section}]: '
                    f"{', '.join(allowed)}.{nearest(name, allowed)}"
                )
            found[f"{section}.{name}"] = value
    return found


def complete(
    given: dict[str, Any], sources: dict[str, str], keys: tuple[Key, ...]
) -> dict[str, Any]:
    """Check keys against each other and fill in the defaults."""
    merged: dict[str, Any] = {
        key.path: key.default for key in keys if key.default is not None
    }
    merged |= given
    size = _size(given, sources)
    merged["weight.size"] = size
    if "solver.name" not in given:
        diagonal = merged["weight.kind"] in ("gain_plus_skew", "unconstrained")
        merged["solver.name"] = "tsit5" if diagonal else "coordinate_splitting"
    known = by_path(keys)
    refuse_idle(given, sources, merged, known)
    for explicit, random in _INSTEAD_OF.items():
        _refuse_both(given, sources, explicit, random)
    values: dict[str, Any] = {
        path: value
        for path, value in merged.items()
        if _means_something(known[path], merged)
    }
    _fill_in(values, size)
    order = values.get("solver.order", 2)
    if order not in (2, 4, 6):
        raise UsageError(f"{sources['solver.order']} must be 2, 4 or 6, got {order}.")
    _check_shapes(values, sources, size)
    return values


def as_config(values: dict[str, Any]) -> Config:
    """Set the arrays apart, leaving their shape and SHA-256 in their place."""
    arrays = {k: v for k, v in values.items() if isinstance(v, np.ndarray)}
    for path, array in arrays.items():
        digest = hashlib.sha256(array.tobytes()).hexdigest()
        values[path] = {"shape": list(array.shape), "sha256": digest}
    return Config(dict(sorted(values.items())), arrays)


def _size(given: dict[str, Any], sources: dict[str, str]) -> int:
    matrix, size = given.get("weight.matrix"), given.get("weight.size")
    if matrix is None:
        return 8 if size is None else int(size)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise UsageError(
            f"{sources['weight.matrix']} must be square, got shape {matrix.shape}."
        )
    if size is not None and size != len(matrix):
        raise UsageError(
            f"{sources['weight.size']} is {size}, but {sources['weight.matrix']} has "
            f"{len(matrix)} rows; drop one of the two."
        )
    return len(matrix)


def _means_something(key: Key, merged: dict[str, Any]) -> bool:
    return key.only_for is None or merged[key.only_for[0]] in key.only_for[1]


def refuse_idle(
    given: dict[str, Any],
    sources: dict[str, str],
    merged: dict[str, Any],
    known: dict[str, Key],
) -> None:
    """Refuse a key that would change nothing: someone expects it to."""
    for path in given:
        if not _means_something(known[path], merged):
            other, allowed = known[path].only_for or ("", ())
            if allowed == (True,):
                raise UsageError(
                    f"{sources[path]} needs {known[other].flag} (in a file: {other} = "
                    "true) beside it."
                )
            raise UsageError(
                f"{sources[path]} is for {other} = {', '.join(map(str, allowed))}, and "
                f"has no meaning for {merged[other]}; drop it, or change {other}."
            )
    if "solver.atol" in given and "solver.rtol" not in given:
        raise UsageError(
            f"{sources['solver.atol']} needs solver.rtol (--rtol) beside it."
        )


def _refuse_both(
    given: dict[str, Any],
    sources: dict[str, str],
    explicit: str,
    random: tuple[str, ...],
) -> None:
    for path in random:
        if explicit in given and path in given:
            raise UsageError(
                f"{sources[path]} is for random values, and {sources[explicit]} gives "
                "them outright; drop one of the two."
            )


def _fill_in(values: dict[str, Any], size: int) -> None:
    """Drop defaults of what is given outright; add those that depend on others."""
    for explicit, random in _INSTEAD_OF.items():
        if explicit in values:
            for path in random:
                values.pop(path, None)
    if "solver.rtol" in values:
        values.setdefault("solver.atol", values["solver.rtol"])
    kind = values["weight.kind"]
    if kind == "low_rank_skew":
        values.setdefault("weight.rank", max(size // 4, 1))
    if "weight.matrix" in values:
        return
    if kind == "sparse_skew":
        pairs = size * (size - 1) // 2
        values.setdefault("weight.num_edges", max(min(10 * size, pairs), 1))
    if kind in BY_FREQUENCY:
        values.setdefault("weight.angular_frequency_range", np.array([0.1, 1.0]))


def _check_shapes(values: dict[str, Any], sources: dict[str, str], size: int) -> None:
    y0, bias = values.get("initial.y0"), values.get("model.bias")
    if isinstance(y0, np.ndarray):
        if y0.ndim > 2 or y0.shape[-1] != size:
            raise UsageError(
                f"{sources['initial.y0']} must have shape ({size},) or (batch, {size}) "
                f"for {size} neurons, got {y0.shape}."
            )
        values["initial.y0"] = np.atleast_2d(y0)
    if isinstance(bias, np.ndarray) and bias.shape != (size,):
        raise UsageError(
            f"{sources['model.bias']} must hold {size} numbers, one a neuron, got "
            f"shape {bias.shape}."
        )
    band = values.get("weight.angular_frequency_range")
    if isinstance(band, np.ndarray) and (
        band.shape != (2,) or not 0 <= band[0] <= band[1]
    ):
        raise UsageError(
            f"{sources['weight.angular_frequency_range']} must be [low, high] with "
            f"0 <= low <= high, got {band.tolist()}."
        )
