"""Which motion where: maps of kinds over two parameters, and over size and energy."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch

from ._data import Numbers, read_numbers
from ._style import OKABE_ITO, TWO_COLUMNS, axes_or_new, set_labels

#: From order to disorder; the lightness differs too, for a copy in grey.
_COLOURS = {
    "fixed point": "#E8E8E8",
    "dying": "#BDBDBD",
    "periodic": OKABE_ITO["sky blue"],
    "quasi-periodic": OKABE_ITO["green"],
    "chaotic": OKABE_ITO["vermillion"],
    "aperiodic": OKABE_ITO["vermillion"],
    "diverging": OKABE_ITO["black"],
    "undecided": OKABE_ITO["yellow"],
}


def plot_bifurcation_diagram(diagram: object, *, ax: Axes | None = None) -> Axes:
    """Draw which motion a network settles to, over gain and leak.

    **Arguments:**

    - `diagram`: with `gains` `(G,)`, `leaks` `(L,)`, both increasing, and `kinds`
      `(G, L)`, as `bifurcation_diagram` returns.
    - `ax`: axes to draw into; default: new ones.

    **Returns:** the axes.

    **Raises:** `ValueError` if shapes do not fit or a kind is unknown.
    """
    gains, leaks = (read_numbers(diagram, name) for name in ("gains", "leaks"))
    kinds = np.asarray(getattr(diagram, "kinds", ()))
    if gains.ndim != 1 or leaks.ndim != 1 or kinds.shape != (len(gains), len(leaks)):
        raise ValueError(
            "gains must have shape (G,), leaks (L,) and kinds (G, L), got "
            f"{gains.shape}, {leaks.shape} and {kinds.shape}."
        )
    present = _present(kinds.ravel())
    codes = np.zeros(kinds.shape)
    for code, kind in enumerate(present):
        codes[kinds == kind] = code
    ax = axes_or_new(ax, height=3.4)
    colours = ListedColormap([_COLOURS[kind] for kind in present])
    norm = BoundaryNorm(np.arange(len(present) + 1) - 0.5, len(present))
    ax.pcolormesh(
        gains, leaks, codes.T, cmap=colours, norm=norm, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    set_labels(ax, "gain", "leak")
    _name_kinds(ax, present)
    return ax


def plot_phase_diagram(
    sizes: Numbers,
    energies: Numbers,
    shares: Mapping[str, Numbers],
    *,
    energy_label: str = "energy per neuron $H/n$",
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of each kind of motion, over network size and energy.

    Each cell is one size and one energy, filled from below with its shares of
    "periodic", "quasi-periodic", "chaotic" and so on, from order to disorder.

    **Arguments:**

    - `sizes`: numbers of neurons, shape `(s,)`, one row each.
    - `energies`: increasing, shape `(e,)`, one column each.
    - `shares`: maps each kind to its share, shape `(s, e)`; of a cell they sum to 1,
      or are all NaN where nothing was measured.
    - `energy_label`: what the energies are.
    - `ax`: axes to draw into; default: new ones.

    **Returns:** the axes.

    **Raises:** `ValueError` if shapes do not fit, a kind is unknown, or the shares of
    a cell do not sum to 1.
    """
    present = _present(np.array(list(shares)))
    table = np.array([np.asarray(shares[kind], float) for kind in present])
    wanted = (len(present), len(sizes), len(energies))
    if table.shape != wanted:
        raise ValueError(f"shares must have shape {wanted[1:]}, got {table.shape[1:]}.")
    total = table.sum(axis=0)
    if not np.allclose(total[np.isfinite(total)], 1.0, atol=1e-6):
        raise ValueError("The shares of each cell must sum to 1, or be NaN.")
    ax = axes_or_new(ax, width=TWO_COLUMNS, height=0.9 + 0.34 * len(sizes))
    columns = np.arange(len(energies))
    for row in range(len(sizes)):
        base = row - 0.44
        for kind, share in zip(present, table[:, row], strict=True):
            height = 0.88 * np.nan_to_num(share)
            ax.bar(columns, height, 0.94, bottom=base, color=_COLOURS[kind])
            base = base + height
    ax.set_xticks(columns, [f"{energy:.3g}" for energy in np.asarray(energies)])
    ax.set_yticks(np.arange(len(sizes)), [str(size) for size in sizes])
    ax.set(xlim=(-0.5, len(energies) - 0.5), ylim=(-0.5, len(sizes) - 0.5))
    ax.tick_params(length=0)
    set_labels(ax, energy_label, "number of neurons $n$")
    _name_kinds(ax, present)
    return ax


def _present(kinds: np.ndarray) -> list[str]:
    """Return the kinds that occur, from order to disorder."""
    names = {str(kind) for kind in kinds}
    unknown = sorted(names - set(_COLOURS))
    if unknown or not names:
        raise ValueError(f"Unknown kinds {unknown}; choose from {list(_COLOURS)}.")
    return [kind for kind in _COLOURS if kind in names]


def _name_kinds(ax: Axes, kinds: list[str]) -> None:
    patches = [Patch(facecolor=_COLOURS[k], edgecolor="0.4", label=k) for k in kinds]
    ax.legend(
        handles=patches, loc="lower left", bbox_to_anchor=(0.0, 1.01), frameon=False,
        borderaxespad=0.0, ncols=min(len(kinds), 4), fontsize=8, handlelength=1.2,
        columnspacing=1.2,
    )  # fmt: skip
