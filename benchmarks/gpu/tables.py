"""From the rows of a run to Markdown."""

from collections.abc import Iterable
from typing import Any

from ..tables import ratio, table
from .ceilings import rates
from .roofline import bound, count, loop_bound
from .store import DONE, Store

#: What the issue asks of an H200.
_TIMES_DIFFRAX, _TIMES_FLOOR = 20, 2


def render(store: Store) -> str:
    """Return the report as Markdown."""
    parts = [_head(store)]
    for part, pages in (
        ("ceilings", _ceilings),
        ("ensembles", _ensembles),
        ("gradients", _gradients),
        ("training", _training),
    ):
        if any(store.of(part)):
            parts += pages(store)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _head(store: Store) -> str:
    head = store.head
    card = ", ".join(f"{name}: {value}" for name, value in head["card"].items())
    machine = ", ".join(f"{name}: {value}" for name, value in head["machine"].items())
    versions = ", ".join(f"{name} {v}" for name, v in head["versions"].items())
    warning = ""
    if '"tiny": true' in head["options"]:
        warning = "**A tiny run: it shows what works, and no speed at all.**\n\n"
    return f"""# The GPU: its limits, ensembles, gradients and training

{warning}Written by `{head["command"]}`; do not edit.

- Date: {head["date"]}; all runs took {head.get("minutes", 0)} minutes.
- Card: {card}.
- Machine: {machine}.
- Versions: {versions}.
- Options: `{head["options"]}`.
- Times are medians by the clock, from the call until the result is on the device; of
  the limits, between events on the device. Compiling and warming up are not counted."""


_CEILINGS = """
## What the card can do

Small CUDA kernels; eight independent chains in each of 256 threads of eight blocks a
multiprocessor. The arguments of tanh are of both signs and of sizes on both sides of
0.55, where the libm's float32 tanh has two branches.
"""


def _ceilings(store: Store) -> list[str]:
    rows = []
    for row in store.of("ceilings"):
        if row["status"] == DONE:
            spread = row["seconds"]
            rows.append(
                [row["name"], f"{row['rate']:.3g}", row["unit"], *_spread(spread)]
            )
        else:
            rows.append([row["name"], _reason(row), row["unit"], "", ""])
    head = ["limit", "rate", "of", "seconds a run, quartiles", "runs"]
    return [_CEILINGS, table(head, rows)]


_ENSEMBLES = f"""
## Ensembles: x' = W tanh(x), final states

- W is skew-symmetric and random, initial states are random, both new for each run of
  the command and arguments at run time. Steps of length 2⁻⁷; the number that was run
  is in the table: fewer where 1000 would take more than half a second.
- Checked first: the relative error in the 2-norm of up to 32 lanes after 100 steps (10
  in a tiny run) against NumPy in float64, at most 1e-5 in float32 and 1e-13 in float64
  (1e-6 for torchdiffeq there, whose method is another of order four). What fails is
  not timed.
- Roofline: tanh and multiply-adds a lane and step over the rates above, added up, since
  they are issued through the same slots; or the bytes of reading and writing the state
  once for all steps, if that is longer. A kernel whose tanh is cheaper than the libm's
  can be below it.
- Products are in full float32 everywhere, but where a row says otherwise.
- Goals on an H200, float32: {_TIMES_DIFFRAX} times vmapped diffrax at n ≤ 8, and within
  {_TIMES_FLOOR} times the roofline or the kernel by hand.
"""


def _ensembles(store: Store) -> list[str]:
    parts = [_ENSEMBLES, _summary(store)]
    known = rates(store)
    for size, bits, scheme in _groups(store.of("ensembles")):
        counts = count(size, scheme)
        title = "RK4" if scheme == "rk4" else "coordinate splitting, order 2"
        loop = loop_bound(known, size, bits)
        beside = (
            ""
            if loop is None
            else f" A loop that reads and writes the state every step: {1 / loop:.3g} "
            "lane-steps a second at most."
        )
        parts.append(
            f"### n = {size}, float{bits}, {title}\n\n"
            f"A lane and step: {counts.tanh} tanh, {counts.fma} multiply-adds.{beside}"
        )
        parts.append(_group(store, known, size, bits, scheme))
    return parts


