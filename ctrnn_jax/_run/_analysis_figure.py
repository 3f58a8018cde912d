"""The figure of an analysis: the orbit, and a panel for each part asked for."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .. import plot
from ._checkpoint import Arrays
from ._config import Config
from ._figure import title
from ._files import write_atomically

_NEURONS_UP_TO = 8

Panel = Callable[[Axes], object]


def write_analysis_figure(path: Path, config: Config, found: dict[str, Arrays]) -> None:
    """Draw the orbit against time, its portrait and lines, and the other parts.

    **Raises:** `ValueError` if there is nothing finite to draw.
    """
    with matplotlib.rc_context({"font.size": 8}):
        png = _draw(config, found)
    write_atomically(path, lambda file: file.write(png))


def _draw(config: Config, found: dict[str, Arrays]) -> bytes:
    orbit = found["orbit"]
    if not np.isfinite(orbit["ys"]).any():
        raise ValueError("the orbit is not finite, so there is nothing to draw")
    rows = _rows(_panels(found))
    heights = [1.9, *(2.5 if len(row) == 1 else 3.1 for row in rows)]
    figure = Figure(figsize=(7.2, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    shown = range(min(orbit["ys"].shape[1], _NEURONS_UP_TO))
    series = SimpleNamespace(ts=orbit["ts"], ys=orbit["ys"])
    plot.plot_time_series(series, neurons=shown, ax=figure.add_subplot(grid[0, :]))
    for row, panels in enumerate(rows, start=1):
        for column, panel in enumerate(panels):
            place = grid[row, column] if len(panels) == 2 else grid[row, :]
            panel(figure.add_subplot(place))
    figure.suptitle(f"{orbit['kind']}: {title(config)}", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160, facecolor="white")
    return buffer.getvalue()


def _rows(panels: list[tuple[Panel, bool]]) -> list[list[Panel]]:
    """Return the panels in rows of two, those that are wide alone in theirs."""
    narrow = [panel for panel, wide in panels if not wide]
    rows = [narrow[i : i + 2] for i in range(0, len(narrow), 2)]
    return rows[:1] + [[panel] for panel, wide in panels if wide] + rows[1:]


def _panels(found: dict[str, Arrays]) -> list[tuple[Panel, bool]]:
    """Return what draws each panel, and whether it is wide; none for failed parts."""
    orbit = found["orbit"]
    size = orbit["ys"].shape[1]
    okay = {
        name: SimpleNamespace(**arrays)
        for name, arrays in found.items()
        if str(arrays["status"]) == "successful"
    }
    panels: list[tuple[Panel, bool]] = []

    def add(
        draw: Callable, *data: object, wide: bool = False, **options: object
    ) -> None:
        panels.append((lambda ax: draw(*data, ax=ax, **options), wide))

    if size > 1:
        add(_draw_portrait, orbit["ys"], okay)
    lines = okay.get("frequencies", SimpleNamespace(**orbit))
    if np.any(lines.amplitude > 0):
        add(plot.plot_frequencies, lines)
    if "lyapunov" in okay:
        spectrum = okay["lyapunov"]
        add(plot.plot_lyapunov_convergence, spectrum, wide=True)
        pairing = len(spectrum.exponents) == size
        add(plot.plot_lyapunov_spectrum, spectrum, pairing=pairing)
    if "section" in okay and size > 1:
        add(_draw_section, okay["section"])
    if "periodic_orbit" in okay:
        add(plot.plot_multipliers, okay["periodic_orbit"])
    if "gradient_norms" in okay:
        add(plot.plot_gradient_norms, okay["gradient_norms"])
    return panels


def _draw_portrait(ys: np.ndarray, okay: dict[str, SimpleNamespace], ax: Axes) -> None:
    style = {"mark_start": False, "equal_aspect": False, "ax": ax}
    plot.plot_phase_portrait(ys, linewidth=0.6, **style)
    if "periodic_orbit" in okay:
        plot.plot_phase_portrait(okay["periodic_orbit"].ys, **style)
    if "fixed_points" in okay and len(okay["fixed_points"].kinds):
        plot.plot_fixed_points(okay["fixed_points"], ax=ax)


def _draw_section(section: SimpleNamespace, ax: Axes) -> None:
    """Draw the plane of the first two neurons that the section leaves free."""
    free = np.ptp(section.ys, axis=0) > 1e-9
    neurons = [*np.flatnonzero(free), *np.flatnonzero(~free)][:2]
    plot.plot_section(section, neurons=sorted(int(each) for each in neurons), ax=ax)
