"""The figure of a run: where it goes, how it goes on, and what it keeps."""

import io
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .. import plot
from ._config import Config
from ._files import write_atomically
from ._segments import OKAY, Samples

_ORBITS_UP_TO = 5
_NEURONS_UP_TO = 8
_SAMPLES_UP_TO = 20_000


def write_figure(path: Path, config: Config, samples: Samples) -> None:
    """Draw phase portrait, time series and energy error, as far as there are any.

    The portrait shows the first lanes that did not fail (of more than two neurons,
    whose orbits cross in it, one), the time series the first of them; the energy error
    is the largest over all lanes. Long runs are thinned.

    **Raises:** `ValueError` if every lane failed.
    """
    okay = np.flatnonzero(samples.status == OKAY)
    if not okay.size:
        raise ValueError("every lane failed, so there is nothing to draw")
    with matplotlib.rc_context({"font.size": 8}):
        png = _draw(config, samples, okay)
    write_atomically(path, lambda file: file.write(png))


def _draw(config: Config, samples: Samples, okay: np.ndarray) -> bytes:
    thin = slice(None, None, -(-len(samples.ts) // _SAMPLES_UP_TO))
    ts, ys = samples.ts[thin], samples.ys[okay[:_ORBITS_UP_TO], thin]
    size = ys.shape[-1]
    has_portrait, energies = size > 1, samples.energy
    has_energy = energies is not None
    figure = Figure(figsize=(7.2, 5.4 if has_energy else 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1 + has_energy, 1 + has_portrait)
    series = figure.add_subplot(grid[0, -1])
    shown = range(min(size, _NEURONS_UP_TO))
    plot.plot_time_series(SimpleNamespace(ts=ts, ys=ys[0]), neurons=shown, ax=series)
    if has_portrait:
        portrait = figure.add_subplot(grid[0, 0])
        if size == 2:
            for orbit in ys:
                plot.plot_phase_portrait(orbit, ax=portrait)
        else:
            plot.plot_phase_portrait(ys[0], ax=portrait, linewidth=0.6)
    if energies is not None:
        energy = energies[:, thin]
        start = energy[:, 0]
        drift = SimpleNamespace(
            ts=ts, initial_energy=start, energy=energy - start[:, None]
        )
        axes = figure.add_subplot(grid[1, :])
        relative = bool(np.all(start[okay] != 0))
        plot.plot_drift(drift, relative=relative, ax=axes)
    figure.suptitle(title(config), fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160, facecolor="white")
    return buffer.getvalue()


def title(config: Config) -> str:
    """Return the run in a line."""
    values = config.values
    return (
        f"{values['weight.size']} neurons, {values['weight.kind']}, "
        f"{values['model.activation']}, {values['model.form']} form, "
        f"{values['solver.name']}"
    )
