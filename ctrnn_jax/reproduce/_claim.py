"""What an experiment on a claim hands to the report.

A claim lives in a module of its own with two functions, which the runner calls:

    settings(*, quick: bool) -> dict          all that the result depends on, as JSON
    run(settings, advance) -> ClaimResult     `advance(text)` names the next stage

`stages(settings) -> int`, the number of calls of `advance`, is optional and makes the
progress bar exact.
"""

import base64
import dataclasses
import io
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Verdict: TypeAlias = Literal["holds", "holds where", "fails"]
#: Called with a line of text as an experiment enters its next stage.
Advance: TypeAlias = Callable[[str], None]
#: All that a result depends on besides the code, as JSON can hold it.
Settings: TypeAlias = dict[str, Any]

VERDICTS: tuple[Verdict, ...] = ("holds", "holds where", "fails")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing tested.

    - `statement`: what was tested, a sentence.
    - `verdict`: "holds", "holds where" or "fails".
    - `measured`: the numbers behind the verdict, with their spread.
    """

    statement: str
    verdict: Verdict
    measured: str

    def __post_init__(self):
        _check_verdict(self.verdict)


@dataclasses.dataclass(frozen=True)
class Table:
    """Measured numbers, ready to print: every cell is text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"Table {self.title!r} has {len(self.columns)} columns, but a row "
                    f"has {len(row)} cells: {row}."
                )


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure as PNG.

    - `name`: stem of its file name.
    - `caption`: what it shows and what to read off it.
    - `alt`: the same for someone who cannot see it, in a sentence.
    """

    name: str
    caption: str
    alt: str
    png: bytes = dataclasses.field(repr=False)

    @classmethod
    def from_figure(
        cls, figure: Figure, *, name: str, caption: str, alt: str, dpi: int = 160
    ) -> "Picture":
        """Render a `matplotlib.figure.Figure`, without touching pyplot's state."""
        FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
        return cls(name, caption, alt, buffer.getvalue())


@dataclasses.dataclass(frozen=True)
class ClaimResult:
    """A claim, tested.

    - `key`, `title`: such as "C1" and a few words.
    - `claim`: what is claimed, in our words, from the paper's abstract.
    - `verdict`, `summary`: the answer, and in a paragraph where it holds.
    - `findings`, `tables`, `pictures`: the evidence.
    - `settings`: what it was run with, seeds included.
    - `seconds`: how long it took, compilation included.
    """

    key: str
    title: str
    claim: str
    verdict: Verdict
    summary: str
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    settings: Settings
    seconds: float = 0.0

    def __post_init__(self):
        _check_verdict(self.verdict)

    def to_json(self) -> dict[str, Any]:
        """Return all but the pictures' bytes as JSON can hold it."""
        data = dataclasses.asdict(self)
        for picture in data["pictures"]:
            del picture["png"]
        return data

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], pngs: Mapping[str, bytes]
    ) -> "ClaimResult":
        """Rebuild a result from `to_json` and the pictures' bytes by name."""
        fields = dict(data)
        fields["findings"] = tuple(Finding(**item) for item in data["findings"])
        fields["tables"] = tuple(
            Table(
                item["title"],
                tuple(item["columns"]),
                tuple(tuple(row) for row in item["rows"]),
                item["note"],
            )
            for item in data["tables"]
        )
        fields["pictures"] = tuple(
            Picture(**item, png=pngs[item["name"]]) for item in data["pictures"]
        )
        return cls(**fields)


def as_data_uri(picture: Picture) -> str:
    """Return the picture as the `src` of an image, holding all its bytes."""
    return "data:image/png;base64," + base64.b64encode(picture.png).decode("ascii")


def _check_verdict(verdict: str) -> None:
    if verdict not in VERDICTS:
        raise ValueError(f"verdict must be one of {VERDICTS}, got {verdict!r}.")
