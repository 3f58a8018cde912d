"""A sweep on one page: what was asked, what became of the runs, what was measured."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._page_style import STYLE
from ..plot._sweep_data import DONE, codes_of, read_variable, text_of
from ._files import write_atomically
from ._sweep_pictures import Drawn, draw_all

_QUANTILES = ((0.0, "least"), (0.05, "5 %"), (0.5, "median"), (0.95, "95 %"),
              (1.0, "largest"))  # fmt: skip
#: Values of an axis that are written out; of more the ends.
_WRITTEN_OUT = 8

_OWN_STYLE = """
.bar { display: flex; height: .8rem; border-radius: .4rem; overflow: hidden;
  border: 1px solid var(--line); margin: .6rem 0 1rem; }
.bar span { display: block; }
td.number, th.number { text-align: right; white-space: nowrap; }
code { font-size: .92em; }
"""
_STATUS_FILLS = {
    "done": "var(--good)",
    "not run": "var(--soft)",
}


def write_summary(dataset: Any, manifest: Mapping[str, Any], file: str | Path) -> None:
    """Write a sweep's summary as one HTML file with nothing outside it.

    **Arguments:**

    - `dataset`: an `xarray.Dataset`, as `open_sweep` returns; of a sweep that still
      runs too.
    - `manifest`: what the store says of itself.
    - `file`: where to; a page that is there already is replaced, never half written.

    **Raises:** `ValueError` if `dataset` is none of a sweep.
    """
    read_variable(dataset, "status")
    page = _page(dataset, manifest, draw_all(dataset)).encode("utf-8")
    write_atomically(Path(file), lambda stream: stream.write(page))


def _page(dataset: Any, manifest: Mapping[str, Any], pictures: list[Drawn]) -> str:
    name = manifest.get("experiment", dataset.attrs.get("experiment", "sweep"))
    title = f"Sweep of {name}"
    body = [
        f"<header><h1>{_escape(title)}</h1>",
        f"<p>{_escape(_sentence(manifest.get('summary', '')))}</p>",
        _status(dataset),
        "</header>",
        _specification(dataset, manifest),
        _measures(dataset),
        *(_figures(pictures)),
        _colophon(manifest),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_escape(title)}</title>\n<style>{STYLE}{_OWN_STYLE}</style>\n</head>\n"
        "<body>\n<main>\n" + "\n".join(body) + "\n</main>\n</body>\n</html>\n"
    )


def _status(dataset: Any) -> str:
    """Return how many runs ended how, as a bar and a table."""
    status = np.ravel(dataset["status"].values)
    meanings = codes_of(dataset["status"]) or {}
    total = max(status.size, 1)
    found = [(int(c), int(n)) for c, n in zip(*np.unique(status, return_counts=True),
                                              strict=True)]  # fmt: skip
    parts, rows = [], []
    for code, count in found:
        name = meanings.get(code, f"status {code}")
        fill = _STATUS_FILLS.get(name, "var(--bad)")
        parts.append(f'<span style="width:{100 * count / total:.3f}%;'
                     f'background:{fill}"></span>')  # fmt: skip
        rows.append((name, f"{count:,}", _percent(count, total)))
    done = sum(count for code, count in found if code == DONE)
    return (
        f"<p><strong>{done:,}</strong> of {status.size:,} runs are done.</p>"
        f'<div class="bar" role="img" aria-label="shares of the runs">'
        f"{''.join(parts)}</div>"
        + _table(("what became of them", "runs", "share"), rows, numbers=(1, 2))
    )


def _specification(dataset: Any, manifest: Mapping[str, Any]) -> str:
    helps = manifest.get("help", {})
    rows = []
    for dim in dataset["status"].dims:
        axes = [str(n) for n in dataset.coords if dataset.coords[n].dims == (dim,)]
        for axis in axes or [str(dim)]:
            if axis in dataset.coords:
                values = dataset.coords[axis].values
            else:
                values = np.arange(dataset.sizes[dim])
            along = "" if axis == dim else f" (along {dim})"
            rows.append((f"{axis}{along}", str(len(values)), _values(values),
                         helps.get(axis, "")))  # fmt: skip
    fixed = [
        (name, text_of(value), helps.get(name, ""))
        for name, value in manifest.get("fixed", {}).items()
    ]
    spec = json.dumps(manifest.get("spec", {}), indent=1, ensure_ascii=False)
    parts = [
        "<section><h2>What was asked</h2>",
        _table(("axis", "values", "", ""), rows, numbers=(1,)),
    ]
    if fixed:
        parts += [
            "<details><summary>What all runs share</summary>",
            _table(("parameter", "value", ""), fixed),
            "</details>",
        ]
    parts.append(
        f"<details><summary>The specification</summary><pre>{_escape(spec)}</pre>"
        "</details></section>"
    )
    return "".join(parts)


def _measures(dataset: Any) -> str:
    """Return a table of the range of every measure, and one of codes."""
    ranges, counts = [], []
    for name in map(str, dataset.data_vars):
        if name in ("status", "num_steps"):
            continue
        if dataset[name].dtype.kind not in "biuf":
            continue
        values = np.ravel(np.asarray(read_variable(dataset, name)[0]))
        finite = values[np.isfinite(values)]
        about = str(dataset[name].attrs.get("help", ""))
        codes = codes_of(dataset[name])
        if codes:
            for code, count in zip(*np.unique(finite, return_counts=True), strict=True):
                meaning = codes.get(int(code), str(int(code)))
                counts.append((name, meaning, f"{count:,}",
                               _percent(int(count), len(finite))))  # fmt: skip
        elif len(finite):
            at = np.quantile(finite, [level for level, _ in _QUANTILES])
            numbers = [f"{value:.4g}" for value in at]
            ranges.append((name, *numbers, f"{len(finite):,}", about))
        else:
            dashes = ["–"] * len(_QUANTILES)
            ranges.append((name, *dashes, "0", about))
    head = ("measure", *(label for _, label in _QUANTILES), "values", "")
    parts = ["<section><h2>What was measured</h2>"]
    if ranges:
        parts.append(_table(head, ranges, numbers=range(1, len(_QUANTILES) + 2)))
    if counts:
        parts.append(_table(("measure", "outcome", "runs", "share"), counts,
                            numbers=(2, 3)))  # fmt: skip
    parts.append('<p class="note">Over the runs that are done.</p></section>')
    return "".join(parts)


def _figures(pictures: list[Drawn]) -> Iterable[str]:
    if pictures:
        yield "<section><h2>Where it was so</h2>"
    for picture in pictures:
        caption = _escape(picture.caption)
        yield (
            f'<figure><img src="{picture.uri}" alt="{caption}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    if pictures:
        yield "</section>"


def _colophon(manifest: Mapping[str, Any]) -> str:
    rows = [(str(name), str(v)) for name, v in manifest.get("versions", {}).items()]
    for name in ("device", "x64", "batch_size", "chunk_size"):
        if name in manifest:
            rows.append((name.replace("_", " "), str(manifest[name])))
    if "key" in manifest:
        rows.append(("key", json.dumps(manifest["key"])))
    if not rows:
        return ""
    return (
        "<section><h2>How it was computed</h2>"
        + _table(("", ""), rows, kind="colophon")
        + "</section>"
    )


def _values(values: np.ndarray) -> str:
    if len(values) <= _WRITTEN_OUT:
        return ", ".join(text_of(value) for value in values)
    if values.dtype.kind not in "iuf":
        return ", ".join(text_of(value) for value in values[:_WRITTEN_OUT]) + ", …"
    return f"{text_of(values.min())} to {text_of(values.max())}"


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Iterable[int] = (),
    kind: str = "",
) -> str:  # fmt: skip
    right = {*numbers}

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if i in right else ''}>{_escape(cell)}</{tag}>"
            for i, cell in enumerate(row)
        )

    top = f"<thead><tr>{cells(head, 'th')}</tr></thead>" if any(head) else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    name = f' class="{kind}"' if kind else ""
    table = f"<table{name}>{top}<tbody>{body}</tbody></table>"
    return f'<div class="scroll table">{table}</div>'


def _percent(count: int, total: int) -> str:
    return f"{100 * count / max(total, 1):.3g} %"


def _sentence(text: object) -> str:
    text = str(text).strip()
    return text[:1].upper() + text[1:] + ("." if text and text[-1] not in ".?!" else "")


def _escape(text: object) -> str:
    return html.escape(str(text), quote=True)
