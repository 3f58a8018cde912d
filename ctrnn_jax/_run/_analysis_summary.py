"""What an analysis found: numbers with their uncertainty, for people and for JSON."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ._checkpoint import Arrays

#: Points listed one by one at most.
_POINTS_UP_TO = 8

#: Quantity: its value (a number, a word or a list), the error, and what it means
#: (one note for all, or one for each of a list).
Evidence = dict[str, dict[str, Any]]


def summarise_part(name: str, found: Arrays) -> dict[str, Any]:
    """Return status and evidence of one part, as JSON can hold them."""
    status = str(found["status"])
    summary: dict[str, Any] = {"status": status}
    if name == "orbit":
        summary |= {"kind": str(found["kind"]), "why": str(found["why"])}
        summary["evidence"] = _orbit(found)
    elif status == "successful":
        summary["evidence"] = _EVIDENCE[name](found)
    if "reason" in found and name != "orbit":
        summary["why"] = str(found["reason"])
    return summary


def rows(summary: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield quantity, value with error, and note of each line of evidence."""
    for name, entry in summary.get("evidence", {}).items():
        title = name.replace("_", " ").replace("megno", "MEGNO")
        value, error, note = entry["value"], entry.get("error"), entry.get("note", "")
        if not isinstance(value, list):
            yield title, show(value, error), note
            continue
        errors = error if isinstance(error, list) else [error] * len(value)
        notes = note if isinstance(note, list) else [note] + [""] * len(value)
        notes = notes[: len(value)]
        for index, each in enumerate(zip(value, errors, notes, strict=True), start=1):
            yield f"{title} {index}", show(*each[:2]), each[2]


def show(value: float | int | str | None, error: float | None = None) -> str:
    """Return a value to the digits that its error leaves, with the error."""
    if value is None:
        return "none"
    if isinstance(value, str | int):
        return str(value)
    if not error:
        return f"{value:.6g}" if abs(value) >= 1e-3 else f"{value:.2g}"
    if abs(value) >= 1e6 or error >= 1e6 or error < 1e-12:
        return f"{value:.6g} ± {error:.1g}"
    digits = max(-math.floor(math.log10(error)), 0)
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _entry(
    value: object, error: object = None, note: str | list[str] = ""
) -> dict[str, Any]:
    entry = {"value": _plain(value)}
    if error is not None:
        entry["error"] = _plain(error)
    return entry | ({"note": note} if note else {})


def _plain(value: object) -> Any:
    """Return numbers as JSON can hold them; what is not finite is `None`."""
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    if array.ndim:
        return [_plain(each) for each in array]
    if array.dtype.kind in "iub":
        return int(array)
    return float(array) if np.isfinite(array) else None


def _orbit(found: Arrays) -> Evidence:
    if np.isfinite(found["escape_time"]):
        return {"escape_time": _entry(found["escape_time"], note="left the radius")}
    evidence = {
        "largest_exponent": _entry(
            found["exponent"], found["exponent_error"], "per unit time"
        ),
        "mean_megno": _entry(
            found["megno"], note="2: regular; growing, above 6: chaotic"
        ),
    }
    lines = found["angular_frequency"]
    lines = lines[lines > 0][: max(int(found["num_independent"]), 1)]
    if lines.size:
        drift = float(found["frequency_drift"])
        evidence |= {
            "angular_frequency": _entry(
                lines, drift * lines, "strongest; error: from first to last"
            ),
            "independent_frequencies": _entry(found["num_independent"]),
            "unexplained": _entry(
                found["unexplained"], note="share of the signal beyond its lines"
            ),
        }
    if np.isfinite(found["closest_return"]):
        evidence["closest_return"] = _entry(
            found["closest_return"], note="in sizes of the orbit"
        )
    if str(found["kind"]) == "periodic":
        evidence["period"] = _entry(found["period"], note="of that return")
    evidence["decay_rate"] = _entry(
        found["decay_rate"], note="of the speed, second half"
    )
    if "energy_drift" in found:
        evidence["energy_drift"] = _entry(
            found["energy_drift"], note="relative, of the integration"
        )
    return evidence


def _lyapunov(found: Arrays) -> Evidence:
    exponents, errors = found["exponents"], found["standard_error"]
    return {
        "exponent": _entry(exponents, errors, "per unit time, descending"),
        "sum": _entry(np.sum(exponents), note="of all n: the mean divergence"),
    }


def _section(found: Arrays) -> Evidence:
    returns = np.diff(found["ts"])
    evidence = {"crossings": _entry(found["total"])}
    if returns.size:
        evidence["return_time"] = _entry(np.mean(returns), note="mean")
        evidence["its_spread"] = _entry(np.std(returns), note="0 on a simple cycle")
    return evidence


def _frequencies(found: Arrays) -> Evidence:
    there = found["angular_frequency"] > 0
    if not there.any():
        return {"lines": _entry(0, note="at rest, or beyond all bounds")}
    amplitude = np.sqrt(np.sum(found["amplitude"][there] ** 2, axis=-1))
    return {
        "angular_frequency": _entry(
            found["angular_frequency"][there],
            note=[f"amplitude {size:.4g} over all neurons" for size in amplitude],
        ),
        "residual": _entry(found["residual"], note="share of the signal left"),
        "resolution": _entry(
            found["resolution"], note="lines within 3 times this are not told apart"
        ),
    }


def _periodic_orbit(found: Arrays) -> Evidence:
    moduli = np.abs(found["multipliers"])
    return {
        "period": _entry(found["period"], note="of the orbit near the end"),
        "gap": _entry(found["miss"], note="where the orbit should close"),
        "multiplier_modulus": _entry(moduli, note="1: along the flow, conserved"),
        "trivial_error": _entry(
            found["trivial_error"], note="of the multipliers that must be 1"
        ),
    }


def _fixed_points(found: Arrays) -> Evidence:
    kinds, speeds = found["kinds"], found["speeds"]
    evidence = {"points": _entry(len(kinds))}
    for kind in sorted(set(kinds)):
        note = "not isolated, or at a bifurcation" if kind == "degenerate" else ""
        evidence[str(kind)] = _entry(int(np.sum(kinds == kind)), note=note)
    isolated = np.flatnonzero(kinds != "degenerate")[:_POINTS_UP_TO]
    if isolated.size:
        growth = np.real(found["eigenvalues"][isolated]).max(axis=-1)
        evidence["growth_rate"] = _entry(
            growth,
            note=[
                f"{kinds[index]}, |f| = {speeds[index]:.1e} there" for index in isolated
            ],
        )
    lost = _entry(found["lost"], note="that led to no fixed point")
    return evidence | {"candidates_lost": lost}


def _gradient_norms(found: Arrays) -> Evidence:
    last = found["log_rms"][:, -1] / math.log(10)
    error = np.std(last, ddof=1) / math.sqrt(len(last))
    return {
        "trend": _entry(str(found["trend"]), note="over these delays"),
        "growth_rate": _entry(found["rate"], found["standard_error"], "per unit time"),
        "log10_norm": _entry(
            np.mean(last), error, f"at the longest delay, {found['delays'][-1]:g}"
        ),
    }


_EVIDENCE: dict[str, Callable[[Arrays], Evidence]] = {
    "lyapunov": _lyapunov,
    "section": _section,
    "frequencies": _frequencies,
    "periodic_orbit": _periodic_orbit,
    "fixed_points": _fixed_points,
    "gradient_norms": _gradient_norms,
}
