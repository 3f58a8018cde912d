"""The paper's claims as experiments: measured, drawn, judged."""

from ._claim import ClaimResult, Finding, Picture, Table
from .report import render_report
from .runner import CLAIMS, reproduce

__all__ = [
    "CLAIMS",
    "ClaimResult",
    "Finding",
    "Picture",
    "Table",
    "render_report",
    "reproduce",
]
