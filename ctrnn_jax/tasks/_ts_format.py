"""The text formats of the UCR and UEA archives."""

import dataclasses
from pathlib import Path

import numpy as np


@dataclasses.dataclass(frozen=True)
class TsFile:
    """What a file of an archive holds.

    - `series`: one array `(time, m)` for each recording; lengths may differ.
    - `labels`: the class name of each.
    - `classes`: all class names, in the order of the file's head, or sorted.
    """

    series: tuple[np.ndarray, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]


def read_ts(path: str | Path) -> TsFile:
    """Read a classification set in the archives' `.ts` format.

    A line after `@data` is a recording: its channels between colons, the samples of a
    channel between commas, the class name last.

    **Raises:** `ValueError`, naming the line, for a file that is not whole: no head,
    channels that differ in number or length, values that are missing or no numbers,
    a class that the head does not name.
    """
    path = Path(path)
    classes: tuple[str, ...] | None = None
    series, labels = [], []
    in_data = False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            place = f"{path.name}, line {number}"
            if in_data:
                values, label = _recording(text, place)
                if classes is not None and label not in classes:
                    raise ValueError(
                        f"{place}: class {label!r} is none of {classes}, which the "
                        "head names."
                    )
                if series and values.shape[1] != series[0].shape[1]:
                    raise ValueError(
                        f"{place}: {values.shape[1]} channels, but "
                        f"{series[0].shape[1]} in the lines before."
                    )
                series.append(values)
                labels.append(label)
            elif text.lower().startswith("@classlabel"):
                classes = _classes(text, place)
            elif text.lower().startswith("@timestamps") and "true" in text.lower():
                raise ValueError(f"{place}: time stamps are not read; remove them.")
            elif text.lower() == "@data":
                in_data = True
            elif not text.startswith("@"):
                raise ValueError(f"{place}: neither head nor data; is this a .ts file?")
    if classes is None or not in_data:
        raise ValueError(f"{path.name} lacks @classLabel or @data; is it cut off?")
    if not series:
        raise ValueError(f"{path.name} holds no recording after @data.")
    return TsFile(tuple(series), tuple(labels), classes)


def read_table(path: str | Path) -> TsFile:
    """Read a table of one-channel recordings, one a line, the class first.

    Values stand between commas, tabs or spaces.

    **Raises:** `ValueError`, naming the line, for lines that differ in length, values
    that are missing or no numbers, and fewer than two classes.
    """
    path = Path(path)
    series, labels = [], []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if not text:
                continue
            cells = text.split(",") if "," in text else text.split()
            place = f"{path.name}, line {number}"
            values, _ = _recording(",".join(cells[1:]) + ":0", place)
            if series and len(values) != len(series[0]):
                raise ValueError(
                    f"{place}: {len(values)} values, but {len(series[0])} before."
                )
            series.append(values)
            labels.append(cells[0].strip())
    classes = tuple(sorted(set(labels)))
    if len(classes) < 2:
        raise ValueError(f"{path.name} holds {len(classes)} classes; need two or more.")
    return TsFile(tuple(series), tuple(labels), classes)


def read_set(path: str | Path) -> TsFile:
    """Read a file of either format, told apart by its suffix.

    **Raises:** `ValueError` for another suffix, and what the readers raise.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".ts":
        return read_ts(path)
    if suffix in (".csv", ".tsv", ".txt"):
        return read_table(path)
    raise ValueError(f"{path}: expected a .ts, .csv, .tsv or .txt file.")


def _classes(text: str, place: str) -> tuple[str, ...]:
    _, labelled, *names = text.split()
    if labelled.lower() != "true" or len(names) < 2:
        raise ValueError(f"{place}: the set has no classes to tell apart.")
    return tuple(names)


def _recording(text: str, place: str) -> tuple[np.ndarray, str]:
    *channels, label = text.split(":")
    if not channels:
        raise ValueError(f"{place}: no colon before a class name; is it cut off?")
    try:
        rows = [np.array(channel.split(","), dtype=float) for channel in channels]
    except ValueError:
        raise ValueError(
            f"{place}: a value is missing or no number; fill the gaps first."
        ) from None
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"{place}: channels differ in length.")
    values = np.stack(rows, axis=1)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{place}: a value is not finite; fill the gaps first.")
    return values, label.strip()


def stacked(series: tuple[np.ndarray, ...], length: int) -> np.ndarray:
    """Return recordings as one array, NaN before the start of the shorter ones."""
    out = np.full((len(series), length, series[0].shape[1]), np.nan)
    for row, values in zip(out, series, strict=True):
        row[length - len(values) :] = values
    return out
