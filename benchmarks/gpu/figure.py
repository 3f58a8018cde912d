"""Lane-steps a second against lanes, a panel for each number of neurons."""

from pathlib import Path
from typing import Any

from ..race import plain
from .ceilings import rates
from .roofline import bound
from .store import Store

#: Curves, from the most to the least important.
SHOWN = (
    "ours-pallas",
    "cuda-tuned",
    "cuda",
    "ours-xla",
    "xla-by-neuron",
    "xla-whole",
    "torch-graph",
    "diffrax-vmap",
    "torchdiffeq",
)


def curves(store: Store, size: int) -> dict[str, tuple[list[int], list[float]]]:
    """Return label -> (lanes, lane-steps a second) of RK4 in float32."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    rows = store.of("ensembles", size=size, bits=32, scheme="rk4", status="done")
    by_way: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_way.setdefault(row["way"], []).append(row)
    for way in SHOWN:
        points = sorted(by_way.get(way, ()), key=lambda row: row["lanes"])
        if points:
            found[plain(points[0]["label"])] = (
                [row["lanes"] for row in points],
                [row["rate"] for row in points],
            )
    return found


def draw(store: Store, path: Path) -> bool:
    """Draw what there is; return whether there is anything."""
    sizes = sorted({row["size"] for row in store.of("ensembles", status="done")})
    panels = [(size, found) for size in sizes if (found := curves(store, size))]
    if not panels:
        return False
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.4 * len(panels) + 0.6, 4.6), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    known = rates(store)
    labels = list(dict.fromkeys(label for _, found in panels for label in found))
    for ax, (size, found) in zip(axes[0], panels, strict=True):
        for label, (lanes, speed) in found.items():
            index = labels.index(label)
            ours = index == 0 and label.startswith("ctrnn_jax")
            ax.loglog(
                lanes,
                speed,
                marker="o",
                markersize=4,
                linewidth=2.4 if ours else 1.2,
                color=f"C{index}",
                label=label,
            )
        limit = bound(known, size, 32, 1000)
        if limit is not None:
            ax.axhline(1 / limit.seconds, color="0.4", linestyle="--", label="roofline")
        ax.set_title(f"n = {size}", fontsize="medium")
        ax.set_xlabel("lanes")
        ax.grid(which="major", alpha=0.3)
    axes[0][0].set_ylabel("lane-steps a second")
    handles: dict[str, Any] = {}
    for ax in axes[0]:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()), list(handles), ncols=3, loc="outside lower center",
        fontsize="small",
    )  # fmt: skip
    card = store.head.get("card", {}).get("card", "unknown card")
    figure.suptitle(f"x' = W tanh(x), RK4, float32, {card}", fontsize="medium")
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return True
