"""Error of the gradient against the time it takes, step by step."""

from pathlib import Path
from typing import Any


def curves(
    results: dict[str, Any], bits: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Return label -> (seconds, errors) of the work–precision races."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for group in results["groups"]:
        if group["name"] != "precision" or group["bits"] != bits:
            continue
        for row in group["rows"]:
            # A step too long for the method is no point of its curve.
            if "cpu" not in row or not row["converged"] or row["converged"] > 1.0:
                continue
            seconds, errors = found.setdefault(_short(row["label"]), ([], []))
            seconds.append(row["cpu"]["median"])
            errors.append(row["converged"])
    return found


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw both precisions beside each other."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ctrnn_jax.plot import plot_work_precision

    panels = [(bits, found) for bits in (32, 64) if (found := curves(results, bits))]
    if not panels:
        return
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.6 * len(panels), 4.4), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for ax, (bits, found) in zip(axes[0], panels, strict=True):
        plot_work_precision(
            found,
            orders=(2, 4, 6) if bits == 64 else (),
            work_label="processor time (s)",
            error_label="relative error of the gradient",
            ax=ax,
        )
        legend = ax.get_legend()
        if legend is not None:
            legend.remove()
        ax.set_title(f"float{bits}", fontsize="medium")
    handles, labels = axes[0][0].get_legend_handles_labels()
    shown = [pair for pair in zip(handles, labels, strict=True) if pair[1][0] != "_"]
    figure.legend(*zip(*shown, strict=True), ncols=2, loc="outside lower center")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _short(label: str) -> str:
    from ..race import plain

    return plain(label).replace(", state (n, B)", "")