def _groups(rows: Iterable[dict[str, Any]]) -> list[tuple[int, int, str]]:
    found = {(row["size"], row["scheme"] != "rk4", row["bits"]) for row in rows}
    return [
        (size, bits, "splitting" if split else "rk4")
        for size, split, bits in sorted(found)
    ]


def _group(
    store: Store, known: dict[str, float], size: int, bits: int, scheme: str
) -> str:
    rows = list(store.of("ensembles", size=size, bits=bits, scheme=scheme))
    rows.sort(key=lambda row: row["lanes"])
    times = {
        (row["lanes"], row["way"]): 1 / row["rate"]
        for row in rows
        if row["status"] == DONE
    }
    lines = []
    for row in rows:
        lanes = _power(row["lanes"])
        if row["status"] != DONE:
            lines.append([lanes, row["label"], _reason(row), *[""] * 7])
            continue
        own = 1 / row["rate"]
        limit = bound(known, size, bits, row["steps"], scheme)
        variant = f" ({row['variant']})" if row.get("variant") else ""
        lines.append(
            [
                lanes,
                row["label"] + variant,
                f"{row['rate']:.3g}",
                _over(own, None if limit is None else limit.seconds),
                _over(own, _floor(times, row["lanes"])),
                _over(times.get((row["lanes"], "diffrax-vmap")), own),
                str(row["steps"]),
                *_spread(row["seconds"]),
                f"{row['error']:.0e}",
            ]
        )
    head = [
        "lanes",
        "way",
        "lane-steps a second",
        "time over roofline",
        "time over by hand",
        "times vmapped diffrax",
        "steps",
        "seconds, quartiles",
        "runs",
        "error",
    ]
    return table(head, lines)


def _floor(times: dict[tuple[int, str], float], lanes: int) -> float | None:
    """Return the time of the faster kernel by hand."""
    found = [
        times[lanes, way] for way in ("cuda", "cuda-tuned") if (lanes, way) in times
    ]
    return min(found) if found else None


def _summary(store: Store) -> str:
    """Return ours beside the goals, float32, the fused engine."""
    known = rates(store)
    lines = []
    rows = store.of("ensembles", way="ours-pallas", bits=32, scheme="rk4", status=DONE)
    for row in sorted(rows, key=lambda row: (row["size"], row["lanes"])):
        same = {"size": row["size"], "bits": 32, "lanes": row["lanes"]}
        times = {
            (other["lanes"], other["way"]): 1 / other["rate"]
            for other in store.of("ensembles", status=DONE, **same)
        }
        own = 1 / row["rate"]
        limit = bound(known, row["size"], 32, row["steps"])
        xla = [
            times[row["lanes"], way]
            for way in ("ours-xla", "xla-whole", "xla-by-neuron")
            if (row["lanes"], way) in times
        ]
        lines.append(
            [
                str(row["size"]),
                _power(row["lanes"]),
                f"{row['rate']:.3g}",
                _over(times.get((row["lanes"], "diffrax-vmap")), own),
                _over(min(xla) if xla else None, own),
                _over(times.get((row["lanes"], "torch-graph")), own),
                _over(own, _floor(times, row["lanes"])),
                _over(own, None if limit is None else limit.seconds),
                limit.by if limit else "–",
            ]
        )
    if not lines:
        return "No row of `engine='pallas'` was measured."
    head = [
        "n",
        "lanes",
        "ours, lane-steps a second",
        "times vmapped diffrax",
        "times the fastest XLA loop",
        "times torch's CUDA graph",
        "time over by hand",
        "time over roofline",
        "bound by",
    ]
    return table(head, lines)


_GRADIENTS = """
## Gradients

Of a linear loss of the final states by W and by the initial states, float32. W is
bipartite (leapfrog) or dense (coordinate splitting); diffrax takes RK4 steps. Steps of
length 2⁻⁵. Agreement is the relative error in the 2-norm beside back-propagation in
float64 through every step of the same scheme; a way that is off is not timed. Memory is
what the compiled program needs beside arguments and results. Where five runs would take
more than six seconds, two are made.
"""


