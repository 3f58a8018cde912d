"""From a TOML file and flags to the specification of one analysis."""

from collections.abc import Mapping
from pathlib import Path

from ._analysis_keys import ANALYSIS_KEYS, PARTS
from ._config import Config, as_config, complete, read_given
from ._errors import UsageError

_EXPONENTS_UP_TO = 16
#: Samples of the orbit that its lines need at least (see `classify_orbit`).
_STEPS_AT_LEAST = 1000


def load_analysis_config(file: Path | None, flags: Mapping[str, str]) -> Config:
    """Read a specification; flags (dotted name: text) override the file.

    **Raises:** `UsageError`, naming the key, what was given and what is allowed.
    """
    given, sources = read_given(file, flags, ANALYSIS_KEYS)
    values = complete(given, sources, ANALYSIS_KEYS)
    size = values["weight.size"]

    def refuse(path: str, problem: str) -> None:
        raise UsageError(f"{sources.get(path, path)} {problem}")

    if len(values.get("initial.y0", [0])) != 1:
        refuse(
            "initial.y0",
            f"must be one state of shape ({size},): ctrnn analyse follows one orbit.",
        )
    duration, dt0 = values["time.duration"], values["time.dt0"]
    if duration < _STEPS_AT_LEAST * dt0:
        refuse(
            "time.duration",
            f"must be at least {_STEPS_AT_LEAST} steps of time.dt0 = {dt0:g} for "
            f"frequencies to be told apart, got {duration:g}.",
        )
    if values["analysis.lyapunov"]:
        values.setdefault("analysis.num_exponents", min(size, _EXPONENTS_UP_TO))
        if values["analysis.num_exponents"] > size:
            refuse(
                "analysis.num_exponents",
                f"must be at most the {size} neurons, got "
                f"{values['analysis.num_exponents']}.",
            )
    if values["analysis.section"] and values["analysis.section_neuron"] >= size:
        refuse(
            "analysis.section_neuron",
            f"must be one of the {size} neurons, 0 to {size - 1}, got "
            f"{values['analysis.section_neuron']}.",
        )
    if values["analysis.gradient_norms"]:
        values.setdefault("analysis.max_delay", duration / 10)
        if values["analysis.max_delay"] > duration / 2:
            refuse(
                "analysis.max_delay",
                f"must be at most half of time.duration = {duration:g}, got "
                f"{values['analysis.max_delay']:g}.",
            )
    return as_config(values)


def parts_of(config: Config) -> tuple[str, ...]:
    """Return the names of the parts that a specification asks for, in order."""
    return tuple(name for name in PARTS if config.values.get(f"analysis.{name}", True))
