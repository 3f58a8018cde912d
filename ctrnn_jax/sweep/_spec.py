"""A specification: tables in, a design of runs out, every mistake named."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .._nearest import nearest
from ._axes import axis_values, describe, fixed_value, sampled_values
from ._design import Design, Dimension
from ._errors import SpecificationError
from ._experiment import AbstractExperiment, Parameter
from ._samples import unit_samples

SECTIONS = ("sweep", "grid", "zip", "random", "sobol", "fixed")
_DTYPES = ("float64", "float32")
#: Keys of [sweep]: smallest value, or `None` where it is a text.
_SWEEP_KEYS = {
    "experiment": None,
    "seed": 0,
    "batch_size": 2,
    "chunk_size": 2,
    "repeats": 1,
    "dtype": None,
    "static": None,
}
#: Names that the store keeps for itself.
RESERVED = (
    "run",
    "run_id",
    "chunk",
    "status",
    "num_steps",
    "done",
    "attempts",
    "repeat",
)
#: More would not fit the numbers that keys are folded with.
_MOST_RUNS = 2**32


@dataclass(frozen=True)
class Specification:
    """A sweep as it was asked for, before any experiment has checked it.

    - `tables`: the sections, of plain lists and dicts, as JSON can hold them.
    - `source`: where it came from, for messages.
    """

    tables: Mapping[str, Any]
    source: str = "the specification"

    @cached_property
    def options(self) -> dict[str, Any]:
        """The keys of [sweep], checked, with defaults for seed and repeats."""
        return _read_options(self.tables.get("sweep", {}))

    def design(self, experiment: AbstractExperiment | None = None) -> Design:
        """Return the runs, checked against what an experiment declares.

        **Raises:** `SpecificationError`, naming the key and the mend.
        """
        return _Reader(self.tables, experiment).design(self.options)


def read_spec(given: Any) -> Specification:
    """Return a specification.

    **Arguments:**

    - `given`: the path of a TOML file; its tables as a dict; or axes by name, which
      is the table [grid] alone.

    **Raises:** `SpecificationError` for what is no specification.
    """
    if isinstance(given, Specification):
        return given
    if isinstance(given, str | Path):
        return _read_file(Path(given))
    if not isinstance(given, Mapping):
        raise SpecificationError(
            "a sweep needs a dict of axes, as {'leak': [0.0, 0.1]}, or the path of a "
            f"TOML file; got {describe(given)}."
        )
    is_spec = any(
        name in SECTIONS and isinstance(table, Mapping) and not _is_axis(table)
        for name, table in given.items()
    )
    tables = given if is_spec else {"grid": given}
    return Specification(_plain(tables))


def _read_file(path: Path) -> Specification:
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise SpecificationError(f"cannot read {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecificationError(f"{path} is no TOML file: {error}.") from None
    return Specification(_plain(tables), str(path))


def _plain(value: Any) -> Any:
    """Return nested dicts and lists of Python values, arrays included."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if hasattr(value, "__array__"):
        return np.asarray(value).tolist()
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    return value


def _read_options(table: Any) -> dict[str, Any]:
    """Return the keys of [sweep], checked."""
    if not isinstance(table, Mapping):
        raise SpecificationError(f"[sweep] must be a table, got {describe(table)}.")
    options: dict[str, Any] = {"seed": 0, "repeats": 1}
    for name, value in table.items():
        if name not in _SWEEP_KEYS:
            raise SpecificationError(
                f"unknown key {name!r} in [sweep]; there are {', '.join(_SWEEP_KEYS)}."
                f"{nearest(name, _SWEEP_KEYS)}"
            )
        least = _SWEEP_KEYS[name]
        if name == "static":
            if not isinstance(value, list) or {type(item) for item in value} - {str}:
                raise SpecificationError(
                    "static in [sweep] must be a list of names of axes, got "
                    f"{describe(value)}."
                )
        elif least is None:
            if not isinstance(value, str) or not value:
                raise SpecificationError(
                    f"{name} in [sweep] must be a text, got {describe(value)}."
                )
        elif type(value) is not int or value < least:
            raise SpecificationError(
                f"{name} in [sweep] must be a whole number of at least {least}, got "
                f"{describe(value)}."
            )
        options[name] = value
    if options.get("dtype", "float64") not in _DTYPES:
        raise SpecificationError(
            f"dtype in [sweep] must be one of {', '.join(_DTYPES)}; got "
            f"{describe(options['dtype'])}.{nearest(options['dtype'], _DTYPES)}"
        )
    return options


