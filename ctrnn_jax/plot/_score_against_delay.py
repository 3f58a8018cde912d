"""How well networks recall what they were told long ago."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ._style import (
    GREY,
    axes_or_new,
    legend_above,
    line_style,
    marker,
    next_index,
    set_labels,
)


def plot_score_against_delay(
    delays: np.ndarray | Sequence,
    scores: np.ndarray | Sequence,
    *,
    label: str | None = None,
    name: str = "recall",
    trivial: float | int | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw one network's score against the delay it was trained for.

    The median over seeds, and a bar from the worst seed to the best. Call it once a
    network with the same `ax`. A delay without any score is left out of the line.

    **Arguments:**

    - `delays`: in samples, positive, shape `(d,)`.
    - `scores`: shape `(seeds, d)`, NaN where a seed was not run.
    - `label`: name of the network.
    - `name`: what the score is called.
    - `trivial`: the score of an answer that ignores the inputs, drawn dashed.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.errorbar`.

    **Returns:** the axes, the delay on a logarithmic scale.

    **Raises:** `ValueError` if the shapes do not fit, or a delay is not positive.
    """
    delays, scores = np.asarray(delays, float), np.asarray(scores, float)
    if delays.ndim != 1 or scores.ndim != 2 or scores.shape[1:] != delays.shape:
        raise ValueError(
            "delays must have shape (d,) and scores (seeds, d), got "
            f"{delays.shape} and {scores.shape}."
        )
    if not np.all(delays > 0):
        raise ValueError(f"delays must be positive, got {delays.tolist()}.")
    ax = axes_or_new(ax, height=2.7)
    known = np.any(np.isfinite(scores), axis=0)
    order = np.argsort(delays[known])
    at, found = delays[known][order], scores[:, known][:, order]
    middle = np.nanmedian(found, axis=0)
    spread = np.abs([np.nanmin(found, axis=0), np.nanmax(found, axis=0)] - middle)
    index = next_index(ax)
    style: dict = {**line_style(index), "marker": marker(index), "markersize": 3.5}
    style |= {"linewidth": 1.2, "elinewidth": 0.8, "label": label}
    ax.errorbar(at, middle, yerr=spread, **{**style, **kwargs})
    if trivial is not None:
        style = {"color": GREY, "linewidth": 0.9, "linestyle": "--", "zorder": 1}
        ax.axhline(trivial, label="_ref trivial", **style)
    ax.set_xscale("log")
    curves = [x for x in ax.lines if not str(x.get_label()).startswith("_ref")]
    ticks = np.unique(np.concatenate([np.asarray(x.get_xdata()) for x in curves]))
    ax.set_xticks(ticks, [f"{delay:g}" for delay in ticks])
    ax.minorticks_off()
    set_labels(ax, "delay (samples)", name)
    legend_above(ax, columns=2)
    return ax
