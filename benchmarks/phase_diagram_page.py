"""The text beside the phase diagram."""

from typing import Any


def render(summary: dict[str, Any]) -> str:
    """Return what was run and what came out, in Markdown."""
    main = summary["protocols"][0]
    parts = [
        "# Where oscillation is periodic, quasi-periodic or chaotic",
        f"{summary['orbits']} orbits of x' = W tanh x, W skew-symmetric and random, "
        "by number of neurons n and energy per neuron H/n, H = Σ log cosh xᵢ."
        + _progress(summary),
        "![Shares of the kinds of motion by size and energy; share of chaos; "
        "exponents](phase_diagram.png)",
        "Left: each cell is filled with its shares of the kinds. Right: share of "
        "chaotic orbits, with 95 % intervals that count each W once, and the median "
        "and quartiles of their largest Lyapunov exponent.",
        _findings(summary),
        "## Where chaos takes over",
        "The energy per neuron at which half of the orbits are chaotic, between levels "
        "on a line over log H/n; 95 % interval by resampling networks, or the two "
        "levels where the share jumps from one to the next.",
        _thresholds(summary),
        "## Shares of chaotic orbits",
        _shares(summary),
        "## Protocol",
        _protocol(summary, main),
        "## Does the protocol matter?",
        *(_check(check) for check in summary["checks"] if check["orbits"]),
        _undecided(summary),
        "## Made with",
        _made_with(summary),
    ]
    return "\n\n".join(parts) + "\n"


def _progress(summary: dict[str, Any]) -> str:
    """Say so if the run stopped early."""
    if summary["orbits"] >= summary["planned"]:
        return ""
    return (
        f" **The run is not complete**: {summary['planned']} orbits are planned, and "
        "the command below goes on with those that are missing; each size is complete "
        "for the networks counted in the table of shares."
    )


def _findings(summary: dict[str, Any]) -> str:
    """Return what the numbers say, in sentences made from them."""
    by_size: dict[int, list[dict[str, Any]]] = {}
    for cell in summary["cells"]:
        by_size.setdefault(cell["n"], []).append(cell)
    calm = [
        n
        for n, cells in by_size.items()
        if not any(cell["share"]["chaotic"] for cell in cells)
    ]
    orbits = sum(cell["orbits"] for n in calm for cell in by_size[n])
    lines = []
    if calm:
        sizes = " and ".join(map(str, calm))
        lines.append(f"- n = {sizes}: none of {orbits} orbits is chaotic.")
    for n, cells in by_size.items():
        if n in calm:
            continue
        first = next(cell for cell in cells if cell["share"]["chaotic"])
        line = (
            f"- n = {n}: chaos from H/n = {first['energy_per_neuron']:g} on, "
            f"{100 * max(cell['share']['chaotic'] for cell in cells):.0f} % of orbits "
            "at most"
        )
        known = [cell for cell in cells if cell["exponent_quartiles"]]
        if known:
            top = max(known, key=lambda cell: cell["exponent_quartiles"][1])
            line += (
                f"; largest median exponent {top['exponent_quartiles'][1]:.3g} at "
                f"H/n = {top['energy_per_neuron']:g}"
            )
        lines.append(line + ".")
    return "\n".join(lines)


def _thresholds(summary: dict[str, Any]) -> str:
    rows = ["| n | H/n at one half | 95 % interval |", "|--:|--:|:--|"]
    for item in summary["thresholds"]:
        value, interval = item["energy_per_neuron"], item["interval"]
        shown = "–" if value is None else f"{value:.3g}"
        span = "" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"
        rows.append(f"| {item['n']} | {shown} | {span} |")
    return "\n".join(rows)


def _shares(summary: dict[str, Any]) -> str:
    cells = {(c["n"], c["energy_per_neuron"]): c for c in summary["cells"]}
    levels = summary["levels"]
    rows = [
        "| n | networks | orbits | " + " | ".join(f"{v:g}" for v in levels) + " |",
        "|--:|--:|--:|" + "--:|" * len(levels),
    ]
    for n in summary["sizes"]:
        row = [cells[n, level] for level in levels]
        orbits = sum(cell["orbits"] for cell in row)
        shares = " | ".join(f"{cell['share']['chaotic']:.2f}" for cell in row)
        rows.append(f"| {n} | {row[0]['networks']} | {orbits} | {shares} |")
    return "\n".join(rows)


def _protocol(summary: dict[str, Any], main: dict[str, Any]) -> str:
    return (
        "- W = A − Aᵀ with A Gaussian, scaled to ‖W‖² = 2(n − 1) (Frobenius), its mean "
        "for A ~ N(0, 1)/√n: a factor of W only changes the unit of time, in which "
        "eigenfrequencies reach up to 2√2.\n"
        "- Starts: Gaussian directions, their length such that H/n has the value of "
        "the level; the same number at each level of each network.\n"
        f"- Each orbit is followed for t = {main['duration']:g} in float64 with "
        f"{main['solver']} and steps of {main['step']:g}; the relative energy drift is "
        f"at most {summary['energy_drift']:.1e}.\n"
        "- Kinds by `ctrnn_jax.analysis.classify_orbits`: chaotic where the mean MEGNO "
        "is above 6 and the exponent above three standard errors; periodic where the "
        "orbit closes to 1e-4 of its size and its lines are multiples of one to 1e-6, "
        "or it closes to 1e-8; quasi-periodic where MEGNO is below 3 and two "
        "frequencies are independent.\n"
        "- So chaos with an exponent below about "
        f"{12 / main['duration']:.0e} is not seen, and counts as quasi-periodic or "
        "undecided: the share of chaos is a lower bound."
    )


def _check(check: dict[str, Any]) -> str:
    kinds = ("periodic", "quasi-periodic", "chaotic", "undecided")
    rows = [
        "| main run | " + " | ".join(kinds) + " |",
        "|:--|" + "--:|" * len(kinds),
    ]
    for kind in kinds:
        row = check["table"].get(kind, {})
        rows.append(
            f"| {kind} | " + " | ".join(str(row.get(k, 0)) for k in kinds) + " |"
        )
    ratio = check["exponent_ratio_quartiles"]
    sizes = ", ".join(map(str, check["sizes"]))
    text = (
        f"**{check['name'].capitalize()}** (columns), n = {sizes}: {check['same']} of "
        f"{check['orbits']} orbits have the same kind."
    )
    if ratio:
        text += (
            f" Exponents of chaotic ones, over the main run's: {ratio[1]:.2f} "
            f"[quartiles {ratio[0]:.2f}, {ratio[2]:.2f}]."
        )
    return text + "\n\n" + "\n".join(rows)


def _undecided(summary: dict[str, Any]) -> str:
    reasons = summary["undecided"]
    if not reasons:
        return "No orbit is undecided."
    listed = "; ".join(f"{count}: {why}" for why, count in reasons.items())
    return f"Undecided orbits of the main run, by reason. {listed}."


def _made_with(summary: dict[str, Any]) -> str:
    versions = summary["versions"]
    wanted = ("python", "ctrnn_jax", "jax", "diffrax", "equinox", "numpy")
    listed = ", ".join(f"{name} {versions[name]}" for name in wanted)
    machine = summary["machine"]
    return (
        f"`{summary['command']}`, {summary['date']}; {listed}; "
        f"{machine['processor']}, one core at a time, {summary['cpu_hours']:.2f} "
        "processor hours, compilation included. One row an orbit is in "
        "[`phase_diagram.csv`](phase_diagram.csv) (kinds by their first letter), the "
        "numbers of this page in [`phase_diagram.json`](phase_diagram.json)."
    )
