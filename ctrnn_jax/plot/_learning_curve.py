"""How a loss falls while a network is trained."""

import numpy as np
from matplotlib.axes import Axes

from ._data import read_numbers
from ._style import (
    GREY,
    axes_or_new,
    colour,
    legend_above,
    marker,
    next_index,
    set_labels,
)

#: Losses of single batches are averaged over so many stretches.
_STRETCHES = 200


def plot_learning_curve(
    history: object,
    *,
    trivial_loss: float | None = None,
    label: str | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw the loss of training, and of validation where there was any.

    Faint: the loss of each batch, averaged over stretches of a long training. Marked:
    validation. Where a loss is zero or not finite the curve is broken.

    **Arguments:**

    - `history`: with `losses` `(steps,)`, `validation_steps` `(v,)` and a mapping
      `validation_scores` that has `"loss"` `(v,)` if v > 0, as `fit` returns.
    - `trivial_loss`: of an answer that ignores the inputs, drawn dashed.
    - `label`: name of the network, if several share the axes.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot` of the validation.

    **Returns:** the axes, the loss on a logarithmic scale.

    **Raises:** `ValueError` if the shapes do not fit or there is no loss.
    """
    losses = read_numbers(history, "losses")
    steps = read_numbers(history, "validation_steps")
    scores = getattr(history, "validation_scores", {})
    found = np.asarray(scores.get("loss", np.zeros(0)), float)
    if losses.ndim != 1 or not losses.size or found.shape != steps.shape:
        raise ValueError(
            "losses must have shape (steps,) with at least one step, and "
            f"validation_scores['loss'] that of validation_steps, got {losses.shape}, "
            f"{found.shape} and {steps.shape}."
        )
    ax = axes_or_new(ax, height=2.7)
    shade = colour(next_index(ax))
    # Of a named network one curve is named; the faint one is told by its colour.
    faint = label if label is not None and not steps.size else "_ref training"
    parts = np.array_split(np.arange(len(losses)), min(_STRETCHES, len(losses)))
    middles = [part.mean() + 1 for part in parts]
    means = [losses[part].mean() for part in parts]
    ax.plot(
        middles,
        _positive(np.array(means)),
        color=shade,
        alpha=0.45,
        linewidth=1.0,
        label="training" if label is None else faint,
    )
    if steps.size:
        style: dict = {"color": shade, "marker": marker(0), "markersize": 3}
        style |= {"linewidth": 1.3, "label": label or "validation"}
        ax.plot(steps, _positive(found), **{**style, **kwargs})
    if trivial_loss is not None:
        style = {"color": GREY, "linewidth": 0.9, "linestyle": "--", "zorder": 1}
        ax.axhline(trivial_loss, label="_ref trivial", **style)
    ax.set_yscale("log")
    ax.margins(x=0.02)
    set_labels(ax, "step", "loss; dashed: trivial" if trivial_loss else "loss")
    legend_above(ax, columns=2)
    return ax


def _positive(values: np.ndarray) -> np.ndarray:
    """Return values with NaN for what a logarithm cannot show."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)
