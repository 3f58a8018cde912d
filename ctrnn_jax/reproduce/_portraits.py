"""Level sets and orbits in the plane, one panel for each activation."""

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from ..fields import VoltageCTRNN
from ..invariants import energy
from ..matrices import SkewSymmetric
from ..plot import plot_level_sets
from ._cases import Case
from ._claim import Picture
from ._periods import rotation
from ._style import DASHES, PALETTE, panels, styled

#: Where the orbits drawn start.
PORTRAIT_STARTS = np.array([[0.9, 0.0], [0.0, 1.9], [-2.4, 2.4]])
PORTRAIT_DURATION = 30.0
_WINDOW = (-4.5, 4.5)


def portraits_picture(orbits: dict[Case, np.ndarray]) -> Picture:
    """Draw every case: grey level sets of H, coloured orbits, a dot at each start."""
    cases, columns = list(orbits), 5
    rows = -(-len(cases) // columns)
    with styled():
        figure, axes = panels(rows, columns, height=1.75, sharex=True, sharey=True)
        for ax in axes[len(cases) :]:
            ax.set_axis_off()
        for ax, case in zip(axes, cases, strict=False):
            _draw(ax, case, orbits[case])
        for index, ax in enumerate(axes[: len(cases)]):
            ax.set_xlabel("x₁" if index >= len(cases) - columns else "")
            ax.set_ylabel("x₂" if index % columns == 0 else "")
    return Picture.from_figure(
        figure,
        name="portraits",
        caption="Two neurons, x' = Wφ(x) with W = [[0, 1], [−1, 0]]: level sets of H "
        "(grey) and orbits (t = 30, dots at their starts). Where Φ is coercive all "
        "level sets close and so do the orbits; where it is not, orbits that start on "
        "an open one leave.",
        alt="Grid of phase portraits: closed curves for tanh, linear, tanh with an "
        "even term, exponential and leaky relu; open ones, for the others",
    )


def _draw(ax: Axes, case: Case, orbits: np.ndarray) -> None:
    model = VoltageCTRNN(
        SkewSymmetric.from_matrix(rotation(1.0)), activation=case.activation
    )
    values = np.asarray(energy(model, jnp.asarray(PORTRAIT_STARTS)))
    inner = np.asarray(
        energy(
            model,
            jnp.asarray(np.linspace(0.2, 4.3, 9))[:, None] * jnp.array([[0.7, 0.7]]),
        )
    )
    plot_level_sets(
        lambda y: energy(model, y),
        _WINDOW,
        _WINDOW,
        levels=np.unique(np.concatenate([values, inner])),
        ax=ax,
        linewidths=0.5,
    )
    for index, lane in enumerate(orbits):
        ax.plot(*lane.T, color=PALETTE[index], ls=DASHES[index], lw=1.3)
        ax.plot(*lane[0], "o", color=PALETTE[index], ms=3.5)
    tags = [
        name for name, true in (("odd", case.odd), ("bounded", case.bounded)) if true
    ]
    ax.set_title(f"{case.name}\n{', '.join(tags) or 'neither'}", fontsize=7.5)
    ax.set(xlim=_WINDOW, ylim=_WINDOW, aspect="equal")
