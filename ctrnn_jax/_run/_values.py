"""Values of a specification, checked one by one, each error naming its key."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .._nearest import nearest
from ._errors import UsageError
from ._keys import Key

_WANTED = {
    "choice": "a string",
    "integer": "a whole number",
    "number": "a finite number",
    "array": "a list of numbers or the path of a .npy file",
    "switch": "true or false",
    "text": "a string that is not empty",
}


def from_flag(key: Key, text: str) -> object:
    """Return what the text of a flag stands for, to be checked as a file's value."""
    if key.kind in ("choice", "text"):
        return text
    if key.kind == "switch":
        return text == "true"
    if key.kind == "array":
        if not text.lstrip().startswith("["):
            return text
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(
                f"{key.flag}: {text!r} is not a list of numbers such as "
                f"'[0.5, -1.0]' ({error})."
            ) from None
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def check_value(key: Key, value: object, source: str) -> object:
    """Return `value` as the key's type; `source` is how messages call the key."""
    if key.kind == "choice":
        return _check_choice(key, value, source)
    if key.kind == "array":
        return _check_array(value, source)
    if key.kind == "switch":
        if type(value) is bool:
            return value
        raise UsageError(
            f"{source} must be {_WANTED[key.kind]}, got {_describe(value)}."
        )
    if key.kind == "text":
        if isinstance(value, str) and value:
            return value
        raise UsageError(
            f"{source} must be {_WANTED[key.kind]}, got {_describe(value)}."
        )
    number = value
    if key.kind == "number" and type(value) is int:
        number = float(value)
    wanted = int if key.kind == "integer" else float
    if type(number) is not wanted or not math.isfinite(number):
        raise UsageError(
            f"{source} must be {_WANTED[key.kind]}, got {_describe(value)}."
        )
    if key.positive and number <= 0:
        raise UsageError(f"{source} must be above 0, got {value}.")
    if key.minimum is not None and number < key.minimum:
        raise UsageError(f"{source} must be at least {key.minimum:g}, got {value}.")
    return number


def _check_choice(key: Key, value: object, source: str) -> str:
    if isinstance(value, str) and value in key.choices:
        return value
    hint = nearest(value, key.choices) if isinstance(value, str) else ""
    raise UsageError(
        f"{source} must be one of {', '.join(key.choices)}; got "
        f"{_describe(value)}.{hint}"
    )


def _check_array(value: object, source: str) -> np.ndarray:
    """Return a float64 array of at least one dimension, finite throughout."""
    if isinstance(value, str):
        array = _load_array(Path(value), source)
    elif isinstance(value, list):
        array = _from_list(value, source)
    else:
        raise UsageError(
            f"{source} must be {_WANTED['array']}, got {_describe(value)}."
        )
    if array.ndim == 0 or array.size == 0:
        raise UsageError(f"{source} is empty; it must hold at least one number.")
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        place = tuple(int(index) for index in bad[0])
        raise UsageError(
            f"{source} must be finite, got {array[place]} at index {list(place)}"
            f" ({len(bad)} such of {array.size})."
        )
    return np.ascontiguousarray(array)


def _load_array(path: Path, source: str) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "not a .npy file of numbers"
        raise UsageError(f"{source}: cannot read {path}: {reason}.") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise UsageError(
            f"{source}: {path} must hold one real array (.npy, as numpy.save writes)."
        )
    return array.astype(np.float64)


def _from_list(value: list, source: str) -> np.ndarray:
    def leaves(item: object) -> Iterable[object]:
        if isinstance(item, list):
            for part in item:
                yield from leaves(part)
        else:
            yield item

    for leaf in leaves(value):
        if type(leaf) not in (int, float):
            raise UsageError(
                f"{source} must hold numbers only, got {_describe(leaf)} in it."
            )
    try:
        return np.array(value, np.float64)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{source} has rows of different lengths or numbers out of range."
        ) from None


def _describe(value: object) -> str:
    """Return a value and its type, as TOML calls it, in at most a few words."""
    names = {
        bool: "a boolean",
        int: "a whole number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a table",
    }
    shown = json.dumps(value, default=str)
    if len(shown) > 40:
        shown = shown[:37] + "..."
    return f"{shown} ({names.get(type(value), type(value).__name__)})"