def _gradients(store: Store) -> list[str]:
    compared = []
    for row in store.of("gradients", kind="agreement"):
        right = row["status"] == DONE
        compared.append(
            [
                str(row["size"]),
                row["weight"],
                f"float{row['bits']}",
                row["label"],
                f"{row['error']:.1e} ≤ {row['allowed']:.0e}" if right else _reason(row),
            ]
        )
    rows = list(store.of("gradients", kind="timing"))
    rows.sort(key=lambda row: (row["size"], row["weight"], row["lanes"], row["steps"]))
    times = {_gradient_key(row): row["seconds"]["median"] for row in rows if _okay(row)}
    timed = []
    for row in rows:
        names = [
            str(row["size"]),
            row["weight"],
            str(row["lanes"]),
            _power(row["steps"]),
        ]
        if not _okay(row):
            timed.append([*names, row["label"], _reason(row), *[""] * 5])
            continue
        own = row["seconds"]["median"]
        timed.append(
            [
                *names,
                row["label"],
                f"{own:.3g}",
                *_spread(row["seconds"]),
                f"{row['rate']:.3g}",
                f"{row['temporary_bytes'] / 1e6:.3g}",
                _over(times.get((*_gradient_key(row)[:4], "diffrax-vmap")), own),
            ]
        )
    head = [
        "n",
        "W",
        "lanes",
        "steps",
        "way",
        "seconds",
        "quartiles",
        "runs",
        "lane-steps a second",
        "memory, MB",
        "times vmapped diffrax",
    ]
    parts = [_GRADIENTS, table(["n", "W", "precision", "way", "agreement"], compared)]
    return [*parts, table(head, timed)] if timed else parts


def _gradient_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["size"], row["weight"], row["lanes"], row["steps"], row["way"]


_TRAINING = """
## Training: copy memory

A step is a new batch, forward pass, gradient and Adam; float32, linear readout. The
same weights and batch gave the same first loss before any time was taken: to 1e-5 with
products in float32, to 3e-3 where the default is TensorFloat-32.
"""


def _training(store: Store) -> list[str]:
    lines = []
    rows = list(store.of("training", kind="timing"))
    rates_of_ours = {
        (row["batch"], row["network"]): row["rate"]
        for row in rows
        if row["way"] == "ours" and _okay(row)
    }
    for row in rows:
        names = [str(row["batch"]), row["network"], row["label"]]
        if not _okay(row):
            lines.append([*names, _reason(row), *[""] * 4])
            continue
        ours = rates_of_ours.get((row["batch"], row["network"]))
        lines.append(
            [
                *names,
                f"{row['rate']:.4g}",
                *_spread(row["seconds"]),
                _over(ours, row["rate"]),
                f"{row['first_loss']:.6f}",
            ]
        )
    head = [
        "batch",
        "network",
        "way",
        "steps a second",
        "seconds, quartiles",
        "runs",
        "times slower than ours",
        "first loss",
    ]
    sizes = {(row["size"], row["delay"]) for row in rows}
    about = "; ".join(f"{size} neurons, delay {delay}" for size, delay in sorted(sizes))
    parts = [_TRAINING, f"{about}."]
    for row in store.of("training", kind="transfers"):
        said = (
            f"Between host and device, {row['steps']} training steps on "
            f"{row['platform']} moved nothing (`jax.transfer_guard`)."
            if _okay(row)
            else f"The check that a step moves nothing: {_reason(row)}"
        )
        parts.append(said)
    return [*parts, table(head, lines)]


def _okay(row: dict[str, Any]) -> bool:
    return row["status"] == DONE


def _reason(row: dict[str, Any]) -> str:
    reason = row.get("reason", "cut off").replace("|", "/").replace("\n", " ")
    return f"{row['status']}: {reason}"


def _spread(spread: dict[str, float]) -> list[str]:
    return [f"{spread['low']:.3g} – {spread['high']:.3g}", str(spread["count"])]


def _over(one: float | None, other: float | None) -> str:
    return "–" if one is None or not other else ratio(one / other)


def _power(number: int) -> str:
    """Return a power of ten as such."""
    text = str(number)
    if len(text) > 3 and text.strip("0") == "1":
        return "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(c)] for c in str(len(text) - 1))
    return text
