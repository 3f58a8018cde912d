"""The paper's claims as experiments: measured, drawn, judged."""

from ._claim import ClaimResult, Finding, Picture, Table

__all__ = ["ClaimResult", "Finding", "Picture", "Table"]