class _Reader:
    """Reads the tables of axes, and remembers which names were taken."""

    def __init__(
        self, tables: Mapping[str, Any], experiment: AbstractExperiment | None
    ):
        for name in tables:
            if name not in SECTIONS:
                raise SpecificationError(
                    f"unknown section [{name}]; there are "
                    f"{', '.join(f'[{section}]' for section in SECTIONS)}."
                    f"{nearest(name, SECTIONS)}"
                )
        self.tables = tables
        self.parameters = None
        self.owner = ""
        if experiment is not None:
            self.parameters = {item.name: item for item in experiment.parameters}
            self.owner = experiment.name
        self.sources: dict[str, str] = {}

    def design(self, options: Mapping[str, Any]) -> Design:
        dimensions = []
        for name, given in self._table("grid").items():
            values = axis_values(*self._claim(name, "grid", given))
            dimensions.append(Dimension(name, len(values), {name: values}))
        for group, axes in self._table("zip").items():
            dimensions.append(self._zipped(group, axes))
        dimensions += self._sampled(options["seed"])
        fixed = {
            name: fixed_value(*self._claim(name, "fixed", given))
            for name, given in self._table("fixed").items()
        }
        if options["repeats"] > 1:
            dimensions.append(Dimension("repeat", options["repeats"], {}))
        if not dimensions:
            raise SpecificationError(
                "there is nothing to sweep: give at least one axis in [grid], [zip], "
                "[random] or [sobol], or repeats in [sweep]."
            )
        self._check_names(dimensions)
        for name, parameter in (self.parameters or {}).items():
            if name not in self.sources:
                fixed[name] = parameter.default
        design = Design(tuple(dimensions), fixed)
        if design.num_runs >= _MOST_RUNS:
            sizes = " x ".join(f"{item.name} {item.size}" for item in dimensions)
            raise SpecificationError(
                f"{design.num_runs} runs ({sizes}) are more than 2^32: split the sweep "
                "into several stores."
            )
        return design

    def _table(self, section: str) -> Mapping[str, Any]:
        table = self.tables.get(section, {})
        if not isinstance(table, Mapping):
            raise SpecificationError(
                f"[{section}] must be a table, got {describe(table)}."
            )
        # TOML reads `model.leak = ...` as a table in a table.
        return table if section == "zip" else _flattened(table, section == "fixed")

    def _claim(
        self, name: str, section: str, given: Any
    ) -> tuple[str, Any, Parameter | None]:
        """Return how to call an axis, what is given and what is declared for it."""
        source = f"{name} in [{section}]"
        if self.parameters is not None and name not in self.parameters:
            raise SpecificationError(
                f"{source}: experiment {self.owner!r} has no such parameter; there are "
                f"{', '.join(self.parameters)}.{nearest(name, self.parameters)}"
            )
        if name in self.sources:
            raise SpecificationError(
                f"{name} is in {self.sources[name]} and again in [{section}]; give it "
                "once."
            )
        if name in RESERVED or not name or "/" in name:
            raise SpecificationError(
                f"{source}: an axis cannot have this name, which the store uses for "
                "itself; choose another."
            )
        self.sources[name] = f"[{section}]"
        declared = None if self.parameters is None else self.parameters[name]
        return source, given, declared

    def _zipped(self, group: str, axes: Any) -> Dimension:
        section = f"zip.{group}"
        if not isinstance(axes, Mapping) or not axes:
            raise SpecificationError(
                f"[{section}] must be a table of axes that go together, got "
                f"{describe(axes)}."
            )
        found = {
            name: axis_values(*self._claim(name, section, given))
            for name, given in _flattened(axes).items()
        }
        sizes = {name: len(values) for name, values in found.items()}
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise SpecificationError(
                f"axes of [{section}] go together and must be of one length, got "
                f"{listed}."
            )
        return Dimension(group, next(iter(sizes.values())), found)

    def _sampled(self, seed: int) -> list[Dimension]:
        given = [name for name in ("random", "sobol") if self.tables.get(name)]
        if len(given) > 1:
            raise SpecificationError(
                "[random] and [sobol] both make the dimension sample; use one of them."
            )
        if not given:
            return []
        section = given[0]
        table = dict(self._table(section))
        num = table.pop("num", None)
        if type(num) is not int or num < 1:
            raise SpecificationError(
                f"[{section}] needs num, a whole number of samples of at least 1, got "
                f"{describe(num)}."
            )
        if not table:
            raise SpecificationError(
                f"[{section}] has no axis; give one, as leak = {{low = 0.0, high = 1}}."
            )
        units = unit_samples(section, tuple(table), num, seed)
        axes = {
            name: sampled_values(*self._claim(name, section, item), units[name])
            for name, item in table.items()
        }
        return [Dimension("sample", num, axes)]

    def _check_names(self, dimensions: list[Dimension]) -> None:
        names = [dimension.name for dimension in dimensions]
        for dimension in dimensions:
            name = dimension.name
            others = self.sources.keys() - dimension.axes.keys()
            if names.count(name) > 1 or name in others:
                raise SpecificationError(
                    f"the dimension {name!r} has the name of another axis or "
                    "dimension; rename the group in [zip] or the axis."
                )
            if name in RESERVED[:-1]:
                raise SpecificationError(
                    f"[zip.{name}]: the store uses this name; choose another."
                )


def _flattened(
    table: Mapping[str, Any], always: bool = False, prefix: str = ""
) -> dict[str, Any]:
    """Return axes by dotted name; a table may be the description of one axis."""
    found: dict[str, Any] = {}
    for name, item in table.items():
        if isinstance(item, Mapping) and item and (always or _holds_axes(item)):
            found |= _flattened(item, always, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = item
    return found


def _is_axis(table: Mapping[str, Any]) -> bool:
    """Whether a table describes an axis, and holds none."""
    return any(
        name in table and not isinstance(table[name], Mapping)
        for name in ("values", "start", "stop")
    )


def _holds_axes(table: Mapping[str, Any]) -> bool:
    return all(
        isinstance(item, Mapping)
        or (isinstance(item, list) and name not in ("values", "choices"))
        for name, item in table.items()
    )
