"""The error of the energy against time."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from ._style import (
    GREY,
    TIME_LABEL,
    axes_or_new,
    legend_above,
    line_style,
    next_index,
    set_labels,
)


def plot_drift(
    drift: object,
    *,
    relative: bool = True,
    envelope: bool = False,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    r"""Draw the error of the energy, $|H(t) - H(0)|$, against time, log–log.

    A power law is a straight line here: growth like $\sqrt t$, as of forward Euler
    with tanh, rises half a decade a decade; an error without trend stays level. What is
    below rounding, $\epsilon |H(0)|$ with the dtype's $\epsilon$, is drawn on the
    dotted line that marks it, so that an exact zero is seen too.

    **Arguments:**

    - `drift`: what `ctrnn_jax.drift` returns (`ts` `(time,)`, `initial_energy` `()`
      and `energy` `(time,)`), or a mapping from labels to such. Of an ensemble's drift
      the largest error over the lanes that did not fail is drawn, and how many failed
      is said in the label.
    - `relative`: divide by $|H(0)|$.
    - `envelope`: draw the largest error so far. For many samples an oscillating error
      fills the figure otherwise.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for `Axes.plot`.

    **Returns:** the axes.

    **Raises:** `ValueError` if a drift has fewer than two samples or no finite one, or
    if `relative` and an initial energy is 0.
    """
    several = isinstance(drift, Mapping)
    drifts = drift if several else {None: drift}
    if not drifts:
        raise ValueError("The mapping of drifts is empty.")
    curves = [_read(one, label, relative) for label, one in drifts.items()]
    ax = axes_or_new(ax, height=2.8)
    for label, elapsed, error, floor in curves:
        if envelope:
            error = np.where(np.isnan(error), error, np.fmax.accumulate(error))
        style = {"linewidth": 1.2, **line_style(next_index(ax)), "label": label}
        # np.maximum keeps NaN, which leaves a gap.
        ax.plot(elapsed, np.maximum(error, floor), **{**style, **kwargs})
    floor = max(floor for *_, floor in curves)
    ax.axhline(floor, color=GREY, linestyle=":", linewidth=0.9, label="_ref rounding")
    ax.annotate(
        "rounding",
        (0.01, floor),
        xycoords=("axes fraction", "data"),
        xytext=(0, -2),
        textcoords="offset points",
        va="top",
        fontsize=7,
        color="0.4",
    )
    ax.set(xscale="log", yscale="log")
    ax.margins(x=0.02, y=0.1)
    kind = "relative energy error" if relative else "energy error (dimensionless)"
    since = TIME_LABEL.replace("time", "time since start")
    set_labels(ax, since, f"largest so far of\n{kind}" if envelope else kind)
    if any(label is not None for label, *_ in curves) or "label" in kwargs:
        legend_above(ax)
    return ax


def _read(
    drift: object, label: str | None, relative: bool
) -> tuple[str | None, np.ndarray, np.ndarray, float]:
    """Return label, time since the start, error, and where rounding sets in."""
    name = "The drift" if label is None else f"The drift of {label!r}"
    ts = np.asarray(getattr(drift, "ts", None))
    energy = np.asarray(getattr(drift, "energy", None))
    start = np.asarray(getattr(drift, "initial_energy", None))
    if ts.ndim != 1 or energy.ndim not in (1, 2) or energy.shape[-1:] != ts.shape:
        raise ValueError(
            f"{name} must have ts (time,) and energy (time,) or (batch, time), got "
            f"{ts.shape} and {energy.shape}."
        )
    if start.shape != energy.shape[:-1]:
        raise ValueError(
            f"{name} must have one initial_energy a lane, got {start.shape}."
        )
    if len(ts) < 2:
        raise ValueError(f"{name} needs at least two samples, got {len(ts)}.")
    lanes = energy.reshape(-1, len(ts))
    start = np.abs(start.reshape(-1))
    okay = np.isfinite(lanes).all(axis=1) | (energy.ndim == 1)
    lanes, start = np.abs(lanes[okay]), start[okay]
    if not np.isfinite(lanes[:, 1:]).any():
        raise ValueError(f"{name} holds no finite sample after the first.")
    if relative:
        if not start.all():
            raise ValueError(
                f"{name} starts at energy 0: draw it with relative=False, or start "
                "away from the rest point."
            )
        lanes = lanes / start[:, None]
    lanes = np.where(np.isfinite(lanes), lanes, np.nan)
    epsilon = float(np.finfo(energy.dtype).eps)
    scale = 1.0 if relative else float(start.max())
    floor = epsilon * scale or float(np.finfo(energy.dtype).tiny)
    if not okay.all():
        failed = f"{np.sum(~okay)} of {okay.size} lanes failed"
        label = failed if label is None else f"{label} ({failed})"
    return label, (ts - ts[0])[1:], lanes.max(axis=0)[1:], floor
