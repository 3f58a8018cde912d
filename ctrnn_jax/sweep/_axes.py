"""One axis of a design: from what a specification says to an array of values."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._nearest import nearest
from ._errors import SpecificationError
from ._experiment import Parameter

_SPACING = ("start", "stop", "num", "scale")
_RANGE = ("low", "high", "scale")
_SCALES = ("linear", "log")


def axis_values(source: str, given: Any, parameter: Parameter | None) -> np.ndarray:
    """Return the values of an axis, `(num,)`: bool, int64, float64 or text.

    **Arguments:**

    - `source`: how messages call the axis, as `scale in [grid]`.
    - `given`: a sequence or array of values; `{values}`; or `{start, stop, num,
      scale}`.
    - `parameter`: what the experiment declares, or `None` if it declares nothing.

    **Raises:** `SpecificationError`, with the mend.
    """
    if isinstance(given, Mapping):
        if "values" in given:
            _only(source, given, ("values",))
            given = given["values"]
        else:
            return _checked(source, _spaced(source, given, parameter), parameter)
    if isinstance(given, np.ndarray) or hasattr(given, "__array__"):
        given = np.asarray(given)
        if given.ndim != 1:
            raise SpecificationError(
                f"{source} must be one-dimensional, got shape {given.shape}."
            )
        given = given.tolist()
    if isinstance(given, str) or not isinstance(given, Sequence | range):
        raise SpecificationError(
            f"{source} must be a list of values or {{start, stop, num}}, got "
            f"{describe(given)}. For one value put it in [fixed]."
        )
    if len(given) == 0:
        raise SpecificationError(f"{source} is empty; give it at least one value.")
    values = _as_array(source, list(given), parameter)
    return _checked(source, values, parameter)


def fixed_value(source: str, given: Any, parameter: Parameter | None) -> Any:
    """Return one value, of the type its parameter has."""
    if isinstance(given, np.generic) or (
        hasattr(given, "__array__") and given.ndim == 0
    ):
        given = np.asarray(given).item()
    if isinstance(given, Mapping | Sequence) and not isinstance(given, str):
        raise SpecificationError(
            f"{source} must be one value, got {describe(given)}. To sweep it put it in "
            "[grid]."
        )
    return _checked(source, _as_array(source, [given], parameter), parameter)[0].item()


def sampled_values(
    source: str, given: Any, parameter: Parameter | None, unit: np.ndarray
) -> np.ndarray:
    """Return samples of an axis from uniform numbers in [0, 1), `(num,)`."""
    if isinstance(given, Mapping) and "choices" in given:
        _only(source, given, ("choices",))
        choices = axis_values(source, given["choices"], parameter)
        return choices[np.minimum((unit * len(choices)).astype(int), len(choices) - 1)]
    if not isinstance(given, Mapping):
        raise SpecificationError(
            f"{source} must be {{low, high}} or {{choices}}, got {describe(given)}."
        )
    _only(source, given, _RANGE)
    low, high = (_number(source, given, name) for name in ("low", "high"))
    if not low < high:
        raise SpecificationError(
            f"{source}: low must be below high, got {low!r} and {high!r}."
        )
    if parameter is not None and isinstance(parameter.default, str | bool):
        raise SpecificationError(
            f"{source} is no number: give {{choices = [...]}} instead of low and high."
        )
    is_log = _scale(source, given, (low, high), ("low", "high"))
    if parameter is not None and isinstance(parameter.default, int):
        if low != round(low) or high != round(high):
            raise SpecificationError(
                f"{source} holds whole numbers: low and high must be whole, got "
                f"{low!r} and {high!r}."
            )
        # Each whole number gets its share, both ends included.
        edges = (
            (math.log(low - 0.5), math.log(high + 0.5)) if is_log else (low, high + 1)
        )
        drawn = edges[0] + (edges[1] - edges[0]) * unit
        drawn = np.round(np.exp(drawn)) if is_log else np.floor(drawn)
        values = np.clip(drawn, low, high).astype(np.int64)
    elif is_log:
        drawn = np.exp(math.log(low) + (math.log(high) - math.log(low)) * unit)
        values = np.clip(drawn, low, high)
    else:
        values = low + (high - low) * unit
    return _checked(source, values, parameter)


def describe(value: Any) -> str:
    """Return a value in at most a few words, for a message."""
    shown = json.dumps(value, default=repr)
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    names = {bool: "true or false", int: "a whole number", float: "a number"}
    names |= {str: "a text", list: "a list", dict: "a table"}
    return f"{shown} ({names.get(type(value), type(value).__name__)})"


def _spaced(
    source: str, given: Mapping[str, Any], parameter: Parameter | None
) -> np.ndarray:
    _only(source, given, _SPACING)
    start, stop = (_number(source, given, name) for name in ("start", "stop"))
    num = given.get("num")
    if type(num) is not int or num < 1:
        raise SpecificationError(
            f"{source}: num must be a whole number of at least 1, got {describe(num)}."
        )
    if _scale(source, given, (start, stop), ("start", "stop")):
        values = np.geomspace(start, stop, num)
    else:
        values = np.linspace(start, stop, num)
    if parameter is None or not isinstance(parameter.default, int):
        return values
    if isinstance(parameter.default, bool):
        raise SpecificationError(f"{source} is true or false: give it as a list.")
    whole = np.round(values)
    if not np.allclose(values, whole, rtol=0, atol=1e-9 * max(abs(start), abs(stop))):
        bad = values[np.argmax(np.abs(values - whole))]
        raise SpecificationError(
            f"{source} holds whole numbers, and this spacing gives {bad:.6g}. Choose "
            "num so that the step is whole, or list the values."
        )
    return whole.astype(np.int64)


def _scale(
    source: str,
    given: Mapping[str, Any],
    ends: tuple[float | int, float | int],
    names: Sequence[str],
) -> bool:
    scale = given.get("scale", "linear")
    if scale not in _SCALES:
        hint = nearest(scale, _SCALES) if isinstance(scale, str) else ""
        raise SpecificationError(
            f'{source}: scale must be "linear" or "log", got {describe(scale)}.{hint}'
        )
    if scale == "log" and min(ends) <= 0:
        raise SpecificationError(
            f"{source}: with a log scale {names[0]} and {names[1]} must be above 0, "
            f"got {ends[0]!r} and {ends[1]!r}."
        )
    return scale == "log"


def _number(source: str, given: Mapping[str, Any], name: str) -> float | int:
    value: Any = given.get(name)
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) not in (int, float) or not math.isfinite(value):
        found = f"got {describe(value)}" if name in given else "and is missing"
        raise SpecificationError(f"{source}: {name} must be a finite number, {found}.")
    return value


def _only(source: str, given: Mapping[str, Any], allowed: Sequence[str]) -> None:
    for name in given:
        if name not in allowed:
            raise SpecificationError(
                f"{source}: unknown key {name!r}; there are {', '.join(allowed)}."
                f"{nearest(str(name), allowed)}"
            )


def _as_array(source: str, given: list, parameter: Parameter | None) -> np.ndarray:
    """Return values of one type: the parameter's, or the one that they share."""
    given = [item.item() if isinstance(item, np.generic) else item for item in given]
    types = {type(item) for item in given}
    if parameter is None:
        types = {float} if types == {int, float} else types
        wanted = next(iter(types))
        if wanted not in (bool, int, float, str) or len(types) > 1:
            raise SpecificationError(
                f"{source} must hold numbers, or true and false, or texts, all of one "
                f"type; got {describe(given)}."
            )
    else:
        wanted = type(parameter.default)
    allowed = {int, float} if wanted is float else {wanted}
    for item in given:
        if type(item) not in allowed:
            names = {bool: "true or false", int: "a whole number", str: "a text"}
            raise SpecificationError(
                f"{source} must be {names.get(wanted, 'a number')}, got "
                f"{describe(item)}."
            )
    if wanted is str:
        return np.array(given, dtype=np.str_)
    try:
        return np.array(
            given, {bool: np.bool_, int: np.int64, float: np.float64}[wanted]
        )
    except OverflowError:
        raise SpecificationError(f"{source}: a number is beyond 64 bits.") from None


def _checked(
    source: str, values: np.ndarray, parameter: Parameter | None
) -> np.ndarray:
    """Refuse values that are not finite or that the parameter does not allow."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = values[~np.isfinite(values)][0]
        raise SpecificationError(f"{source} must be finite, got {bad}.")
    if parameter is None:
        return values
    if parameter.choices:
        for value in values.tolist():
            if value not in parameter.choices:
                raise SpecificationError(
                    f"{source} must be one of {', '.join(parameter.choices)}; got "
                    f"{value!r}.{nearest(value, parameter.choices)}"
                )
    for bound, word, beyond in (
        (parameter.low, "low", np.less),
        (parameter.high, "high", np.greater),
    ):
        if bound is None or values.dtype.kind in "Ub":
            continue
        is_open = word in parameter.open
        bad = beyond(values, bound) | (is_open & (values == bound))
        if bad.any():
            relation = {"low": "at least", "high": "at most"}[word]
            relation = {"low": "above", "high": "below"}[word] if is_open else relation
            raise SpecificationError(
                f"{source} must be {relation} {bound:g}, got {values[bad][0]:g}."
            )
    return values
