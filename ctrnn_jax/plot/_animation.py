"""An orbit as it is drawn, saved for a page or a talk."""

import re
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, HTMLWriter, PillowWriter
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from ._data import Number, Numbers, check_pair, read_states, read_times
from ._style import axes_or_new, colour, next_index, set_labels, state_label

# matplotlib's player takes its icons from elsewhere; these are characters of their own.
_ICONS = {
    "fa-minus": "−",
    "fa-fast-backward": "⏮",
    "fa-step-backward": "◁",
    "fa-play fa-flip-horizontal": "◀",
    "fa-pause": "❚❚",
    "fa-play": "▶",
    "fa-step-forward": "▷",
    "fa-fast-forward": "⏭",
    "fa-plus": "+",
}


def animate_phase_portrait(
    solution: object,
    *,
    neurons: Numbers = (0, 1),
    num_frames: int = 120,
    tail: Number | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> FuncAnimation:
    r"""Animate an orbit in the plane of two neurons, at an even pace in time.

    Each frame shows the last sample up to its time, the way that led there, and the
    time. Draw level sets or a vector field into `ax` first to have them behind it.

    **Arguments:**

    - `solution`: with `ts` `(time,)`, in units of `tau`, and `ys` `(time, n)`,
      dimensionless and finite.
    - `neurons`: the two neurons, along x and along y.
    - `num_frames`: how many frames, from the first sample to the last.
    - `tail`: how much of the past is drawn, in units of `tau`; default: all.
    - `ax`: axes to draw into; default: new ones.
    - `kwargs`: for the orbit's `Axes.plot`.

    **Returns:** a `matplotlib.animation.FuncAnimation`. Keep a reference to it for as
    long as it should run; `save_animation` writes it to a file.

    **Raises:** `ValueError` if shapes do not fit, a sample is not finite, a neuron
    does not exist, `num_frames` is below 2, or `tail` is not positive.
    """
    ys = read_states(solution)
    ts = read_times(solution, len(ys))
    pair = check_pair(neurons, ys.shape[1])
    x, y = ys[:, pair[0]], ys[:, pair[1]]
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(ts).all()):
        raise ValueError("A sample is not finite; cut the solution before it.")
    if num_frames < 2:
        raise ValueError(f"num_frames must be at least 2, got {num_frames}.")
    if tail is not None and not tail > 0:
        raise ValueError(f"tail must be positive, got {tail}.")
    times = np.linspace(ts[0], ts[-1], num_frames)
    # The last sample not after the frame; a little late counts as on time.
    slack = 1e-6 * (ts[-1] - ts[0])
    last = np.searchsorted(ts, times + slack, side="right") - 1
    span = np.inf if tail is None else float(tail)
    first = np.searchsorted(ts, ts[last] - span, side="left")

    own = ax is None
    ax = axes_or_new(ax, height=3.5)
    style: dict = {"color": colour(next_index(ax)), "linewidth": 1.3, "zorder": 3}
    style |= kwargs
    # Drawn whole once, so that the axes fit all of it from the start.
    (line,) = ax.plot(x, y, **style)
    (dot,) = ax.plot(x[-1:], y[-1:], "o", color=line.get_color(), zorder=4)
    dot.set_label("_ref now")
    clock = ax.text(0.0, 1.02, "", transform=ax.transAxes, fontsize=8)
    set_labels(ax, state_label(pair[0]), state_label(pair[1]))
    ax.set_aspect("equal", adjustable="box")
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())

    def draw(frame: int) -> list[Artist]:
        begin, end = first[frame], last[frame]
        line.set_data(x[begin : end + 1], y[begin : end + 1])
        dot.set_data(x[end : end + 1], y[end : end + 1])
        clock.set_text(rf"$t = {ts[end]:.2f}\,\tau$")
        return [line, dot, clock]

    figure = ax.figure
    if isinstance(figure, SubFigure):
        figure = figure.figure
    if own:
        # A fixed layout: axes that moved with the clock's width would tremble.
        draw(num_frames - 1)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return FuncAnimation(
        figure, draw, frames=num_frames, interval=40, cache_frame_data=False
    )


def save_animation(
    animation: FuncAnimation, path: str | Path, *, fps: int = 25, dpi: int = 120
) -> Path:
    r"""Write an animation as a GIF, or as one HTML page that needs nothing else.

    The page holds every frame as a PNG image and buttons to play, stop and step.

    **Arguments:**

    - `animation`: such as `animate_phase_portrait` returns.
    - `path`: a file ending in `.gif`, `.html` or `.htm`; its folder must exist.
    - `fps`: frames a second, 1 to 50. GIF rounds the pause to hundredths of a second.
    - `dpi`: pixels an inch.

    **Returns:** the path.

    **Raises:** `ValueError` for another ending or frame rate; `FileNotFoundError` if
    the folder does not exist.

    Cost: each frame is drawn once, about 0.1 s; two frames alike follow each other as
    one longer frame in a GIF.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".gif", ".html", ".htm"):
        raise ValueError(
            f"Animations are saved as .gif or .html, not {suffix!r}: {path}"
        )
    if not 1 <= fps <= 50:
        raise ValueError(f"fps must lie between 1 and 50, got {fps}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"No such folder: {path.parent}")
    if suffix == ".gif":
        animation.save(path, writer=PillowWriter(fps=fps), dpi=dpi)
        return path
    with tempfile.TemporaryDirectory() as folder:
        player = Path(folder) / "player.html"
        # Unlimited: matplotlib drops the frames beyond its limit of 20 MB.
        writer = HTMLWriter(fps=fps, embed_frames=True, embed_limit=float("inf"))
        animation.save(player, writer=writer, dpi=dpi)
        text = player.read_text(encoding="utf-8")
    path.write_text(_page(text), encoding="utf-8")
    return path


def _page(player: str) -> str:
    """Return matplotlib's player as a whole page that refers to no other file."""
    player = re.sub(r"<link\b[^>]*>", "", player)
    for icon, character in _ICONS.items():
        player = player.replace(f'<i class="fa {icon}"></i>', character)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>Animation</title></head>\n<body>\n{player}\n</body>\n</html>\n"
    )
