"""The report: one HTML file with nothing outside it."""

import datetime
import html
import json
import os
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata

from .._page_style import STYLE
from ._claim import ClaimResult, Finding, Picture, Table, as_data_uri

_PACKAGES = ("jax", "jaxlib", "diffrax", "equinox", "optimistix", "optax", "numpy")

#: What the words mean here, said once and plainly.
_WORDS = (
    "A <em>limit cycle</em> is an isolated periodic orbit: its neighbours approach it "
    "or leave it. A skew-symmetric W without leak has none. Its flow keeps volume and "
    "energy, so nothing attracts; round the rest point lies a <em>family</em> of "
    "orbits, one for each energy, each with an amplitude and a period of its own. "
    "With two or three neurons the orbits are periodic or quasi-periodic; from four on "
    "they can be chaotic, and with more neurons and energy they are. "
    "“Perpetual oscillation” is what skew W gives; “limit cycle” is right only "
    "where symmetric gain works against leak."
)


def render_report(
    results: Sequence[ClaimResult],
    *,
    quick: bool = False,
    when: datetime.datetime | None = None,
) -> str:
    """Return the report of `results` as one HTML page, pictures embedded.

    **Arguments:**

    - `results`: of the claims, in the order to show them.
    - `quick`: say that the experiments were cut short.
    - `when`: the date to print; now if `None`.

    **Returns:** the page; every value in it is escaped.
    """
    when = datetime.datetime.now(datetime.UTC) if when is None else when
    body = [
        "<header><h1>Oscillation in recurrent networks: the claims, tested</h1>",
        "<p>The claims are those of Casoni, Guidi, Betti, Melacci and Gori, "
        "<cite>Generative System Dynamics in Recurrent Neural Networks</cite> (IJCNN "
        "2025, arXiv 2504.13951), in our words and from its abstract. Each is tested "
        "by experiments of our own with ctrnn_jax; the verdicts are about the claims "
        "as stated here.</p>",
        _quick_warning() if quick else "",
        _overview(results),
        "</header>",
        f'<section class="words"><h2>Where “limit cycle” is not the right word</h2>'
        f"<p>{_WORDS}</p></section>",
        *(_section(result) for result in results),
        _colophon(results, when),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        "<title>ctrnn_jax: the claims, tested</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _escape(text: object) -> str:
    return html.escape(str(text), quote=True)


def _badge(verdict: str) -> str:
    kind = verdict.replace(" ", "-")
    return f'<span class="badge {_escape(kind)}">{_escape(verdict)}</span>'


def _quick_warning() -> str:
    return (
        '<p class="warning">This was a quick run, at small sizes and for short times, '
        "to see that everything works. Its verdicts rest on little.</p>"
    )


def _overview(results: Sequence[ClaimResult]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><a href="#{_escape(r.key)}">{_escape(r.key)}</a></th>'
        f"<td>{_escape(r.claim)}</td><td>{_badge(r.verdict)}</td></tr>"
        for r in results
    )
    return (
        '<div class="scroll"><table class="overview"><thead><tr><th></th>'
        '<th scope="col">Claim</th><th scope="col">Verdict</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _section(result: ClaimResult) -> str:
    parts = [
        f'<section id="{_escape(result.key)}">',
        f"<h2>{_escape(result.key)}. {_escape(result.title)} "
        f"{_badge(result.verdict)}</h2>",
        f"<blockquote>{_escape(result.claim)}</blockquote>",
        f"<p>{_escape(result.summary)}</p>",
        _findings(result.findings),
        *(_figure(picture) for picture in result.pictures),
        *(_table(table) for table in result.tables),
        _settings(result),
        "</section>",
    ]
    return "\n".join(parts)


def _findings(findings: Iterable[Finding]) -> str:
    rows = "".join(
        f"<tr><td>{_escape(f.statement)}</td><td>{_badge(f.verdict)}</td>"
        f"<td>{_escape(f.measured)}</td></tr>"
        for f in findings
    )
    return (
        '<div class="scroll"><table class="findings"><thead><tr>'
        '<th scope="col">Tested</th><th scope="col">Verdict</th>'
        f'<th scope="col">Measured</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _figure(picture: Picture) -> str:
    return (
        f'<figure><img src="{as_data_uri(picture)}" alt="{_escape(picture.alt)}">'
        f"<figcaption>{_escape(picture.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_escape(name)}</th>' for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    note = f'<p class="note">{_escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="table"><h3>{_escape(table.title)}</h3><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}</div>"
    )


def _settings(result: ClaimResult) -> str:
    text = json.dumps(result.settings, indent=1, ensure_ascii=False)
    return (
        f"<details><summary>Settings and seeds; {result.seconds:.0f} s</summary>"
        f"<pre>{_escape(text)}</pre></details>"
    )


def _colophon(results: Sequence[ClaimResult], when: datetime.datetime) -> str:
    from .. import __version__

    rows = [
        ("Date", when.strftime("%Y-%m-%d %H:%M UTC")),
        ("ctrnn_jax", __version__),
        ("Python", platform.python_version()),
        *((name, metadata.version(name)) for name in _PACKAGES),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("Processor", _processor()),
        ("Devices", _devices()),
        ("Precision", "float64"),
        *((f"{r.key}, seconds", f"{r.seconds:.0f}") for r in results),
        ("Together, seconds", f"{sum(r.seconds for r in results):.0f}"),
    ]
    body = "".join(
        f'<tr><th scope="row">{_escape(name)}</th><td>{_escape(value)}</td></tr>'
        for name, value in rows
    )
    return (
        '<section><h2>How this was made</h2><div class="scroll">'
        f'<table class="colophon"><tbody>{body}</tbody></table></div>'
        '<p class="note">Seconds include compilation. Seeds are under each claim’s '
        "settings; times and, in the last digits, numbers vary with the machine.</p>"
        "</section>"
    )


def _processor() -> str:
    """Return what the machine says of its processor, and how many it lends."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = [line for line in file if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    except OSError:
        pass
    return f"{name}, {count or os.cpu_count()} cores"


def _devices() -> str:
    import jax

    return ", ".join(f"{d.platform}: {d.device_kind}" for d in jax.devices())
